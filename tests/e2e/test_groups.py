#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Process groups: a worker that leaves its own, its processes that do, and those that join another
worker's."""

import contextlib
import os
import pathlib
import signal
import sys

import harness
from cgroups import DelegatedCgroup
from clients import LISTEN
from programs import WORKER
from test_takeover import TakeoverTestCase
from workers import WorkerTestCase
from world import command_line, other_processes, wait_for

# Moves into another process group, and ignores every polite signal.
RUNAWAY = """
import os, signal, socket, sys
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
child = os.fork()
if not child:
    signal.pause()
os.setpgid(child, child)
os.setpgid(0, child)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
    out.sendto(sys.argv[1].encode(), os.environ["NOTIFY_SOCKET"])
open(sys.argv[2], "w").close()
while True:
    signal.pause()
"""

# Joins the process group of another worker, and speaks in its name.
FORGER = """
import os, socket, sys
os.setpgid(0, int(sys.argv[1]))
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
    out.sendto(b"STATUS=forged\\nREADY=1", os.environ["NOTIFY_SOCKET"])
    out.sendto(b"STOPPING=1", os.environ["NOTIFY_SOCKET"])
"""


# Leaves by two forks and setsid(2), as daemons do.
DAEMON = "setsid sh -c 'sleep 1234 &'"

# A worker that does not end in time, and its process that has left its group.
STUBBORN_LEAVER = "(trap '' TERM; exec setsid sleep 1234)"
STUBBORN = "$WORKER --notify --ignore-term"
HARD_SHUTDOWN = ("--hard-shutdown-delay", "300ms")


def parent_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Runaway(TakeoverTestCase, WorkerTestCase):
    """A worker that has left its process group."""

    def runaway(self, word="READY=1"):
        return [sys.executable, self.write("runaway.py", RUNAWAY), word, self.dir / "moved"]

    def serve_runaway(self, *arguments):
        instance = self.serve("-w", "1", *LISTEN, "--hard-shutdown-delay", "300ms", *arguments,
                              "--", *self.runaway())
        pid = instance.workers()[0]["pid"]
        self.assertNotEqual(os.getpgid(pid), pid)
        return instance, pid

    def assert_gone(self, pid):
        """It has ended. An orphan is a zombie until PID 1 has reaped it."""
        self.assertIn("[Z", command_line(pid) or "[Z")

    def test_stop(self):
        """It is killed at the hard-shutdown delay."""
        instance, pid = self.serve_runaway()
        self.assertEqual(instance.stop(), 4)
        self.assert_gone(pid)
        self.assertEqual(instance.log_lines("kill_failed"), [])

    def test_stop_after_a_takeover(self):
        instance, pid = self.serve_runaway()
        self.kill_controller(instance)
        successor = self.serve("-w", "1", *LISTEN, "--hard-shutdown-delay", "300ms", "--",
                               *self.runaway())
        self.assertEqual(successor.workers()[0]["pid"], pid)
        self.assertEqual(successor.stop(), 4)
        self.assert_gone(pid)

    def test_a_takeover_of_one_that_starts(self):
        """It is replaced: the previous one must not live on beside the new one."""
        arguments = ("-w", "1", *LISTEN, "--ready", "notify", "--")
        instance = self.start(*arguments, *self.runaway("STATUS=starting"))
        wait_for("the worker to move", (self.dir / "moved").exists)
        pid = instance.workers()[0]["pid"]
        self.kill_controller(instance)
        successor = self.serve(*arguments, *self.runaway())
        self.assert_gone(pid)
        self.assertEqual(successor.stop("--now"), 0)


class LeftTestCase(WorkerTestCase):
    prefix = ()

    def serve_leaver(self, words="setsid sleep 1234", worker="$WORKER --notify", options=()):
        instance = self.serve("-w", "1", *LISTEN, *options, "--", self.script_worker(
            f"{words} &\nexec {worker}"), prefix=self.prefix)
        self.left, = wait_for("the process to leave", self.find_left)
        self.addCleanup(self.end_left)
        return instance

    def serve_daemon(self, **options):
        """Its process has another parent by now, as its own has ended."""
        instance = self.serve_leaver(DAEMON, **options)
        wait_for("the daemon's parent to end", lambda: parent_of(self.left) == 1)
        return instance

    def find_left(self):
        return [pid for pid, text in other_processes().items()
                if text.startswith(f"{pid} sleep 1234 ")]

    def end_left(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.left, signal.SIGKILL)

    def is_alive(self):
        return "[Z" not in (command_line(self.left) or "[Z")

    def check(self, instance, *arguments):
        worker = instance.workers()[0]["pid"]
        self.assertEqual(instance.stop(*arguments), 0)
        line, = instance.log_lines("process_left")
        self.assertEqual((line.fields["pid"], line.fields["of"], line.fields["command"]),
                         (str(self.left), str(worker), "sleep 1234"))
        self.assertIsNotNone(command_line(self.left))


class Left(LeftTestCase):
    """A process of a worker that lives on when the worker has ended."""

    def test_is_named_at_a_stop(self):
        self.check(self.serve_leaver())

    def test_is_named_at_a_stop_at_once(self):
        self.check(self.serve_leaver(), "--now")

    def test_is_found_below_another_process(self):
        self.check(self.serve_leaver("(setsid sleep 1234; true)"))

    def test_a_daemon_is_named_at_a_stop(self):
        self.check(self.serve_daemon())

    def test_a_daemon_is_named_at_a_stop_at_once(self):
        self.check(self.serve_daemon(), "--now")

    def test_a_daemon_of_a_worker_of_another_user(self):
        self.check(self.serve_daemon(options=("--user", "nobody")))

    def test_a_daemon_of_another_worker_is_not_named(self):
        """That of a worker of the previous run, which had the same slot and generation."""
        instance = self.serve_daemon()
        self.check(instance)
        again = self.serve("-w", "1", *LISTEN, "--", self.script_worker("exec $WORKER --notify"))
        self.assertEqual(again.stop(), 0)
        self.assertEqual(again.log_lines("process_left"), [])

    def test_lives_on_when_its_worker_is_killed(self):
        """Without a cgroup of its own."""
        instance = self.serve_leaver(STUBBORN_LEAVER, STUBBORN, HARD_SHUTDOWN)
        self.assertEqual(instance.stop(), 4)
        line, = instance.log_lines("process_left")
        self.assertEqual(line.fields["pid"], str(self.left))
        self.assertTrue(self.is_alive())


class Delegated(LeftTestCase, TakeoverTestCase):
    """Each worker has a cgroup, below one that is delegated to stickyctl."""

    def setUp(self):
        super().setUp()
        self.cgroup = DelegatedCgroup.make()
        if not self.cgroup:
            self.skipTest("no cgroup of version 2 with cgroup.kill can be made here")
        self.addCleanup(self.cgroup.remove)
        self.prefix = self.cgroup.prefix

    @staticmethod
    def namespace(words):
        """The beginning of a command line, for a shell in a new namespace that has mounted it."""
        return ["unshare", "--cgroup", "--mount", "sh", "-c",
                "umount --lazy /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && "
                + words, "sh"]

    def serve_stubborn(self, *options):
        return self.serve_leaver(STUBBORN_LEAVER, STUBBORN, (*HARD_SHUTDOWN, *options))

    def check_killed(self, instance, *arguments, code=4):
        self.assertEqual(instance.stop(*arguments), code)
        wait_for("the process that left to end", lambda: not self.is_alive())
        self.assertEqual(instance.log_lines("process_left"), [])
        self.assertEqual(self.cgroup.below, [])

    def test_is_killed_with_its_worker(self):
        instance = self.serve_stubborn()
        self.assertEqual(self.cgroup.below, ["stickyctl-default@0.1"])
        self.check_killed(instance)

    def test_is_killed_with_its_worker_of_another_user(self):
        self.check_killed(self.serve_stubborn("--user", "nobody"))

    def test_is_killed_at_a_stop_at_once(self):
        self.check_killed(self.serve_leaver(), "--now", code=0)

    def test_is_killed_after_a_takeover(self):
        instance = self.serve_stubborn()
        pid = instance.workers()[0]["pid"]
        self.kill_controller(instance)
        successor = self.serve("-w", "1", *LISTEN, *HARD_SHUTDOWN, "--", self.dir / "worker.sh",
                               prefix=self.prefix)
        self.assertEqual(successor.workers()[0]["pid"], pid)
        self.check_killed(successor)

    def test_is_killed_after_an_upgrade(self):
        instance = self.serve_stubborn()
        self.assertEqual(instance.run("upgrade").returncode, 0)
        self.check_killed(instance)

    def test_lives_on_and_is_named_when_its_worker_ends_by_itself(self):
        self.check(self.serve_daemon())
        self.assertEqual(self.cgroup.below, ["stickyctl-default@0.1"])
        self.assertEqual((self.cgroup.path / self.cgroup.below[0] / "cgroup.procs").read_text(),
                         f"{self.left}\n")

    def test_is_named_after_a_crash(self):
        instance = self.serve_daemon()
        worker = self.kill_worker(instance)
        line = wait_for("the event", lambda: instance.log_lines("process_left"))[0]
        self.assertEqual((line.fields["pid"], line.fields["of"]), (str(self.left), str(worker)))
        self.assertTrue(self.is_alive())

    def test_a_cgroup_in_which_a_process_lives_on_is_not_used_again(self):
        self.check(self.serve_daemon())
        again = self.serve("-w", "1", *LISTEN, *HARD_SHUTDOWN, "--",
                           self.script_worker(f"exec {STUBBORN}"), prefix=self.prefix)
        self.assertEqual(self.cgroup.below, ["stickyctl-default@0.1", "stickyctl-default@0.1.1"])
        self.assertEqual(again.stop(), 4)
        self.assertTrue(self.is_alive())
        self.assertEqual(self.cgroup.below, ["stickyctl-default@0.1"])
        self.end_left()
        wait_for("its end", lambda: not self.is_alive())
        self.serve("-w", "1", *LISTEN, "--", self.script_worker("exec $WORKER --notify"),
                   prefix=self.prefix).stop()
        self.assertEqual(self.cgroup.below, [])

    def test_a_reload_leaves_no_cgroup(self):
        instance = self.serve("-w", "2", *LISTEN, "--", WORKER, "--notify", prefix=self.prefix)
        for generation in (2, 3):
            self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
            self.assertEqual(self.cgroup.below, [f"stickyctl-default@0.{generation}",
                                                 f"stickyctl-default@1.{generation}"])
        self.assertEqual(instance.stop(), 0)
        self.assertEqual(self.cgroup.below, [])

    def test_a_limit_keeps_workers_in_the_cgroup_that_has_it(self):
        """Node.js and others look for memory.max in the cgroup of their own process alone."""
        if not (self.cgroup.path / "memory.max").exists():
            self.skipTest("cgroups of version 2 do not limit memory here")
        (self.cgroup.path / "memory.max").write_text(f"{1 << 30}\n")
        instance = self.serve_stubborn()
        self.assertEqual(self.cgroup.below, [])
        self.assertEqual(instance.stop(), 4)
        self.assertTrue(self.is_alive())
        self.assertEqual(len(instance.log_lines("process_left")), 1)

    def test_the_root_of_a_cgroup_namespace(self):
        """A container's, which has no mark."""
        os.removexattr(self.cgroup.path, "user.delegate")
        self.prefix = [*self.cgroup.prefix, *self.namespace('exec "$@"')]
        instance = self.serve_stubborn()
        self.assertEqual(self.cgroup.below, ["stickyctl-default@0.1"])
        self.check_killed(instance)

    def test_another_cgroup_than_that_of_the_namespace_is_left_alone(self):
        """What is mounted is the cgroup of an outer namespace."""
        inner = self.cgroup.path / "inner"
        inner.mkdir()
        self.prefix = [*self.cgroup.prefix, *self.namespace(
            'echo 0 >/sys/fs/cgroup/inner/cgroup.procs && exec unshare --cgroup "$@"')]
        instance = self.serve_stubborn()
        self.assertEqual(self.cgroup.below, ["inner"])
        self.assertEqual(instance.stop(), 4)
        self.assertTrue(self.is_alive())

    def test_a_cgroup_that_is_not_delegated_is_left_alone(self):
        os.removexattr(self.cgroup.path, "user.delegate")
        instance = self.serve_stubborn()
        self.assertEqual(self.cgroup.below, [])
        self.assertEqual(instance.stop(), 4)
        self.assertTrue(self.is_alive())


class Forged(WorkerTestCase):
    def test_a_process_in_the_group_of_another_worker_is_not_believed(self):
        forger = self.write("forger.py", FORGER)
        instance = self.serve("-w", "2", *LISTEN, "--", self.script_worker(
            f'[ $STICKY_SLOT = 1 ] && (until [ -e {self.dir}/go ]; do sleep 0.01; done; '
            f'{sys.executable} {forger} $(cat {self.dir}/go); touch {self.dir}/sent) &\n'
            f"exec $WORKER --notify"))
        before = [(worker["pid"], worker["generation"], "ready", "")
                  for worker in instance.workers()]
        (self.dir / "new").write_text(str(before[0][0]))
        (self.dir / "new").rename(self.dir / "go")
        wait_for("the notifications", (self.dir / "sent").exists)
        for _ in range(3):  # each status is a turn of the loop
            self.assertEqual([(worker["pid"], worker["generation"], worker["state"],
                               worker["status"]) for worker in instance.workers()], before)
        self.assertEqual(instance.stop(), 0)


if __name__ == "__main__":
    harness.main()
