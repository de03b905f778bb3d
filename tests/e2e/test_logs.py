#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The formats of the log and of workers' output, the log file, the background, `stickyctl logs`."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import harness
from clients import LISTEN
from programs import (ALREADY_RUNNING, FAILED, NOT_RUNNING, STICKYCTL, USAGE, WORKER,
                      LogLine, connect_unix)
from workers import WorkerTestCase
from world import wait_for

LOGROTATE = pathlib.Path(__file__).parents[2] / "packaging" / "stickyctl.logrotate"
LINE_9K = 9000


def json_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class Lines(WorkerTestCase):
    """The lines of workers and of the log."""

    # Four workers, each of which prints lines of 9 KB on both streams.
    PRINTER = f"""
import os, sys
letter = chr(ord('a') + int(os.environ['STICKY_SLOT']))
for number in range(50):
    for stream, text in ((1, letter), (2, letter.upper())):
        os.write(stream, (text * {LINE_9K} + '\\n').encode())
"""

    def print_long_lines(self, *options):
        printer = self.write("printer.py", self.PRINTER)
        read_end, write_end = os.pipe()
        instance = self.start("-w", 4, *LISTEN, *options, "--", self.script_worker(
            f"{sys.executable} {printer}\nexec $WORKER --notify"), stdout=write_end, stderr=write_end)
        os.close(write_end)
        lines = []
        with os.fdopen(read_end) as reader:
            while sum(len(line) > LINE_9K for line in lines) < 400:
                lines.append(next(reader))
        self.stop_unread(instance)
        return [line[:-1] for line in lines if not LogLine.parse(line[:-1])]

    def stop_unread(self, instance):
        instance.ready()
        self.assertEqual(instance.stop(), 0)

    def test_long_lines_in_one_pipe_do_not_mix(self):
        for line in self.print_long_lines():
            self.assertEqual(line, line[:1] * LINE_9K)

    def test_nor_with_a_prefix(self):
        for line in self.print_long_lines("--worker-log=prefix"):
            slot, text = re.fullmatch(r"\[([0-3])\] (\w+)", line).groups()
            self.assertEqual(text.lower(), "abcd"[int(slot)] * LINE_9K)

    def test_inherit(self):
        instance = self.serve(*LISTEN, "-w", 1, "--worker-log=inherit", "--", WORKER, "--stdout",
                              "direct", "--notify")
        pid = instance.workers()[0]["pid"]
        self.assertTrue(os.path.samefile(f"/proc/{pid}/fd/1", instance.stdout_path))
        self.assertEqual(instance.output, "direct\n")
        self.assert_message(instance.run("logs"), "--worker-log=inherit", "--worker-log=raw",
                            code=FAILED)
        self.assertEqual(instance.run("upgrade").returncode, 0)
        instance.ready()
        self.assertEqual(instance.workers()[0]["pid"], pid)
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertEqual(instance.output, "direct\ndirect\n")

    def test_priorities_for_the_journal(self):
        read_end, write_end = os.pipe()
        status = os.fstat(write_end)
        instance = self.serve(*LISTEN, "-w", 1, "--worker-log=prefix", "--", WORKER, "--stderr",
                              "plain", "--stderr", "<4>own", "--notify", stderr=write_end,
                              env={"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        os.close(write_end)
        self.assertEqual(instance.stop(), 0)
        with os.fdopen(read_end) as reader:
            lines = reader.read().splitlines()
        for line in lines:
            self.assertRegex(line, r"^<[3-7]>(\[0\] \w+|(error|warn |info |debug) \w+.*)$")
        self.assertIn("<6>[0] plain", lines)
        self.assertIn("<4>[0] own", lines)

    def test_a_failed_start_in_the_journal(self):
        read_end, write_end = os.pipe()
        status = os.fstat(write_end)
        program = self.start(*LISTEN, "-w", 1, "--", self.script("worker.sh", "echo why >&2; exit 3"),
                             stderr=write_end,
                             env={"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        os.close(write_end)
        self.assertEqual(program.wait(), FAILED)
        with os.fdopen(read_end) as reader:
            lines = reader.read().splitlines()
        self.assertTrue({"why", "<3>its last lines:", "<3>  | why"} <= set(lines), lines)


class File(WorkerTestCase):
    """--log-file, --log-format, --daemon."""

    def setUp(self):
        super().setUp()
        self.log = self.dir / "log"

    def events(self, name):
        return [line for line in json_lines(self.log) if line["event"] == name]

    def rotate(self):
        """Rotate the log as logrotate does with the shipped configuration."""
        script = re.search(r"postrotate\n(.*)endscript", LOGROTATE.read_text(), re.DOTALL)[1]
        self.log.rename(self.dir / "log.1")
        subprocess.run(["sh", "-c", script.replace("/run/sticky", str(self.run_dir))], check=True)

    def test_json_in_a_file_that_is_rotated(self):
        instance = self.serve(*LISTEN, "-w", 1, "--log-file", self.log, "--log-format=json",
                              "--worker-log=prefix", "--", WORKER, "--stdout", "tab\there \\",
                              "--notify")
        self.assertEqual(self.log.stat().st_mode & 0o7777, 0o640)
        line = wait_for("the line", lambda: self.events("worker_output"))[0]
        self.assertEqual((line["slot"], line["generation"], line["stream"], line["line"]),
                         (0, 1, "stdout", "tab\there \\"))
        self.assertEqual(self.events("started")[0]["slots"], 1)
        self.rotate()
        wait_for("the new file", self.log.exists)
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertTrue(self.events("reload_ended")[0]["ok"])
        self.assertEqual(self.events("started"), [])
        self.assertEqual((instance.output, instance.errors), ("", ""))

    def test_a_file_that_cannot_be_opened(self):
        result = self.stickyctl("start", "--log-file", self.dir / "none" / "log", *LISTEN, "--", WORKER)
        self.assert_message(result, "--log-file", "make its directory", code=FAILED)

    def test_the_background(self):
        result = self.stickyctl("start", "-d", "-w", 2, "--log-file", self.log, *LISTEN, "--",
                                WORKER, "--stdout", "words", "--notify")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        self.assertEqual(self.stickyctl("status", "--ready").returncode, 0)
        pid = int((self.run_dir / "default" / "pid").read_text())
        self.assertEqual(os.getsid(pid), pid)
        self.assertEqual([os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)],
                         ["/dev/null", str(self.log), str(self.log)])
        self.check_upgrade(pid)
        again = self.stickyctl("start", "-d", "--log-file", self.log, *LISTEN, "--", WORKER)
        self.assert_message(again, "already", code=ALREADY_RUNNING)
        self.assertEqual(self.stickyctl("stop").returncode, 0)
        self.assertEqual(self.log.read_text().count("words\n"), 2)

    def check_upgrade(self, pid):
        """Check that after an upgrade the next program stays in the background and writes to the
        same file. If the file can't be opened, the upgrade fails."""
        self.log.rename(self.dir / "log.1")
        self.log.mkdir()
        self.assert_message(self.stickyctl("upgrade"), "--log-file", "Is a directory", code=FAILED)
        self.log.rmdir()
        (self.dir / "log.1").rename(self.log)
        self.assertEqual(self.stickyctl("upgrade").returncode, 0)
        self.assertEqual(int((self.run_dir / "default" / "pid").read_text()), pid)
        self.assertIn("took_over=yes", self.log.read_text())

    def test_a_start_in_the_background_that_fails(self):
        worker = self.script("worker.sh", "echo the reason >&2; exit 3")
        result = self.stickyctl("start", "-d", "--log-file", self.log, *LISTEN, "--", worker)
        self.assertEqual(result.returncode, FAILED)
        self.assertIn("the reason", self.log.read_text())
        self.assertFalse((self.run_dir / "default" / "pid").exists())

    def test_the_user_thinks_better_of_it(self):
        program = self.program(STICKYCTL, "start", "-d", "--log-file", self.log, *LISTEN, "--",
                               WORKER, "--notify-delay", 60000)
        wait_for("the worker", lambda: self.log.exists() and "state=starting" in self.log.read_text())
        program.send(signal.SIGINT)
        self.assertEqual(program.wait(), FAILED)
        self.assertIn("before all slots were ready", program.errors)
        self.assertFalse((self.run_dir / "default" / "pid").exists())

    def test_workers_in_the_background_need_a_file(self):
        self.assert_message(self.stickyctl("start", "-d", "--worker-log=inherit", *LISTEN, "--", WORKER),
                            "--worker-log=inherit", "--log-file", code=USAGE)


class Logs(WorkerTestCase):
    """The command stickyctl logs."""

    def test_the_last_lines(self):
        instance = self.serve(*LISTEN, "-w", 2, "--", self.script_worker(
            "printf 'one %s\\n\\033[31mtwo %s\\n' $STICKY_SLOT $STICKY_SLOT\nexec $WORKER --notify"))
        self.assertEqual(sorted(instance.run("logs").stdout.splitlines()),
                         ["[0] \033[31mtwo 0", "[0] one 0", "[1] \033[31mtwo 1", "[1] one 1"])
        self.assertEqual(instance.run("logs", "1", "--lines", "1").stdout, "[1] \033[31mtwo 1\n")
        line = json.loads(instance.run("logs", "0", "--lines=1", "--json").stdout)
        self.assertEqual((line["slot"], line["line"]), (0, "\033[31mtwo 0"))
        self.assertRegex(instance.run("logs", "--time", "--lines=1").stdout, r"^\S+Z \[[01]\] ")
        self.assert_message(instance.run("logs", "2"), "no such slot", code=USAGE)
        self.assert_message(instance.run("logs", "x"), "'x' is not a whole number", code=USAGE)
        self.check_terminal(instance)
        self.check_following(instance)

    def check_terminal(self, instance):
        """Check that escape sequences of workers do not reach a terminal."""
        terminal, side = os.openpty()
        instance.run("logs", "0", stdout=side)
        os.close(side)
        self.assertEqual(os.read(terminal, 1000), b"[0] one 0\r\n[0] ?[31mtwo 0\r\n")
        os.close(terminal)

    def check_following(self, instance):
        """Check that new lines are shown at once. While the previous worker is there, they have the
        generation."""
        following = self.program(STICKYCTL, "logs", "1", "--follow")
        wait_for("the lines that are there", lambda: following.output.count("\n") == 2)
        instance.run("restart", "1")
        wait_for("the new lines", lambda: following.output.count("\n") == 4)
        self.assertEqual(following.output.splitlines()[2], "[1 gen 2] one 1")
        self.assertEqual(instance.stop(), 0)
        self.assertEqual(following.wait(), 0)

    def test_nothing_yet(self):
        instance = self.serve(*LISTEN, "-w", 1, "--", WORKER, "--notify")
        result = instance.run("logs")
        self.assertEqual((result.returncode, result.stdout, result.stderr),
                         (0, "", "the workers have printed nothing\n"))

    def test_no_instance(self):
        self.assertEqual(self.stickyctl("logs").returncode, NOT_RUNNING)

    def test_a_slow_client_is_told_what_it_has_missed(self):
        instance = self.serve(*LISTEN, "-w", 1, "--", self.script_worker(
            "(while [ ! -e $(dirname $0)/go ]; do sleep 0.02; done; seq 200000; "
            "touch $(dirname $0)/done) &\nexec $WORKER --notify"), stdout=subprocess.DEVNULL)
        with connect_unix(instance.control_path) as client:
            client.sendall(b"GET /v1/logs?slot=0&follow=1 HTTP/1.0\r\n\r\n")
            with client.makefile() as answer:
                while answer.readline() != "\n":
                    pass
                (self.dir / "go").touch()
                wait_for("the worker to have printed", (self.dir / "done").exists)
                self.assertEqual(instance.workers()[0]["state"], "ready")
                self.check_stream(answer)

    def check_stream(self, answer):
        expected, dropped = 1, 0
        while expected <= 200000:
            line = json.loads(answer.readline())
            if line["event"] == "lines_dropped":
                dropped += line["lines"]
                expected += line["lines"]
                continue
            self.assertEqual(line["line"], str(expected))
            expected += 1
        self.assertGreater(dropped, 100000)


if __name__ == "__main__":
    harness.main()
