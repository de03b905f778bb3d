#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""stickyctl as PID 1, as in a container: orphans of whatever runs in there become its children,
and a signal that it has no handler for does nothing."""

import contextlib
import http.client
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

import harness
import unprivileged
import world
from clients import HERE, LISTEN, ask, http_get
from lifecycle import PARTLY, WORKERS, LifecycleTestCase
from nodejs import LISTENS, NODE, SERVER, WHO
from programs import WORKER, Instance, Program, children_of
from world import bpf_objects, wait_for

CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]

CONTAINER_KILLS_S = 10  # after SIGTERM, as `docker stop` does

# Leaves processes that are nobody's any more, and out of reach of who ends a process group.
ORPHANS = 'for i in $(seq {count}); do (setsid sleep 600 &); done'

# Becomes the program in its arguments, with a child that has ended already.
WITH_A_ZOMBIE = """
import os, sys
child = os.fork() or os._exit(3)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
os.execv(sys.argv[1], sys.argv[1:])
"""


def is_zombie(pid):
    with contextlib.suppress(OSError):
        return "\nState:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text()
    return False


class Container(Instance):
    """An instance whose controller is PID 1 of a namespace. Its parent tells its exit status."""

    def __init__(self, test, *arguments, prefix=(), **options):
        super().__init__(test, *arguments, prefix=[*CONTAINER, *prefix], **options)
        wait_for("its first process", lambda: children_of(self.pid) or not self.runs)
        self.init = next(iter(children_of(self.pid)), None)

    def send(self, number):
        os.kill(self.init, number)

    def note_bpf_objects(self):
        self.bpf_objects |= bpf_objects(self.init)

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            super().close()

    def children(self):
        return set(children_of(self.init)) & world.but_keepers().keys()

    def run_inside(self, command):
        subprocess.run(["nsenter", "--target", str(self.init), "--pid", "--mount", "--", "sh",
                        "-c", command], check=True)


class PidOneTestCase(LifecycleTestCase):
    """Controllers that are PID 1."""

    def contain(self, *arguments, **options):
        instance = Container(self, *arguments, **options).ready()
        self.assertEqual(instance.status()["pid"], 1)
        return instance

    def wait_orphans(self, instance, count, others=()):
        """Until so many children are PID 1's besides those; their pids, as we see them."""
        def look():
            found = instance.children() - set(others)
            return found if len(found) == count else None

        return wait_for(lambda: f"{count} orphans; children: {instance.children()}", look)

    def end_orphans(self, instance, orphans, number=signal.SIGTERM):
        """They end, and nothing is left of them."""
        for pid in orphans:
            os.kill(pid, number)
        wait_for(lambda: f"no zombie: {list(filter(is_zombie, orphans))}",
                 lambda: not orphans & instance.children(), 5)


class Naive(PidOneTestCase):
    """So the tests below bite."""

    def test_who_does_not_reap_keeps_zombies(self):
        program = Program(self, [*CONTAINER, "sh", "-c", "(exec sleep 600 &); exec sleep 601"])
        init = wait_for("PID 1", lambda: children_of(program.pid))[0]
        # The shell would reap it.
        wait_for("the shell to be gone",
                 lambda: pathlib.Path(f"/proc/{init}/comm").read_text() == "sleep\n")
        orphan, = wait_for("an orphan", lambda: children_of(init))
        os.kill(orphan, signal.SIGKILL)
        wait_for("a zombie", lambda: is_zombie(orphan))


class Workers(PidOneTestCase):
    """The controller, with workers that are processes."""

    ORPHANS = 10

    def contain_workers(self, *arguments, command=(WORKER, "--notify"), **options):
        return self.contain("-w", "2", *WORKERS, *arguments, "--", *command, **options)

    def workers_of(self, instance):
        """By slot, as we see them from outside."""
        outside = {}
        for pid in instance.children():
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            outside[int(re.search(r"^NSpid:.*\t(\d+)$", status, re.MULTILINE)[1])] = pid
        return [outside[worker["pid"]] for worker in instance.workers()]

    def test_orphans_of_workers(self):
        command = self.script_worker(f"{ORPHANS.format(count=self.ORPHANS)}\n"
                                     "exec $WORKER --notify")
        instance = self.contain_workers(command=[command])
        workers, before = self.workers_of(instance), instance.workers()
        orphans = self.wait_orphans(instance, 2 * self.ORPHANS, workers)
        self.end_orphans(instance, orphans)
        self.assertEqual(instance.children(), set(workers))
        for former, worker in zip(before, instance.workers()):
            self.assertEqual([worker[name] for name in ("pid", "generation", "state", "restarts",
                                                        "last_exit")],
                             [former["pid"], 1, "ready", 0, None])
        self.assertFalse(instance.log_lines("worker_exit"))
        instance.send(signal.SIGTERM)
        self.assertEqual(instance.wait(), 0)

    def test_orphans_and_a_worker_at_once(self):
        """One signal may tell of many ends: the worker's is among them."""
        instance = self.contain_workers()
        for generation in range(2, 7):
            workers = self.workers_of(instance)
            instance.run_inside(ORPHANS.format(count=self.ORPHANS))
            orphans = self.wait_orphans(instance, self.ORPHANS, workers)
            ending = [*orphans, workers[0]]
            instance.send(signal.SIGSTOP)
            for pid in ending:
                os.kill(pid, signal.SIGKILL)
            wait_for("zombies", lambda ending=ending: all(map(is_zombie, ending)))
            instance.send(signal.SIGCONT)
            self.wait_generation(instance, generation)
            wait_for("no zombie", lambda: not any(map(is_zombie, instance.children())), 5)
        workers = instance.workers()
        self.assertEqual([worker["restarts"] for worker in workers], [5, 0])
        self.assertEqual(workers[0]["last_exit"]["signal"], "SIGKILL")
        self.assertIn(ask(HERE)["slot"], (0, 1))

    def test_one_that_had_ended_before(self):
        """Its signal came to the program that we were before the exec()."""
        instance = self.contain_workers(prefix=[sys.executable, "-c", WITH_A_ZOMBIE])
        wait_for("no zombie", lambda: not any(map(is_zombie, instance.children())), 5)
        self.assertEqual(len(instance.children()), 2)
        self.assertFalse(instance.log_lines("worker_exit"))

    def test_reload_and_stop(self):
        instance = self.contain_workers()
        with self.load() as load:
            result = instance.run("reload", "--wait")
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_nobody_lost(load.counts, least=10)
        self.assertEqual(instance.stop(), 0)

    def test_signals_that_stop(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            with self.subTest(signal=number):
                instance = self.contain_workers()
                # What is left in there when PID 1 is gone, the kernel ends.
                instance.run_inside(ORPHANS.format(count=1))
                instance.send(number)
                self.assertEqual(instance.wait(), 0)

    @unittest.skipUnless(NODE, "Node.js is not there")
    def test_the_handler_of_a_node_application(self):
        """A container gets SIGTERM, and SIGKILL 10 s later: the application has cleaned up before."""
        app = self.write("app.js", WHO + SERVER + LISTENS + """
            setInterval(() => {}, 1000);
            process.on('SIGTERM', () => {
              console.error('handler begins');
              setTimeout(() => { console.error('handler ends'); process.exit(0); }, 500);
            });
            """)
        instance = self.contain("-w", "2", "--", "node", app)
        client = http.client.HTTPConnection(*HERE)  # a client that keeps its connection
        client.request("GET", "/")
        client.getresponse().read()
        began = time.monotonic()
        instance.send(signal.SIGTERM)
        self.assertEqual(instance.wait(), 0)
        self.assertLess(time.monotonic() - began, CONTAINER_KILLS_S)
        client.close()
        self.assertEqual(instance.errors.count("handler ends"), 2, instance.errors)

    def test_a_second_interrupt(self):
        instance = self.contain_workers(command=(WORKER, "--notify", "--ignore-term"))
        for count in (1, 2):
            instance.send(signal.SIGINT)
            wait_for("the signal to be seen", lambda count=count: len(
                instance.log_lines("stopping")) == count)
        self.assertEqual(instance.wait(), 0)

    def test_the_exit_code_tells_who_had_to_be_killed(self):
        instance = self.contain_workers("--hard-shutdown-delay", "300ms", command=(
            WORKER, "--notify", "--ignore-term"))
        instance.send(signal.SIGTERM)
        self.assertEqual(instance.wait(), PARTLY)

    def test_a_signal_without_handler(self):
        """It ends nobody, PID 1 or not: SIGUSR1 means "open the log again" to other servers."""
        instance = self.contain_workers()
        before = instance.workers()
        instance.send(signal.SIGUSR1)
        instance.send(signal.SIGPIPE)
        self.assertEqual([worker["pid"] for worker in instance.workers()],
                         [worker["pid"] for worker in before])


class Unprivileged(unprivileged.Classic, Workers):
    """The same as nobody, by a classic program: of an image with USER, started without --init."""

    test_reload_and_stop = None  # an old worker and a new one share the socket for a moment
    test_orphans_and_a_worker_at_once = None
    test_one_that_had_ended_before = None
    test_a_second_interrupt = None
    test_the_handler_of_a_node_application = None
    test_a_signal_without_handler = None

    def contain(self, *arguments, prefix=(), **options):
        instance = super().contain(*self.HOW, *arguments, program=self.program_copy,
                                   prefix=[*self.prefix(), *prefix], **options)
        self.assert_unprivileged(instance.init)
        return instance

    def test_stop(self):
        """`stickyctl stop` in there, without a word more. The kernel ends it together with all
        that is in there, once PID 1 has ended."""
        instance = self.contain_workers()
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        where = f"STICKYCTL_RUN_DIR={self.run_dir} {self.program_copy}"
        instance.run_inside(f"{where} status --ready")
        with contextlib.suppress(subprocess.CalledProcessError):
            instance.run_inside(f"{where} stop")
        self.assertEqual(instance.wait(), 0)


class Demo(PidOneTestCase):
    """`stickyctl start` without a command: its workers are threads, no child is its own."""

    ORPHANS = 10

    def contain_demo(self, **options):
        return self.contain("-w", "2", *LISTEN, **options)

    def check_serves(self, instance):
        status, _, page = http_get(HERE, Accept="application/json")
        self.assertEqual(status, 200, page)
        for worker in instance.workers():
            self.assertEqual((worker["state"], worker["generation"], worker["restarts"]),
                             ("ready", 1, 0))

    def test_orphans(self):
        instance = self.contain_demo()
        for _ in range(2):
            instance.run_inside(ORPHANS.format(count=self.ORPHANS))
            self.end_orphans(instance, self.wait_orphans(instance, self.ORPHANS))
            self.check_serves(instance)
        self.assertEqual(instance.stop(), 0)

    def test_one_that_had_ended_before(self):
        instance = self.contain_demo(prefix=[sys.executable, "-c", WITH_A_ZOMBIE])
        wait_for("no zombie", lambda: not instance.children(), 5)
        self.check_serves(instance)

    def test_signals_that_stop(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            with self.subTest(signal=number):
                instance = self.contain_demo()
                self.check_serves(instance)
                instance.send(number)
                self.assertEqual(instance.wait(), 0)

    def test_reload(self):
        instance = self.contain_demo()
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertEqual([worker["generation"] for worker in instance.workers()], [2, 2])


if __name__ == "__main__":
    harness.main()
