#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What users, machines and strangers get wrong. Each gets an exit code that scripts can
rely on, and one to three lines that say what was wrong, where, and what to do; each
leaves nothing behind (the harness checks that after every test)."""

import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import time
import unittest

import harness
from harness import NOBODY, WORKER, ask, client_socket, http_get, wait_for

HERE = ("127.0.0.1", 3000)
LISTEN = ("-l", "127.0.0.1:3000")

# Exit codes, by CLI.md.
FAILED, USAGE, NOT_RUNNING, ALREADY_RUNNING, NOT_PERMITTED = 1, 2, 3, 5, 77


def tests_of(cases):
    """A test method for each case: name -> arguments of the class's check()."""
    def decorate(test_class):
        for name, arguments in cases.items():
            def test(self, arguments=arguments):
                self.check(*arguments)
            setattr(test_class, f"test_{name}", test)
        return test_class
    return decorate


# name: (the command line, words of the message)
USAGE_CASES = {
    "command": (["bogus"], "bogus", "stickyctl help"),
    "command_that_is_an_option": (["--bogus"], "--bogus", "stickyctl help"),
    "option": (["start", "--bogus"], "--bogus", "--help"),
    "short_option": (["start", "-Z"], "Z", "--help"),
    "option_of_status": (["status", "--bogus"], "--bogus", "--help"),
    "option_of_another_command": (["status", "--workers", "4"], "workers", "--help"),
    "option_without_its_value": (["start", "-w"], "w", "--help"),
    "argument_too_many": (["status", "extra"], "'extra'", "--help"),
    "second_address_of_where": (["where", "192.0.2.1", "192.0.2.2"], "192.0.2.2", "--help"),
    "where_of_nobody": (["where"], "address", "--help"),
    "where_of_a_name": (["where", "example.org"], "'example.org'", "203.0.113.9"),
    "where_of_a_cut_address": (["where", "192.0.2"], "'192.0.2'", "203.0.113.9"),
    "where_of_a_port": (["where", "192.0.2.1:80"], "'192.0.2.1:80'", "203.0.113.9"),
    "help_of_no_command": (["help", "bogus"], "bogus", "stickyctl help"),
    "no_address": (["start", "--", WORKER], "-l 127.0.0.1:3000"),
    **{f"workers_{name}": (["start", "-w", value], "--workers", f"'{value}'", "1 to 1024")
       for name, value in {"zero": "0", "1025": "1025", "negative": "-1", "junk": "many",
                           "empty": "", "half": "1.5", "huge": "9" * 30,
                           "trailing": "4x", "hexadecimal": "0x4"}.items()},
    **{f"time_{name}": (["start", "--min-uptime", value], "--min-uptime", f"'{value}'", "150ms")
       for name, value in {"junk": "soon", "empty": "", "negative": "-5s", "unit": "5d",
                           "only_unit": "s", "too_long": "800h", "huge": "9" * 30,
                           "fraction": "1.5s"}.items()},
    **{f"{option[2:].replace('-', '_')}_{value}": (["start", option, value], option,
                                                   f"'{value}'")
       for option, value in (("--v4-prefix", "0"), ("--v4-prefix", "33"),
                             ("--v6-prefix", "0"), ("--v6-prefix", "129"),
                             ("--backlog", "0"), ("--ready", "bogus"), ("--env", "NAME"),
                             ("--env", "=value"), ("--env", "1A=value"),
                             ("--ready-timeout", "never"),
                             ("--hard-shutdown-delay", "never"))},
    **{f"name_{name}": (["start", "-n", value], "--name", f"'{value}'", "1 to 64")
       for name, value in {"empty": "", "slash": "a/b", "parent": "..", "hidden": ".a",
                           "option": "-a", "space": "a b", "long": "a" * 65}.items()},
    "name_of_status": (["status", "-n", "../default"], "--name", "'../default'"),
    "user": ([*("start", *LISTEN), "--user", "no-such-user", "--", WORKER], "--user",
             "no-such-user"),
    "user_number": ([*("start", *LISTEN), "--user", "4294967295", "--", WORKER], "--user",
                    "4294967295"),
    "group": ([*("start", *LISTEN), "--user", "nobody:no-such-group", "--", WORKER], "--user",
              "no-such-group"),
}


@tests_of(USAGE_CASES)
class Usage(harness.TestCase):
    def check(self, command, *words):
        result = self.stickyctl(*command)
        self.assert_message(result, *words, code=USAGE)
        self.assertEqual(result.stdout, "")


@tests_of({
    "unknown": ({"STICKYCTL_WORKER": 4}, "STICKYCTL_WORKER", "--help"),
    "empty_name": ({"STICKYCTL_": 4}, "STICKYCTL_", "--help"),
    "lower_case": ({"STICKYCTL_workers": 4}, "STICKYCTL_workers", "--help"),
    "number": ({"STICKYCTL_WORKERS": "junk"}, "STICKYCTL_WORKERS", "'junk'", "1 to 1024"),
    "time": ({"STICKYCTL_MIN_UPTIME": "junk"}, "STICKYCTL_MIN_UPTIME", "'junk'", "150ms"),
    "name": ({"STICKYCTL_NAME": "a/b"}, "STICKYCTL_NAME", "'a/b'"),
    "assignment": ({"STICKYCTL_ENV": "A=1\nB"}, "STICKYCTL_ENV", "'B'"),
})
class Environment(harness.TestCase):
    def check(self, variables, *words):
        for command in ("start", "status"):
            self.assert_message(self.stickyctl(command, env=variables), *words, code=USAGE)


@tests_of({
    **{name: (address, USAGE, f"'{address}'", "HOST:PORT") for name, address in {
        "no_port": "127.0.0.1", "only_port": "3000", "empty": "", "empty_port": "127.0.0.1:",
        "word_as_port": "127.0.0.1:http", "big_port": "127.0.0.1:65536",
        "negative_port": "127.0.0.1:-1", "bare_v6": "::1:3000", "open_bracket": "[::1:3000",
        "bracket_without_port": "[::1]", "v4_in_brackets": "[127.0.0.1]:3000",
        "not_v6": "[::g]:3000", "path": "unix:/tmp/x"}.items()},
    "no_such_name": ("no-such-host.invalid:3000", FAILED, "no-such-host.invalid:3000",
                     "no address"),
    "not_ours": ("192.0.2.1:3000", FAILED, "192.0.2.1:3000", "no interface has"),
})
class ListenAddress(harness.TestCase):
    def check(self, address, code, *words):
        result = self.stickyctl("start", "-l", address, "--", WORKER)
        self.assert_message(result, *words, code=code)
        # A good one before it makes no difference.
        result = self.stickyctl("start", *LISTEN, "-l", address, "--", WORKER)
        self.assert_message(result, *words, code=code)

    def test_too_many(self):
        addresses = [word for port in range(17) for word in ("-l", f"127.0.0.1:{3000 + port}")]
        result = self.stickyctl("start", *addresses, "-w", "1", "--", WORKER)
        self.assert_message(result, "127.0.0.1:3016", code=USAGE)


class AddressInUse(harness.TestCase):
    """Somebody listens there: we must not join silently, nor disturb."""

    def check_refused(self, *addresses, **options):
        listen = [word for address in addresses for word in ("-l", address)]
        result = self.stickyctl("start", "-n", "late", *listen, "-w", "2", "--", WORKER,
                                **options)
        self.assert_message(result, f"cannot listen on {addresses[-1]}", "in use",
                            "another port", code=FAILED)

    def test_a_plain_listener(self):
        with socket.create_server(HERE) as listener:
            self.check_refused("127.0.0.1:3000")
            self.check_refused(":3000")
            self.check_refused("127.0.0.1:3001", "127.0.0.1:3000")
            # It still gets its clients.
            with client_socket(HERE), listener.accept()[0]:
                pass

    def test_a_listener_with_reuseport(self):
        with socket.create_server(HERE, reuse_port=True):
            self.check_refused("127.0.0.1:3000")

    def test_another_instance_of_the_same_user(self):
        first = self.serve(*LISTEN, "-w", "2", "--", WORKER, "--notify")
        pids = {worker["pid"] for worker in first.workers()}
        for address in ("127.0.0.1:3000", ":3000", "0.0.0.0:3000"):
            self.check_refused(address)
        served = {ask(HERE, f"127.6.0.{number}")["pid"] for number in range(1, 41)}
        self.assertEqual(served, pids, "the first keeps all its clients")

    def test_another_instance_on_every_address(self):
        first = self.serve("-l", ":3000", "-w", "2", "--", WORKER, "--notify")
        for address in ("127.0.0.1:3000", "[::1]:3000", ":3000"):
            self.check_refused(address)
        self.assertIn(ask(HERE)["pid"], [worker["pid"] for worker in first.workers()])

    def test_the_same_address_twice(self):
        self.check_refused("127.0.0.1:3000", "127.0.0.1:3000")

    def test_a_port_that_needs_privilege(self):
        result = self.stickyctl("start", "-l", "127.0.0.1:80", "--", WORKER,
                                prefix=harness.without("net_bind_service"))
        self.assert_message(result, "127.0.0.1:80", "CAP_NET_BIND_SERVICE", "higher port",
                            code=NOT_PERMITTED)

    def test_a_port_that_needs_privilege_of_an_ordinary_user(self):
        program = harness.copy_program(harness.STICKYCTL, self.dir)
        self.run_dir.mkdir()
        os.chown(self.run_dir, NOBODY, NOBODY)
        result = self.stickyctl("start", "-l", "127.0.0.1:80", "--", "true", program=program,
                                prefix=harness.as_nobody("bpf"), cwd="/")
        self.assert_message(result, "127.0.0.1:80", "CAP_NET_BIND_SERVICE", code=NOT_PERMITTED)


class Command(harness.TestCase):
    """A COMMAND that can't be run, or does not stay."""

    def check_failure(self, *arguments, words, slots=2, **options):
        """A first start at which no slot gets ready. Returns the message's lines."""
        instance = self.start(*LISTEN, "-w", slots, *arguments, **options)
        self.assertEqual(instance.wait(), FAILED)
        # What workers print comes before it, and the log's last line behind.
        message = instance.errors[instance.errors.index("stickyctl: no worker got ready"):]
        lines = [line for line in message.splitlines() if not harness.LogLine.parse(line)]
        for word in words:
            self.assertIn(word, "\n".join(lines))
        # One try a slot: more would hide the reason.
        starts = instance.log_lines("worker_state", state="starting")
        self.assertLessEqual(len(starts), slots)
        return lines

    def test_that_does_not_exist(self):
        self.check_failure("--", "no-such-command", words=["no-such-command", "No such file", "PATH"])

    def test_path_that_does_not_exist(self):
        self.check_failure("--", self.dir / "nothing", words=[f"{self.dir}/nothing", "No such file"])

    def test_that_is_not_executable(self):
        path = self.write("server", "#!/bin/sh\n")
        self.check_failure("--", path, words=[str(path), "Permission denied", "chmod +x"])

    def test_in_path_that_is_not_executable(self):
        self.write("server", "#!/bin/sh\n")
        self.check_failure("--", "server", env={"PATH": f"{self.dir}:/usr/bin:/bin"},
                  words=["server", "Permission denied", "chmod +x"])

    def test_that_another_user_may_not_run(self):
        path = self.script("server", "exit 0")
        path.chmod(0o700)
        self.check_failure("--user", "nobody", "--chdir", "/", "--", path,
                  words=[str(path), "Permission denied"])

    def test_without_interpreter_line(self):
        path = self.write("server", "echo hello\n", 0o755)
        self.check_failure("--", path, words=[str(path), "#!"])

    def test_interpreter_that_does_not_exist(self):
        path = self.write("server", "#!/no/such/interpreter\n", 0o755)
        self.check_failure("--", path, words=[str(path), "No such file"])

    def test_that_is_a_directory(self):
        self.check_failure("--", self.dir, words=[str(self.dir), "Permission denied"])

    def test_directory_that_does_not_exist(self):
        self.check_failure("--chdir", self.dir / "nothing", "--", WORKER,
                  words=[f"{self.dir}/nothing", "No such file"])

    def test_that_exits_at_once(self):
        lines = self.check_failure("--", "sh", "-c", "echo one >&2; echo two >&2; exit 3",
                                   words=["exited with code 3"])
        self.assertEqual([line for line in lines if line.startswith("  |")],
                         ["  | one", "  | two"])

    def test_that_complains_on_stdout(self):
        self.check_failure("--", "sh", "-c", "echo complaint; exit 3", words=["  | complaint"])

    def test_that_ends_with_success(self):
        lines = self.check_failure("--", "true", words=["exited with code 0"])
        self.assertEqual(len(lines), 2)

    def test_that_is_killed(self):
        self.check_failure("--", "sh", "-c", "kill -SEGV $$", words=["SIGSEGV"])

    def test_last_lines_are_the_last(self):
        lines = self.check_failure("--", "sh", "-c", "seq 100000 >&2; echo the end >&2; exit 1",
                                   slots=1, words=["the end"])
        shown = [line[4:] for line in lines if line.startswith("  |")]
        self.assertLess(len(shown), 500)
        self.assertEqual(shown[-3:], ["99999", "100000", "the end"])
        self.assertEqual(shown[:-1], [str(number) for number in
                                      range(100_002 - len(shown), 100_001)], "whole lines")

    def test_a_flood_on_stdout_does_not_hide_the_complaint(self):
        self.check_failure("--", "sh", "-c", "seq 100000; echo complaint >&2; exit 1", slots=1,
                           words=["  | complaint"])

    def test_control_characters_of_a_worker(self):
        # Words that we repeat must not steer the terminal of who reads them.
        instance = self.start(*LISTEN, "-w", "1", "--", "sh", "-c",
                              r"printf '\033]0;title\007\033[2J\n' >&2; exit 1")
        self.assertEqual(instance.wait(), FAILED)
        self.assertIn("  | ", instance.errors)
        for line in instance.errors.splitlines():
            if line.startswith("  | "):
                self.assertTrue(line.isprintable(), repr(line))

    def test_control_characters_in_status_words(self):
        instance = self.serve(*LISTEN, "-w", "1", "--", WORKER, "--status", "\x1b[2J\x07red",
                              "--notify")
        self.assertTrue(all(line.isprintable() for line in
                            instance.run("status").stdout.splitlines()))


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
    """The hash seed's file: never guessed at, never replaced silently."""

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
    """What can't be kept is a warning: clients are served all the same."""

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
        program = harness.copy_program(harness.STICKYCTL, self.dir)
        self.run_dir.mkdir()
        os.chown(self.run_dir, NOBODY, NOBODY)
        self.check_warning("--state-dir", program=program, prefix=harness.as_nobody("bpf"),
                           cwd="/", env={"STICKYCTL_STATE_DIR": None, "HOME": None})


class RunDirectory(harness.TestCase):
    """The name is taken, or only looks like it, or the place can't be trusted."""

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
        """What the test itself put there is not left behind by anybody."""
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


class Control(harness.TestCase):
    """Clients of the control socket that are not stickyctl."""

    def setUp(self):
        super().setUp()
        self.instance = self.serve(*LISTEN, "-w", "1")

    def connect(self):
        client = harness.connect_unix(self.instance.control_path)
        self.addCleanup(client.close)
        return client

    def exchange(self, *parts):
        """Send, then read to the end; a connection that the other side closes is fine."""
        with self.connect() as client:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for part in parts:
                    client.sendall(part)
                client.shutdown(socket.SHUT_WR)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                answer = harness.read_all(client)
            return answer

    def memory(self):
        text = pathlib.Path(f"/proc/{self.instance.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+) kB", text)[1]) * 1024

    def code_of(self, answer):
        found = re.match(rb"HTTP/1\.\d (\d+)", answer)
        return int(found[1]) if found else None

    def check_alive(self):
        self.assertEqual(self.instance.status()["pid"], self.instance.pid)
        self.assertEqual(http_get(HERE)[0], 200)

    def test_garbage(self):
        before = self.instance.descriptors()
        for garbage in (b"\0" * 1000, b"\xff" * 1000, b"garbage\r\n\r\n", b"\r\n\r\n\r\n",
                        b"GET\r\n\r\n", b"GET /v1/status\r\n\r\n", b"GET /v1/status HTTP/9\r\n\r\n",
                        b"GET  HTTP/1.1\r\n\r\n", b"GET http:// HTTP/1.1\r\n\r\n",
                        b"GET /%zz%00 HTTP/1.1\r\n\r\n", b"GET /v1/where?address=%00 HTTP/1.0\r\n\r\n",
                        b"GET * HTTP/1.0\r\n\r\n", b"GET ?address=1 HTTP/1.0\r\n\r\n",
                        b"GET //v1/status HTTP/1.0\r\n\r\n", b"GET /v1/where?a=%&&==& HTTP/1.0\r\n\r\n",
                        b"POST /v1/stop HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                        b"POST /v1/stop HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                        os.urandom(5000)):
            with self.subTest(garbage=garbage[:60]):
                self.assertNotEqual(self.code_of(self.exchange(garbage)), 200)
                self.check_alive()
        self.instance.wait_descriptors(before)

    def test_large_requests(self):
        before, megabyte = self.memory(), b"x" * (1 << 20)
        head = b"POST /v1/stop HTTP/1.1\r\nHost: x\r\n"
        for parts in ((head + b"Content-Length: 10485760\r\n\r\n", *10 * [megabyte]),
                      (head + b"Transfer-Encoding: chunked\r\n\r\n",
                       *10 * [b"100000\r\n" + megabyte + b"\r\n"]),
                      (b"GET /v1/status HTTP/1.1\r\nA: ", *10 * [megabyte]),
                      (b"GET /v1/status HTTP/1.1\r\n", *40 * [b"A: b\r\n" * 50_000]),
                      (b"GET /", *10 * [megabyte]),
                      tuple(10 * [megabyte])):
            with self.subTest(parts=parts[0][:60]):
                self.assertNotEqual(self.code_of(self.exchange(*parts)), 200)
                self.check_alive()
        self.assertLess(self.memory() - before, 4 << 20, "it reads no further than it must")

    def test_who_says_nothing_or_not_enough_is_let_go(self):
        before = self.instance.descriptors()
        silent, half = self.connect(), self.connect()
        body, one_by_one = self.connect(), self.connect()
        half.sendall(b"GET /v1/status HTTP/1.1\r\nHost:")
        body.sendall(b"POST /v1/stop HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf of it")
        began = time.monotonic()
        self.check_alive()
        for client in (silent, half, body, one_by_one):
            with contextlib.suppress(ConnectionResetError):
                harness.read_all(client)
        self.assertLess(time.monotonic() - began, 15)
        self.check_alive()
        self.instance.wait_descriptors(before)

    def test_silent_clients_do_not_delay_the_end(self):
        clients = [self.connect() for _ in range(200)]
        for client in clients[:100]:
            client.sendall(b"GET /v1/status HTTP/1.1\r\n")
        self.check_alive()
        began = time.monotonic()
        self.assertEqual(self.instance.terminate(), 0)
        self.assertLess(time.monotonic() - began, 5)

    def test_who_never_reads(self):
        before = self.memory()
        client = self.connect()
        client.setblocking(False)
        request = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n" * 100
        with contextlib.suppress(BlockingIOError, ConnectionResetError, BrokenPipeError):
            while True:
                client.send(request)
        self.check_alive()
        self.assertLess(self.memory() - before, 8 << 20)

    def test_answers_to_wrong_questions(self):
        for method, target, code in (
                ("POST", "/v1/status", 405), ("GET", "/v1/stop", 405), ("POST", "/v1/where", 405),
                ("GET", "/", 404), ("GET", "/v1", 404), ("GET", "/v1/status/", 404),
                ("GET", "/v2/status", 404), ("GET", "/v1/where", 400),
                ("GET", "/v1/where?address=", 400), ("GET", "/v1/where?address=nobody", 400),
                ("GET", "/v1/where?address=1.2.3.4&address=x", 200)):
            with self.subTest(method=method, target=target), self.instance.control() as control:
                found, answer = control.ask(target, method)
                self.assertEqual(found, code, answer)
                self.assertEqual("error" in answer, code != 200)
        for method in ("DELETE", "PUT", "OPTIONS", "BREW"):
            answer = self.exchange(f"{method} /v1/stop HTTP/1.0\r\n\r\n".encode())
            self.assertNotEqual(self.code_of(answer), 200)
        self.check_alive()

    def test_who_asks_for_a_stop_and_goes_away(self):
        with client_socket(HERE) as held:  # so that the stop takes a while
            held.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
            wait_for("the connection", lambda: http_get(HERE)[0] == 200)
            clients = [self.connect() for _ in range(3)]
            for client in clients:
                client.sendall(b"POST /v1/stop HTTP/1.1\r\nHost: x\r\n"
                               b"Content-Length: 0\r\n\r\n")
            self.instance.wait_status("the stop", lambda status: status["state"] == "stopping")
            for client in clients:
                client.close()
            self.assertEqual(self.instance.status()["state"], "stopping")
        self.assertEqual(self.instance.wait(), 0)

    def as_nobody(self, *arguments):
        return self.run_program("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                                "--clear-groups", *arguments, cwd="/")

    def test_another_user_can_not_connect(self):
        program = harness.copy_program(harness.STICKYCTL, self.dir)
        for command in (("status",), ("stop",), ("where", "192.0.2.1")):
            result = self.as_nobody(program, *command)
            self.assert_message(result, str(self.instance.control_path), "Permission denied",
                                code=NOT_PERMITTED)
        self.check_alive()

    def test_another_user_who_connects_is_refused(self):
        program = harness.copy_program(harness.STICKYCTL, self.dir)
        self.instance.control_path.chmod(0o666)
        for method, target in (("GET", "status"), ("GET", "where?address=192.0.2.1"),
                               ("POST", "stop"), ("GET", "nothing")):
            result = self.as_nobody("curl", "-s", "-X", method, "-w", "%{http_code}",
                                    "--unix-socket", self.instance.control_path,
                                    f"http://x/v1/{target}")
            self.assertEqual(result.stdout[-3:], "403", result)
            self.assertNotIn("pid", result.stdout)
        for command in (("status",), ("stop",)):
            self.assert_message(self.as_nobody(program, *command), "user", code=NOT_PERMITTED)
        self.check_alive()


class Machine(harness.TestCase):
    """What the machine does not permit, or does not have."""

    NO_BPF = ("bpf", "sys_admin")

    def test_bpf_is_not_permitted(self):
        result = self.stickyctl("start", *LISTEN, prefix=harness.without(*self.NO_BPF))
        self.assert_message(result, "BPF", "CAP_BPF", "sudo", "setcap", code=NOT_PERMITTED)

    def test_bpf_is_not_permitted_to_an_ordinary_user(self):
        program = harness.copy_program(harness.STICKYCTL, self.dir)
        self.run_dir.mkdir()
        os.chown(self.run_dir, NOBODY, NOBODY)
        result = self.stickyctl("start", *LISTEN, program=program, cwd="/",
                                prefix=harness.as_nobody())
        self.assert_message(result, "BPF", "CAP_BPF", "sudo", code=NOT_PERMITTED)

    def test_only_root_can_change_the_user(self):
        program = harness.copy_program(harness.STICKYCTL, self.dir)
        self.run_dir.mkdir()
        os.chown(self.run_dir, NOBODY, NOBODY)
        result = self.stickyctl("start", *LISTEN, "--user", "daemon", "--", "true",
                                program=program, cwd="/", prefix=harness.as_nobody("bpf"))
        self.assert_message(result, "--user", "root", "sudo", code=NOT_PERMITTED)

    def test_unknown_user_called_sudo(self):
        result = self.stickyctl("start", *LISTEN, "--", WORKER,
                                env={"SUDO_USER": "no-such-user"})
        self.assert_message(result, "SUDO_USER", "no-such-user", "--user", code=USAGE)

    def limit_descriptors(self, count):
        return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))

    def test_too_few_descriptors(self):
        for count in (30, 60, 100):
            with self.subTest(descriptors=count):
                result = self.stickyctl("start", *LISTEN, "-w", "100", "--", WORKER, "--notify",
                                        preexec_fn=self.limit_descriptors(count))
                self.assert_message(result, "descriptors", "ulimit", code=FAILED)

    def test_just_too_few_descriptors(self):
        # All sockets can be made, but not all pipes of the workers: those that start serve.
        instance = self.start(*LISTEN, "-w", "20", "--", WORKER, "--notify",
                              preexec_fn=self.limit_descriptors(70))
        instance.wait_status("a ready worker", lambda status: any(
            worker["state"] == "ready" for worker in status["workers"]))
        self.assertEqual(instance.terminate(), 0)

    def test_closed_standard_descriptors(self):
        # Then the first files that are opened get their numbers, and the log goes there.
        for closed in ([0], [1], [2], [0, 1], [1, 2], [0, 1, 2]):
            with self.subTest(closed=closed):
                instance = self.serve(*LISTEN, "-w", "2", "--", WORKER, "--notify", "--stdout",
                                      "words", "--stderr", "words",
                                      preexec_fn=lambda: [os.close(fd) for fd in closed])
                self.assertEqual((instance.directory / "pid").read_text(), f"{instance.pid}\n")
                for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
                    self.assertEqual(ask(HERE, source)["slot"], instance.where(source)["slot"])
                self.assertEqual(instance.terminate(), 0)
                seed = (self.state_dir / "default" / "seed").read_text()
                self.assertRegex(seed, r"^sticky-seed 1\n[0-9a-f]{16}\n$")

    def test_removed_working_directory(self):
        gone = self.dir / "gone"
        gone.mkdir()
        result = self.run_program("sh", "-c", f"rmdir {gone}; exec {harness.STICKYCTL} start "
                                  f"-l 127.0.0.1:3000 -- {WORKER}", cwd=gone,
                                  env={"PWD": gone})
        self.assert_message(result, "directory", "--chdir", code=FAILED)


class Doctor(harness.TestCase):
    """`doctor`: what is there, what lacks, what to do."""

    def look(self, code, **options):
        """Its findings: {what: (verdict, remedy or None)}."""
        result = self.stickyctl("doctor", **options)
        self.assertEqual((result.returncode, result.stderr), (code, ""), result.stdout)
        findings, last = {}, None
        for line in result.stdout.splitlines():
            if line.startswith(" "):  # the remedy of the line before it
                self.assertRegex(line, r"^\s+-> \S")
                findings[last] = (findings[last][0], line.strip())
                continue
            found = re.fullmatch(r"(ok|warning|missing)\s+(\S.*?)\s{2,}(\S.*)|"
                                 r"(ok|warning|missing)\s+(CAP_\w+)\s+(\S.*)", line)
            self.assertTrue(found, line)
            last = found[2] or found[5]
            findings[last] = (found[1] or found[4], None)
        for what, (verdict, remedy) in findings.items():
            self.assertEqual(remedy is None, verdict == "ok", f"{what}: {verdict}, {remedy}")
        return findings

    def test_here(self):
        findings = self.look(0)
        for what in ("kernel", "CAP_BPF", "CAP_NET_BIND_SERVICE", "bpf program", "wake-ups",
                     "bpffs", "descriptors", "somaxconn", "steering"):
            self.assertIn(what, findings)
        for what in ("kernel", "CAP_BPF", "bpf program", "steering"):
            self.assertEqual(findings[what][0], "ok", what)
        self.assertNotIn("missing", [verdict for verdict, _ in findings.values()])

    def test_without_bpf(self):
        findings = self.look(1, prefix=harness.without("bpf", "sys_admin"))
        for what in ("CAP_BPF", "bpf program", "steering"):
            self.assertEqual(findings[what][0], "missing", what)
        self.assertIn("sudo", findings["CAP_BPF"][1])

    def test_with_bpf_alone(self):
        program = harness.copy_program(harness.STICKYCTL, self.dir)
        findings = self.look(0, program=program, prefix=harness.as_nobody("bpf"), cwd="/")
        self.assertEqual((findings["CAP_BPF"][0], findings["steering"][0]), ("ok", "ok"))
        self.assertEqual(findings["CAP_NET_BIND_SERVICE"][0], "warning")

    def test_small_somaxconn(self):
        path = pathlib.Path("/proc/sys/net/core/somaxconn")
        before = path.read_text()
        self.addCleanup(path.write_text, before)
        path.write_text("128\n")
        self.assertEqual(self.look(0)["somaxconn"][0], "warning")

    def test_few_descriptors(self):
        self.assertEqual(self.look(0, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (64, 64)))["descriptors"][0], "warning")

    def test_loopback_down(self):
        subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
        try:
            self.assertEqual(self.look(0)["wake-ups"][0], "warning")
        finally:
            harness.set_up_network()


if __name__ == "__main__":
    harness.main()
