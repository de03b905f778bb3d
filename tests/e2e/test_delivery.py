#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Runs alone: it measures how fast clients are answered.
"""The controller has accepted connections whose worker is away. They wait in the controller. They
get the worker when it comes, or an error response when their time is over."""

import os
import pathlib
import socket
import time

import harness
from activity import Activity
from passing import (PROXY, TLS_HELLO, USER, XFF, PassingTestCase, forwarded, many_descriptors,
                     parse, proxy_v1, request)
from world import scaled, slowness, wait_for

BUDGET_S, DELAY_S = 1, 0.1
BUDGET = ("--max-retries", "10", "--retry-delay", "100ms")
LONG = ("--max-retries", "600", "--retry-delay", "100ms")
LATE_S = 0.05
EARLY_S = 0.002  # clocks of milliseconds on both sides
CROWD = 10_000
CROWD_BYTES_MAX = 512  # limit of the controller's memory for each connection that waits


def resident_bytes(pid):
    pages = pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Holding(PassingTestCase):
    def hold(self, *arguments, slots=1, **options):
        """Start an instance whose slots are all drained: no worker is ready, or will be."""
        instance = self.serve_takers(slots, *arguments, **options)
        self.drain(instance, *range(slots))
        return instance

    def assert_answer(self, answer, line=b"HTTP/1.1 502 Bad Gateway"):
        self.assertIsNotNone(answer, "the connection broke")
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertEqual(head.split(b"\r\n")[0], line)
        length, = [each for each in head.split(b"\r\n") if each.startswith(b"Content-Length: ")]
        self.assertEqual(int(length.split()[1]), len(body))
        self.assertIn(b"Connection: close", head)

    def from_proxy(self, count, text=None):
        """Open connections of one proxy. Each has a request of another client."""
        return [self.open(f"127.9.0.{number % 200 + 1}",
                          text or forwarded(f"203.0.{113 + number // 250}.{number % 250 + 1}"))
                for number in range(count)]


class Answers(Holding):
    """The time of the connections ends."""

    def test_a_thousand_in_their_time(self):
        with many_descriptors(4096):
            instance = self.hold(*XFF, *BUDGET, slots=2)
            before = instance.descriptors()
            began, sent, clients = [], [], []
            for number in range(1000):
                began.append(time.monotonic())
                clients += self.from_proxy(1, forwarded(f"203.0.{number // 250}.{number % 250}"))
                sent.append(time.monotonic())
            results = self.collect(clients)
            for answer, _ in results:
                self.assert_answer(answer)
            waited = [when - start for (_, when), start in zip(results, began)]
            late = [when - end for (_, when), end in zip(results, sent)]
            self.assertGreaterEqual(min(waited), BUDGET_S - EARLY_S, "none before its time")
            self.assertLessEqual(max(late), BUDGET_S + DELAY_S + LATE_S, "none late")
            print(f"# 1,000 of 1,000: {min(waited) * 1000:.0f} to {max(late) * 1000:.0f} ms")
            status = instance.status()
            self.assertEqual((status["counters"]["answered_502"], status["held"],
                              status["counters"]["handed"]), (1000, 0, 0))
            # The retries are counted as if a worker had been looked for: nearly 10 times for each
            # connection.
            self.assertGreaterEqual(status["counters"]["retried"], 9000)
            self.assertLessEqual(status["counters"]["retried"], 11000)
            for client in clients:
                client.close()
            instance.wait_descriptors(before)

    def test_in_every_way_in(self):
        for how, text in ((USER, request()), (XFF, forwarded("203.0.113.1")),
                          (PROXY, proxy_v1("203.0.113.1") + request())):
            with self.subTest(how=how):
                instance = self.hold(*how, "--max-retries", "3", "--retry-delay", "100ms")
                began = time.monotonic()
                (answer, when), = self.collect([self.open(text=text)])
                self.assert_answer(answer)
                self.assertGreaterEqual(when - began, 0.3 - EARLY_S)
                self.assertEqual(instance.stop(), 0)

    def test_another_answer(self):
        instance = self.hold(*XFF, "--max-retries", "1", "--down-answer", "503")
        for answer, _ in self.collect(self.from_proxy(20)):
            self.assert_answer(answer, b"HTTP/1.1 503 Service Unavailable")
        self.assertEqual(instance.stop(), 0)

    def test_no_answer(self):
        """--down-answer=close: the connection is closed in time, without a byte."""
        instance = self.hold(*XFF, "--max-retries", "2", "--down-answer", "close")
        began = time.monotonic()
        # The request was never read, so the end may be a reset.
        for answer, when in self.collect(self.from_proxy(20)):
            self.assertFalse(answer)
            self.assertGreaterEqual(when - began, 0.3 - EARLY_S)
        self.assertEqual(self.counters(instance, "answered_502"), (20,))

    def test_at_once(self):
        instance = self.hold(*XFF, "--max-retries", "0")
        began = time.monotonic()
        for answer, _ in self.collect(self.from_proxy(100)):
            self.assert_answer(answer)
        self.assertLess(time.monotonic() - began, scaled(1))
        self.assertEqual(self.counters(instance, "answered_502"), (100,))

    def test_a_tls_hello_is_closed(self):
        instance = self.hold(*XFF, "--max-retries", "2")
        results = self.collect(self.from_proxy(10, TLS_HELLO))
        self.assertEqual([answer for answer, _ in results], [b""] * 10)
        self.assertEqual(instance.stop(), 0)

    def test_those_that_closed_their_half(self):
        instance = self.hold(*XFF, "--max-retries", "4", "--retry-delay", "100ms")
        clients = self.from_proxy(50)
        for client in clients:
            client.shutdown(socket.SHUT_WR)
        self.wait_held(instance, 50)
        for answer, _ in self.collect(clients):
            self.assert_answer(answer)
        self.assertEqual(self.counters(instance, "client_gone"), (0,))

    def test_those_that_reset(self):
        instance = self.hold(*XFF, *LONG)
        before = instance.descriptors()
        clients = self.from_proxy(200)
        self.wait_held(instance, 200)
        lines = instance.errors.count("\n")
        for client in clients[:150]:
            client.close()
        self.wait_counters(instance, client_gone=150)
        self.assertEqual(instance.status()["held"], 50)
        self.assertEqual(self.counters(instance, "answered_502"), (0,))
        self.assertEqual(instance.errors.count("\n"), lines, "no noise")
        self.assertEqual(instance.run("ready", "0").returncode, 0)
        self.assertEqual(sum(bool(parse(answer or b"")) for answer, _ in
                             self.collect(clients[150:])), 50)
        instance.wait_descriptors(before + 10)

    def test_no_more_than_so_many(self):
        """--max-held: the oldest connections get their answer long before their time is over."""
        instance = self.hold(*USER, "--dispatchers", "1", *LONG, "--max-held", "100")
        began = time.monotonic()
        clients = [self.open(f"127.9.1.{number + 1}", request()) for number in range(150)]
        for answer, _ in self.collect(clients[:50]):
            self.assert_answer(answer)
        self.assertLess(time.monotonic() - began, scaled(3))
        self.assertEqual(instance.status()["held"], 100)
        self.assertEqual(instance.run("ready", "0").returncode, 0)
        answers = [parse(answer or b"") for answer, _ in self.collect(clients[50:])]
        self.assertEqual([answer["nth"] for answer, in answers], list(range(1, 101)), "in order")
        self.assertEqual(self.counters(instance, "answered_502", "handed"), (50, 100))

    def test_a_limit_that_is_lowered(self):
        """The file is reloaded. The new limit also applies to connections that wait already."""
        config = self.write("sticky.yaml", "max_held: 100\nmax_retries: 600\n")
        instance = self.hold("-c", config, *XFF)
        clients = self.from_proxy(60)
        self.wait_held(instance, 60)
        config.write_text("max_held: 20\nmax_retries: 600\n")
        self.assertEqual(instance.run("reload").returncode, 0)
        self.wait_held(instance, 20)
        config.write_text("max_held: 20\nmax_retries: 1\n")
        self.assertEqual(instance.run("reload").returncode, 0)
        for answer, _ in self.collect(clients):
            self.assert_answer(answer)


class Workers(Holding):
    """A worker becomes ready in time."""

    def test_ready_in_the_middle(self):
        instance = self.hold(*XFF, *LONG)
        clients = self.from_proxy(300)
        self.wait_held(instance, 300)
        self.assertEqual(instance.run("ready", "0").returncode, 0)
        for answer, _ in self.collect(clients):
            taken, = parse(answer or b"")
            self.assertEqual(taken["gen"], 2)
        status = instance.status()
        self.assertEqual((status["held"], status["counters"]["answered_502"],
                          status["counters"]["handed"]), (0, 0, 300))

    def test_before_the_first_life_is_ready(self):
        """Connections wait from the beginning. A worker gets none of them before its READY=1."""
        instance = self.start_takers(2, *XFF, *LONG, taker=("--ready-delay", "700"))
        wait_for("the instance", instance.try_status)
        clients = self.from_proxy(40)
        self.wait_held(instance, 40)
        answers = [(parse(answer or b"")[0], when) for answer, when in self.collect(clients)]
        offset = time.time() - time.monotonic()
        ready = {int(line.fields["slot"]): line.time for line in
                 instance.log_lines("worker_state", state="ready")}
        for answer, when in answers:
            self.assertEqual(answer["slot"], instance.where(answer["client"])["slot"])
            self.assertGreaterEqual(when + offset, ready[answer["slot"]] - 0.01)

    def test_spill(self):
        """--when-down=spill: connections go to the other slot of the table, and back later."""
        instance = self.serve_takers(2, *XFF, *LONG, "--when-down", "spill")
        client, = self.public_of(instance, 1)
        self.assertEqual(self.asked(forwarded(client))["slot"], 1)
        self.drain(instance, 1)
        for _ in range(20):
            self.assertEqual(self.asked(forwarded(client))["slot"], 0)
        self.assertEqual(instance.run("ready", "1").returncode, 0)
        instance.ready()
        self.assertEqual(self.asked(forwarded(client))["slot"], 1)
        self.assertEqual(self.counters(instance, "answered_502"), (0,))

    def test_spill_of_those_who_wait(self):
        """All slots are down, and one comes back: it gets all connections that wait."""
        instance = self.hold(*XFF, *LONG, "--when-down", "spill", slots=2)
        clients = self.from_proxy(100)
        self.wait_held(instance, 100)
        self.assertEqual(instance.run("ready", "0").returncode, 0)
        answers = [parse(answer or b"") for answer, _ in self.collect(clients)]
        self.assertEqual({answer["slot"] for answer, in answers}, {0})

    def test_scaled_up_while_they_wait(self):
        """Each connection goes to the slot that the table names after the change."""
        instance = self.hold(*XFF, *LONG, slots=2)
        names = [f"203.0.113.{number}" for number in range(1, 201)]
        clients = [self.open(text=forwarded(name)) for name in names]
        self.wait_held(instance, 200)
        self.assertEqual(instance.run("scale", "4").returncode, 0)
        slots = self.slots_of(instance, names)
        moved = [index for index, name in enumerate(names) if slots[name] >= 2]
        self.assertGreater(len(moved), 50)
        for answer, _ in self.collect([clients[index] for index in moved]):
            taken, = parse(answer or b"")
            self.assertEqual(taken["slot"], slots[taken["client"]])
        self.wait_held(instance, 200 - len(moved))
        for slot in (0, 1):
            self.assertEqual(instance.run("ready", slot).returncode, 0)
        rest = [index for index in range(200) if index not in moved]
        for answer, _ in self.collect([clients[index] for index in rest]):
            taken, = parse(answer or b"")
            self.assertEqual(taken["slot"], slots[taken["client"]])

    def test_scaled_down_while_they_wait(self):
        instance = self.serve_takers(4, *XFF, *LONG)
        self.drain(instance, 2, 3)
        names = self.public_of(instance, 2, 30) + self.public_of(instance, 3, 30)
        clients = [self.open(text=forwarded(name)) for name in names]
        self.wait_held(instance, 60)
        self.assertEqual(instance.run("scale", "2").returncode, 0)
        slots = self.slots_of(instance, names)
        self.assertEqual(set(slots.values()), {0, 1})
        for answer, _ in self.collect(clients):
            taken, = parse(answer or b"")
            self.assertEqual(taken["slot"], slots[taken["client"]])
        self.assertEqual(instance.status()["held"], 0)


class Crowd(Holding):
    """Ten thousand connections."""

    def connect_crowd(self, texts):
        """Open a connection for each text, from as many addresses as are needed."""
        return [self.open(f"127.9.{number // 250}.{number % 250 + 1}", text)
                for number, text in enumerate(texts)]

    def latencies(self, count, names):
        """Returns how long answers take, in ms, sorted."""
        found = []
        for number in range(count):
            began = time.monotonic()
            answer = self.asked(forwarded(names[number % len(names)]), "127.8.0.1")
            found.append((time.monotonic() - began) * 1000)
            self.assertEqual(answer["client"], names[number % len(names)])
        return sorted(found)

    def report(self, what, values, grown):
        print(f"# {what}: latency of others p50 {values[len(values) // 2]:.2f} ms, "
              f"p99 {values[len(values) * 99 // 100]:.2f} ms, most {values[-1]:.2f} ms; "
              f"memory {grown / CROWD:.0f} bytes each")

    def test_idle_preconnects(self):
        """Connections without a request slow no other one, and cost next to nothing."""
        with many_descriptors(20_000):
            instance = self.serve_takers(2, *XFF, "--head-timeout", "120s")
            names = self.public_of(instance, 0, 50) + self.public_of(instance, 1, 50)
            self.latencies(200, names)  # memory that is allocated only once is allocated now
            before, memory = instance.descriptors(), resident_bytes(instance.pid)
            clients = self.connect_crowd([b""] * CROWD)
            self.wait_pending(instance, CROWD)
            grown = resident_bytes(instance.pid) - memory
            cpu, wakes = Activity(instance.pid).after(1)
            values = self.latencies(200, names)
            self.report(f"{CROWD} idle preconnects", values, grown)
            print(f"# while they idle: {cpu:.3f} of a processor, {wakes:.1f} wake-ups a second")
            self.assertLess(values[len(values) * 99 // 100], scaled(50))
            self.assertLess(cpu, 0.02 * slowness())
            self.assertLess(wakes, 10)
            self.assertLess(grown / CROWD, CROWD_BYTES_MAX)
            # These connections are served like any other when they send a request.
            for number, client in enumerate(clients[:500]):
                client.sendall(forwarded(names[number % 100]))
            for number, (answer, _) in enumerate(self.collect(clients[:500])):
                self.assertEqual(parse(answer or b"")[0]["client"], names[number % 100])
            for client in clients:
                client.close()
            self.wait_counters(instance, pending_heads=0, client_gone=CROWD - 500,
                               head_timeout=0)
            instance.wait_descriptors(before)

    def test_held(self):
        """Ten thousand connections wait for one worker. Others are served meanwhile, also at the
        moment when that worker becomes ready."""
        with many_descriptors(20_000):
            instance = self.serve_takers(2, *XFF, *LONG)
            names = self.public_of(instance, 0, 50)
            away = self.public_of(instance, 1, 50)
            self.latencies(200, names)
            self.drain(instance, 1)
            before, memory = instance.descriptors(), resident_bytes(instance.pid)
            clients = self.connect_crowd([forwarded(away[number % 50])
                                          for number in range(CROWD)])
            self.wait_held(instance, CROWD)
            grown = resident_bytes(instance.pid) - memory
            values = self.latencies(200, names)
            self.report(f"{CROWD} held", values, grown)
            self.assertLess(values[len(values) * 99 // 100], scaled(50))
            self.assertLess(grown / CROWD, CROWD_BYTES_MAX)
            ready = self.program(harness.STICKYCTL, "ready", "1")
            values = self.latencies(200, names)
            self.report("while they are passed on", values, 0)
            self.assertLess(values[len(values) * 99 // 100], scaled(50))
            ready.wait()
            answered = 0
            for answer, _ in self.collect(clients):
                taken, = parse(answer or b"")
                self.assertEqual((taken["slot"], taken["gen"]), (1, 2))
                answered += 1
            self.assertEqual(answered, CROWD)
            status = instance.status()
            self.assertEqual((status["held"], status["counters"]["answered_502"],
                              status["counters"]["client_gone"]), (0, 0, 0))
            for client in clients:
                client.close()
            instance.wait_descriptors(before + 10)  # a worker's


if __name__ == "__main__":
    harness.main()
