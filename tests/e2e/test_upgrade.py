#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`stickyctl upgrade`: connections that wait in the controller are carried over."""

import contextlib
import os
import signal

import harness
from harness import needs
from passing import PROXY, TAKER, XFF, PassingTestCase, forwarded, parse, proxy_v2, request
from proxies import FRONT, PROXIED, ProxyTestCase, target

ON_THE_WAY = 128  # connections that are sent to a worker before it accepts the first of them


@contextlib.contextmanager
def stopped(pid):
    """The process is stopped during the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class Carried(PassingTestCase):
    """Connections that wait in the controller: for room at their worker, or for their head."""

    def upgrade(self, instance):
        result = instance.run("upgrade")
        self.assertEqual(result.returncode, 0, result.stderr)

    def check_waiting(self, how, text_of):
        """A worker accepts nothing: all are carried over twice, in order, and none is lost."""
        instance = self.serve_takers(2, *how)
        names = self.public_of(instance, 1, ON_THE_WAY + 60)
        pid = instance.workers()[1]["pid"]
        clients = []

        def wait_in_line(count):
            for name in names[len(clients):len(clients) + count]:
                clients.append(self.open(text=text_of(name) + request()))
                self.wait_counters(instance, dispatched=len(clients))
            self.wait_held(instance, len(clients) - ON_THE_WAY)

        with stopped(pid):
            wait_in_line(ON_THE_WAY + 50)
            self.upgrade(instance)
            wait_in_line(10)
            self.upgrade(instance)
            self.wait_held(instance, 60)
            self.assertEqual(self.asked(text_of(self.public_of(instance, 0)[0]) + request())["slot"],
                             0)
        answers = [parse(text or b"") for text, _ in self.collect(clients)]
        self.assertEqual([len(answer) for answer in answers], [1] * len(clients))
        self.assertEqual([answer["client"] for answer, in answers], names)
        self.assertEqual([answer["nth"] for answer, in answers], sorted(
            answer["nth"] for answer, in answers), "in their order")
        self.assertEqual({(answer["slot"], answer["pid"]) for answer, in answers}, {(1, pid)})
        self.assertEqual(instance.stop(), 0)

    def test_waiting_by_proxy(self):
        self.check_waiting(PROXY, proxy_v2)

    def check_on_the_way(self, replace):
        """What was sent to a worker that has not accepted it goes to the next one, too."""
        idle = self.script("idle", f"[ $STICKY_GENERATION = 1 ] && set -- --no-accept\n"
                                   f'exec {TAKER} --stay "$@"')
        instance = self.serve_takers(1, *PROXY, command=[idle])
        names = [f"203.0.113.{number}" for number in range(1, ON_THE_WAY + 20)]
        clients = [self.open(text=proxy_v2(name) + request()) for name in names]
        self.wait_held(instance, len(clients) - ON_THE_WAY)
        self.upgrade(instance)
        self.wait_held(instance, len(clients) - ON_THE_WAY)
        replace(instance)
        answers = [parse(text or b"") for text, _ in self.collect(clients)]
        self.assertEqual([len(answer) for answer in answers], [1] * len(clients))
        self.assertEqual([answer["client"] for answer, in answers], names)
        self.assertEqual({answer["gen"] for answer, in answers}, {2})
        self.wait_counters(instance, handed=len(clients))
        self.assertEqual(instance.stop(), 0)

    def test_on_the_way_to_a_worker_that_dies(self):
        self.check_on_the_way(lambda instance: self.kill_worker(instance, 0))

    def test_on_the_way_to_a_worker_that_is_stopped(self):
        """It gives them back: see sticky_process_stopping()."""
        def reload(instance):
            result = instance.run("reload", "--wait=drained")
            self.assertEqual(result.returncode, 0, result.stderr)

        self.check_on_the_way(reload)

    def check_heads(self, how, text_of, count=40):
        instance = self.serve_takers(2, *how)
        names = [f"203.0.113.{number}" for number in range(1, count + 1)]
        slots = self.slots_of(instance, names)
        halves = [(text_of(name)[:11 + number % 5], text_of(name)[11 + number % 5:])
                  for number, name in enumerate(names)]
        clients = [self.open(text=first) for first, _ in halves]
        self.wait_pending(instance, count)
        dispatched, = self.counters(instance, "dispatched")
        for _ in range(3):
            self.upgrade(instance)
            self.wait_pending(instance, count)
        for client, (_, rest) in zip(clients, halves):
            client.sendall(rest)
        answers = [parse(text or b"") for text, _ in self.collect(clients)]
        self.assertEqual([(answer["client"], answer["slot"]) for answer, in answers],
                         [(name, slots[name]) for name in names])
        self.assertEqual(self.counters(instance, "dispatched", "bad_proxy_header", "head_timeout"),
                         (dispatched, 0, 0))
        self.assertEqual(instance.stop(), 0)

    def test_half_a_header(self):
        self.check_heads(XFF, forwarded)

    def test_half_a_proxy_header(self):
        self.check_heads(PROXY, lambda name: proxy_v2(name) + request())


class UnderLoad(ProxyTestCase):
    """Upgrades in a row, behind HAProxy, while more comes than the workers can take at once."""

    @needs("haproxy")
    def test_upgrades_while_connections_wait(self):
        instance = self.serve_takers(*PROXIED, taker=("--accept-pause", "4"))
        self.haproxy(mode="tcp", server="send-proxy-v2")
        held = []
        with self.load("--http", "--target", target(FRONT["4"]), rate=2000) as load:
            for _ in range(8):
                held.append(instance.wait_status(
                    "connections to wait", lambda status: status["held"] > 0)["held"])
                result = instance.run("upgrade")
                self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_nobody_lost(load.counts, least=200)
        self.assert_counters(instance, answered_502=0, bad_proxy_header=0, head_timeout=0)
        self.assertEqual(instance.stop(), 0)


if __name__ == "__main__":
    harness.main()
