# SPDX-License-Identifier: MIT
"""A Prometheus that scrapes --admin, with the rules of packaging/prometheus, for a test."""

import contextlib
import http.client
import json
import pathlib
import re

from world import wait_for

ADMIN = "127.0.0.1:9180"
ADDRESS = ("127.0.0.1", 9090)
RULES = pathlib.Path(__file__).parents[2] / "packaging" / "prometheus" / "stickyctl.rules.yml"

# The configuration of docs/monitoring.md, with shorter intervals.
CONFIG = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: stickyctl
    static_configs: [{{targets: ["{admin}"]}}]
"""

FOR = re.compile(r"^(\s+for: )\S+$", re.MULTILINE)
FOR_S = 1


def shortened(text):
    """Returns the rules with one second as the time of each `for:`. Nothing else is changed:
    increase() and rate() over 5 minutes to an hour need no more than two samples in that time."""
    return FOR.sub(rf"\g<1>{FOR_S}s", text)


class Prometheus:
    """A Prometheus that runs until the end of the test."""

    def __init__(self, test):
        rules = test.write("rules.yml", shortened(RULES.read_text()))
        self.config = test.write("prometheus.yml", CONFIG.format(rules=rules, admin=ADMIN))
        test.program("prometheus", f"--config.file={self.config}", "--log.level=warn",
                     f"--storage.tsdb.path={test.dir}/tsdb",
                     "--web.listen-address={}:{}".format(*ADDRESS), env={"GOMAXPROCS": "1"})
        wait_for("Prometheus to scrape", lambda: self.values("up") == [1])

    def ask(self, target):
        """Returns the data of an answer, or None while Prometheus does not listen."""
        connection = http.client.HTTPConnection(*ADDRESS, timeout=20)
        with contextlib.closing(connection), contextlib.suppress(ConnectionError):
            connection.request("GET", f"/api/v1/{target}")
            answer = connection.getresponse()
            if answer.status == 200:
                return json.loads(answer.read())["data"]
        return None

    def values(self, query):
        data = self.ask(f"query?query={query}")
        return [float(each["value"][1]) for each in data["result"]] if data else []

    def alerts(self, state="firing"):
        return [alert for alert in self.ask("alerts")["alerts"] if alert["state"] == state]

    def names(self):
        """The names of the alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self.alerts()}
