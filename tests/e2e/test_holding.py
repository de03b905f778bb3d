#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients whose worker is away: they wait, and get a 502 when their time is over."""

import contextlib
import socket
import threading
import time

import harness
from clients import HERE, LISTEN, ask, client_socket, read_all
from lifecycle import LifecycleTestCase
from programs import WORKER
from test_admin import parse_metrics, value
from world import scaled, wait_for

CLIENTS = 200
BUDGET_S, DELAY_S = 0.4, 0.1
BUDGET = ("--max-retries", "4", "--retry-delay", "100ms")
LATE_S = 0.05   # for scheduling; more if the machine is seen to be busier
EARLY_S = 0.002  # clocks of milliseconds on both sides

HELLO = bytes.fromhex("1603010005") + b"\1\0\0\1\0"  # the beginning of a TLS connection


class Answer(LifecycleTestCase):
    """The error response 502."""

    def hold(self, *arguments, slots=1):
        """Start an instance whose slots are all drained: no worker is ready, or will be."""
        instance = self.serve_workers(slots, *(arguments or BUDGET))
        for slot in range(slots):
            self.assertEqual(instance.run("drain", slot).returncode, 0)
        instance.wait_status("drained slots", lambda status: all(
            worker["state"] == "drained" for worker in status["workers"]))
        return instance

    def assert_502(self, answer):
        self.assertIsNotNone(answer, "the connection broke")
        head, _, body = answer.decode().partition("\r\n\r\n")
        lines = head.split("\r\n")
        self.assertEqual(lines[0], "HTTP/1.1 502 Bad Gateway")
        fields = {name.lower(): value for name, value in
                  (line.split(": ", 1) for line in lines[1:])}
        self.assertEqual(fields["content-type"].split(";")[0], "text/plain")
        self.assertEqual(int(fields["content-length"]), len(body.encode()))
        self.assertEqual(fields["connection"], "close")
        self.assertRegex(fields["retry-after"], r"^[1-9]\d*$")
        self.assertEqual(len(body.splitlines()), 1)
        self.assertTrue(body.endswith("\n"))

    def test_each_in_its_time(self):
        """Clients connect within a second. Each waits for its own budget."""
        instance = self.hold(slots=2)
        clients, began = [], []
        request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        results = []
        collector = threading.Thread(target=lambda: results.extend(
            self.collect_as_they_come(clients, CLIENTS)))
        collector.start()
        for number in range(CLIENTS):
            began.append(time.monotonic())
            clients += self.connect([f"127.9.{number // 100}.{number % 100 + 1}"], request)
            time.sleep(0.005)  # this spreads the clients
        collector.join()
        waited = [when - start for (_, when), start in zip(results, began)]
        for answer, _ in results:
            self.assert_502(answer)
        self.assertGreaterEqual(min(waited), BUDGET_S - EARLY_S, "none before its time")
        self.assertLessEqual(max(waited), BUDGET_S + DELAY_S + LATE_S + 2 * self.pause_s,
                             "none late")
        status = instance.status()
        self.assertEqual((status["counters"]["answered_502"], status["held"]), (CLIENTS, 0))

    def collect_as_they_come(self, clients, count):
        """Collect answers as collect() does, while clients are still added. The answers are in the
        order of the clients. pause_s is the longest time between two looks: it tells how busy the
        machine is."""
        results, deadline = {}, time.monotonic() + scaled(20)
        self.pause_s, looked = 0, time.monotonic()
        while len(results) < count and time.monotonic() < deadline:
            self.pause_s = max(self.pause_s, time.monotonic() - looked)
            looked = time.monotonic()
            for number, client in enumerate(list(clients)):
                if number in results:
                    continue
                client.setblocking(False)
                try:
                    first = client.recv(1, socket.MSG_PEEK)
                except BlockingIOError:
                    continue
                except ConnectionError:
                    results[number] = (None, time.monotonic())
                    continue
                when = time.monotonic()
                client.settimeout(scaled(20))
                results[number] = (read_all(client) if first else b"", when)
            time.sleep(0.001)
        return [results[number] for number in sorted(results)]

    def test_at_once(self):
        instance = self.hold("--max-retries", "0")
        began = time.monotonic()
        clients = self.connect([f"127.9.0.{number}" for number in range(1, 51)],
                               b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        results = self.collect(clients)
        for answer, _ in results:
            self.assert_502(answer)
        self.assertLess(time.monotonic() - began, scaled(1))
        self.assertEqual(instance.status()["counters"]["answered_502"], 50)

    def test_a_tls_hello_is_closed(self):
        self.hold()
        results = self.collect(self.connect(["127.9.0.1", "127.9.0.2"], HELLO))
        self.assertEqual([answer for answer, _ in results], [b"", b""])

    def test_a_tls_hello_that_comes_a_moment_later(self):
        self.hold("--max-retries", "0")
        with client_socket(HERE) as client:
            time.sleep(0.05)  # a slow client
            with contextlib.suppress(ConnectionError):
                client.sendall(HELLO)
            answer = b""
            with contextlib.suppress(ConnectionError):
                answer = read_all(client)
        self.assertEqual(answer, b"", "no plain text")

    def check_post(self, size):
        """Check that a client that is still sending sees the answer, and not a reset."""
        with client_socket(HERE) as client:
            head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
            client.sendall(head.encode())
            body = memoryview(bytes(size))
            # Such clients send until an answer arrives.
            client.setblocking(False)
            sent, deadline = 0, time.monotonic() + scaled(10)
            while time.monotonic() < deadline:
                with contextlib.suppress(BlockingIOError):
                    sent += client.send(body[sent:sent + 65536])
                with contextlib.suppress(BlockingIOError):
                    if client.recv(1, socket.MSG_PEEK) and sent == size:
                        break
                time.sleep(0.0005)
            client.settimeout(scaled(20))
            self.assert_502(read_all(client))

    def test_a_large_post(self):
        self.hold()
        for size in (1000, 100_000, 3_000_000):
            with self.subTest(size=size):
                self.check_post(size)

    def test_one_that_closed_its_half(self):
        self.hold()
        with client_socket(HERE) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            self.assert_502(read_all(client))

    def test_those_that_went_away(self):
        """Clients that have closed do not disturb the clients behind them."""
        instance = self.hold()
        for client in self.connect([f"127.9.0.{number}" for number in range(1, 51)]):
            client.close()
        began = time.monotonic()
        (answer, when), = self.collect(self.connect(["127.9.1.1"], b"GET / HTTP/1.0\r\n\r\n"))
        self.assert_502(answer)
        self.assertGreaterEqual(when - began, BUDGET_S - EARLY_S)
        instance.wait_status("nobody to wait", lambda status: status["held"] == 0)

    def test_many_leave_no_descriptor(self):
        instance = self.hold("--max-retries", "0")
        before = instance.descriptors()
        for _ in range(3):
            clients = self.connect([f"127.9.0.{number}" for number in range(1, 101)])
            self.collect(clients)
            for client in clients:
                client.close()
        instance.wait_descriptors(before)

    def test_one_that_never_stops_to_send(self):
        """After the answer the client's data are read for a while, but not for ever."""
        instance = self.hold("--max-retries", "0")
        before = instance.descriptors()
        with client_socket(HERE) as client:
            client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
            deadline = time.monotonic() + 12
            with contextlib.suppress(ConnectionError):
                while time.monotonic() < deadline:
                    client.sendall(b"x")
                    time.sleep(0.25)
                self.fail("still read after 12 s")
        instance.wait_descriptors(before)


class Waiting(LifecycleTestCase):
    """Clients whose worker becomes ready in time."""

    def test_ready_in_the_middle(self):
        instance = self.serve_workers(1, "--max-retries", "20", "--retry-delay", "100ms")
        instance.run("drain", "0")
        instance.wait_status("the drained slot", lambda status: status["workers"][0][
            "state"] == "drained")
        clients = self.connect([f"127.9.{number // 100}.{number % 100 + 1}"
                                for number in range(CLIENTS)])
        instance.wait_status("all to wait", lambda status: status["held"] == CLIENTS)
        self.assertEqual(instance.run("ready", "0").returncode, 0)
        answers = self.collect(clients)
        self.assertEqual(sum(b"gen=2 " in (answer or b"") for answer, _ in answers), CLIENTS)
        status = instance.status()
        self.assertEqual((status["held"], status["counters"]["answered_502"]), (0, 0))

    def test_how_long_they_waited(self):
        """holding_wait_duration_seconds is the time that the clients themselves measure, but for
        the time until the next look at the queue."""
        instance = self.serve_workers(1, "--max-retries", "200", "--retry-delay", "100ms")
        instance.run("drain", "0")
        instance.wait_status("the drained slot", lambda status: status["workers"][0][
            "state"] == "drained")
        clients, began = [], []
        for number in range(CLIENTS // 4):
            began.append(time.monotonic())
            clients += self.connect([f"127.9.0.{number + 1}"])
            time.sleep(0.01)  # this spreads the clients
        asked = time.monotonic()
        self.assertEqual(instance.run("ready", "0").returncode, 0)
        ended = [when for _, when in self.collect(clients)]
        samples = parse_metrics(instance.run("metrics").stdout)
        count = len(clients)
        self.assertEqual(value(samples, "holding_wait_duration_seconds_count"), count)
        total = value(samples, "holding_wait_duration_seconds_sum")
        self.assertLessEqual(total, sum(ended) - sum(began))
        # They wait at least until a worker was requested. With the classic engine their time ends
        # when the worker's process begins.
        self.assertGreaterEqual(total, count * (asked - DELAY_S - LATE_S) - sum(began))

    def test_before_the_first_life_is_ready(self):
        instance = self.start("-w", "1", *LISTEN, "--ready", "notify", *BUDGET, "--", WORKER,
                              "--notify-delay", "1500")
        wait_for("the instance", instance.try_status)
        (answer, _), = self.collect(self.connect(["127.9.0.1"], b"GET / HTTP/1.0\r\n\r\n"))
        self.assertTrue(answer.startswith(b"HTTP/1.1 502 "), answer)
        instance.ready()
        self.assertEqual(ask(HERE)["gen"], 1)


if __name__ == "__main__":
    harness.main()
