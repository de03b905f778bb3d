#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The output of workers is passed on, and never blocks a process."""

import os
import subprocess
import sys

import harness
from clients import HERE, LISTEN, ask
from programs import WORKER
from workers import NOTIFY, WorkerTestCase
from world import wait_for

class Output(WorkerTestCase):
    """The output of workers is passed on."""

    def serve_script(self, text, slots=1, **options):
        return self.serve("-w", slots, *LISTEN, "--", self.script_worker(text), **options)

    def test_both_streams(self):
        instance = self.serve("-w", "2", *LISTEN, "--", WORKER, "--stdout", "to stdout",
                              "--stderr", "to stderr", "--notify")
        wait_for("both", lambda: instance.output.count("to stdout\n") == 2)
        wait_for("both", lambda: instance.errors.count("to stderr\n") == 2)
        self.assertEqual(instance.output, 2 * "to stdout\n", "and nothing else")

    def test_an_unfinished_line(self):
        instance = self.serve_script('[ $STICKY_GENERATION = 1 ] && { printf unfinished; '
                                     'exec $WORKER --notify --exit-after 100; }\n'
                                     'exec $WORKER --notify')
        self.wait_generation(instance, 2)
        self.assertEqual(instance.output, "unfinished")

    def test_a_megabyte(self):
        size = 1 << 20
        instance = self.serve_script(f"head -c {size} /dev/zero | tr '\\0' $STICKY_SLOT\n"
                                     "exec $WORKER --notify", slots=2)
        wait_for("all of it", lambda: len(instance.output) == 2 * size)
        self.assertEqual([instance.output.count(slot) for slot in "01"], [size, size])

    def test_a_megabyte_of_a_worker_that_ends(self):
        size = 1 << 20
        instance = self.serve_script(
            f"[ $STICKY_GENERATION = 1 ] || exec $WORKER --notify\n"
            f"{sys.executable} {self.write('notify.py', NOTIFY)} READY=1 /dev/null\n"
            f"head -c {size} /dev/zero | tr '\\0' x")
        self.wait_generation(instance, 2)
        self.assertEqual(instance.output.count("x"), size)

    def check_serving(self, instance):
        """The controller answers, and clients are served."""
        for number in range(20):
            self.assertEqual(instance.status()["workers"][0]["state"], "ready")
            self.assertEqual(ask(HERE, f"127.4.0.{number + 1}")["slot"], 0)

    FLOOD = "head -c 16777216 /dev/zero | tr '\\0' x >&%d; touch $(dirname $0)/done"

    def flood(self, stream, **options):
        """Start a worker that prints 16 MiB which no process reads, and goes on."""
        instance = self.serve_script(f"({self.FLOOD % stream}) &\nexec $WORKER --notify", **options)
        wait_for("the worker to go on", (self.dir / "done").exists)
        return instance

    def test_nobody_reads(self):
        instance = self.flood(1, stdout=subprocess.PIPE)
        self.check_serving(instance)
        os.set_blocking(instance.process.stdout.fileno(), False)
        seen = 0

        def all_is_seen():
            nonlocal seen
            seen += (instance.process.stdout.read() or b"").count(b"x")
            return seen + instance.status()["output_lost"]["bytes"] == 16 << 20

        wait_for(lambda: f"the rest: {seen} and {instance.status()['output_lost']}", all_is_seen)
        self.assertTrue(4 << 20 <= seen < 8 << 20, seen)
        lost = wait_for("it to be said", lambda: instance.log_lines("output_lost"))
        self.assertEqual(lost[0].fields["of"], "stdout")
        self.assertIn("bytes of workers' output and the log were lost", instance.run("status").stdout)

    def test_nobody_reads_either_stream(self):
        # `stickyctl 2>&1 | less`
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        instance = self.flood(2, stdout=write_end, stderr=write_end)
        os.close(write_end)
        self.kill_worker(instance)  # the controller writes this to its log
        self.wait_generation(instance, 2)
        self.check_serving(instance)

    def test_a_terminal_that_is_stopped(self):
        terminal, side = os.openpty()
        self.addCleanup(os.close, terminal)
        instance = self.flood(2, stderr=side)
        os.close(side)
        self.check_serving(instance)

    def test_the_reader_goes_away(self):
        read_end, write_end = os.pipe()
        instance = self.serve_script("while :; do echo words; sleep 0.01; done &\n"
                                     "exec $WORKER --notify", stdout=write_end)
        os.close(write_end)
        self.assertTrue(os.read(read_end, 100).startswith(b"words\n"))
        os.close(read_end)
        pid = instance.workers()[0]["pid"]
        for _ in range(20):
            self.check_serving(instance)
        self.assertEqual(instance.workers()[0]["pid"], pid)
        self.assertEqual(instance.terminate(), 0)

    def test_lines_have_a_prefix_on_a_terminal(self):
        terminal, side = os.openpty()
        self.addCleanup(os.close, terminal)
        instance = self.serve("-w", "2", *LISTEN, "--", WORKER, "--stdout", "some words",
                              "--stderr", "other words", "--notify", stderr=side)
        os.close(side)
        wait_for("the words", lambda: instance.output.count("some words\n") == 2)
        self.assertEqual(sorted(instance.output.splitlines()),
                         ["[0] some words", "[1] some words"])
        shown = b""
        while shown.count(b"other words") < 2:
            shown += os.read(terminal, 65536)
        for slot in (b"0", b"1"):
            self.assertIn(b"[" + slot + b"] other words\r\n", shown)


if __name__ == "__main__":
    harness.main()
