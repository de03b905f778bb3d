#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No further process is allowed: fork() fails with EAGAIN, as on a machine whose limit is reached.

Existing workers serve on. A start that fails is reported, and tried again.
"""

import contextlib
import os
import random

import harness
from clients import HERE, LISTEN, ask, http_get
from lifecycle import PARTLY, WORKERS, LifecycleTestCase
from privilege import NOBODY, as_nobody, as_user, copy_program, give_to
from process_limits import PidsCgroup, set_nproc, soft_limit
from programs import FAILED, STICKYCTL, WORKER
from workers import EARLY
from world import wait_for

REFUSED = "Resource temporarily unavailable"

# LeakSanitizer looks for leaks in a process of its own.
NO_LEAK_CHECK = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


class RefusedTestCase(LifecycleTestCase):
    """Checks after a refusal, whichever limit refuses."""

    HOW = "could not be started"

    def start_limited(self, *arguments):
        """Start an instance that refuse() can limit."""
        raise NotImplementedError

    def refuse(self, instance):
        """During the block the instance can't have another process."""
        raise NotImplementedError

    def start_refused(self, *arguments):
        """Start an instance that can't fork from the start."""
        raise NotImplementedError

    def serve_limited(self, slots, *arguments):
        instance = self.start_limited("-w", slots, *arguments).ready()
        self.before = self.pids(instance)
        return instance

    def worker(self):
        return (*WORKERS, "--", self.worker_path, "--notify")

    def setUp(self):
        super().setUp()
        # A copy that other users can also run, wherever the build directory is.
        self.worker_path = copy_program(WORKER, self.dir)

    def check_failed_reload(self, instance):
        result = instance.run("reload", "--wait")
        self.assertEqual(result.returncode, PARTLY, result.stderr)
        for word in ("slot 0", self.HOW, REFUSED, "old worker goes on", "0 of 2", "limit"):
            self.assertIn(word, result.stderr)
        status = instance.status()
        self.assertEqual(self.pids(instance), self.before)
        self.assertEqual([worker["state"] for worker in status["workers"]], ["ready"] * 2)
        self.assertEqual((status["reload"]["state"], status["reload"]["done"],
                          status["reload"]["of"]), ("failed", 0, 2))
        self.assertIn(REFUSED, status["reload"]["error"])
        lines = instance.run("status").stdout.splitlines()
        for pid in self.before:
            self.assertTrue(any(f" {pid} ready " in line for line in lines), lines)

    def check_reload(self, instance):
        result = instance.run("reload", "--wait")
        self.assertEqual(result.returncode, 0, result.stderr)
        status = self.wait_all_ready(instance)
        self.assertEqual((status["reload"]["state"], status["reload"]["error"]),
                         ("idle", None))
        self.assertFalse(set(self.before) & set(self.pids(instance)))


class Refused:
    """The tests, for each kind of limit."""

    def test_reload(self):
        instance = self.serve_limited(2, *self.worker())
        descriptors = instance.descriptors()
        with self.load() as load:
            with self.refuse(instance):
                self.check_failed_reload(instance)
            self.check_reload(instance)
        self.assert_nobody_lost(load.counts, least=10)
        self.assert_counters(instance)
        instance.wait_descriptors(descriptors)

    def test_crash(self):
        """The restarts of the slot are delayed more and more, and its clients wait. The other slot
        serves."""
        instance = self.serve_limited(2, *self.worker())
        sources = [self.sources_of(instance, slot, 8)[0] for slot in range(2)]
        descriptors = instance.descriptors()
        with self.refuse(instance):
            self.kill_worker(instance, 1)
            status = instance.wait_status("some tries", lambda status: status["workers"][1][
                "restarts"] >= 3)
            worker = status["workers"][1]
            self.assertEqual((worker["state"], worker["pid"], worker["holding"]),
                             ("waiting", None, True))
            self.assertIn(self.HOW, worker["last_exit"]["text"])
            self.assertIn(REFUSED, worker["last_exit"]["text"])
            self.assertEqual(ask(HERE, sources[0])["pid"], self.before[0])
            waiting = self.connect([sources[1]])
        worker = instance.wait_status("the slot to be back", lambda status: status["workers"][
            1]["state"] == "ready")["workers"][1]
        (answer, _), = self.collect(waiting)
        self.assertIn(f"slot=1 pid={worker['pid']} ".encode(), answer)
        self.assertEqual(ask(HERE, sources[0])["pid"], self.before[0])
        ends = instance.log_lines("worker_exit", slot=1)
        for former, end, delay in zip(ends, ends[1:], (0.1, 0.2, 0.4)):
            self.assertGreaterEqual(end.time - former.time, delay * EARLY)
        instance.wait_descriptors(descriptors)

    def test_scale(self):
        """The new slot is held, and its clients wait until its worker can be started."""
        instance = self.serve_limited(1, *self.worker())
        with self.refuse(instance):
            self.assertEqual(instance.run("scale", "2").returncode, 0)
            instance.wait_status("a try", lambda status: status["workers"][1]["last_exit"])
            source = self.sources_of(instance, 1, 8)[0]
            waiting = self.connect([source])
        (answer, _), = self.collect(waiting)
        self.assertIn(b"slot=1 ", answer)
        self.wait_all_ready(instance)

    def test_reload_of_the_demo(self):
        """The demo's workers are threads: clone() is refused, too."""
        instance = self.serve_limited(2, *LISTEN)
        descriptors = instance.descriptors()
        with self.refuse(instance):
            self.check_failed_reload(instance)
            self.assertEqual(http_get(HERE)[0], 200)
        self.check_reload(instance)
        self.assertEqual(http_get(HERE)[0], 200)
        instance.wait_descriptors(descriptors)

    def check_start(self, *arguments):
        instance = self.start_refused("-w", 2, *arguments)
        instance.wait()
        self.assert_message(instance.result(), "no worker got ready", self.HOW, REFUSED,
                            "limit", code=FAILED)
        self.assertEqual(len(instance.log_lines("worker_exit")), 2, "each is tried once")

    def test_start(self):
        self.check_start(*self.worker())
        self.serve_limited(2, *self.worker())

    def test_start_of_the_demo(self):
        self.check_start(*LISTEN)


class ByUser(Refused, RefusedTestCase):
    """RLIMIT_NPROC, which applies to ordinary users. With 0 a user's first process is one too many;
    it is let through, but no further one. So the user must have no other processes on this
    machine."""

    UID = random.randrange(100_000, 1 << 31)

    def start_limited(self, *arguments, prefix=(), **options):
        give_to(self.UID, self.run_dir, self.state_dir)
        program = copy_program(STICKYCTL, self.dir)
        return self.start(*arguments, program=program, cwd="/",
                          prefix=[*prefix, *as_user(self.UID, "bpf")], **options)

    def start_refused(self, *arguments):
        return self.start_limited(*arguments, prefix=["prlimit", "--nproc=0:"],
                                  env=NO_LEAK_CHECK)

    @contextlib.contextmanager
    def refuse(self, instance):
        former = soft_limit(instance.pid, "Max processes")
        set_nproc(instance.pid, 0, as_user(self.UID))
        yield
        set_nproc(instance.pid, former, as_user(self.UID))


class ByCgroup(Refused, RefusedTestCase):
    """pids.max, which applies to root, too. The kernel counts its refusals."""

    def setUp(self):
        super().setUp()
        self.cgroup = PidsCgroup.make()
        if not self.cgroup:
            self.skipTest("no cgroup with pids.max can be made here")
        self.addCleanup(self.cgroup.remove)

    def start_limited(self, *arguments, **options):
        return self.start(*arguments, prefix=self.cgroup.prefix, **options)

    @contextlib.contextmanager
    def refuse(self, instance):
        former = self.cgroup.refusals
        self.cgroup.limit(1)
        yield
        self.assertGreater(self.cgroup.refusals, former)
        self.cgroup.limit("max")

    def start_refused(self, *arguments):
        self.cgroup.limit(1)
        instance = self.start_limited(*arguments, env=NO_LEAK_CHECK)
        instance.wait()
        self.assertGreater(self.cgroup.refusals, 0)
        self.cgroup.limit("max")
        return instance


class OfAnotherUser(RefusedTestCase):
    """--user: root may fork, but the user that the process becomes must not execute a program
    then."""

    HOW = "cannot run"

    def worker(self):
        return ("--user", "nobody", "--chdir", "/", *super().worker())

    def start_limited(self, *arguments):
        return self.start(*arguments)

    @contextlib.contextmanager
    def refuse(self, instance):
        former = soft_limit(instance.pid, "Max processes")
        set_nproc(instance.pid, 0)
        yield
        set_nproc(instance.pid, former)

    def test_reload(self):
        instance = self.serve_limited(2, *self.worker())
        with self.refuse(instance):
            self.check_failed_reload(instance)
            for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
                self.assertIn(ask(HERE, source)["pid"], self.before)
        self.check_reload(instance)

    def test_start(self):
        # The kernel lets the first process of a user through. Here that is another process than the
        # worker.
        other = self.program(*as_nobody(), "sleep", "600")
        wait_for("it to be nobody's", lambda: os.stat(f"/proc/{other.pid}").st_uid == NOBODY)
        result = self.stickyctl("start", "-w", "2", *self.worker(),
                                prefix=["prlimit", "--nproc=0:"])
        self.assert_message(result, "no worker got ready", self.HOW, str(self.worker_path),
                            REFUSED, "limit", code=FAILED)


if __name__ == "__main__":
    harness.main()
