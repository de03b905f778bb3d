#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""--admin and `stickyctl metrics`: the answers, who gets them, and which requests are refused."""

import bisect
import contextlib
import http.client
import json
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess

import harness
from clients import LISTEN
from lifecycle import WORKERS, LifecycleTestCase
from passing import XFF, PassingTestCase, forwarded
from programs import FAILED, USAGE, ControlConnection, WORKER
from world import wait_for

ADMIN = ("127.0.0.1", 9180)
TEXT = "{}:{}".format(*ADMIN)
PACKAGING = pathlib.Path(__file__).parents[2] / "packaging"
CLIENTS_MAX, STREAMS_MAX = 64, 8  # of src/admin/admin.c and admin_stream.h

SAMPLE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def ask(target, method="GET", address=ADMIN, **headers):
    """Send one request. Returns the status, the headers and the body."""
    connection = http.client.HTTPConnection(*address, timeout=20)
    with contextlib.closing(connection):
        connection.request(method, target, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def ready():
    """Returns the status and the text of /readyz, or None if nothing listens."""
    with contextlib.suppress(ConnectionError):
        status, _, body = ask("/readyz")
        return status, body.strip()
    return None


def parse_metrics(text):
    """Returns {(name, labels): value}. Every line of the text must be valid, and each family
    announced."""
    types, samples = {}, {}
    for line in text.splitlines():
        if line.startswith("# "):
            kind, name, words = line[2:].split(" ", 2)
            if kind == "TYPE":
                assert name not in types, line
                types[name] = words
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        name, labels, value = found.groups()
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name in types or types.get(family) == "histogram", line
        key = (name, frozenset(LABEL.findall(labels or "")))
        assert key not in samples, line
        samples[key] = float(value)
    return samples


def value(samples, name, **labels):
    return samples[f"stickyctl_{name}", frozenset(labels.items())]


def total(samples, name):
    return sum(number for (each, _), number in samples.items() if each == f"stickyctl_{name}")


def open_connections():
    """Returns the number of connections to --admin that neither side has ended: proc_net_tcp."""
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(fields[1].endswith(f":{ADMIN[1]:04X}") and fields[3] == "01"
               for fields in map(str.split, lines))


def small_buffers(test):
    """Make the buffers of the namespace's sockets small, so that unread answers stay in
    stickyctl."""
    for name in ("tcp_wmem", "tcp_rmem"):
        path = pathlib.Path("/proc/sys/net/ipv4", name)
        test.addCleanup(path.write_text, path.read_text())
        path.write_text("4096 4096 4096\n")


class Answers(LifecycleTestCase):
    """Answers of an instance without problems."""

    def check_page(self):
        status, headers, body = ask("/")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        policy = headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        for name in re.findall(r'(?:src|href)="([^"]*)"', body):
            self.assertTrue(name == "data:," or ask(f"/{name}")[0] == 200, name)
        self.assertNotRegex(body, r'<script>|style="|\son\w+="')

    def check_documents(self, instance):
        document = json.loads(ask("/status.json")[2])
        status = instance.status()
        self.assertEqual(list(document), list(status))
        self.assertEqual(document["admin"], TEXT)
        self.assertEqual(json.loads(ask("/where?address=203.0.113.9")[2]),
                         instance.where("203.0.113.9"))
        self.check_buckets(instance)
        for query in ("", "?address=", "?address=web", "?other=1.2.3.4"):
            code, _, body = ask(f"/where{query}")
            self.assertEqual((code, "not an IP address" in body), (400, True), query)

    def check_buckets(self, instance):
        """Check that the intervals give each client the slot that `where` names."""
        document = json.loads(ask("/buckets.json")[2])
        self.assertEqual((document["buckets"], document["slots"]), (65536, 2))
        firsts = [first for first, _ in document["intervals"]]
        self.assertEqual((firsts[0], firsts), (0, sorted(firsts)))
        for answer in instance.where(*(f"203.0.113.{number}" for number in range(1, 100))):
            place = bisect.bisect_right(firsts, answer["bucket"]) - 1
            self.assertEqual(document["intervals"][place][1], answer["slot"], answer)

    def check_refusals(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            status, headers, _ = ask("/metrics", method)
            self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"), method)
        for target in ("/", "/metrics", "/status.json"):
            status, _, body = ask(target, "HEAD")
            self.assertEqual((status, body), (200, ""), target)
        self.assertEqual(ask("/v1/stop", "POST")[0], 405)
        self.assertEqual(ask("/v1/status")[0], 404)
        self.assertEqual(ask("/%2e%2e/etc/passwd")[0], 404)

    def check_hosts(self):
        for target, code in (("/status.json", 421), ("/", 421), ("/healthz", 200),
                             ("/readyz", 200)):
            self.assertEqual(ask(target, Host="attacker.example:9180")[0], code, target)
        self.assertEqual(ask("/status.json", Host="localhost:9180")[0], 200)

    def check_metrics(self, instance):
        _, headers, text = ask("/metrics")
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        samples = parse_metrics(text)
        result = instance.run("metrics")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(parse_metrics(result.stdout).keys(), samples.keys())
        self.assertEqual(value(samples, "slots"), 2)
        for slot in "01":
            self.assertEqual(value(samples, "slot_state", slot=slot, state="ready"), 1)
        self.assertEqual(value(samples, "placements_total", result="own_slot"),
                         total(samples, "slot_placements_total"))
        _, headers, text = ask("/metrics", Accept="application/openmetrics-text; version=1.0.0")
        self.assertIn("application/openmetrics-text; version=1.0.0", headers["Content-Type"])
        self.assertTrue(text.endswith("\n# EOF\n"))
        if shutil.which("promtool"):
            subprocess.run(["promtool", "check", "metrics"], input=result.stdout, text=True,
                           check=True)
        else:
            print("# promtool is not installed: the text was read by the test's parser alone")

    def test_answers(self):
        instance = self.serve_workers(2, "--admin", TEXT)
        for target, body in (("/healthz", "ok\n"), ("/readyz", "ready\n")):
            self.assertEqual((ask(target)[0], ask(target)[2]), (200, body))
        self.check_page()
        self.check_documents(instance)
        self.check_refusals()
        self.check_hosts()
        self.check_metrics(instance)
        self.assertEqual(len(instance.log_lines("admin_listening", address=TEXT)), 1)

    def test_what_workers_print_is_not_shown(self):
        command = self.switchable_worker("bad) echo secret; exit 3;;")
        instance = self.serve_workers(2, "--admin", TEXT, command=[command])
        self.mode("bad")
        self.kill_worker(instance, 1)
        instance.wait_status("its last line", lambda status: "secret" in json.dumps(status))
        self.assertNotIn("secret", ask("/status.json")[2] + ask("/metrics")[2])
        self.assertIsNone(json.loads(ask("/status.json")[2])["workers"][1]["last_exit"][
            "last_line"])

    def test_no_admin(self):
        instance = self.serve_workers(1, "--admin", "off")
        self.assertIsNone(instance.status()["admin"])
        self.assertIsNone(ready())

    def test_reload_is_measured(self):
        instance = self.serve_workers(2, "--admin", TEXT)
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        samples = parse_metrics(ask("/metrics")[2])
        self.assertEqual(value(samples, "reloads_total", result="succeeded"), 1)
        self.assertEqual(value(samples, "reload_duration_seconds_count"), 1)
        self.assertGreater(value(samples, "reload_duration_seconds_sum"), 0)
        self.assertEqual(value(samples, "slot_generation", slot="1"), 2)


class Packaging(PassingTestCase):
    """The alert rules and the dashboard use only metrics that exist, and every connection has one
    exit."""

    def test_names_and_sums(self):
        instance = self.serve_takers(2, *XFF, "--admin", TEXT)
        for number in range(1, 9):
            self.asked(forwarded(f"203.0.113.{number}"))
        self.open(text=b"GET /")  # its head is not complete
        self.wait_pending(instance, 1)
        self.open().close()
        self.wait_counters(instance, client_gone=1)
        samples = parse_metrics(ask("/metrics")[2])
        self.assertEqual(value(samples, "controller_connections_total", exit="worker"), 8)
        self.assertEqual(value(samples, "controller_present_connections", waits_for="head"), 1)
        self.assertEqual(total(samples, "controller_accepted_connections_total"),
                         total(samples, "controller_connections_total")
                         + total(samples, "controller_present_connections"))
        names = {name for name, _ in samples}
        for path in (PACKAGING / "prometheus" / "stickyctl.rules.yml",
                     PACKAGING / "grafana" / "stickyctl.json"):
            self.assertEqual(set(re.findall(r"stickyctl_\w+", path.read_text())) - names, set())

    @harness.needs("promtool")
    def test_rules(self):
        subprocess.run(["promtool", "test", "rules", "stickyctl.rules.test.yml"], check=True,
                       cwd=PACKAGING / "prometheus")


class Readiness(LifecycleTestCase):
    def test_before_during_and_at_the_end(self):
        go = self.dir / "go"
        worker = self.script_worker(f"until [ -e {go} ]; do sleep 0.02; done\n"
                                    "exec $WORKER --notify")
        instance = self.start("-w", 1, *WORKERS, "--admin", TEXT, "--stop-delay", "60s",
                              "--", worker)
        wait_for("the socket", ready)
        self.assertEqual(ready(), (503, "no slot has a ready worker"))
        self.assertEqual(ask("/healthz")[0], 200)
        go.touch()
        instance.ready()
        self.assertEqual(ready(), (200, "ready"))
        instance.send(signal.SIGTERM)
        wait_for("the stop", lambda: ready() == (503, "stopping"))
        self.assertEqual(instance.status()["workers"][0]["state"], "ready")
        instance.send(signal.SIGQUIT)
        instance.wait()
        self.assertIsNone(ready())


class Sockets(LifecycleTestCase):
    def test_unix_socket(self):
        path = self.dir / "admin.sock"
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as stale:
            stale.bind(str(path))
        instance = self.serve_workers(1, "--admin", f"unix:{path}")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o666)
        with contextlib.closing(ControlConnection(path)) as connection:
            connection.request("GET", "/healthz", headers={"Host": "any.example"})
            self.assertEqual(connection.getresponse().read(), b"ok\n")
        instance.stop()
        self.assertFalse(path.exists())

    def test_what_can_not_be_bound(self):
        file = self.write("file", "")
        with socket.create_server(ADMIN):
            for address, words, code in (
                    (TEXT, ("Address already in use", "choose another"), FAILED),
                    ("203.0.113.9:9180", ("assign requested", ":PORT"), FAILED),
                    ("none.invalid:9180", ("no such host", "mend the name"), FAILED),
                    (f"unix:{file}", ("File exists", "no socket"), FAILED),
                    (f"unix:{self.dir}/none/a.sock", ("No such file", "directory"), FAILED),
                    ("nowhere", ("--admin", "unix:/PATH or off"), USAGE)):
                result = self.stickyctl("start", "-w", 1, *WORKERS, "--admin", address,
                                        "--", WORKER, "--notify")
                self.assertEqual(result.returncode, code, result.stderr)
                for word in ("--admin", *words):
                    self.assertIn(word, result.stderr)

    def take_over(self, instance):
        self.kill_controller(instance)
        return self.start("-w", 1, *WORKERS, "--admin", TEXT, "--", WORKER, "--notify")

    def test_takeover(self):
        instance = self.serve_workers(1, "--admin", TEXT)
        pids = self.pids(instance)
        instance = self.take_over(instance).ready()
        self.assertEqual(ready(), (200, "ready"))
        self.kill_controller(instance)
        with socket.create_server(ADMIN):
            instance = self.take_over(instance).ready()
            self.assertEqual(self.pids(instance), pids, "workers go on without --admin")
            self.assertIsNone(instance.status()["admin"])
            self.assertEqual(len(instance.log_lines("admin_failed")), 1)

    def test_upgrade_at_a_low_port(self):
        instance = self.serve_workers(1, "--admin", "127.0.0.1:80")
        before = json.loads(ask("/status.json", address=("127.0.0.1", 80))[2])
        self.assertEqual(instance.run("upgrade").returncode, 0)
        after = json.loads(ask("/status.json", address=("127.0.0.1", 80))[2])
        self.assertEqual(after["pid"], before["pid"])
        self.assertNotEqual(after["started_at"], before["started_at"])
        self.assertEqual(after["admin"], "127.0.0.1:80")


class Bounds(LifecycleTestCase):
    """Many clients, or silent ones, do not keep others from being served."""

    def connect_admin(self, request=b""):
        client = socket.create_connection(ADMIN)
        self.addCleanup(client.close)
        client.settimeout(20)
        client.sendall(request)
        return client

    def test_silent_clients(self):
        instance = self.serve_workers(1, "--admin", TEXT)
        clients = [self.connect_admin(b"GET /healthz") for _ in range(CLIENTS_MAX + 20)]
        self.assertEqual(ask("/healthz")[0], 200)
        self.assertEqual(clients[0].recv(1), b"", "the oldest one was ended")
        clients[-1].sendall(b" HTTP/1.0\r\n\r\n")
        self.assertIn(b"200", clients[-1].recv(100))
        for client in clients:
            client.close()
        self.assertEqual(instance.stop(), 0)

    def test_streams(self):
        instance = self.serve_workers(1, "--admin", TEXT)
        streams = [self.connect_admin(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                   for _ in range(STREAMS_MAX)]
        for stream in streams:
            self.assertTrue(stream.recv(1000).startswith(b"HTTP/1.1 200"))
        status, _, body = ask("/events")
        self.assertEqual((status, "too many" in body), (503, True))
        self.assertEqual(ask("/events", "HEAD")[0], 200)
        descriptors = instance.descriptors()
        for stream in streams:
            stream.close()
        wait_for("room for another stream", lambda: instance.descriptors()
                 <= descriptors - STREAMS_MAX)
        stream = self.connect_admin(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        text = b""
        while b"event: events" not in text:
            text += stream.recv(65536)
        self.assertRegex(text, rb"text/event-stream")
        self.assertRegex(text, rb'event: status\ndata: \{"name":"default"')

    def test_a_stream_that_is_not_read(self):
        """Each SIGTERM causes an event, which is followed by a status of some 40 KB."""
        small_buffers(self)
        instance = self.serve("-w", 60, *LISTEN, "--worker", "activation", "--ready", "started",
                              "--stop-delay", "60s", "--admin", TEXT, "--", "sleep", 1000)
        stream = self.connect_admin(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stream.recv(1)
        self.assertEqual(open_connections(), 1)

        def is_ended():
            instance.send(signal.SIGTERM)
            return open_connections() == 0

        wait_for("the stream to be ended", is_ended, interval=0.1)
        self.assertEqual(ask("/healthz")[0], 200)
        instance.send(signal.SIGQUIT)
        instance.wait()

    def test_hostile_requests(self):
        instance = self.serve_workers(1, "--admin", TEXT)
        for request in (b"\0\xff\n" * 100, b"GET / HTTP/1.1\r\nA: " + b"x" * 20000 + b"\r\n\r\n",
                        b"GET " + b"/" * 20000 + b" HTTP/1.1\r\n\r\n", b"GET\r\n\r\n",
                        b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"):
            client = self.connect_admin()
            with contextlib.suppress(ConnectionError):
                client.sendall(request)
                self.assertNotIn(b" 200 ", client.recv(100))
        self.assertEqual(ask("/healthz")[0], 200)
        self.assertTrue(instance.runs)


if __name__ == "__main__":
    harness.main()
