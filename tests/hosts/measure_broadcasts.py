#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures broadcasts of socket.io to 1,000 clients with each adapter, for some minutes: `make
bench-hosts`.

Clients, HAProxy, workers and Redis share the machine's processors. All ways are measured in turn,
ROUNDS times. The figures are medians, with the lowest and the highest.
"""

import json
import os
import statistics

import hosts  # this import comes first: it adds the directories of the others to sys.path
import harness
import nodeapps
import tap
from network import SERVICE
from nodeapps import SOURCES
from test_broadcasts import ChatTestCase
from world import scaled, wait_for

tap.TEST_LIMIT_S = scaled(3600)

CLIENTS = 1000
ROUNDS = int(os.environ.get("ROUNDS", 3))
SINGLE, MANY, WINDOW = 40, 300, 8
# number of hosts, workers of each, the application, its adapter
WAYS = {
    "cluster-adapter, 1 host x 4 workers": (1, 4, "app.js", None),
    "redis-adapter, 1 host x 4 workers": (1, 4, "app-redis.js", "redis"),
    "redis-streams-adapter, 1 host x 4 workers": (1, 4, "app-redis.js", "streams"),
    "redis-adapter, 2 hosts x 2 workers": (2, 2, "app-redis.js", "redis"),
    "redis-streams-adapter, 2 hosts x 2 workers": (2, 2, "app-redis.js", "streams"),
}
HEAD = """| adapter | p50, ms | p99, ms | broadcasts/s | CPU of workers | between them |
| --- | --- | --- | --- | --- | --- |"""


def cpu_ms(pid):
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) * 1000 / os.sysconf("SC_CLK_TCK")


def spread(values, digits):
    median, least, most = (f"{value:,.{digits}f}" for value in (
        statistics.median(values), min(values), max(values)))
    return f"{median} ({least} – {most})"


class Measure(ChatTestCase):
    def start_way(self, workers, app, adapter):
        if adapter:
            self.start_redis()
        self.start_chat(app, "-w", workers, ADAPTER=adapter or "")

    def between(self):
        """Returns the pids of the processes that pass messages between workers."""
        redis = [program.pid for program in self.programs if "redis-server" in program.arguments]
        return redis or [instance.pid for instance in self.instances]

    def cpu(self):
        workers = [pid for instance in self.instances for pid in self.pids(instance)]
        return [sum(map(cpu_ms, pids)) for pids in (workers, self.between())]

    def measure(self):
        """Returns the figures of a run. CPU times are in ms for each broadcast."""
        clients = self.program(
            *self.network.clients.prefix, "node", SOURCES / "broadcasts.js", json.dumps({
                "url": "http://%s:%d" % SERVICE, "clients": CLIENTS, "single": SINGLE,
                "many": MANY, "window": WINDOW}), env={"NODE_PATH": nodeapps.MODULES})
        at = []
        for event in ("many", "end"):
            wait_for(lambda: clients.errors or clients.output,
                     lambda event=event: f'"{event}"' in clients.output or not clients.runs, 120)
            at.append(self.cpu())
        self.assertEqual(clients.wait(30), 0, clients.output + clients.errors)
        figures = json.loads(clients.output.splitlines()[-1])
        figures["workers"], figures["between"] = [
            (after - before) / MANY for before, after in zip(*at)]
        return figures

    def check_way(self, name):
        self.hosts, workers, app, adapter = WAYS[name]
        super().setUp()
        self.start_way(workers, app, adapter)
        return self.measure()


class Broadcast(Measure):
    """Measure all ways in turn."""

    results = {name: [] for name in WAYS}

    def setUp(self):
        pass

    def test_all(self):
        for number in range(ROUNDS):
            for name, results in self.results.items():
                results.append(self.check_way(name))
                hosts.say(f"round {number + 1}: {name}: {results[-1]}")
                self.doCleanups()
        lines = [f"| {name} | {self.row(results)} |" for name, results in self.results.items()]
        hosts.say(f"{CLIENTS} clients, {ROUNDS} rounds\n\n{HEAD}\n" + "\n".join(lines) + "\n")

    @staticmethod
    def row(results):
        def of(name, digits):
            return spread([result[name] for result in results], digits)

        return (f"{of('p50', 1)} | {of('p99', 1)} | {of('per_second', 0)} | {of('workers', 1)} | "
                f"{of('between', 2)}")


del ChatTestCase, Measure

if __name__ == "__main__":
    if nodeapps.why_not("redis-server", "haproxy"):
        print(f"1..0 # SKIP {nodeapps.why_not('redis-server', 'haproxy')}")
    else:
        harness.main()
