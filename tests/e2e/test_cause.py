#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Takes long.
"""A slot that does not serve: `status` shows the reason, and the next command to type, before
anything else."""

import harness
from lifecycle import WORKERS, LifecycleTestCase
from programs import WORKER
from world import scaled

FLAPS = 3  # of src/terminal/status_problems.c
SLOW_START_MS = 10000


class Cause(LifecycleTestCase):
    """Two slots, of which slot 1 gets a bad worker."""

    def begin(self, bad, *arguments, **options):
        command = self.switchable_worker(f"bad) {bad};;")
        instance = self.serve_workers(2, *arguments, command=[command], **options)
        self.mode("bad")
        self.kill_worker(instance, 1)
        return instance

    def problem(self, instance):
        """Returns the first line of `status`, and the lines that belong to it."""
        lines = instance.run("status").stdout.splitlines()
        return lines[0], lines[1:lines.index("")]

    def flaps(self, bad, *arguments, **options):
        instance = self.begin(bad, *arguments, **options)
        instance.wait_status("a slot that flaps", lambda status: (
            status["workers"][1]["restarts"] > FLAPS))
        return instance, *self.problem(instance)

    def test_it_ends(self):
        instance, line, more = self.flaps("echo 'no database' >&2; sleep 0.1; exit 3")
        self.assertEqual(line, "slot 1 dies again and again, the last time it exited with code 3: "
                               "'stickyctl logs 1'")
        self.assertEqual(more, ["  it printed: no database"])
        self.assertIn("no database", instance.run("logs", 1).stdout)
        last = instance.workers()[1]["last_exit"]
        self.assertEqual((last["last_line"], last["hint"]), ("no database", None))

    def test_the_command_is_of_this_instance(self):
        _, line, _ = self.flaps("exit 3", name="web")
        self.assertTrue(line.endswith("'stickyctl logs 1 -n web'"), line)

    def test_a_missing_file(self):
        _, line, more = self.flaps("exec cat /no/such/config.json")
        self.assertIn("exited with code 1: 'stickyctl logs 1'", line)
        self.assertIn("/no/such/config.json: No such file", more[0])

    def test_a_program_that_is_gone(self):
        program = self.script("program.sh", f"exec {WORKER} --notify")
        instance = self.serve_workers(2, command=[program])
        program.unlink()
        self.kill_worker(instance, 1)
        instance.wait_status("a slot that flaps", lambda status: (
            status["workers"][1]["restarts"] > FLAPS))
        line, more = self.problem(instance)
        self.assertIn(f"cannot run {program}: No such file or directory: 'stickyctl logs 1'", line)
        self.assertIn("check the command", more[0])

    def test_a_port_that_is_taken(self):
        script = self.write("taken.py", "import socket\nfirst = socket.create_server("
                                        "('127.0.0.1', 0))\nsocket.create_server("
                                        "first.getsockname())\n")
        _, line, more = self.flaps(f"exec python3 {script}")
        self.assertIn("exited with code 1: 'stickyctl logs 1'", line)
        self.assertIn("OSError: [Errno 98] Address already in use", more[0])

    def test_it_is_killed(self):
        _, line, more = self.flaps("kill -9 $$")
        self.assertIn("was killed by SIGKILL: 'stickyctl logs 1'", line)
        self.assertIn("memory is short (dmesg)", more[0])

    def test_it_never_gets_ready(self):
        _, line, more = self.flaps("exec sleep 1000", "--ready-timeout", "1500ms")
        self.assertIn("did not get ready within 1500 ms (--ready-timeout): 'stickyctl logs 1'", line)
        self.assertIn("--ready=started", more[0])
        self.assertFalse([words for words in more if "dmesg" in words])

    def test_it_starts_for_long(self):
        """The reason is shown before --ready-timeout is over."""
        instance = self.begin("exec sleep 1000", "--ready-timeout", f"{scaled(600)}s")
        instance.wait_status("a start", lambda status: (
            status["workers"][1]["state"] == "starting"))
        self.assertTrue(self.problem(instance)[0].startswith("default: "))
        instance.wait_status("a slow start", lambda status: (
            status["workers"][1]["state"] == "starting"
            and status["workers"][1]["uptime_ms"] >= SLOW_START_MS), 30)
        line, more = self.problem(instance)
        self.assertRegex(line, r"^slot 1 has been starting for \d+s, and is not ready: "
                               r"'stickyctl logs 1'$")
        self.assertIn("READY=1", more[0])

    def test_it_exceeds_max_rss(self):
        instance = self.serve("-w", 1, *WORKERS, "--max-rss", "30M", "--", WORKER, "--notify",
                              "--grow", "60")
        instance.wait_status("recycled workers", lambda status: (
            status["workers"][0]["recycles"] >= FLAPS), 60)
        line, _ = self.problem(instance)
        self.assertEqual(line, "slot 0 is replaced again and again, as its workers exceed "
                               "--max-rss: raise it, or see 'stickyctl logs 0'")

    def test_what_it_printed_is_no_command_to_the_terminal(self):
        _, _, more = self.flaps("printf 'a\\033[31mb\\007c\\n'; exit 1")
        self.assertEqual(more, ["  it printed: a?[31mb?c"])


if __name__ == "__main__":
    harness.main()
