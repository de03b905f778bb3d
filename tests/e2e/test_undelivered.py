#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Connections that were passed to a worker which never takes them: it dies, hangs, refuses them,
closes its channel, or sends invalid messages."""

import contextlib
import os
import resource
import signal
import sys

import harness
from activity import Activity
from passing import USER, XFF, PassingTestCase, forwarded, parse, request
from world import wait_for

LONG = ("--max-retries", "600", "--retry-delay", "100ms")
# Connections are served in the order in which they connect: there is one dispatcher, which need not
# wait for a head.
ORDERED = (*USER, "--dispatchers", "1", *LONG)
ON_THE_WAY = 128  # limit for one worker
COUNT = 300       # enough for connections to wait behind those


class Undelivered(PassingTestCase):
    def connect_many(self, count, first=0):
        return [self.open(f"127.9.{number // 200}.{number % 200 + 1}", request())
                for number in range(first, first + count)]

    def wait_dispatched(self, instance, count):
        """Wait until the dispatchers have handled so many connections. Each of them is held, or on
        its way."""
        self.wait_counters(instance, dispatched=count)

    def answers_of(self, clients):
        return [answer for text, _ in self.collect(clients) for answer in parse(text or b"")]

    def assert_in_order(self, answers, count, generation):
        self.assertEqual(len(answers), count, "nobody is lost")
        self.assertEqual({answer["gen"] for answer in answers}, {generation})
        self.assertEqual([answer["nth"] for answer in answers], list(range(1, count + 1)))

    def assert_all_back(self, instance, descriptors):
        instance.wait_status("nobody to wait", lambda status: status["held"] == 0)
        self.assertEqual(self.counters(instance, "answered_502", "client_gone"), (0, 0))
        instance.wait_descriptors(descriptors)


class Deaf(Undelivered):
    """A worker that never reads from its channel."""

    def serve_deaf(self, *arguments, slots=1):
        """Start slots whose first worker never reads from its channel."""
        command = self.taker_script("[ $STICKY_GENERATION = 1 ] && exec $TAKER --no-accept")
        return self.serve_takers(slots, *arguments, command=[command])

    def strand(self, instance, count=COUNT):
        clients = self.connect_many(count)
        self.wait_held(instance, max(0, count - ON_THE_WAY))
        self.wait_dispatched(instance, count)
        return clients

    def test_killed(self):
        for count in (1, 20, COUNT):
            instance = self.serve_deaf(*ORDERED)
            descriptors = instance.descriptors()
            clients = self.strand(instance, count)
            self.kill_worker(instance)
            self.assert_in_order(self.answers_of(clients), count, 2)
            self.assert_all_back(instance, descriptors)
            self.assertEqual(instance.stop(), 0)

    def test_killed_behind_a_proxy(self):
        instance = self.serve_deaf(*XFF, *LONG)
        clients = [self.open(text=forwarded(f"203.0.113.{number}")) for number in range(1, 201)]
        self.wait_held(instance, 200 - ON_THE_WAY)
        self.kill_worker(instance)
        answers = self.answers_of(clients)
        self.assertEqual([answer["client"] for answer in answers],
                         [f"203.0.113.{number}" for number in range(1, 201)])

    def test_killed_twice(self):
        """The next worker is killed before it has read, too."""
        command = self.taker_script("[ $STICKY_GENERATION -lt 3 ] && exec $TAKER --no-accept")
        instance = self.serve_takers(1, *ORDERED, command=[command])
        clients = self.strand(instance)
        self.kill_worker(instance)
        self.wait_generation(instance, 2)
        self.wait_held(instance, COUNT - ON_THE_WAY)
        self.kill_worker(instance)
        self.assert_in_order(self.answers_of(clients), COUNT, 3)

    def test_killed_when_it_took_some(self):
        """Connections that the worker took end with it. The others are served by the next one, each
        once."""
        command = self.taker_script("[ $STICKY_GENERATION = 1 ] && exec $TAKER --accept-max 50")
        instance = self.serve_takers(1, *ORDERED, command=[command])
        clients = [self.open(f"127.9.0.{number + 1}") for number in range(200)]
        self.wait_dispatched(instance, 200)
        self.wait_counters(instance, handed=50)
        self.kill_worker(instance)
        for client in clients[50:]:
            client.sendall(request())
        results = self.collect(clients)
        self.assertFalse(any(text for text, _ in results[:50]))
        self.assert_in_order([answer for text, _ in results[50:] for answer in parse(text)],
                             150, 2)

    def test_those_that_reset_on_the_way(self):
        """Clients reset connections on their way. The next worker gets them, and the controller
        keeps no descriptor."""
        instance = self.serve_deaf(*ORDERED)
        descriptors = instance.descriptors()
        clients = self.strand(instance, 100)
        for client in clients[:50]:
            client.close()
        self.kill_worker(instance)
        self.assertEqual(len(self.answers_of(clients[50:])), 50)
        instance.wait_descriptors(descriptors)

    def test_a_reload_of_one_that_hangs(self):
        """Connections that wait in the controller go to the new worker at once. Connections in the
        old worker's channel follow at its end."""
        instance = self.serve_takers(1, *ORDERED, "--hard-shutdown-delay", "300ms")
        descriptors = instance.descriptors()
        pid = instance.workers()[0]["pid"]
        os.kill(pid, signal.SIGSTOP)
        clients = self.strand(instance)
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        answers = self.answers_of(clients)
        self.assertEqual(len(answers), COUNT)
        self.assertEqual({answer["gen"] for answer in answers}, {2})
        waited = [answer["nth"] for answer in answers[ON_THE_WAY:]]
        self.assertEqual(waited, list(range(1, COUNT - ON_THE_WAY + 1)))
        stranded = [answer["nth"] for answer in answers[:ON_THE_WAY]]
        self.assertEqual(stranded, list(range(COUNT - ON_THE_WAY + 1, COUNT + 1)))
        self.assert_all_back(instance, descriptors)

    def test_a_reload_of_one_that_is_slow(self):
        """When the worker is told to stop, it gives back the connections that it has not taken."""
        command = self.taker_script(
            "[ $STICKY_GENERATION = 1 ] && exec $TAKER --accept-pause 20")
        instance = self.serve_takers(1, *ORDERED, command=[command])
        descriptors = instance.descriptors()
        clients = self.connect_many(COUNT)
        self.wait_dispatched(instance, COUNT)
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        answers = self.answers_of(clients)
        self.assertEqual(len(answers), COUNT)
        self.assertEqual({answer["gen"] for answer in answers}, {1, 2})
        self.assert_all_back(instance, descriptors)

    def test_scaled_away(self):
        """The worker's slot is removed: its connections go to the other slots."""
        command = self.taker_script("[ $STICKY_SLOT = 1 ] && exec $TAKER --no-accept")
        instance = self.serve_takers(2, *ORDERED, "--hard-shutdown-delay", "300ms",
                                     command=[command])
        sources = self.sources_of(instance, 1, 40)
        clients = [self.open(source, request()) for source in sources]
        self.wait_dispatched(instance, 40)
        self.assertEqual(instance.run("scale", "1").returncode, 0)
        answers = self.answers_of(clients)
        self.assertEqual([answer["slot"] for answer in answers], [0] * 40)


class Refused(Undelivered):
    """A worker without free descriptors."""

    def test_they_come_later(self):
        # The delay of a second shows that all connections have come back.
        instance = self.serve_takers(1, *ORDERED, "--retry-delay", "1s")
        descriptors = instance.descriptors()
        pid = instance.workers()[0]["pid"]
        former = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + 5,
                                                       former[1]))
        keepers = [self.open("127.8.0.1") for _ in range(5)]
        self.wait_counters(instance, handed=5)
        clients = self.connect_many(50)
        self.wait_dispatched(instance, 55)
        cpu, wakes = Activity(instance.pid).after(1.5)
        self.assertLess(cpu, 0.15, "it is not asked again and again")
        self.assertLess(wakes, 150)
        self.wait_held(instance, 50)
        self.assertEqual(self.counters(instance, "handed"), (5,))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, former)
        answers = self.answers_of(clients)
        self.assertEqual([answer["nth"] for answer in answers], list(range(6, 56)))
        for keeper in keepers:
            keeper.close()
        self.assert_all_back(instance, descriptors)


# A worker that does not use libsticky. It says hello, is ready, and then behaves as its argument
# says.
STRANGER = """
import os, random, socket, struct, sys, time
what = sys.argv[1] if os.environ["STICKY_GENERATION"] == "1" else "good"
if what == "good":
    os.execv(sys.argv[2], sys.argv[2:3])
channel = socket.socket(fileno=int(os.environ["STICKY_CHANNEL"]))
channel.setblocking(True)

def message(kind, number=0, version=1):
    return struct.pack("=HHIII28sI", version, kind, number, 0, 0, b"", 0)

HELLO, CONNECTION, ACCEPTED, REFUSED = 1, 2, 3, 4
channel.send(message(HELLO))
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
notify.send(b"READY=1")
if what == "close":
    channel.recv(100)
    channel.close()
elif what == "close-at-once":
    channel.close()
elif what == "shutdown":
    channel.shutdown(socket.SHUT_RDWR)
elif what == "empty":
    channel.send(b"")
elif what == "junk":
    chance = random.Random(1)
    null = os.open("/dev/null", os.O_RDONLY)
    for turn in range(2000):
        data = chance.choice([
            chance.randbytes(chance.randrange(1, 100)),
            message(chance.randrange(0, 70000) & 0xffff, chance.randrange(1 << 32)),
            message(HELLO), message(CONNECTION, 1), message(REFUSED, 1000000),
            message(ACCEPTED, 1 << 31),
            message(ACCEPTED, 7, version=2), message(ACCEPTED)[:20],
            message(ACCEPTED) + b"more", chance.randbytes(20000)])
        fds = [null] * chance.choice([0, 0, 1, 2, 3, 50])
        socket.send_fds(channel, [data], fds) if fds else channel.send(data)
    open(sys.argv[3], "w").close()
elif what == "flood":
    open(sys.argv[3], "w").close()
    while True:
        channel.send(message(ACCEPTED, 12345))
time.sleep(1000)
"""


class Strange(Undelivered):
    """A worker in slot 0 that misuses its channel. Slot 1 has a good worker."""

    def serve_stranger(self, what, *arguments):
        self.done = self.dir / "done"
        script = self.write("stranger.py", STRANGER)
        command = self.taker_script(
            f"[ $STICKY_SLOT = 0 ] && exec {sys.executable} {script} {what} $TAKER {self.done}")
        return self.serve_takers(2, *ORDERED, *arguments, command=[command])

    def strangers_clients(self, instance, count):
        return [self.open(source, request()) for source in self.sources_of(instance, 0, count)]

    def assert_others_served(self, instance):
        for source in self.sources_of(instance, 1, 20):
            self.assertEqual(self.asked(request(), source)["slot"], 1)

    @staticmethod
    def nulls(instance):
        """Returns how many descriptors of the controller are /dev/null."""
        directory = f"/proc/{instance.pid}/fd"
        found = []
        for name in os.listdir(directory):
            with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
                found.append(os.readlink(f"{directory}/{name}"))
        return found.count("/dev/null")

    def test_junk(self):
        other = self.serve_takers(1, *USER)
        nulls = self.nulls(other)
        self.assertEqual(other.stop(), 0)
        instance = self.serve_stranger("junk")
        wait_for("its junk to be written", self.done.exists)
        self.assert_others_served(instance)
        # The controller keeps none of the descriptors that the worker has sent: it has as many as
        # with a good worker.
        self.assertTrue(instance.runs)
        self.assertEqual(instance.status()["workers"][0]["state"], "ready")
        clients = self.strangers_clients(instance, 20)
        descriptors_of_clients = 20
        self.wait_dispatched(instance, 40)
        before = instance.descriptors() - descriptors_of_clients
        self.kill_worker(instance, 0)
        answers = self.answers_of(clients)
        self.assertEqual({(answer["slot"], answer["gen"]) for answer in answers}, {(0, 2)})
        self.assertEqual(len(answers), 20)
        # The worker passed descriptors of /dev/null.
        self.assertEqual(self.nulls(instance), nulls, "no descriptor of a stranger's is kept")
        instance.wait_descriptors(before)

    def test_flood(self):
        """A worker that sends without end does not keep the controller from the others."""
        instance = self.serve_stranger("flood")
        wait_for("its flood", self.done.exists)
        self.assert_others_served(instance)
        self.assertEqual(instance.run("status").returncode, 0)
        self.kill_worker(instance, 0)
        self.wait_generation(instance, 2, slot=0)
        self.assertEqual(len(self.answers_of(self.strangers_clients(instance, 5))), 5)

    def check_closed(self, what):
        """Check that a worker that can't be reached any more is replaced."""
        instance = self.serve_stranger(what)
        descriptors = instance.descriptors()
        clients = self.strangers_clients(instance, 20)
        self.assert_others_served(instance)
        answers = self.answers_of(clients)
        self.assertEqual([(answer["slot"], answer["gen"]) for answer in answers],
                         [(0, 2)] * 20)
        self.assertEqual(instance.status()["workers"][0]["restarts"], 1)
        cpu, _ = Activity(instance.pid).after(0.5)
        self.assertLess(cpu, 0.15, "its end is not told of for ever")
        self.assert_all_back(instance, descriptors)
        how = instance.log_lines("worker_exit", slot=0, generation=1)[0].fields["how"]
        self.assertIn("channel", how)

    def test_closed(self):
        self.check_closed("close")

    def test_closed_at_once(self):
        self.check_closed("close-at-once")

    def test_shut_down(self):
        self.check_closed("shutdown")

    def test_an_empty_message(self):
        """An empty message looks like the end of the channel."""
        self.check_closed("empty")

    def test_a_crash_is_told_as_one(self):
        """The channel ends together with the worker."""
        instance = self.serve_takers(2, *ORDERED)
        for generation in range(2, 7):
            self.kill_worker(instance, 1)
            self.wait_generation(instance, generation, slot=1)
        self.assertEqual({line.fields["how"] for line in instance.log_lines("worker_exit")},
                         {"was killed by SIGKILL"})


if __name__ == "__main__":
    harness.main()
