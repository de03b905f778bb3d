#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Steering by the controller, without privilege: it accepts connections and passes them on. Also
workers that take no passed connections."""

import os
import pathlib

import harness
import world
from clients import HERE, LISTEN, is_refused
from passing import (PROXY, TAKER, USER, XFF, PassingTestCase, forwarded, fnv, parse, proxy_v1,
                     request)
from privilege import as_nobody, copy_program, without
from programs import FAILED, NOT_PERMITTED, STICKYCTL, USAGE, WORKER, LogLine
from harness import needs
from world import wait_for

SOURCES = [f"127.8.0.{number}" for number in range(1, 51)]


class Unprivileged(PassingTestCase):
    """The instance runs as nobody, without any capability."""

    def nobody(self):
        """Returns options for an instance of nobody: directories that nobody may write, and
        programs that nobody may run."""
        home = self.dir / "nobody"
        home.mkdir()
        home.chmod(0o777)
        taker = copy_program(TAKER, self.dir)
        return {"prefix": as_nobody(), "program": copy_program(STICKYCTL, self.dir),
                "command": [taker], "run_dir": home / "run", "cwd": "/",
                "env": {"STICKYCTL_RUN_DIR": home / "run",
                        "STICKYCTL_STATE_DIR": home / "state", "HOME": home}}

    def assert_unprivileged(self, pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            self.assertIn(f"{name}:\t0000000000000000", status)
        self.assertIn("Uid:\t65534\t65534\t65534\t65534", status)

    def test_works(self):
        instance = self.serve_takers(4, *USER, **self.nobody())
        self.assert_unprivileged(instance.pid)
        status = instance.status()
        self.assertEqual(status["steering"], "user")
        self.assertIn("--steering", status["steering_reason"])
        slots = self.slots_of(instance, SOURCES)
        self.assertEqual(set(slots.values()), set(range(4)))
        for source, slot in slots.items():
            answer = self.asked(request(), source)
            self.assertEqual((answer["client"], answer["slot"], answer["sum"]),
                             (source, slot, fnv(request())))
            self.assertTrue(answer["peer"].startswith(f"{source}:"))
        # All operations of the lifecycle work.
        with self.load("--http", rate=1000) as load:
            self.assertEqual(self.command(instance, "reload", "--wait=drained").returncode, 0)
        self.assert_nobody_lost(load.counts)
        self.kill_worker(instance, 1)
        self.wait_generation(instance, 3, slot=1)
        self.assertEqual(self.command(instance, "scale", "2").returncode, 0)
        self.assertEqual({self.asked(request(), source)["slot"] for source in SOURCES}, {0, 1})
        self.assertEqual(self.command(instance, "stop").returncode, 0)
        self.assertEqual(instance.wait(), 0)
        self.assertTrue(is_refused(HERE))
        self.assertEqual(list((self.dir / "nobody" / "run").rglob("*.sock")), [])

    def command(self, instance, *words):
        return instance.run(*words, env={"STICKYCTL_RUN_DIR": instance.run_dir})

    def check_fallback(self, how, text_of):
        instance = self.serve_takers(2, *how, **self.nobody())
        self.assert_unprivileged(instance.pid)
        status = instance.status()
        self.assertEqual(status["steering"], "user")
        self.assertIn("CAP_BPF", status["steering_reason"])
        line, = instance.log_lines("steering_by_user")
        self.assertEqual(line.level, "warn")
        self.assertIn("BPF", line.fields["why"])
        result = self.command(instance, "status")
        self.assertIn("steering user", result.stdout)
        names = [f"203.0.113.{number}" for number in range(1, 41)]
        slots = self.slots_of(instance, names)
        for name in names:
            answer = self.asked(text_of(name))
            self.assertEqual((answer["client"], answer["slot"]), (name, slots[name]))
        self.assertEqual(instance.terminate(), 0)

    def test_xff(self):
        self.check_fallback(XFF, forwarded)

    def test_proxy(self):
        self.check_fallback(PROXY, lambda name: proxy_v1(name) + request())

    def test_peers_that_are_no_proxies(self):
        """The controller accepts these connections, too, and does not believe their headers."""
        instance = self.serve_takers(4, *XFF, "--trusted-proxy", "127.0.0.1", **self.nobody())
        for source in SOURCES[:10]:
            answer = self.asked(forwarded("203.0.113.1"), source)
            self.assertEqual((answer["client"], answer["slot"]),
                             (source, instance.where(source)["slot"]))
        self.assertEqual(self.asked(forwarded("203.0.113.1"))["client"], "203.0.113.1")
        self.assertEqual(instance.terminate(), 0)

    def test_kernel_is_what_was_asked_for(self):
        for how in ((), XFF):
            options = self.nobody()
            options.pop("run_dir")
            command = options.pop("command")
            result = self.stickyctl("start", *LISTEN, "--steering", "kernel", *how, "--", *command,
                                    **options)
            self.assert_message(result, "CAP_BPF", "--steering=user", code=NOT_PERMITTED)
            for child in self.dir.iterdir():
                if child.name == "nobody":
                    child.rename(self.dir / f"nobody{len(how)}")

    def test_root_without_bpf(self):
        """The same for root in a container. Behind a proxy, a classic program can't be used."""
        prefix = without("bpf", "sys_admin")
        for how in (("--require-engine", "kernel"), (*XFF, "--require-engine", "classic")):
            result = self.stickyctl("start", *LISTEN, *how, "--", TAKER, prefix=prefix)
            self.assert_message(result, "CAP_BPF", code=NOT_PERMITTED)
        result = self.stickyctl("start", *LISTEN, *XFF, "--steering", "classic", "--", TAKER)
        self.assert_message(result, "--behind-proxy", code=USAGE)
        instance = self.serve_takers(2, *XFF, prefix=prefix)
        status = instance.status()
        self.assertEqual(status["steering"], "user")
        self.assertIn("CAP_BPF", status["steering_reason"])
        self.assertEqual(self.asked(forwarded("203.0.113.1"))["client"], "203.0.113.1")
        self.assertEqual(instance.stop(), 0)


class Takes(PassingTestCase):
    """Programs that take no passed connections."""

    WAYS = {"--behind-proxy=xff": XFF, "--behind-proxy=proxy": PROXY, "steering by user": USER}

    def check_refused(self, *command, ways=None):
        """Check that the start fails, with the reason and the remedies, before any client is
        served."""
        for word, how in (ways or self.WAYS).items():
            with self.subTest(how=how):
                instance = self.start("-w", "2", *LISTEN, *how, "--", *command)
                self.assertEqual(instance.wait(), FAILED)
                lines = [line for line in instance.errors.splitlines()
                         if not LogLine.parse(line)]
                text = "\n".join(lines[lines.index(next(
                    line for line in lines if line.startswith("stickyctl: "))):])
                self.assertIn("passed", text)
                for wanted in (word, "sticky_process_open", "--slot-listen"):
                    self.assertIn(wanted, text)
                self.assertTrue(is_refused(HERE))
                # The worker's own children are killed with it, and end a moment later.
                wait_for("the last process to end", lambda: not world.other_processes())

    def test_a_worker_of_sockets(self):
        self.check_refused(WORKER, "--notify")

    def test_one_that_says_nothing(self):
        """The worker is ready by its uptime."""
        self.check_refused(WORKER)

    @needs("gunicorn")
    def test_gunicorn(self):
        self.write("app.py", "def application(environ, start):\n"
                             "    start('200 OK', [])\n    return [b'']\n")
        self.check_refused("gunicorn", "--chdir", self.dir, "app:application")

    def test_ready_at_once(self):
        """With --ready=started a worker is ready when it has reported that it takes passed
        connections, and not before."""
        command = self.script("worker", f"sleep 0.2\nexec {TAKER}")
        instance = self.serve("-w", "2", *LISTEN, *USER, "--ready", "started", "--", command)
        self.assertEqual(len(self.ask_taker(request())), 1)
        self.assertEqual([worker["restarts"] for worker in instance.workers()], [0, 0])
        self.assertEqual(instance.stop(), 0)
        self.check_refused(WORKER, ways={"--behind-proxy=xff": (*XFF, "--ready", "started")})

    def test_the_demo(self):
        for how in (USER, XFF, PROXY):
            result = self.stickyctl("start", *LISTEN, *how)
            self.assert_message(result, "demo", code=USAGE)

    def test_a_reload_to_one_that_takes_none(self):
        """The old workers serve on."""
        command = self.script("worker", f"[ -e {self.dir}/bad ] && exec {WORKER} --notify\n"
                                        f"exec {TAKER}")
        instance = self.serve_takers(2, *XFF, command=[command])
        self.write("bad", "")
        result = instance.run("reload", "--wait")
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertIn("takes no passed connections", result.stderr)
        self.assertEqual(self.generations(instance), [1, 1])
        self.assertEqual(self.asked(forwarded("203.0.113.1"))["gen"], 1)
        os.unlink(self.dir / "bad")
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assertEqual(instance.stop(), 0)


if __name__ == "__main__":
    harness.main()
