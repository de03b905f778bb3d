#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Starting, looking, stopping: the demo, status, where, help, and every way to stop."""

import json
import os
import pathlib
import re
import signal
import socket

import harness
from clients import (
    HERE, LISTEN, ask, client_socket, http_get, is_refused, read_all, read_answer)
from privilege import forbid_ipv6
from programs import STICKYCTL, WORKER
from world import but_keepers, files_below, wait_for

# Scripts rely on the keys of `status --json` and their types.
NULL = type(None)
STATUS_KEYS = {
    "name": str, "pid": int, "steering": str, "steering_reason": str, "uptime_ms": int,
    "listeners": list, "slots": int, "buckets": int, "seed_id": str, "reload": dict,
    "held": int, "counters": dict, "workers": list,
}
RELOAD_KEYS = {"state": str, "done": int, "of": int, "error": NULL}
COUNTER_KEYS = {name: int for name in (
    "steered", "empty_slot", "dropped", "migrated", "handed", "retried", "answered_502",
    "client_gone", "proxy_keepalive")}
WORKER_KEYS = {
    "slot": int, "pid": int, "generation": int, "state": str, "uptime_ms": int,
    "restarts": int, "buckets": int, "steered": int, "handed": int, "connections": int,
    "queue": int, "overflows": int, "rss_bytes": int, "cpu_ms": int, "cwd": str,
    "last_exit": NULL,
}
COMMANDS = ("start", "status", "stop", "where", "doctor", "version", "help")


def sources(count, first=1):
    """Returns addresses of 127/8 for clients."""
    return [f"127.1.{number // 250}.{number % 250 + 1}"
            for number in range(first, first + count)]


def ask_demo(address, source=None):
    status, headers, body = http_get(address, source, Accept="application/json")
    assert status == 200 and headers["Content-Type"] == "application/json", (status, body)
    return json.loads(body)


class Demo(harness.TestCase):
    """`stickyctl start` without a COMMAND."""

    def test_page_tells_what_where_tells(self):
        demo = self.serve(*LISTEN, "-w", "4")
        threads = {}
        for source in sources(40):
            page, where = ask_demo(HERE, source), demo.where(source)
            self.assertEqual(page["client"], source)
            self.assertEqual(page["pid"], demo.pid)
            self.assertEqual({name: page[name] for name in ("slot", "key", "bucket")},
                             {name: where[name] for name in ("slot", "key", "bucket")})
            self.assertEqual(page["key"], f"{source}/32")
            self.assertEqual(where["pid"], page["tid"])
            threads.setdefault(page["slot"], set()).add(page["tid"])
        self.assertEqual(set(threads), {0, 1, 2, 3}, "40 clients reach 4 slots")
        self.assertTrue(all(len(ids) == 1 for ids in threads.values()), threads)
        self.assertEqual(len(set.union(*threads.values())), 4, "a thread each")
        self.assertEqual(set.union(*threads.values()),
                         {worker["pid"] for worker in demo.workers()})
        self.assertEqual(demo.terminate(), 0)

    def test_html_page(self):
        demo = self.serve(*LISTEN, "-w", "2")
        where = demo.where("127.0.0.7")
        status, headers, body = http_get(HERE, "127.0.0.7")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/html"))
        self.assertTrue(body.startswith("<!doctype html>"), body[:100])
        for shown in (f"slot {where['slot']}", "127.0.0.7", where["key"],
                      str(where["bucket"]), str(demo.pid), str(where["pid"])):
            self.assertIn(shown, body)

    def test_a_connection_stays_open_for_more_requests(self):
        self.serve(*LISTEN, "-w", "2")
        with client_socket(HERE) as client:
            for served in (1, 2, 3):
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n")
                answer = b""
                while not answer.endswith(b"}\n"):
                    answer += client.recv(65536)
                self.assertEqual(json.loads(answer.split(b"\r\n\r\n")[1])["served"], served)

    def test_default_address_is_8080_for_everybody(self):
        demo = self.serve("-w", "2")
        self.assertEqual(demo.status()["listeners"], ["[::]:8080"])
        v4 = ask_demo(("127.0.0.1", 8080))
        self.assertEqual((v4["client"], v4["key"]), ("127.0.0.1", "127.0.0.1/32"))
        v6 = ask_demo(("::1", 8080), "2001:db8:5::9")
        self.assertEqual((v6["client"], v6["key"]), ("2001:db8:5::9", "2001:db8:5::/64"))
        self.assertEqual(v6["slot"], demo.where("2001:db8:5::9")["slot"])

    def test_without_ipv6_the_default_address_is_ipv4(self):
        demo = self.serve("-w", "2", preexec_fn=forbid_ipv6)
        self.assertEqual(demo.status()["listeners"], ["0.0.0.0:8080"])
        self.assertEqual(ask_demo(("127.0.0.1", 8080))["key"], "127.0.0.1/32")


class Workers(harness.TestCase):
    """The number of workers without -w."""

    def slots_by_default(self, *prefix):
        instance = self.start(*LISTEN, prefix=prefix).ready()
        slots = instance.status()["slots"]
        self.assertEqual(instance.terminate(), 0)
        return slots

    def limit_cpus(self, quota):
        """Limit the test's cgroup to a part of a CPU."""
        path = pathlib.Path("/proc/self/cgroup").read_text()
        own = re.search(r"^0::(/.*)$", path, re.MULTILINE)
        if not own:
            self.skipTest("no unified cgroup hierarchy")
        hierarchy = self.dir / "cgroup"
        directory = hierarchy / own[1].lstrip("/")
        directory.mkdir(parents=True)
        (directory / "cpu.max").write_text(f"{quota} 100000\n")
        self.mount("--bind", hierarchy, "/sys/fs/cgroup")
        return directory / "cpu.max"

    def test_default_is_the_cpus_that_we_may_use(self):
        cpus = sorted(os.sched_getaffinity(0))
        self.limit_cpus("max")
        self.assertEqual(self.slots_by_default(), len(cpus))
        self.assertEqual(self.slots_by_default("taskset", "-c", cpus[0]), 1)

    def test_default_is_bounded_by_the_cgroup(self):
        limit = self.limit_cpus("50000")
        self.assertEqual(self.slots_by_default(), 1)
        limit.write_text("100000 100000\n")
        self.assertEqual(self.slots_by_default(), 1)
        # A part of a CPU counts as one CPU.
        limit.write_text("100001 100000\n")
        self.assertEqual(self.slots_by_default(), min(2, len(os.sched_getaffinity(0))))

    def test_a_thousand_and_twenty_four(self):
        instance = self.serve(*LISTEN, "-w", "1024")
        status = instance.status()
        self.assertEqual(len(status["workers"]), 1024)
        self.assertEqual({worker["buckets"] for worker in status["workers"]}, {64})
        page = ask_demo(HERE, "127.9.9.9")
        self.assertEqual(page["slot"], instance.where("127.9.9.9")["slot"])
        self.assertEqual(instance.terminate(), 0)


class Status(harness.TestCase):
    """The output of `status` and `where`."""

    def assert_keys(self, found, wanted):
        self.assertLessEqual(set(wanted), set(found))
        for name, kind in wanted.items():
            self.assertIs(type(found[name]), kind, f"{name}: {found[name]}")

    def test_json_has_every_key(self):
        instance = self.serve(*LISTEN, "-w", "3", "-n", "web", name="web")
        for source in sources(30):
            ask_demo(HERE, source)
        result = instance.run("status", "--json")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        status = json.loads(result.stdout)
        self.assert_keys(status, STATUS_KEYS)
        self.assert_keys(status["reload"], RELOAD_KEYS)
        self.assert_keys(status["counters"], COUNTER_KEYS)
        for worker in status["workers"]:
            self.assert_keys(worker, WORKER_KEYS)
        self.assertEqual(
            (status["name"], status["pid"], status["steering"], status["listeners"],
             status["slots"], status["buckets"], status["reload"]["state"], status["held"]),
            ("web", instance.pid, "kernel", ["127.0.0.1:3000"], 3, 65536, "idle", 0))
        self.assertRegex(status["seed_id"], r"^[0-9a-f]{8}$")
        seed = (self.state_dir / "web" / "seed").read_text().split()[-1]
        self.assertNotIn(status["seed_id"], seed, "it must not tell the seed")
        self.assertEqual([worker["slot"] for worker in status["workers"]], [0, 1, 2])
        self.assertEqual(sum(worker["buckets"] for worker in status["workers"]), 65536)
        # These are 30 connections over loopback without a SYN cookie, so each placement is a
        # connection.
        self.assertEqual(sum(worker["steered"] for worker in status["workers"]), 30)
        self.assertEqual(status["counters"]["steered"], 30)

    def test_connections_are_counted(self):
        instance = self.serve(*LISTEN, "-w", "2", "--", WORKER, "--notify")
        source = "127.1.2.3"
        slot = instance.where(source)["slot"]

        def count(status):
            return [worker["connections"] for worker in status["workers"]]

        with client_socket(HERE, source) as one, client_socket(HERE, source) as two:
            for client in (one, two):
                client.sendall(b"no line end")
            status = instance.wait_status("two connections", lambda status:
                                          count(status)[slot] == 2)
            self.assertEqual(count(status)[1 - slot], 0)
            self.assertGreater(status["workers"][slot]["rss_bytes"], 100_000)
            self.assertEqual(status["workers"][slot]["cwd"], os.getcwd())
        instance.wait_status("no connection", lambda status: count(status) == [0, 0])

    def test_text(self):
        instance = self.serve(*LISTEN, "-w", "2", "--", WORKER, "--notify", "--status",
                              "all is well")
        result = instance.run("status")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        lines = result.stdout.splitlines()
        self.assertIn("default", lines[0])
        self.assertIn(str(instance.pid), lines[0])
        self.assertIn("kernel", lines[0])
        self.assertIn("127.0.0.1:3000", lines[1])
        for worker in instance.workers():
            row = next(line for line in lines if re.match(rf"\s+{worker['slot']}\s", line))
            self.assertIn(str(worker["pid"]), row)
            self.assertIn("ready", row)
            self.assertIn("50.00%", row)
            self.assertIn("all is well", lines[lines.index(row) + 1])
        self.assertLessEqual(max(map(len, lines)), 80)

    def test_where(self):
        instance = self.serve(*LISTEN, "-w", "4", "--", WORKER, "--notify")
        pids = [worker["pid"] for worker in instance.workers()]
        for address, key in (("203.0.113.9", "203.0.113.9/32"),
                             ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
                             ("[2001:db8:1:2::7]", "2001:db8:1:2::/64"),
                             ("::ffff:203.0.113.9", "203.0.113.9/32")):
            result = instance.run("where", address, "--json")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            answer = json.loads(result.stdout)
            self.assertEqual(set(answer), {"address", "key", "bucket", "slot", "pid", "state"})
            self.assertEqual((answer["address"], answer["key"], answer["state"]),
                             (address, key, "ready"))
            self.assertIn(answer["bucket"], range(65536))
            self.assertEqual(answer["pid"], pids[answer["slot"]])
            self.assertEqual(answer, instance.where(address))
        # Both forms are the same client.
        self.assertEqual(*(instance.where(address)["bucket"] for address in
                           ("203.0.113.9", "::ffff:203.0.113.9")))
        text = instance.run("where", "203.0.113.9").stdout
        for word in ("203.0.113.9", f"slot {instance.where('203.0.113.9')['slot']}"):
            self.assertIn(word, text)

    def test_instances_side_by_side(self):
        one = self.serve("-l", "127.0.0.1:3001", "-w", "1", name="one")
        two = self.serve("-l", "127.0.0.1:3002", "-w", "2", name="two")
        for instance, slots in ((one, 1), (two, 2)):
            status = json.loads(instance.run("status", "--json").stdout)
            self.assertEqual((status["name"], status["pid"], status["slots"]),
                             (instance.name, instance.pid, slots))
        self.assertEqual(one.stop(), 0)
        self.assertEqual(ask_demo(("127.0.0.1", 3002))["pid"], two.pid)
        self.assertEqual(two.terminate(), 0)

    def test_default_directories(self):
        for directory in ("/run", "/var/lib"):
            self.mount("-t", "tmpfs", "tmpfs", directory)
        instance = self.start(*LISTEN, "-w", "1", run_dir="/run/sticky",
                              env={"STICKYCTL_RUN_DIR": None, "STICKYCTL_STATE_DIR": None})
        instance.ready()
        self.assertEqual(pathlib.Path("/run/sticky/default/pid").read_text().strip(),
                         str(instance.pid))
        seed = pathlib.Path("/var/lib/sticky/default/seed")
        self.assertEqual((seed.stat().st_mode & 0o7777, seed.parent.stat().st_mode & 0o7777),
                         (0o600, 0o700))
        result = instance.run("stop", env={"STICKYCTL_RUN_DIR": None})
        self.assertEqual((result.returncode, instance.wait()), (0, 0))
        self.assertEqual(files_below("/run/sticky"), [])

    def test_options_from_the_environment(self):
        instance = self.start(env={"STICKYCTL_WORKERS": 3, "STICKYCTL_NAME": "env",
                                   "STICKYCTL_LISTEN": "127.0.0.1:3000 127.0.0.1:3001"},
                              name="env").ready()
        status = instance.status()
        self.assertEqual((status["slots"], status["listeners"]),
                         (3, ["127.0.0.1:3000", "127.0.0.1:3001"]))

    def test_the_command_line_wins_over_the_environment(self):
        instance = self.serve("-w", "2", *LISTEN,
                              env={"STICKYCTL_WORKERS": 3, "STICKYCTL_LISTEN": ":4000"})
        status = instance.status()
        self.assertEqual((status["slots"], status["listeners"]), (2, ["127.0.0.1:3000"]))


class Help(harness.TestCase):
    """Commands that need no instance."""

    def test_version(self):
        header = (pathlib.Path(__file__).parents[2] / "include" / "sticky.h").read_text()
        version = re.search(r'#define STICKY_VERSION\s+"(.*)"', header)[1]
        for word in ("version", "--version", "-V"):
            result = self.stickyctl(word)
            self.assertEqual((result.returncode, result.stdout, result.stderr),
                             (0, f"stickyctl {version}\n", ""))

    def test_help_names_every_command(self):
        for word in ("help", "--help", "-h"):
            result = self.stickyctl(word)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            for command in COMMANDS:
                self.assertRegex(result.stdout, rf"(?m)^\s+stickyctl {command}\b")

    def test_help_of_a_command(self):
        options = {"start": ("--listen", "--workers", "--ready", "--user", "--chdir", "--env",
                             "--state-dir", "--hard-shutdown-delay", "--v4-prefix"),
                   "status": ("--json",), "stop": ("--now",), "where": ("--json",)}
        for command in COMMANDS:
            result = self.stickyctl("help", command)
            self.assertEqual((result.returncode, result.stderr), (0, ""), command)
            for option in options.get(command, ()):
                self.assertIn(option, result.stdout)
            if command != "help":
                self.assertEqual(result.stdout, self.stickyctl(command, "--help").stdout)
                for option in ("--name", "--run-dir"):
                    self.assertIn(option, result.stdout)

    def test_no_arguments(self):
        result = self.stickyctl()
        self.assertEqual(result.returncode, 2)
        self.assertIn("stickyctl start", result.stdout + result.stderr)


class Stop(harness.TestCase):
    """Every way to stop, and how clients see it."""

    def begin_request(self, instance):
        """Open a connection that a worker has accepted, with the beginning of a request."""
        client = client_socket(HERE)
        self.addCleanup(client.close)
        client.sendall(b"half a ")
        instance.wait_status("the connection", lambda status: sum(
            worker["connections"] for worker in status["workers"]) == 1)
        return client

    def assert_finished_in_flight(self, instance, client):
        wait_for("new connections to be refused", lambda: is_refused(HERE))
        self.assertTrue(instance.runs, "it waits for the request")
        client.sendall(b"line\n")
        self.assertIn("slot", read_answer(client))

    def test_term_finishes_requests(self):
        instance = self.serve(*LISTEN, "-w", "2", "--", WORKER, "--notify")
        client = self.begin_request(instance)
        instance.send(signal.SIGTERM)
        self.assert_finished_in_flight(instance, client)
        self.assertEqual(instance.wait(), 0)

    def test_int_finishes_requests(self):
        instance = self.serve(*LISTEN, "-w", "2", "--", WORKER, "--notify")
        client = self.begin_request(instance)
        instance.send(signal.SIGINT)
        self.assert_finished_in_flight(instance, client)
        self.assertEqual(instance.wait(), 0)

    def test_stop_finishes_requests_and_returns_at_the_end(self):
        instance = self.serve(*LISTEN, "-w", "2", "--", WORKER, "--notify")
        client = self.begin_request(instance)
        stop = self.program(STICKYCTL, "stop")
        self.assert_finished_in_flight(instance, client)
        self.assertEqual(stop.wait(), 0)
        self.assertFalse(instance.runs, "stop returns when it is gone")
        self.assertEqual(instance.wait(), 0)
        self.assertEqual(stop.errors, "")

    def test_demo_finishes_requests(self):
        demo = self.serve(*LISTEN, "-w", "2")
        slot = demo.where("127.0.0.1")["slot"]
        with client_socket(HERE) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
            wait_for("an open connection", lambda: http_get(HERE)[0] == 200)
            demo.send(signal.SIGTERM)
            wait_for("new connections to be refused", lambda: is_refused(HERE))
            client.sendall(b"Accept: application/json\r\n\r\n")
            head, _, body = read_all(client).partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200"), head)
        self.assertEqual((json.loads(body)["slot"], json.loads(body)["generation"]), (slot, 1))
        self.assertEqual(demo.wait(), 0)

    def test_demo_does_not_wait_for_idle_connections(self):
        demo = self.serve(*LISTEN, "-w", "2", "--hard-shutdown-delay", "30s")
        with client_socket(HERE) as idle, client_socket(HERE, "127.0.0.9"):
            idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(idle.recv(65536).startswith(b"HTTP/1.1 200"))
            demo.send(signal.SIGTERM)
            self.assertEqual(demo.wait(), 0)

    def test_second_int_is_fast(self):
        instance = self.serve(*LISTEN, "-w", "2", "--", WORKER, "--notify", "--ignore-term")
        instance.send(signal.SIGINT)
        instance.wait_status("draining workers", lambda status: all(
            worker["state"] == "draining" for worker in status["workers"]))
        instance.send(signal.SIGINT)
        self.assertEqual(instance.wait(), 0)

    def test_quit_is_fast(self):
        instance = self.serve(*LISTEN, "-w", "2", "--", WORKER, "--notify", "--ignore-term")
        instance.send(signal.SIGQUIT)
        self.assertEqual(instance.wait(), 0)

    def test_stop_now(self):
        instance = self.serve(*LISTEN, "-w", "2", "--", WORKER, "--notify", "--ignore-term")
        self.assertEqual(instance.stop("--now"), 0)

    def test_stop_now_after_stop(self):
        instance = self.serve(*LISTEN, "-w", "2", "--", WORKER, "--notify", "--ignore-term")
        patient = self.program(STICKYCTL, "stop")
        instance.wait_status("draining workers", lambda status: all(
            worker["state"] == "draining" for worker in status["workers"]))
        self.assertEqual(instance.stop("--now"), 0)
        self.assertEqual(patient.wait(), 0)

    def test_who_outlives_the_delay_is_killed(self):
        instance = self.serve(*LISTEN, "-w", "2", "--hard-shutdown-delay", "300ms", "--",
                              WORKER, "--notify", "--ignore-term", "--fork-child")
        self.assertEqual(len(but_keepers()), 5)
        instance.send(signal.SIGTERM)
        self.assertEqual(instance.wait(), 4)
        exits = instance.log_lines("worker_exit")
        self.assertEqual([line.fields["how"] for line in exits], 2 * ["was killed by SIGKILL"])
        delay = exits[0].time - instance.log_lines("stopping")[0].time
        self.assertTrue(0.2 <= delay < 5, delay)

    def test_stop_says_that_some_were_killed(self):
        instance = self.serve(*LISTEN, "-w", "2", "--hard-shutdown-delay", "200ms", "--",
                              WORKER, "--notify", "--ignore-term")
        result = instance.run("stop")
        self.assertEqual((result.returncode, instance.wait()), (4, 4))
        self.assertIn("--hard-shutdown-delay", result.stderr)

    def test_other_signals_do_not_end_it(self):
        # A terminal that is closed (HUP) or a log that is rotated (USR1) must not end the
        # controller, which would leave the workers without one.
        instance = self.serve(*LISTEN, "-w", "2", "--", WORKER, "--notify")
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGPIPE):
            instance.send(number)
            self.assertEqual(instance.status()["pid"], instance.pid)
            self.assertIn("slot", ask(HERE))
        self.assertEqual(instance.terminate(), 0)

    def test_stop_during_start(self):
        # No worker is ready yet. The instance stops all the same.
        instance = self.start(*LISTEN, "-w", "2", "--ready", "notify", "--", WORKER)
        instance.wait_status("starting workers", lambda status: all(
            worker["pid"] for worker in status["workers"]))
        self.assertEqual(instance.stop(), 0)

    def test_descendants_of_a_worker_end_with_it(self):
        instance = self.serve(*LISTEN, "-w", "2", "--", WORKER, "--notify", "--fork-child")
        self.assertEqual(len(but_keepers()), 5)
        self.assertEqual(instance.terminate(), 0)  # the harness checks the rest after every test

    def test_status_while_stopping(self):
        instance = self.serve(*LISTEN, "-w", "1", "--", WORKER, "--notify", "--ignore-term")
        instance.send(signal.SIGTERM)
        status = instance.wait_status("a draining worker", lambda status: status["workers"][0][
            "state"] == "draining")
        self.assertEqual(status["workers"][0]["slot"], 0)
        instance.send(signal.SIGQUIT)
        self.assertEqual(instance.wait(), 0)

    def test_the_address_is_free_at_once(self):
        # The demo closes first: its side of the connections is in TIME_WAIT, which must not prevent
        # the next start.
        for _ in range(2):
            demo = self.serve(*LISTEN, "-w", "2")
            for source in sources(5):
                with socket.create_connection(HERE, source_address=(source, 0)) as client:
                    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    self.assertIn(b"200 OK", read_all(client))
            self.assertEqual(demo.terminate(), 0)
        states = pathlib.Path("/proc/net/tcp").read_text()
        self.assertRegex(states, r":0BB8 \w+:\w+ 06 ", "there are sockets in TIME_WAIT")

    def test_commands_without_an_instance(self):
        for command in (("status",), ("status", "--json"), ("stop",), ("where", "192.0.2.1")):
            self.assert_message(self.stickyctl(*command), "'default'", "stickyctl start",
                                code=3)


if __name__ == "__main__":
    harness.main()
