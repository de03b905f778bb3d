#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`stickyctl check`: all mistakes of a file, what would be in force, and the schema for editors.
Help, and what is misspelt, of all commands."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "e2e")]
# pylint: disable=wrong-import-position
import tap
from slowness import scaled

try:
    import jsonschema
    import yaml
except ImportError:
    jsonschema = None

BUILD = pathlib.Path(os.environ.get("BUILD", TESTS.parent / "build")).resolve()
STICKYCTL = BUILD / "stickyctl"
SCHEMA = TESTS.parent / "docs" / "sticky.schema.json"
DONE, USAGE, NOT_RUNNING, BAD_CONFIG = 0, 2, 3, 78
WIDTH = 80
SCREEN = 24  # lines

ENVIRONMENT = {name: value for name, value in os.environ.items()
               if not re.match("STICKYCTL_|SUDO_", name)} | {"TERM": "dumb", "NO_COLOR": "1"}


class TestCase(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sticky-check-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.path = self.dir / "web.yaml"

    def run_stickyctl(self, *words, env=None):
        return subprocess.run([STICKYCTL, *map(str, words)], env=ENVIRONMENT | (env or {}),
                              check=False, text=True, capture_output=True, timeout=scaled(20))

    def check(self, text, *words, env=None):
        self.path.write_text(text)
        return self.run_stickyctl("check", "-c", self.path, *words, env=env)

    def mistakes(self, result):
        """[line:column: ...] of each mistake, and all notes."""
        self.assertEqual(result.returncode, BAD_CONFIG, result)
        *lines, last = result.stderr.splitlines()
        mistakes = [line for line in lines if not line.startswith("note: ")]
        self.assertEqual(last, f"stickyctl: {self.path}: {len(mistakes)} "
                               f"mistake{'' if len(mistakes) == 1 else 's'}")
        return [line.removeprefix(f"{self.path}:") for line in mistakes]


class Mistakes(TestCase):
    def without_notes(self, result):
        return [line for line in result.stderr.splitlines() if not line.startswith("note: ")]

    def test_none(self):
        result = self.check("workers: 2\nlisten: ':80'\ncommand: [sleep, 1]\n")
        self.assertEqual((result.returncode, result.stdout, result.stderr),
                         (DONE, f"{self.path}: no mistakes\n", ""))

    def test_all_at_once(self):
        found = self.mistakes(self.check(
            "wrokers: 4\nworkers: 0\nmin_uptime: 5d\nlisten: [8000, ':1']\nready: now\n"
            "max_rss: 12\nenv: {A: 1, A: 2}\nuser: no-such-user\nchdir: /nonexistent\n"
            "command: [no-such-program]\ncommand: [sleep]\nbacklog: [1]\nrestart_limit: 5\n"))
        for place, words in (("1:1", "did you mean 'workers'"), ("2:10", "from 1 to 1024"),
                             ("3:13", "150ms"), ("4:10", "write :PORT"), ("5:8", "auto notify"),
                             ("6:10", "write 512M"), ("7:13", "a second time, first in line 7"),
                             ("8:7", "no such user"), ("9:8", "/nonexistent: No such file"),
                             ("10:10", "no program 'no-such-program'"),
                             ("11:1", "a second time, first in line 10"), ("12:10", "one value"),
                             ("13:16", "5/1m")):
            self.assertTrue(any(line.startswith(f"{place}: ") and words in line for line in found),
                            (place, words, found))
        self.assertEqual(len(found), 13)

    def test_start_tells_them_the_same_way(self):
        self.path.write_text("workers: x\nbacklog: y\n")
        result = self.run_stickyctl("start", "-c", self.path)
        self.assertEqual(result.returncode, BAD_CONFIG)
        self.assertEqual([line.split(": ")[:3] for line in result.stderr.splitlines()],
                         [["stickyctl", f"{self.path}:1:10", "workers"],
                          ["stickyctl", f"{self.path}:2:10", "backlog"]])

    OTHERS = {"STICKYCTL_BACKLOG": "x", "STICKYCTL_ENV": "A=1\nB", "STICKYCTL_WROKERS": "4"}
    WORDS = ("--wrokers", "4", "--retry-delay=5d", "--no-such-thing", "--max-rss", "12",
             "--user", "no-such-user", "--", "no-such-program")
    FOUND = ("2:8: ready", "environment STICKYCTL_BACKLOG", "environment STICKYCTL_ENV: 'B'",
             "did you mean that of --workers", "--wrokers is no option; did you mean --workers?",
             "--retry-delay: '5d'", "--no-such-thing is no option", "--max-rss: '12'")

    def test_all_sources_at_once(self):
        """Of the file, the environment and the command line."""
        found = self.mistakes(self.check("workers: 2\nready: x\n", *self.WORDS, env=self.OTHERS))
        for part in (*self.FOUND, "--user: no such user", "no program 'no-such-program'"):
            self.assertTrue(any(part in line for line in found), (part, found))
        self.assertEqual(len(found), 10)

    def test_all_sources_but_the_file(self):
        result = self.check("workers: 2\n", *self.WORDS, env=self.OTHERS)
        self.assertEqual(result.returncode, USAGE)
        for part in self.FOUND[1:]:
            self.assertIn(part, result.stderr)
        self.assertTrue(result.stderr.endswith(": 9 mistakes\n"), result.stderr)
        result = self.run_stickyctl("check", "--workers", "0", "--backlog", "x")
        self.assertEqual((result.returncode, result.stderr.splitlines()[-1]),
                         (USAGE, "stickyctl: the command line: 2 mistakes"))

    def test_start_tells_all_sources(self):
        self.path.write_text("workers: 2\nready: x\n")
        result = self.run_stickyctl("start", "-c", self.path, *self.WORDS, env=self.OTHERS)
        self.assertEqual(result.returncode, BAD_CONFIG)
        *lines, last = result.stderr.splitlines()
        self.assertEqual(last, "'stickyctl start --help' shows the options")
        self.assertEqual(len(lines), len(self.FOUND))
        for part in self.FOUND:
            self.assertTrue(any(line.startswith("stickyctl: ") and part in line for line in lines),
                            (part, lines))

    def test_other_commands_tell_one_line(self):
        result = self.run_stickyctl("status", env=self.OTHERS)
        self.assertEqual(result.returncode, USAGE)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertIn("; 2 more: 'stickyctl check' names them", result.stderr)

    def test_an_upgrade_tells_the_first_one(self):
        """Its message has little room, and its verdict must stand in it."""
        self.path.write_text("workers: x\n" + "".join(f"k{number}: x\n" for number in range(999)))
        header = (TESTS.parent / "src" / "handoff" / "carried.h").read_text()
        version = re.search(r"#define CARRIED_VERSION\s+(\d+)", header)[1]
        program = self.run_stickyctl("upgrade-check", version, "start", "-c", self.path)
        lines = program.stderr.splitlines() + program.stdout.splitlines()
        self.assertTrue(any("workers: 'x'" in line and "; 999 more: 'stickyctl check" in line
                            for line in lines), lines)
        self.assertLess(len(lines), 4)

    def test_a_file_full_of_mistakes(self):
        result = self.check("".join(f"k{number}: x\n" for number in range(999)))
        self.assertEqual(len(self.without_notes(result)), 102)
        self.assertIn("and 899 more", result.stderr)
        self.assertTrue(result.stderr.endswith(": 999 mistakes\n"))

    def test_files_that_it_names(self):
        (self.dir / "bad.env").write_text("A=1\nB\n")
        (self.dir / "bad.ranges").write_text("10.0.0.0/8\n10.0.0.0/99\n")
        (self.dir / "file").write_text("")
        found = self.mistakes(self.check(
            f"env_file: [{self.dir}/bad.env, {self.dir}/none.env]\n"
            f"behind_proxy: xff\ntrusted_proxy: '@{self.dir}/bad.ranges'\n"
            f"slot_listen: unix:{self.dir}/none/{{slot}}.sock\n"
            f"run_dir: {self.dir}/file/run\n"
            f"chdir: {self.dir}/file\ncommand: [{self.dir}/file]\n"))
        for place, words in (("1:11", f"{self.dir}/bad.env:2: "), ("1:11", "none.env: No such"),
                             ("3:16", f"{self.dir}/bad.ranges:2: "), ("4:14", "/none: No such"),
                             ("5:10", "Not a directory"), ("6:8", "Not a directory"),
                             ("7:10", f"no program '{self.dir}/file'")):
            self.assertTrue(any(line.startswith(f"{place}: ") and words in line for line in found),
                            (place, words, found))

    def test_a_command_is_looked_for_where_workers_run(self):
        (self.dir / "run").write_text("#!/bin/sh\n")
        (self.dir / "run").chmod(0o755)
        self.assertEqual(self.check(f"chdir: {self.dir}\ncommand: ./run\n").returncode, DONE)
        self.assertEqual(self.check("command: ./run\n").returncode, BAD_CONFIG)

    def test_contradictions_of_different_sources(self):
        result = self.check("require_engine: kernel\n", "--steering=classic",
                            env={"STICKYCTL_BEHIND_PROXY": "xff"})
        self.assertEqual(result.returncode, BAD_CONFIG)
        self.assertIn(f"{self.path}:1:17: require_engine: --steering", result.stderr)
        self.assertIn("--steering: a classic BPF program", result.stderr)

    def test_a_note_is_no_mistake(self):
        result = self.check("client_ip_header: X-Real-IP\ncommand: [sleep]\n")
        self.assertEqual(result.returncode, DONE)
        self.assertIn(f"note: {self.path}:1:19: client_ip_header: it has no effect",
                      result.stderr)
        result = self.check("workers: 2\n")
        self.assertEqual(result.returncode, DONE)
        self.assertIn("names no command", result.stderr)

    def test_the_file_itself(self):
        for words, part in ((["-c", self.dir / "none.yaml"], "No such file"),
                            (["-c", self.dir], "Is a directory"), (["-c", "/dev/null"], "regular"),
                            (["-n", "no-such-instance", "--workers", "2", "--", "no-such"],
                             "no program")):
            result = self.run_stickyctl("check", *words)
            self.assertEqual(result.returncode, BAD_CONFIG, words)
            self.assertIn(part, result.stderr)

    def test_usage(self):
        result = self.run_stickyctl("check")
        self.assertEqual(result.returncode, USAGE)
        self.assertIn("-c FILE", result.stderr)
        result = self.run_stickyctl("check", "-n", "no-such-instance")
        self.assertEqual(result.returncode, BAD_CONFIG)
        self.assertIn("there is no file /etc/sticky/no-such-instance.yaml", result.stderr)
        result = self.run_stickyctl("check", "--workers", "0")
        self.assertEqual(result.returncode, USAGE)
        self.assertIn("--workers: '0'", result.stderr)
        result = self.check("workers: 1\n", env={"STICKYCTL_WORKERS": "x"})
        self.assertEqual(result.returncode, USAGE)
        self.assertIn("STICKYCTL_WORKERS", result.stderr)

    def test_hostile_text_is_one_line(self):
        found = self.mistakes(self.check("\"a\\nb\\e[31m\": 1\nworkers: \"1\\n2\"\n"))
        self.assertEqual(len(found), 2)
        self.assertNotIn("\x1b", "".join(found))


class Print(TestCase):
    def print(self, text, *words, env=None):
        """{option: (value, origin)}"""
        result = self.check(text, "--print", *words, env=env)
        self.assertEqual(result.returncode, DONE, result)
        lines = [line.rsplit(" # ", 1) for line in result.stdout.splitlines()]
        self.text = result.stdout
        return {value.split(": ")[0].lstrip("# "): (value.split(": ", 1)[1].strip(), origin)
                for value, origin in lines}

    def test_where_each_value_comes_from(self):
        shown = self.print(
            "workers: 3\nmin_uptime: 2000\nmax_rss: 1024M\nlisten: [':1', '[::1]:2']\n"
            "env: {A: secret}\nenv_file: []\nuser: root\ncommand: [sleep, \"a b\"]\n",
            "--backlog", "16", "--env", "C=secret",
            env={"STICKYCTL_WORKERS": "4", "STICKYCTL_ENV": "B=secret"})
        file = str(self.path)
        self.assertEqual(shown["workers"], ("4", "STICKYCTL_WORKERS"))
        self.assertEqual(shown["min_uptime"], ("2s", f"{file}:2"))
        self.assertEqual(shown["max_rss"], ("1G", f"{file}:3"))
        self.assertEqual(shown["listen"], ('[":1", "[::1]:2"]', f"{file}:4"))
        self.assertEqual(shown["backlog"], ("16", "command line"))
        self.assertEqual(shown["user"], ("root", f"{file}:7"))
        self.assertEqual(shown["env"], ("values are not shown: A B C",
                                        f"{file}:5, STICKYCTL_ENV, command line"))
        self.assertEqual(shown["command"], ('[sleep, "a b"]', f"{file}:8"))
        self.assertEqual(shown["retry_delay"], ("150ms", "default"))
        self.assertEqual(shown["restart_limit"], ("none", "default"))
        self.assertRegex(shown["dispatchers"][0], "^[1-4]$")
        self.assertNotIn("secret", self.text)

    def test_the_command_line_has_its_own_command(self):
        self.assertEqual(self.print("command: [no-such]\n", "--", "sleep", "1")["command"],
                         ("[sleep, 1]", "command line"))

    def test_defaults_fit_the_screen(self):
        result = self.run_stickyctl("check", "--print")
        self.assertEqual(result.returncode, DONE)
        for line in result.stdout.splitlines():
            self.assertLessEqual(len(line), WIDTH)
            self.assertTrue(line.endswith("# default"), line)

    def test_what_is_printed_is_a_file(self):
        """It says the same when it is read again."""
        shown = self.print("workers: 3\nlisten: ':1'\nrestart_limit: 5/1m\nterm_after: 1500\n"
                           "name: web\nclient_ip_header: X-'a\nbehind_proxy: xff\n"
                           "command: [sleep, '-', '', \"a\\nb\", \"\\u00e9\"]\n")
        again = self.print(self.text)
        self.assertEqual({name: value for name, (value, _) in shown.items()},
                         {name: value for name, (value, _) in again.items()})


@unittest.skipUnless(jsonschema, "the Python modules jsonschema and yaml: not installed")
class Schema(TestCase):
    """Editors accept what stickyctl accepts."""

    GOOD = ("", "workers: 4", "workers: '4'", "listen: ':80'", "listen: [':80', '[::1]:81']",
            "env: {A: 1, B: x, C: true, D: }", "env: [A=1]", "env: A=1", "down_answer: 502",
            "down_answer: '503'", "behind_proxy: no", "freebind: yes", "min_uptime: 1000",
            "min_uptime: 2h", "max_rss: 2G", "restart_limit: 5/1m", "command: sleep",
            "command: [sleep, 1, true]", "worker: node:sticky-cluster,prefix=x", "name: 8",
            "trusted_proxy: ['10.0.0.0/8', '2001:db8::/32']")
    BAD = ("wrokers: 4", "workers: 0", "workers: 2000", "workers: x", "workers: [1]", "listen: 80",
           "listen: [[a]]", "env: {1A: 1}", "env: {A: [1]}", "env: 2", "down_answer: 504",
           "min_uptime: 5d", "max_rss: 2X", "restart_limit: 5", "command: sleep 1", "command: []",
           "worker: nodejs", "name: a/b", "- a", "a", "config: b.yaml")

    def accepts(self, text):
        try:
            jsonschema.validate(yaml.safe_load(text), json.loads(SCHEMA.read_text()))
        except jsonschema.ValidationError:
            return False
        return True

    def test_accepted(self):
        for text in self.GOOD:
            self.assertTrue(self.accepts(text), text)
            result = self.check(text)
            self.assertEqual(result.returncode, DONE, (text, result.stderr))

    def test_refused(self):
        for text in self.BAD:
            self.assertFalse(self.accepts(text), text)
            self.assertEqual(self.check(text).returncode, BAD_CONFIG, text)


class SchemaFile(TestCase):
    def test_it_is_up_to_date(self):
        result = self.run_stickyctl("check", "--schema")
        self.assertEqual(result.returncode, DONE)
        self.assertEqual(result.stdout, SCHEMA.read_text(), "run 'make schema'")
        properties = json.loads(result.stdout)["properties"]
        options = set(re.findall(r"--([a-z0-9-]+)=", self.run_stickyctl("start", "--help").stdout))
        for name in ("listen", "worker", "max-rss", "on-hang", "env-file"):
            self.assertIn(name, options)
            self.assertIn(name.replace("-", "_"), properties)


class Help(TestCase):
    def commands(self):
        return re.findall(r"^  stickyctl (\S+)", self.run_stickyctl("help").stdout, re.MULTILINE)

    def test_one_screen_with_two_examples(self):
        for command in self.commands():
            result = self.run_stickyctl("help", command)
            lines = result.stdout.splitlines()
            self.assertEqual((result.returncode, result.stderr), (DONE, ""))
            self.assertLessEqual(max(map(len, lines)), WIDTH, command)
            if command == "help":
                continue
            self.assertEqual(lines[-4], "Examples:", command)
            self.assertEqual(lines[-1], f"See stickyctl-{command}(1).")
            for example in lines[-3:-1]:
                self.assertRegex(example, rf"^  .*stickyctl .*{command}", command)
            if command != "start":
                self.assertLessEqual(len(lines), SCREEN, command)

    def test_the_examples_are_right(self):
        """No option of them is unknown: it is the instance that is not there."""
        for command in self.commands():
            if command in ("start", "help", "doctor", "version", "completion", "check", "list"):
                continue
            for line in self.run_stickyctl("help", command).stdout.splitlines()[-3:-1]:
                words = re.split(r" [|&]", line)[0].split()
                result = self.run_stickyctl(*words[1:], env={"STICKYCTL_RUN_DIR": str(self.dir)})
                self.assertEqual(result.returncode, NOT_RUNNING, line)

    def test_help_fits_the_screen(self):
        lines = self.run_stickyctl("help").stdout.splitlines()
        self.assertLessEqual(max(map(len, lines)), WIDTH)
        self.assertEqual(self.run_stickyctl("help", "--help").stdout.splitlines(), lines)

    def test_options_of_start_are_in_groups(self):
        text = self.run_stickyctl("start", "--help").stdout
        order = [text.index(word) for word in
                 ("Addresses:", "--listen=", "Workers:", "--workers=", "Reload:",
                  "--reload-order=", "Behind a proxy:", "--trusted-proxy=")]
        self.assertEqual(order, sorted(order))

    def test_no_option_of_start_is_without_a_group(self):
        """An option that src/cli/start_line.c has in no group is below this title."""
        self.assertNotIn("Other options:", self.run_stickyctl("start", "--help").stdout)


class Misspelt(TestCase):
    CASES = {
        ("relaod",): "did you mean 'reload'?",
        ("help", "sttaus"): "did you mean 'status'?",
        ("start", "--wrokers", "4"): "--wrokers is no option; did you mean --workers?",
        ("start", "--min_uptime=4s"): "did you mean --min-uptime?",
        ("start", "-w", "2", "--listn=:80"): "--listn is no option; did you mean --listen?",
        ("status", "--jsn"): "did you mean --json?",
        ("check", "--prnt"): "did you mean --print?",
        ("stop", "--nwo"): "did you mean --now?",
        ("status", "--hlep"): "did you mean --help?",
    }

    def test_the_nearest_is_named(self):
        for words, message in self.CASES.items():
            result = self.run_stickyctl(*words)
            self.assertEqual((result.returncode, result.stdout), (USAGE, ""), words)
            self.assertIn(message, result.stderr)
            self.assertEqual(len(result.stderr.splitlines()), 2)

    def test_another_word_is_near_to_none(self):
        for words in (("xyz",), ("top-secret",), ("status", "--workers"), ("start", "--q")):
            result = self.run_stickyctl(*words)
            self.assertEqual(result.returncode, USAGE)
            self.assertNotIn("did you mean", result.stderr)

    def test_values_and_commands_of_workers_are_none(self):
        """What follows an option that takes a value, or the command, is no option."""
        for words in (("--env", "--wrokers"), ("-c", "--wrokers"), ("-wx", "--", "--wrokers"),
                      ("-w", "x", "sleep", "--wrokers")):
            self.assertNotIn("did you mean", self.run_stickyctl("start", *words).stderr)

    def test_the_beginning_of_an_option_is_enough(self):
        result = self.run_stickyctl("status", "--js", env={"STICKYCTL_RUN_DIR": str(self.dir)})
        self.assertEqual(result.returncode, NOT_RUNNING)


if __name__ == "__main__":
    program = unittest.main(testRunner=tap.TapRunner(), exit=False)
    sys.exit(0 if program.result.wasSuccessful() else 1)
