#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mistakes of users, lacks of the machine, and other programs at the same address. Each gets an
exit code for scripts, and one to three lines: the problem, its place, and a remedy. Each leaves
nothing behind (the harness checks that after every test)."""

import os
import resource
import socket

import harness
from clients import HERE, LISTEN, ask, client_socket
from harness import tests_of
from privilege import NOBODY, as_nobody, copy_program, without
from programs import FAILED, LogLine, NOT_PERMITTED, STICKYCTL, USAGE, WORKER

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
    "no_address": (["start", "--worker", "activation", "--", WORKER], "-l 127.0.0.1:3000"),
    "a_misspelt_name": (["start", "-n", "wbe"], "no command", "/etc/sticky/wbe.yaml"),
    "address_port": (["start", "-l", "8000"], "--listen", "'8000'", "write :PORT"),
    "address_large": (["start", "-l", ":99999"], "--listen", "':99999'", "0 to 65535"),
    "address_v6": (["start", "-l", "::1:80"], "--listen", "'::1:80'", "in brackets"),
    "address_brackets": (["start", "-l", "[::1]80"], "--listen", "'[::1]80'", "[V6ADDRESS]:PORT"),
    "max_rss_bytes": (["start", "--max-rss", "512"], "--max-rss", "'512'", "write 512M"),
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
    "unknown": ({"STICKYCTL_WORKR": 4}, "STICKYCTL_WORKR", "did you mean that of --worker"),
    "empty_name": ({"STICKYCTL_": 4}, "STICKYCTL_", "--help"),
    "lower_case": ({"STICKYCTL_workers": 4}, "STICKYCTL_workers", "did you mean that of --workers"),
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
        # A valid address before it makes no difference.
        result = self.stickyctl("start", *LISTEN, "-l", address, "--", WORKER)
        self.assert_message(result, *words, code=code)

    def test_too_many(self):
        addresses = [word for port in range(17) for word in ("-l", f"127.0.0.1:{3000 + port}")]
        result = self.stickyctl("start", *addresses, "-w", "1", "--", WORKER)
        self.assert_message(result, "127.0.0.1:3016", code=USAGE)


class AddressInUse(harness.TestCase):
    """Another program listens at the address. stickyctl must not join it silently, nor disturb
    it."""

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
            # The other program still gets its clients.
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
                                prefix=without("net_bind_service"))
        self.assert_message(result, "127.0.0.1:80", "CAP_NET_BIND_SERVICE", "higher port",
                            code=NOT_PERMITTED)

    def test_a_port_that_needs_privilege_of_an_ordinary_user(self):
        program = copy_program(STICKYCTL, self.dir)
        self.run_dir.mkdir()
        os.chown(self.run_dir, NOBODY, NOBODY)
        result = self.stickyctl("start", "-l", "127.0.0.1:80", "--", "true", program=program,
                                prefix=as_nobody("bpf"), cwd="/")
        self.assert_message(result, "127.0.0.1:80", "CAP_NET_BIND_SERVICE",
                            "setcap cap_net_bind_service+ep",
                            "sysctl net.ipv4.ip_unprivileged_port_start=80", "systemd socket",
                            "AmbientCapabilities=CAP_NET_BIND_SERVICE", code=NOT_PERMITTED)


class Command(harness.TestCase):
    """A COMMAND that can't be run, or that ends too soon."""

    def check_failure(self, *arguments, words, slots=2, **options):
        """Check a first start at which no slot gets ready. Returns the lines of the message."""
        instance = self.start(*LISTEN, "-w", slots, *arguments, **options)
        self.assertEqual(instance.wait(), FAILED)
        # Output of workers comes before the message, and the log's last line behind it.
        message = instance.errors[instance.errors.index("stickyctl: no worker got ready"):]
        lines = [line for line in message.splitlines() if not LogLine.parse(line)]
        for word in words:
            self.assertIn(word, "\n".join(lines))
        self.assert_no_more_tries(instance, slots)
        return lines

    def assert_no_more_tries(self, instance, slots):
        """Check that each slot was tried once: more tries would hide the reason. A slot may only be
        tried again while another slot's first worker still takes time to fail, as on a busy
        machine."""
        lines = [line for text in instance.errors.splitlines() if (line := LogLine.parse(text))]
        starts = [number for number, line in enumerate(lines)
                  if line.event == "worker_state" and line.fields["state"] == "starting"]
        first_ends = [number for number, line in enumerate(lines)
                      if line.event == "worker_exit" and line.fields["generation"] == "1"]
        if len(starts) > slots:
            self.assertEqual(len(first_ends), slots)
            self.assertLess(starts[-1], first_ends[-1])

    def test_that_does_not_exist(self):
        self.check_failure("--", "no-such-command",
                           words=["no-such-command", "No such file", "PATH"])

    def test_path_that_does_not_exist(self):
        self.check_failure("--", self.dir / "nothing",
                           words=[f"{self.dir}/nothing", "No such file"])

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
        # Text of a worker that stickyctl repeats must not contain control sequences for the user's
        # terminal.
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


class Machine(harness.TestCase):
    """Machines that do not permit something, or lack it."""

    NO_BPF = ("bpf", "sys_admin")

    def test_bpf_is_not_permitted(self):
        # The message names the remedy for the place: tests may run in a container.
        for how in (("--steering", "kernel"), ("--require-engine", "kernel")):
            result = self.stickyctl("start", *LISTEN, *how, prefix=without(*self.NO_BPF),
                                    env={"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
            self.assert_message(result, "BPF", "CAP_BPF", "securityContext",
                                "--steering=classic", code=NOT_PERMITTED)

    def test_bpf_is_not_permitted_to_an_ordinary_user(self):
        program = copy_program(STICKYCTL, self.dir)
        self.run_dir.mkdir()
        os.chown(self.run_dir, NOBODY, NOBODY)
        result = self.stickyctl("start", *LISTEN, "--steering", "kernel", program=program,
                                cwd="/", prefix=as_nobody())
        self.assert_message(result, "BPF", "CAP_BPF", code=NOT_PERMITTED)

    def test_only_root_can_change_the_user(self):
        program = copy_program(STICKYCTL, self.dir)
        self.run_dir.mkdir()
        os.chown(self.run_dir, NOBODY, NOBODY)
        result = self.stickyctl("start", *LISTEN, "--user", "daemon", "--", "true",
                                program=program, cwd="/", prefix=as_nobody("bpf"))
        self.assert_message(result, "--user", "root", "sudo", code=NOT_PERMITTED)

    def test_root_that_can_not_change_the_user(self):
        """Containers may drop these capabilities, and a user namespace may lack these ids."""
        for prefix, words, code in (
                (without("setuid"), ["CAP_SETUID", "--cap-add"], NOT_PERMITTED),
                (without("setgid"), ["CAP_SETGID", "--cap-add"], NOT_PERMITTED),
                (without("chown"), ["notify.sock", "CAP_CHOWN"], NOT_PERMITTED),
                (["unshare", "--user", "--map-root-user"], [
                    "has no uid 65534", "/proc/self/uid_map", "/etc/subuid"], FAILED)):
            with self.subTest(prefix=prefix):
                result = self.stickyctl("start", *LISTEN, "--user", "nobody", "--", "true",
                                        prefix=prefix)
                self.assert_message(result, "--user", *words, code=code)

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
        # All sockets can be made, but not all pipes of the workers. Those workers that can start
        # serve.
        instance = self.start(*LISTEN, "-w", "20", "--", WORKER, "--notify",
                              preexec_fn=self.limit_descriptors(70))
        instance.wait_status("a ready worker", lambda status: any(
            worker["state"] == "ready" for worker in status["workers"]))
        self.assertEqual(instance.terminate(), 0)

    def test_closed_standard_descriptors(self):
        # Without this, the first files that are opened would get these numbers, and the log would
        # go there.
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
        result = self.run_program("sh", "-c", f"rmdir {gone}; exec {STICKYCTL} start "
                                  f"-l 127.0.0.1:3000 -- {WORKER}", cwd=gone,
                                  env={"PWD": gone})
        self.assert_message(result, "directory", "--chdir", code=FAILED)


if __name__ == "__main__":
    harness.main()
