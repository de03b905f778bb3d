#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each alert of packaging/prometheus is made to fire: a real Prometheus scrapes a real instance,
and the problem of the alert is caused in that instance.

    make test-alerts
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
# pylint: disable=wrong-import-position
import harness
from clients import HERE, ask, client_socket
from lifecycle import WORKERS, LifecycleTestCase
from programs import environment
from prometheus import ADMIN, RULES, Prometheus
from test_hostile import DETACH_REUSEPORT_BPF, listening_socket_of
from world import wait_for

NAMES = set(re.findall(r"- alert: (\w+)", RULES.read_text()))
FIRED = set()  # alerts that have fired in the tests of this file


class Promtool(LifecycleTestCase):
    def promtool(self, *words, **options):
        result = subprocess.run(["promtool", *map(str, words)], check=False, text=True,
                                capture_output=True, **options)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def test_rules(self):
        self.assertIn(f"{len(NAMES)} rules found", self.promtool("check", "rules", RULES))
        self.promtool("test", "rules", "stickyctl.rules.test.yml", cwd=RULES.parent)

    def test_metrics_and_configuration(self):
        instance = self.serve_workers(2, "--admin", ADMIN)
        self.promtool("check", "metrics", input=instance.run("metrics").stdout)
        self.promtool("check", "config", Prometheus(self).config)


class Alerts(LifecycleTestCase):
    """No alert fires while all is well. Then a problem is caused, and its alert fires."""

    def begin(self, slots, *arguments, **options):
        instance = self.serve_workers(slots, "--admin", ADMIN, *arguments, **options)
        self.prometheus = Prometheus(self)
        self.assertEqual(self.prometheus.alerts() + self.prometheus.alerts("pending"), [])
        return instance

    def fires(self, name, *words, **labels):
        """Wait for an alert with these labels, and with these words in its summary."""
        def found():
            return [alert for alert in self.prometheus.alerts()
                    if alert["labels"]["alertname"] == name]

        alert = wait_for(lambda: f"{name}: {self.prometheus.ask('alerts')}", found,
                         interval=0.1)[0]
        for label, value in labels.items():
            self.assertEqual(alert["labels"].get(label), value, alert)
        texts = alert["annotations"]
        self.assertIn(ADMIN, texts["summary"])
        self.assertNotIn("no value", texts["summary"] + texts["description"])
        for word in words:
            self.assertIn(word, texts["summary"])
        FIRED.add(name)

    def ends(self, name):
        wait_for(f"{name} to end", lambda: name not in self.prometheus.names(), interval=0.1)

    def test_down(self):
        instance = self.begin(1)
        arguments = instance.arguments[instance.arguments.index("start") + 1:]
        self.kill_controller(instance)
        self.fires("StickyctlDown", "does not answer", severity="critical")
        self.assertEqual(ask(HERE)["slot"], 0)
        self.start(*arguments).ready()
        self.ends("StickyctlDown")

    def test_away(self):
        """A slot that flaps is away all the time, though its state changes from starting to
        waiting and back."""
        command = self.switchable_worker("bad) sleep 0.3; exit 1;;")
        instance = self.begin(2, command=[command])
        self.mode("bad")
        self.kill_worker(instance, 1)
        self.fires("StickyctlSlotAway", "Slot 1", slot="1")
        self.assertNotIn("StickyctlNoReadyWorker", self.prometheus.names())
        self.kill_worker(instance, 0)
        self.fires("StickyctlNoReadyWorker", "No slot", severity="critical")
        self.mode("good")
        for slot in "01":
            instance.run("restart", slot)
        self.ends("StickyctlNoReadyWorker")
        self.ends("StickyctlSlotAway")

    def test_slot_failed(self):
        command = self.switchable_worker("bad) exit 1;;")
        instance = self.begin(2, "--restart-limit", "2/1m", command=[command])
        self.mode("bad")
        self.kill_worker(instance, 1)
        self.fires("StickyctlSlotFailed", "Slot 1", slot="1")

    def test_workers_flap(self):
        command = self.switchable_worker("bad) exec $WORKER --notify --exit-after 50;;")
        instance = self.begin(1, command=[command])
        self.mode("bad")
        self.kill_worker(instance, 0)
        self.fires("StickyctlWorkersFlap", "slot 0", slot="0")

    def test_hung(self):
        instance = self.begin(1, "--hang-timeout", "800ms")
        pid = instance.workers()[0]["pid"]
        os.kill(pid, signal.SIGSTOP)
        with client_socket(HERE):
            self.fires("StickyctlWorkerHung", "slot 0", slot="0", severity="critical")
            os.kill(pid, signal.SIGCONT)
            self.ends("StickyctlWorkerHung")

    def test_clients_answered(self):
        instance = self.begin(1, "--max-retries", "1", "--retry-delay", "10ms")
        instance.run("drain", 0)
        instance.wait_status("the drained slot", lambda status: status["workers"][0][
            "state"] == "drained")
        with client_socket(HERE) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b"502", client.recv(100))
        self.fires("StickyctlClientsAnswered", "get an error", exit="answered")

    def test_queue_overflows(self):
        instance = self.begin(1, "--backlog", "1")
        os.kill(instance.workers()[0]["pid"], signal.SIGSTOP)
        for _ in range(10):
            client = socket.socket()
            self.addCleanup(client.close)
            client.setblocking(False)
            client.connect_ex(HERE)
        instance.wait_status("an overflow", lambda status: status["workers"][0]["overflows"] > 0)
        self.fires("StickyctlQueueOverflows", "slot 0", slot="0")
        os.kill(instance.workers()[0]["pid"], signal.SIGCONT)

    def test_reload_failed(self):
        command = self.switchable_worker("bad) exit 1;;")
        instance = self.begin(2, command=[command])
        self.mode("bad")
        self.assertNotEqual(instance.run("reload", "--wait").returncode, 0)
        self.fires("StickyctlReloadFailed", "reload")
        self.mode("good")
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.ends("StickyctlReloadFailed")

    def test_steering_lost(self):
        instance = self.begin(2)
        with listening_socket_of(instance.workers()[0]["pid"]) as worker:
            worker.setsockopt(socket.SOL_SOCKET, DETACH_REUSEPORT_BPF, 0)
        self.fires("StickyctlSteeringLost", "BPF program")

    def test_foreign_listener(self):
        instance = self.begin(1)
        with socket.socket() as foreign:
            foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            foreign.bind(HERE)
            foreign.listen()
            self.assertEqual(instance.run("reload", "--wait").returncode, 0)
            self.fires("StickyctlForeignListener", "Another process")
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.ends("StickyctlForeignListener")

    def test_z_none_is_left_out(self):
        """Check that each alert has fired. The tests run in the order of their names: this is the
        last one."""
        if len(sys.argv) > 1:
            self.skipTest("not all tests ran")
        self.assertEqual(NAMES - FIRED, set())


if __name__ == "__main__":
    missing = [name for name in ("prometheus", "promtool")
               if not shutil.which(name, path=environment()["PATH"])]
    if missing:
        print(f"1..0 # SKIP {missing[0]} is not installed: make deps-alerts")
    else:
        harness.main()
