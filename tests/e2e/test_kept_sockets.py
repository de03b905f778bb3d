#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Workers start programs that inherit their listening sockets and outlive the workers."""

import json
import os
import signal

import harness
import world
from clients import HERE, ask
from lifecycle import LifecycleTestCase
from listening import listening_sockets
from privilege import as_nobody, copy_program, without
from programs import CLIENTS, STICKYCTL, WORKER
from world import DEADLINE_S, wait_for

# A program in a session of its own has left the worker's process group, which is killed. The worker
# waits until it runs.
KEEPER = 'setsid sleep 1000 &\nuntil read name </proc/$!/comm && [ $name = sleep ]; do :; done\n'


class Kept(LifecycleTestCase):

    def setUp(self):
        super().setUp()
        self.addCleanup(self.kill_everybody)
        self.worker = WORKER

    def serve_keepers(self, *options, first="", every="", **more):
        command = self.script("worker.sh", f"{KEEPER}"
                              f"[ $STICKY_GENERATION = 1 ] && set -- {first}\n"
                              f'exec {self.worker} --notify {every} "$@"')
        return self.serve_workers(1, *options, command=[command], **more)

    def wait_one_listener(self):
        """Wait until only the listening socket of the slot's worker is left."""
        wait_for(lambda: f"one listening socket: {listening_sockets()}",
                 lambda: len(listening_sockets()) == 1)

    def check_crash(self, instance):
        clients = self.connect([f"127.9.0.{number}" for number in range(1, 51)])
        self.kill_worker(instance)
        answers = self.collect(clients)
        self.assertEqual(sum(b"gen=2 " in (answer or b"") for answer, _ in answers), 50)
        self.wait_one_listener()
        self.check_event(instance)

    def check_event(self, instance):
        event, = wait_for("the event", lambda: self.events(instance, "socket_kept"))
        self.assertEqual((event["slot"], event["command"]), (0, "sleep 1000"))
        self.assertIn("sleep 1000", world.command_line(event["pid"]))
        self.assertIn("was shut down", event["so"])
        self.assertIn("FD_CLOEXEC", event["hint"])

    def test_reloads(self):
        instance = self.serve_keepers(every="--accept-pause 5")
        load = self.program(CLIENTS, "--target", "127.0.0.1:3000", "--sources", 64,
                            "--concurrency", 16, "--duration", 120, "--deadline", 130)
        for _ in range(5):
            self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.wait_one_listener()
        load.send(signal.SIGTERM)
        load.wait(DEADLINE_S)
        counts = json.loads(load.output.splitlines()[-1])
        self.assert_nobody_lost(counts, least=20)
        kept = self.events(instance, "socket_kept")
        self.assertEqual([event["command"] for event in kept], 5 * ["sleep 1000"])
        self.assertEqual(len({event["pid"] for event in kept}), 5)

    def test_crash(self):
        self.check_crash(self.serve_keepers(first="--no-accept"))

    def test_crash_with_several_listeners(self):
        instance = self.serve_keepers("-l", "127.0.0.1:3001", "-l", "127.0.0.1:3002",
                                      first="--no-accept")
        self.kill_worker(instance)
        self.wait_generation(instance, 2)
        self.check_event(instance)
        wait_for("the sockets of the first worker to be gone",
                 lambda: len(listening_sockets()) == 3)

    def test_crash_with_another_user(self):
        self.worker = copy_program(WORKER, self.dir)
        self.check_crash(self.serve_keepers("--user", "nobody", first="--no-accept"))

    def test_crash_as_an_ordinary_user(self):
        home = self.dir / "nobody"
        home.mkdir()
        home.chmod(0o777)
        self.worker = copy_program(WORKER, self.dir)
        self.run_dir, self.state_dir = home / "run", home / "state"
        self.check_crash(self.serve_keepers(
            first="--no-accept", prefix=as_nobody("bpf"), cwd="/",
            program=copy_program(STICKYCTL, self.dir), env={"HOME": home}))

    def test_a_holder_that_cannot_be_reached(self):
        """Without CAP_SYS_PTRACE the controller can't duplicate descriptors of another user's
        process."""
        self.worker = copy_program(WORKER, self.dir)
        instance = self.serve_keepers("--user", "nobody", first="--no-accept",
                                      prefix=without("sys_ptrace"))
        self.kill_worker(instance)
        event, = wait_for("the event", lambda: self.events(instance, "socket_kept"))
        self.assertIn("get no answer", event["so"])
        self.assertIn("CAP_SYS_PTRACE", event["hint"])
        self.assertEqual(ask(HERE)["gen"], 2)

    def test_a_worker_that_died_while_there_was_no_controller(self):
        command = self.script("worker.sh", f"{KEEPER}exec {WORKER} --notify")
        instance = self.serve_workers(2, command=[command])
        source, = self.sources_of(instance, 0, 1)
        pid = self.pids(instance)[0]
        self.kill_controller(instance)
        os.kill(pid, signal.SIGKILL)
        # The connection goes to the socket that the dead worker's program keeps. No process accepts
        # from it.
        clients = self.connect([source])
        successor = self.serve_workers(2, command=[command])
        answers = self.collect(clients)
        self.assertIn(b"slot=0 ", answers[0][0] or b"")
        event, = self.events(successor, "socket_kept")
        self.assertEqual((event["slot"], event["command"]), (0, "sleep 1000"))

    def test_stop(self):
        """The address is free after a stop."""
        instance = self.serve_keepers()
        self.assertEqual(instance.stop(), 0)
        self.assertEqual(listening_sockets(), [])

    def test_programs_that_keep_nothing_are_not_named(self):
        command = self.script("worker.sh", "setsid sleep 1000 3<&- &\n"
                              f"exec {WORKER} --notify --fork-child")
        instance = self.serve_workers(1, command=[command])
        os.kill(self.pids(instance)[0], signal.SIGKILL)
        self.wait_generation(instance, 2)
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assertEqual(self.events(instance, "socket_kept"), [])


if __name__ == "__main__":
    harness.main()
