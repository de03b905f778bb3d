#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The lifecycle of workers to which connections are passed, under load: reload, crash, scale, stop,
takeover and upgrade. Also a controller without descriptors."""

import os
import random
import signal
import threading
import time

import harness
from clients import HERE, client_socket, is_refused, read_all
from descriptor_limits import few_descriptors
from descriptor_shortage import DescriptorShortageTestCase
from lifecycle import Line
from passing import (PROXY, USER, XFF, PassingTestCase, forwarded, parse, proxy_v1, request)
from programs import FAILED, NOT_RUNNING
from world import scaled, wait_for

RELOADS = 10
KILLS = 40


class Forwarding:
    """A proxy in a thread. It opens one connection for each request of its clients, without a
    pause. It notes clients that were lost, clients that met another slot than before, and clients
    that met an older worker."""

    def __init__(self, test, text_of, count=100):
        self.test = test
        self.text_of = text_of
        self.names = [f"203.0.113.{number + 1}" for number in range(count)]
        self.asked = self.answered = self.unsticky = self.backward = 0
        self.errors, self.slots, self.generations = [], {}, {}
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        wait_for("the first clients", lambda: self.answered > 100)
        return self

    def __exit__(self, *exception):
        # The effect of the last operation must be seen, too.
        asked = self.asked + len(self.names)
        wait_for("each client once more", lambda: self.asked >= asked)
        self.ends.set()
        self.thread.join()

    def _run(self):
        while not self.ends.is_set():
            name = self.names[self.asked % len(self.names)]
            self.asked += 1
            try:
                with client_socket(HERE, f"127.8.0.{self.asked % 200 + 1}") as client:
                    client.sendall(self.text_of(name))
                    answer, = parse(read_all(client))
                self._note(name, answer)
            except (OSError, ValueError) as error:
                self.errors.append(repr(error))

    def _note(self, name, answer):
        self.answered += 1
        if answer["client"] != name:
            self.errors.append(f"{name}: {answer}")
        self.unsticky += self.slots.setdefault(name, answer["slot"]) != answer["slot"]
        self.backward += answer["gen"] < self.generations.get(answer["slot"], 0)
        self.generations[answer["slot"]] = max(answer["gen"],
                                               self.generations.get(answer["slot"], 0))


def proxied(client):
    return proxy_v1(client) + request()


class Passing(PassingTestCase):
    # The ways of accepting, and the load for each of them.
    LOADS = {USER: None, XFF: forwarded, PROXY: proxied}

    def assert_forwarded(self, load, lost=0):
        self.assertLessEqual(len(load.errors), lost, load.errors[:3])
        self.assertEqual((load.answered, load.unsticky, load.backward),
                         (load.asked - len(load.errors), 0, 0))

    def assert_idle(self, instance):
        status = instance.wait_status("nobody to wait", lambda status: status["held"] == 0)
        self.assertEqual(status["counters"]["answered_502"], 0)


class Reload(Passing):
    def test_user(self):
        instance = self.serve_takers(4, *USER)
        descriptors = instance.descriptors()
        with self.load("--http") as load:
            for _ in range(RELOADS):
                result = instance.run("reload", "--wait")
                self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_nobody_lost(load.counts)
        self.wait_drained(instance)
        self.assertEqual(self.generations(instance), [RELOADS + 1] * 4)
        self.assertEqual(sum(worker["restarts"] for worker in instance.workers()), 0)
        self.assertEqual(sum(worker["handed"] for worker in instance.workers()),
                         load.counts["answered"])
        self.assert_idle(instance)
        instance.wait_descriptors(descriptors)

    def check_forwarding(self, how, text_of):
        instance = self.serve_takers(4, *how)
        descriptors = instance.descriptors()
        with Forwarding(self, text_of) as load:
            for _ in range(RELOADS):
                result = instance.run("reload", "--wait")
                self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_forwarded(load)
        self.assert_idle(instance)
        instance.wait_descriptors(descriptors)

    def test_xff(self):
        self.check_forwarding(XFF, forwarded)

    def test_proxy(self):
        self.check_forwarding(PROXY, proxied)

    def test_a_worker_that_exits_without_a_word(self):
        """The worker has taken connections, and ends without a message. Connections that are left
        in its channel are not lost."""
        instance = self.serve_takers(2, *USER, taker=("--quiet-stop",))
        with self.load("--http", rate=1000) as load:
            for _ in range(5):
                self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        counts = load.counts
        # Connections that the worker had accepted end with it. That is a fault of this worker.
        self.assertEqual(counts["answered"] + counts["reset"] + counts["empty"],
                         counts["connections"], counts)
        self.assertEqual((counts["unsticky"], counts["backward"]), (0, 0))
        self.assert_idle(instance)


class Crash(Passing):
    def test_kills_under_load(self):
        """Only connections that a killed worker had accepted may be lost."""
        chance = random.Random(1)
        instance = self.serve_takers(4, *USER, taker=("--ready-delay", "20"))
        descriptors = instance.descriptors()
        killed = 0
        with self.load("--http", "--deadline", "60") as load:
            while killed < KILLS:
                ready = [worker for worker in instance.workers() if worker["state"] == "ready"]
                for worker in chance.sample(ready, min(len(ready), 2)):
                    os.kill(worker["pid"], signal.SIGKILL)
                    killed += 1
                    self.wait_gone(worker["pid"])
            self.wait_all_ready(instance)
        counts = load.counts
        lost = counts["connections"] - counts["answered"]
        self.assertGreater(counts["connections"], 100)
        self.assertEqual(lost, counts["reset"] + counts["empty"], counts)
        self.assertLessEqual(lost, killed * 20, counts)
        self.assertEqual((counts["unsticky"], counts["backward"]), (0, 0), counts)
        self.assertEqual(sum(worker["restarts"] for worker in instance.workers()), killed)
        self.assert_idle(instance)
        instance.wait_descriptors(descriptors)

    def test_none_is_served_before_ready(self):
        instance = self.serve_takers(1, *XFF, taker=("--ready-delay", "200"))
        for generation in range(2, 5):
            self.kill_worker(instance)
            clients = [self.open(text=forwarded(f"203.0.113.{number + 1}"))
                       for number in range(50)]
            answers = self.collect(clients)
            offset = time.time() - time.monotonic()
            ready, = instance.log_lines("worker_state", state="ready", generation=generation)
            for answer, when in answers:
                self.assertEqual(parse(answer or b"")[0]["gen"], generation)
                self.assertGreaterEqual(when + offset, ready.time - 0.01)
            self.wait_generation(instance, generation)


class Scale(Passing):
    def test_up_and_down(self):
        instance = self.serve_takers(2, *USER)
        descriptors = instance.descriptors()
        with self.load("--http") as load:
            for slots in (5, 1, 4, 2):
                self.assertEqual(instance.run("scale", slots).returncode, 0)
                self.wait_all_ready(instance)
                self.wait_drained(instance)
        counts = load.counts
        self.assertEqual((counts["answered"], counts["backward"]), (counts["connections"], 0),
                         counts)
        self.assert_idle(instance)
        for number in range(1, 50):
            source = f"127.8.0.{number}"
            self.assertEqual(self.asked(request(), source)["slot"],
                             instance.where(source)["slot"])
        instance.wait_descriptors(descriptors)


class Stop(Passing):
    def test_what_was_accepted_is_served(self):
        """Connections on the way to a worker, connections that wait behind these, and connections
        whose head was not read yet."""
        for how, text_of in self.LOADS.items():
            with self.subTest(how=how):
                instance = self.serve_takers(2, *how)
                pids = self.pids(instance)
                for pid in pids:
                    os.kill(pid, signal.SIGSTOP)
                text = text_of("203.0.113.1") if text_of else request()
                clients = [self.open(f"127.9.0.{number % 250 + 1}", text)
                           for number in range(400)]
                self.wait_counters(instance, dispatched=400)
                instance.wait_status("some to wait behind 128 for each worker",
                                     lambda status: status["held"] >= 400 - 2 * 128)
                instance.note_bpf_objects()
                instance.send(signal.SIGTERM)
                wait_for("no more to be accepted", lambda: is_refused(HERE))
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
                answers = self.collect(clients)
                self.assertEqual(sum(len(parse(answer or b"")) for answer, _ in answers), 400)
                self.assertEqual(instance.wait(), 0)

    def test_those_who_had_not_said_enough(self):
        """There is no time to wait for the head: these connections go by their own address."""
        instance = self.serve_takers(2, *XFF)
        text = forwarded("203.0.113.1")
        clients = [self.open(text=text[:30]) for _ in range(20)]
        self.wait_pending(instance, 20)
        idle = [self.open() for _ in range(20)]
        self.wait_pending(instance, 40)
        instance.note_bpf_objects()
        instance.send(signal.SIGTERM)
        wait_for("no more to be accepted", lambda: is_refused(HERE))
        self.wait_pending(instance, 0)
        for client in clients + idle:
            client.sendall(text[30:] if client in clients else text)
        answers = self.collect(clients + idle)
        self.assertEqual({answer["client"] for text, _ in answers for answer in
                          parse(text or b"")}, {"127.0.0.1"})
        self.assertEqual(sum(len(parse(text or b"")) for text, _ in answers), 40)
        self.assertEqual(instance.wait(), 0)

    def test_those_whose_worker_is_away(self):
        """No worker will come: these clients are answered at once."""
        instance = self.serve_takers(2, *XFF, "--max-retries", "600")
        self.drain(instance, 0, 1)
        clients = [self.open(text=forwarded(f"203.0.113.{number + 1}")) for number in range(50)]
        self.wait_held(instance, 50)
        began = time.monotonic()
        self.assertEqual(instance.stop(), 0)
        for answer, _ in self.collect(clients):
            self.assertTrue(answer.startswith(b"HTTP/1.1 502 "), answer)
        self.assertLess(time.monotonic() - began, scaled(5))

    def test_those_who_are_being_answered(self):
        """After the answer the controller waits a moment for the client's first bytes. At a stop it
        does not."""
        instance = self.serve_takers(1, *USER, "--max-retries", "1", "--retry-delay", "10ms")
        self.drain(instance, 0)
        clients = [self.open() for _ in range(20)]
        self.wait_counters(instance, answered_502=20)
        self.assertEqual(instance.terminate(), 0)
        for answer, _ in self.collect(clients):
            self.assertTrue(answer.startswith(b"HTTP/1.1 502 "), answer)

    def test_now(self):
        instance = self.serve_takers(2, *XFF, taker=("--accept-pause", "50"))
        clients = [self.open(text=forwarded(f"203.0.113.{number + 1}")) for number in range(50)]
        self.wait_counters(instance, dispatched=50)
        instance.note_bpf_objects()
        instance.send(signal.SIGQUIT)
        instance.wait(5)
        self.assertEqual(len(self.collect(clients, 2)), 50)


class Takeover(Passing):
    """SIGKILL to the controller, then `start` again: the workers keep their channels."""

    def start_again(self, slots, *how, **options):
        return self.serve_takers(slots, *how, **options)

    def check_passed(self, instance, text_of, pids):
        """Check that connections are passed by the channel to the worker that was there before."""
        names = [f"203.0.113.{number}" for number in range(1, 101)]
        slots = self.slots_of(instance, names)
        handed, = self.counters(instance, "handed")
        for name in names:
            answer = self.asked(text_of(name))
            self.assertEqual((answer["client"], answer["slot"], answer["pid"]),
                             (name, slots[name], pids[slots[name]]))
        self.assertEqual(self.counters(instance, "handed"), (handed + 100,))

    def check_takeover(self, how, text_of, meanwhile):
        former = self.serve_takers(3, *how)
        pids = self.pids(former)
        self.check_passed(former, text_of, pids)
        line = Line(self)  # a connection that the worker must go on serving
        if how == PROXY:
            line.socket.sendall(proxy_v1("203.0.113.1"))
        first = line.ask("hello")["pid"]
        for _ in range(3):
            self.kill_controller(former)
            self.assertEqual(former.run("status").returncode, NOT_RUNNING)
            meanwhile(former, pids)
            former = self.start_again(3, *how)
            self.assertEqual(self.pids(former), pids)
            self.check_passed(former, text_of, pids)
        self.assertEqual(line.ask("hello")["pid"], first)
        line.socket.close()
        # All operations work afterwards.
        self.kill_worker(former, 1)
        self.wait_generation(former, 2, slot=1)
        self.check_passed(former, text_of, self.pids(former))
        self.assertEqual(former.run("reload", "--wait=drained").returncode, 0)
        self.check_passed(former, text_of, self.pids(former))
        self.assertEqual(former.stop(), 0)
        self.assertTrue(is_refused(HERE))

    def test_xff(self):
        """Without a controller, a proxy's connections go to the slot of the proxy's own address."""
        def meanwhile(former, pids):
            served = [self.asked(forwarded(f"203.0.113.{number}")) for number in range(1, 31)]
            self.assertEqual({answer["client"] for answer in served}, {"127.0.0.1"})
            self.assertEqual(len({answer["slot"] for answer in served}), 1)
            self.assertLessEqual({answer["pid"] for answer in served}, set(pids))

        self.check_takeover(XFF, forwarded, meanwhile)

    def test_proxy(self):
        """Without a controller these connections are refused: a worker would take the PROXY header
        for data of the client."""
        self.check_takeover(PROXY, proxied, lambda former, pids:
                            self.assertTrue(is_refused(HERE)))

    def test_connections_in_the_channels(self):
        """Connections that were in the channel when the controller died are still accepted by the
        worker. They are not mixed up with those that the next controller passes."""
        instance = self.serve_takers(1, *XFF)
        pid, = self.pids(instance)
        os.kill(pid, signal.SIGSTOP)
        names = [f"203.0.113.{number}" for number in range(1, 41)]
        clients = [self.open(text=forwarded(name)) for name in names]
        self.wait_counters(instance, dispatched=40, pending_heads=0)
        self.kill_controller(instance)
        instance = self.serve_takers(1, *XFF)
        self.assertEqual(self.pids(instance), [pid])
        more = [self.open(text=forwarded(name)) for name in names]
        self.wait_counters(instance, dispatched=80, pending_heads=0)
        os.kill(pid, signal.SIGCONT)
        answers = [parse(text or b"") for text, _ in self.collect(clients + more)]
        self.assertEqual([answer["client"] for answer, in answers], names * 2)
        self.assertEqual(self.counters(instance, "handed"), (40,), "the former ones are not ours")

    def test_one_that_dies_with_both_in_its_channel(self):
        """The worker reports a connection of the previous controller. That report must not count
        for a connection of the next controller. If the worker dies before it accepts the latter,
        the next worker gets it."""
        taker = ("--accept-max", "20")
        instance = self.serve_takers(1, *XFF, taker=taker)
        pid, = self.pids(instance)
        os.kill(pid, signal.SIGSTOP)
        names = [f"203.0.113.{number}" for number in range(1, 21)]
        clients = [self.open(text=forwarded(name)) for name in names]
        self.wait_counters(instance, dispatched=20, pending_heads=0)
        self.kill_controller(instance)
        instance = self.serve_takers(1, *XFF, taker=taker)
        more = [self.open(text=forwarded(name)) for name in names]
        self.wait_counters(instance, dispatched=40, pending_heads=0)
        # The worker accepts the previous controller's 20 connections, and then no more.
        os.kill(pid, signal.SIGCONT)
        self.assertEqual(sum(len(parse(text or b"")) for text, _ in self.collect(clients)), 20)
        os.kill(pid, signal.SIGKILL)
        answers = [parse(text or b"") for text, _ in self.collect(more)]
        self.assertEqual([answer[0]["client"] if answer else None for answer in answers], names)

    def test_by_user(self):
        """Nothing can be taken over in this mode: the workers end, and new ones are started."""
        instance = self.serve_takers(2, *USER)
        pids = self.pids(instance)
        self.kill_controller(instance)
        self.assertTrue(is_refused(HERE))
        successor = self.serve_takers(2, *USER)
        self.assertFalse(set(pids) & set(self.pids(successor)))
        for pid in pids:
            self.wait_gone(pid)
        self.assertIn(self.asked(request())["slot"], (0, 1))
        self.assertEqual(successor.stop(), 0)

    def test_another_steering(self):
        """The workers of the previous controller use the kernel's maps, and go on with them."""
        instance = self.serve_takers(2, *XFF)
        pids = self.pids(instance)
        self.kill_controller(instance)
        successor = self.serve_takers(2, *XFF, *USER)
        self.assertEqual((successor.status()["steering"], self.pids(successor)),
                         ("kernel", pids))
        self.check_passed(successor, forwarded, pids)
        self.assertEqual(successor.stop(), 0)


class Upgrade(Passing):
    """The same in one process, by an upgrade."""

    def check_upgrade(self, how, text_of):
        instance = self.serve_takers(2, *how)
        pids = self.pids(instance)
        for _ in range(3):
            result = instance.run("upgrade")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(self.pids(instance), pids)
            names = [f"203.0.113.{number}" for number in range(1, 31)]
            slots = self.slots_of(instance, names)
            for name in names:
                answer = self.asked(text_of(name))
                self.assertEqual((answer["client"], answer["slot"], answer["gen"]),
                                 (name, slots[name], 1))
        before = instance.descriptors()
        self.assertEqual(instance.run("upgrade").returncode, 0)
        instance.wait_descriptors(before)
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assertEqual(self.asked(text_of("203.0.113.1"))["gen"], 2)
        self.assertEqual(instance.stop(), 0)

    def test_xff(self):
        self.check_upgrade(XFF, forwarded)

    def test_proxy(self):
        self.check_upgrade(PROXY, proxied)

    def test_user(self):
        """The upgrade is refused, and nothing has changed."""
        instance = self.serve_takers(2, *USER)
        result = instance.run("upgrade")
        self.assert_message(result, "upgrade", code=FAILED)
        self.assertIn(self.asked(request())["slot"], (0, 1))


class Few(DescriptorShortageTestCase, Passing):
    """The controller has no descriptor left while connections come."""

    def check_few(self, how, text_of, free):
        instance = self.serve_takers(2, *how)
        before = instance.descriptors()
        self.asked(text_of("203.0.113.1"))
        # The descriptors of the connection and of the status request are not counted.
        self.wait_counters(instance, handed=1)
        instance.wait_descriptors(before)
        with few_descriptors(instance.pid, free) as descriptors:
            # These connections get the free descriptors, and keep them, as they are idle.
            idle = [self.open() for _ in range(free)]
            if free:
                wait_for("no room", lambda: len(os.listdir(
                    f"/proc/{instance.pid}/fd")) >= descriptors + free)
            clients = [self.open(text=text_of(f"203.0.113.{number + 1}")) for number in range(50)]
            self.assert_calm(instance)
        answers = [parse(text or b"") for text, _ in self.collect(clients)]
        self.assertEqual(sum(len(answer) for answer in answers), 50)
        for client in idle:
            client.close()
        instance.wait_descriptors(descriptors)
        result = instance.run("reload", "--wait=drained")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(self.ask_taker(text_of("203.0.113.1"))), 1)
        instance.wait_descriptors(descriptors)
        self.assertEqual(instance.stop(), 0)

    def test_xff(self):
        for free in (0, 1, 7):
            self.check_few(XFF, forwarded, free)

    def test_proxy(self):
        self.check_few(PROXY, proxied, 0)

    def test_user(self):
        self.check_few(USER, lambda name: request(), 0)

    def test_a_worker_can_not_be_replaced(self):
        """Connections that wait for the worker wait on, and are answered when their time is
        over."""
        instance = self.serve_takers(2, *XFF, "--max-retries", "600")
        names = self.public_of(instance, 1, 20)
        descriptors = instance.descriptors()
        pid = instance.workers()[1]["pid"]
        with few_descriptors(instance.pid, 0):
            os.kill(pid, signal.SIGKILL)
            wait_for("a try", lambda: len(instance.log_lines("worker_exit", slot=1)) >= 2)
            clients = [self.open(text=forwarded(name)) for name in names]
            self.assert_calm(instance)
        answers = [parse(text or b"") for text, _ in self.collect(clients)]
        self.assertEqual([answer[0]["slot"] for answer in answers if answer], [1] * 20)
        instance.wait_descriptors(descriptors)


if __name__ == "__main__":
    harness.main()
