#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Directories and files that are damaged, open to others, or owned by another user."""

import json
import os
import subprocess

import harness
from clients import HERE, LISTEN, http_get
from harness import tests_of
from privilege import NOBODY, as_nobody, copy_program
from programs import ALREADY_RUNNING, FAILED, NOT_PERMITTED, NOT_RUNNING, STICKYCTL, USAGE
from world import wait_for

STATE_FILE = "sticky-seed 1\n0123456789abcdef\n"


@tests_of({
    "truncated": ("truncated", STATE_FILE[:-5]),
    "without_its_last_line_end": ("truncated", STATE_FILE[:-1]),
    "with_a_cut_header": ("truncated", "sticky-seed 1"),
    "empty": ("empty", ""),
    "damaged": ("damaged", "sticky-seed 1\n0123456789abcdeg\n"),
    "with_capitals": ("damaged", STATE_FILE.upper().replace("STICKY-SEED", "sticky-seed")),
    "with_more_behind_it": ("damaged", STATE_FILE + "more\n"),
    "of_another_version": ("another version", "sticky-seed 2\n" + "0" * 64 + "\n"),
    "of_somebody_else": ("not a seed", "[Unit]\nDescription=something\n"),
})
class StateFile(harness.TestCase):
    """The file of the hash seed: its content is never guessed, and never replaced silently."""

    def setUp(self):
        super().setUp()
        self.directory = self.state_dir / "default"
        self.directory.mkdir(parents=True, mode=0o700)
        self.file = self.directory / "seed"

    def refuse(self, *words):
        result = self.stickyctl("start", *LISTEN)
        self.assert_message(result, str(self.file), *words, code=FAILED)

    def check(self, word, content):
        self.file.write_text(content)
        self.file.chmod(0o600)
        self.refuse(word, "remove it")
        self.assertEqual(self.file.read_text(), content, "it stays as it is")

    def test_as_it_should_be(self):
        self.file.write_text(STATE_FILE)
        self.file.chmod(0o600)
        instance = self.serve(*LISTEN)
        self.assertEqual(instance.terminate(), 0)
        self.assertEqual(self.file.read_text(), STATE_FILE)

    def check_mode(self, mode):
        self.file.write_text(STATE_FILE)
        self.file.chmod(mode)
        self.refuse("open to others", f"{mode:04o}", "chmod 600")

    def test_writable_by_the_world(self):
        self.check_mode(0o666)

    def test_readable_by_the_group(self):
        self.check_mode(0o640)

    def test_owned_by_another_user(self):
        self.file.write_text(STATE_FILE)
        self.file.chmod(0o600)
        os.chown(self.file, NOBODY, NOBODY)
        self.refuse(str(NOBODY), "Remove it")

    def test_symbolic_link(self):
        target = self.write("target", STATE_FILE, 0o600)
        self.file.symlink_to(target)
        self.refuse("symbolic link")

    def test_directory(self):
        self.file.mkdir()
        self.refuse("not a regular file", "remove it")

    def test_fifo(self):
        os.mkfifo(self.file, 0o600)
        self.refuse("not a regular file", "remove it")


class StateDirectory(harness.TestCase):
    """If the seed can't be stored, there is a warning, and clients are served."""

    def check_warning(self, *words, **options):
        instance = self.serve(*LISTEN, "-w", "1", **options)
        lines = instance.log_lines("seed_not_kept")
        self.assertEqual([line.level for line in lines], ["warn"])
        for word in words:
            self.assertIn(word, lines[0].fields["why"])
        self.assertEqual(http_get(HERE)[0], 200)
        seed_id = instance.status()["seed_id"]
        self.assertEqual(instance.terminate(), 0)
        return seed_id

    def test_read_only(self):
        self.state_dir.mkdir()
        self.mount("-t", "tmpfs", "-o", "ro", "tmpfs", self.state_dir)
        first = self.check_warning(str(self.state_dir), "Read-only")
        self.assertNotEqual(self.check_warning(), first, "drawn anew, not zero")

    def test_below_a_file(self):
        file = self.write("file", "")
        self.check_warning(str(file), env={"STICKYCTL_STATE_DIR": file / "state"})

    def test_open_to_others(self):
        (self.state_dir / "default").mkdir(parents=True)
        (self.state_dir / "default").chmod(0o777)
        self.check_warning(str(self.state_dir), "0777")

    def test_full(self):
        self.state_dir.mkdir()
        self.mount("-t", "tmpfs", "-o", "size=4k,nr_inodes=10", "tmpfs", self.state_dir)
        (self.state_dir / "filler").write_bytes(b"x" * 4096)
        self.check_warning(str(self.state_dir), "No space")

    def test_of_an_ordinary_user_without_home(self):
        program = copy_program(STICKYCTL, self.dir)
        self.run_dir.mkdir()
        os.chown(self.run_dir, NOBODY, NOBODY)
        self.check_warning("--state-dir", program=program, prefix=as_nobody("bpf"),
                           cwd="/", env={"STICKYCTL_STATE_DIR": None, "HOME": None})


class RunDirectory(harness.TestCase):
    """The name is taken, or only looks like that, or the directory can't be trusted."""

    def test_of_a_live_instance(self):
        first = self.serve(*LISTEN, "-w", "1")
        result = self.stickyctl("start", "-l", "127.0.0.1:3001", "-w", "1")
        self.assert_message(result, "'default'", str(first.pid), "stickyctl stop", "-n",
                            code=ALREADY_RUNNING)
        self.assertEqual(json.loads(first.run("status", "--json").stdout)["pid"], first.pid)
        self.assertEqual(http_get(HERE)[0], 200)
        self.assertEqual(first.terminate(), 0)

    def test_many_at_once(self):
        instances = [self.start("-l", f"127.0.0.1:{3000 + number}", "-w", "1")
                     for number in range(6)]
        winners = wait_for("all but one to give up", lambda: [
            instance for instance in instances if instance.runs][:1]
            if sum(instance.runs for instance in instances) == 1 else None)
        self.assertEqual(sorted(instance.wait() for instance in instances
                                if instance is not winners[0]), 5 * [ALREADY_RUNNING])
        self.assertEqual(winners[0].ready().status()["pid"], winners[0].pid)

    def test_of_a_dead_instance(self):
        first = self.serve(*LISTEN, "-w", "1")
        first.kill()
        self.assertTrue(first.control_path.is_socket(), "left behind by a SIGKILL")
        result = first.run("status")
        self.assert_message(result, "'default'", "stickyctl start", code=NOT_RUNNING)
        second = self.serve(*LISTEN, "-w", "1")
        self.assertEqual(second.status()["pid"], second.pid)
        self.assertEqual(second.stop(), 0)

    def test_pid_file_with_the_pid_of_somebody_else(self):
        (self.run_dir / "default").mkdir(parents=True)
        (self.run_dir / "default" / "pid").write_text(f"{os.getpid()}\n")
        self.assert_message(self.stickyctl("stop"), "'default'", code=NOT_RUNNING)
        instance = self.serve(*LISTEN, "-w", "1")
        self.assertEqual((instance.directory / "pid").read_text(), f"{instance.pid}\n")
        self.assertEqual(instance.stop(), 0)

    def test_pid_file_with_garbage(self):
        (self.run_dir / "default").mkdir(parents=True)
        (self.run_dir / "default" / "pid").write_bytes(b"\xff" * 10000)
        instance = self.serve(*LISTEN, "-w", "1")
        self.assertEqual((instance.directory / "pid").read_text(), f"{instance.pid}\n")

    def refuse(self, *words, code):
        self.assert_message(self.stickyctl("start", *LISTEN), *words, code=code)

    def forget_run_directory(self):
        """Remove the files that the test itself has put there."""
        subprocess.run(["rm", "-rf", str(self.run_dir)], check=True)

    def test_pid_file_that_is_a_link(self):
        target = self.write("precious", "data\n")
        (self.run_dir / "default").mkdir(parents=True)
        (self.run_dir / "default" / "pid").symlink_to(target)
        self.refuse(f"{self.run_dir}/default/pid", code=FAILED)
        self.assertEqual(target.read_text(), "data\n")
        self.forget_run_directory()

    def test_owned_by_somebody_else(self):
        for directory in (self.run_dir, self.run_dir / "default"):
            with self.subTest(directory=directory):
                (self.run_dir / "default").mkdir(parents=True, exist_ok=True)
                os.chown(directory, NOBODY, NOBODY)
                self.refuse(str(directory), str(NOBODY), "another", code=NOT_PERMITTED)
                self.forget_run_directory()

    def test_writable_by_others(self):
        for directory in (self.run_dir, self.run_dir / "default"):
            for mode in (0o777, 0o775):
                with self.subTest(directory=directory, mode=mode):
                    (self.run_dir / "default").mkdir(parents=True, exist_ok=True)
                    directory.chmod(mode)
                    self.refuse(str(directory), f"{mode:04o}", "chmod go-w",
                                code=NOT_PERMITTED)
                    self.forget_run_directory()

    def test_that_is_a_file(self):
        self.run_dir.write_text("")
        self.refuse(str(self.run_dir), "not a directory", code=FAILED)
        self.forget_run_directory()

    def test_that_cant_be_made(self):
        result = self.stickyctl("start", *LISTEN, "--run-dir", "/proc/nothing")
        self.assert_message(result, "/proc/nothing", "No such file", code=FAILED)

    def test_with_a_name_that_is_too_long(self):
        long = f"{self.dir}/{'x' * 100}"
        for command in (("start", *LISTEN), ("status",), ("stop",)):
            result = self.stickyctl(*command, "--run-dir", long)
            self.assert_message(result, "too long", "--run-dir", code=USAGE)
        self.assertFalse(os.path.exists(long))


class SeedFile(harness.TestCase):
    """--seed-file: several machines place each client in the same slot."""

    def shared(self, mode=0o600):
        return self.write("shared", STATE_FILE, mode)

    def slots_of_two(self, *arguments):
        """Returns the slots of 64 clients on each of two machines."""
        clients = [f"203.0.113.{number}" for number in range(1, 65)]
        machines = [self.serve("-l", f"127.0.0.{number}:3000", "-w", 4, *arguments,
                               name=f"web{number}") for number in (1, 2)]
        return [[answer["slot"] for answer in machine.where(*clients)] for machine in machines]

    def test_two_machines_agree(self):
        first, second = self.slots_of_two("--seed-file", self.shared())
        self.assertEqual(first, second)
        self.assertEqual(set(first), set(range(4)))
        self.assertFalse(self.state_dir.exists(), "none is drawn")

    def test_without_it_they_do_not(self):
        first, second = self.slots_of_two()
        self.assertNotEqual(first, second)

    def test_that_is_missing_or_open(self):
        missing = self.dir / "none"
        for path, words in ((missing, ("--seed-file", "No such file")),
                            (self.shared(0o644), ("open to others", "0644"))):
            result = self.stickyctl("start", *LISTEN, "--seed-file", path)
            self.assert_message(result, str(path), *words, code=FAILED)
        self.assertFalse(missing.exists())

    def test_check(self):
        path = self.write("web.yaml", "seed_file: none\nlisten: [':3000']\n")
        result = self.stickyctl("check", "-c", path)
        self.assertEqual(result.returncode, 78)
        self.assertIn("web.yaml:1", result.stdout + result.stderr)


if __name__ == "__main__":
    harness.main()
