#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Steering by a classic BPF program, which needs no privilege. These are the tests of the kernel
engine, run as nobody."""

import os
import re
import signal
import socket
import unittest

import harness
import lifecycle
import nodejs
import test_node
import test_steering
import unprivileged
import workers
from clients import HERE, LISTEN, HalfOpen, ask, is_refused
from privilege import NOBODY
from programs import FAILED, NOT_PERMITTED, USAGE, WORKER
from unprivileged import Classic
from world import slowness, wait_for

CLIENTS = 50
KERNEL = tuple(map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups()))


class Steering(Classic, test_steering.Steering):
    """Stickiness, `where` and the spread are those of the kernel engine."""

    def test_v4(self):
        instance = self.serve_workers("-l", test_steering.V4)
        self.assert_unprivileged(instance.pid)
        self.assertEqual(instance.status()["steering"], "classic")
        self.assert_sticky(instance, test_steering.V4, "4", test_steering.v4_source)

    def test_the_same_slot_as_under_root(self):
        mine = self.serve_workers("-l", test_steering.V4)
        addresses = [f"203.0.113.{number}" for number in range(200)] + ["2001:db8::1"]
        first = [answer["slot"] for answer in mine.where(*addresses)]
        self.assertEqual(mine.terminate(), 0)
        for directory in (self.run_dir, self.state_dir):
            for path in [directory, *directory.rglob("*")]:
                os.chown(path, 0, 0)
        root = harness.TestCase.start(self, "-w", test_steering.SLOTS, "-l", test_steering.V4,
                                      "--steering", "kernel", "--", WORKER, "--notify").ready()
        self.assertEqual([answer["slot"] for answer in root.where(*addresses)], first)
        self.assertEqual(root.terminate(), 0)


class Starting(Classic, lifecycle.LifecycleTestCase):
    def test_a_worker_may_serve_before_it_is_ready(self):
        """The worker's socket belongs to the slot from the start."""
        instance = self.start("-w", "1", *LISTEN, "--ready", "notify", "--", WORKER)
        instance.wait_status("a worker", lambda status: status["workers"][0]["pid"])
        self.assertEqual(ask(HERE)["gen"], 1)
        self.assertEqual(instance.workers()[0]["state"], "starting")
        self.assertEqual(instance.stop("--now"), 0)


class Rolling(Classic, lifecycle.LifecycleTestCase):
    def test_reloads_under_load(self):
        instance = self.serve_workers(4)
        with self.load() as load:
            for _ in range(10):
                result = instance.run("reload", "--wait")
                self.assertEqual(result.returncode, 0, result.stderr)
        # The old worker and the new one share the socket for a moment. So a client may meet the old
        # worker after the new one: "backward".
        counts = load.counts
        self.assertGreater(counts["connections"], 200 / slowness())
        self.assertEqual((counts["answered"], counts["unsticky"]), (counts["connections"], 0),
                         counts)
        self.assertEqual(self.generations(instance), [11] * 4)
        self.assertEqual(sum(worker["restarts"] for worker in instance.workers()), 0)
        self.wait_drained(instance)

    def test_the_old_worker_is_asked_to_stop_at_once(self):
        """The old worker shares its socket with the new one. The longer it lives, the more clients
        of the new one it gets."""
        instance = self.serve_workers(2, "--handshake-grace", "20s")
        with HalfOpen(HERE):
            self.assertEqual(instance.run("reload", "--wait").returncode, 0)
            self.wait_drained(instance)

    def test_what_waits_is_served_by_the_next_worker(self):
        """Workers hang, with clients in their queues. The next workers get these clients."""
        instance = self.serve_workers(2, "--hard-shutdown-delay", "200ms")
        for pid in self.pids(instance):
            os.kill(pid, signal.SIGSTOP)
        clients = self.connect([f"127.11.0.{number}" for number in range(1, CLIENTS + 1)])
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        answers = [text for text, _ in self.collect(clients) if text]
        self.assertEqual(len(answers), CLIENTS)

    def test_old_first(self):
        instance = self.serve_workers(2, "--reload-order", "old-first")
        with self.load() as load:
            self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assert_nobody_lost(load.counts)
        self.assertEqual(self.generations(instance), [2, 2])

    def test_scale(self):
        instance = self.serve_workers(2)
        with self.load() as load:
            for slots in (5, 3, 6, 2):
                result = instance.run("scale", slots)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.wait_all_ready(instance)
        # Clients move, as at each change of the number of slots, but none is lost.
        self.assertEqual(load.counts["answered"], load.counts["connections"], load.counts)
        self.assertEqual(len(instance.workers()), 2)

    def test_stop_under_load(self):
        """New connections are reset while the workers end."""
        instance = self.serve_workers(2)
        self.assertEqual(instance.run("stop").returncode, 0)
        self.assertEqual(instance.wait(), 0)
        self.assertTrue(is_refused(HERE))

    def test_a_controller_that_is_killed_takes_its_workers_along(self):
        """The next controller can't take the workers over. It ends them, and starts new ones."""
        instance = self.serve_workers(2)
        pids = self.pids(instance)
        instance.kill()
        again = self.serve_workers(2)
        self.assertFalse(set(pids) & set(self.pids(again)))
        for pid in pids:
            self.assertFalse(os.path.exists(f"/proc/{pid}"))
        self.assertEqual(again.terminate(), 0)


class Choice(Classic, lifecycle.LifecycleTestCase):
    """Which engine is chosen, and how that is reported."""

    HOW = ()

    def test_auto_takes_it(self):
        instance = self.serve_workers(2, env={"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
        status = instance.status()
        self.assertEqual(status["steering"], "classic")
        self.assertIn("CAP_BPF", status["steering_reason"])
        self.assertIn("securityContext", status["steering_remedy"])
        self.assertFalse(status["counts_placements"])
        line, = instance.log_lines("steering_by_classic")
        self.assertIn("securityContext", line.fields["hint"])
        text = instance.run("status").stdout
        self.assertIn("steering by classic: BPF is not permitted", text)
        self.assertNotIn("placed", text)
        self.assertEqual(instance.terminate(), 0)

    @unittest.skipIf(KERNEL >= (5, 14), "this kernel has what the kernel engine needs")
    def test_an_old_kernel_is_the_reason(self):
        """The kernel is named as the reason, and not the capability, which would not help."""
        instance = self.serve_workers(2)
        status = instance.status()
        self.assertEqual(status["steering"], "classic")
        self.assertIn("Linux 5.14 or later is needed", status["steering_reason"])
        self.assertEqual(instance.terminate(), 0)

    def refused(self, *arguments, code=FAILED, words=()):
        result = self.stickyctl("start", *LISTEN, *arguments, "--", WORKER, prefix=self.prefix(),
                                program=self.program_copy)
        self.assert_message(result, *words, code=code)

    def test_a_requirement_is_kept(self):
        self.refused("--require-engine", "kernel", words=["CAP_BPF"], code=NOT_PERMITTED)
        self.refused("--require-engine", "kernel", "--steering", "classic", code=USAGE,
                     words=["--require-engine"])
        self.refused("--require-engine", "classic", "--steering", "user",
                     words=["--require-engine"])
        instance = self.serve_workers(1, "--require-engine", "classic")
        self.assertEqual(instance.status()["steering"], "classic")
        self.assertEqual(instance.terminate(), 0)

    def test_too_many_slots(self):
        self.refused("-w", "400", words=["400 slots", "fit", "-w"])
        instance = self.serve_workers(2)
        result = instance.run("scale", "400")
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(len(instance.workers()), 2)
        self.assertEqual(instance.terminate(), 0)

    def test_doctor(self):
        result = self.stickyctl("doctor", prefix=self.prefix(), program=self.program_copy)
        self.assertRegex(result.stdout, r"steering +classic: .* up to \d\d slots")


class Node(Classic, unprivileged.Unchanged):
    """An unchanged application of Node.js."""


class NodePorts(Classic, test_node.Again):
    """Ports that an application closes, and listens on again. If no worker listens any more,
    clients are reset by this engine, and not refused: test_a_port_that_all_have_closed_is_reset."""

    test_a_port_at_the_stop = None
    test_a_port_that_all_have_closed = None

    def is_reset(self, address):
        try:
            nodejs.ask_http(address)
        except ConnectionResetError:
            return True
        return False

    def test_a_port_that_all_have_closed_is_reset(self):
        instance = self.serve_node(self.app(nodejs.SERVER_OF_TWO), slots=2, cwd="/")
        self.assert_steered(instance, ("127.0.0.1", 3001))
        for source in (self.sources_of(instance, slot, 1)[0] for slot in (0, 1)):
            nodejs.ask_http(HERE, source, "/close")
        wait_for("it to be reset", lambda: self.is_reset(("127.0.0.1", 3001)))
        self.assert_steered(instance)
        self.assertEqual(instance.terminate(), 0)


class NodeAddresses(Classic, test_node.Addresses):
    test_workers_of_another_user = None  # nobody can't change the user
    # A worker shares the socket before it is ready, and accepts at any time.
    test_ready_when_all_that_is_named_is_listened_on = None


class Misuse(Classic, lifecycle.LifecycleTestCase):
    """Other programs on this machine that try to get the clients."""

    def join(self, uid):
        """Listen beside the workers as a user, and take all connections. The socket stays open
        until the end of the program."""
        code = ("import ctypes, socket, struct, sys\n"
                "s = socket.socket()\n"
                "s.setsockopt(socket.SOL_SOCKET, 15, 1)\n"
                "s.bind(('127.0.0.1', 3000))\n"
                "s.listen()\n"
                "take = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0))\n"
                "s.setsockopt(socket.SOL_SOCKET, 51, struct.pack('HP', 1,\n"
                "             ctypes.addressof(take)))\n"
                "print('joined', flush=True)\n"
                "sys.stdin.read()\n")
        return self.run_program("setpriv", f"--reuid={uid}", "--clear-groups", "python3", "-c",
                                code)

    def test_another_user_can_not_join(self):
        instance = self.serve_workers(4)
        result = self.join(12345)
        self.assertIn("Address already in use", result.stderr)
        self.assertEqual(instance.terminate(), 0)

    def test_one_of_the_same_user_is_noticed_and_put_right(self):
        """The program runs as the same user. Only a separate uid would prevent this."""
        instance = self.serve_workers(4)
        sources = self.sources_of(instance, 3, 20)
        self.assertEqual(self.join(NOBODY).stdout, "joined\n")
        # The foreign program stays attached after the end of its process.
        self.assertEqual({ask(HERE, source)["slot"] for source in sources}, {0})
        instance.wait_status("the loss to be noticed", lambda status: status[
            "steering_restored"])
        self.assertEqual({ask(HERE, source)["slot"] for source in sources}, {3})
        self.assertTrue(instance.log_lines("steering_lost"))
        self.assertEqual(instance.terminate(), 0)

    def test_a_program_that_is_detached_is_noticed_without_clients(self):
        """The kernel's hash may give a test connection to the spare socket, too. It does not
        always do so: some instances are needed to see it."""
        for _ in range(5):
            instance = self.serve_workers(2)
            fd = workers.fetch_descriptor(instance.workers()[1]["pid"], 3)
            with socket.socket(fileno=fd) as listening:
                listening.setsockopt(socket.SOL_SOCKET, 68, 0)  # SO_DETACH_REUSEPORT_BPF
            instance.wait_status("the loss to be noticed", lambda status: status[
                "steering_restored"])
            self.assertEqual(instance.terminate(), 0)

    def test_a_worker_that_shuts_its_socket_down(self):
        """The slot of that worker gets another worker, and the others keep their clients."""
        instance = self.serve_workers(4, "--min-uptime", "20ms")
        fd = workers.fetch_descriptor(instance.workers()[1]["pid"], 3)
        with socket.socket(fileno=fd) as listening:
            listening.shutdown(socket.SHUT_RD)
        self.wait_generation(instance, 2, slot=1)
        for slot in range(4):
            for source in self.sources_of(instance, slot, 5):
                self.assertEqual(ask(HERE, source)["slot"], slot)
        self.assertTrue(instance.log_lines("socket_replaced"))
        self.assertEqual(instance.terminate(), 0)

if __name__ == "__main__":
    harness.main()
