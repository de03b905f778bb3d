#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Workers as processes: what they get, when they count as ready, how they come back,
and what becomes of the connections that wait meanwhile."""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import resource
import selectors
import signal
import socket
import subprocess
import sys
import time
import unittest

import harness
from harness import CLIENTS, NOBODY, WORKER, ask, client_socket, wait_for

HERE = ("127.0.0.1", 3000)
LISTEN = ("-l", "127.0.0.1:3000")

# Timers run from the time at which a turn of the controller's loop began: a busy turn makes
# them fire early.
EARLY = 0.8


def inherited(text):
    """What worker --print-fds printed, by kind; the environment and descriptors as maps."""
    found = {"fd": {}, "env": {}}
    for line in text.splitlines():
        entry = json.loads(line)
        kind = entry.pop("kind")
        if kind == "fd":
            found["fd"][entry["fd"]] = entry
        elif kind == "env":
            found["env"][entry["name"]] = entry["value"]
        else:
            found[kind] = entry
    return found


class TestCase(harness.TestCase):
    def script_worker(self, text):
        """A worker by a shell script; $WORKER is tests/peers/worker."""
        return self.script("worker.sh", f"WORKER={WORKER}\n{text}")

    def kill_worker(self, instance, slot=0):
        pid = instance.workers()[slot]["pid"]
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_generation(self, instance, generation, slot=0):
        """Until a slot's life of that generation is ready; returns the worker's status."""
        status = instance.wait_status(
            f"slot {slot} to be ready in generation {generation}",
            lambda status: (status["workers"][slot]["generation"],
                            status["workers"][slot]["state"]) == (generation, "ready"))
        return status["workers"][slot]

    def sources_of(self, instance, slot, count):
        """Addresses of clients that belong to a slot."""
        addresses = [f"127.2.{number // 250}.{number % 250 + 1}" for number in range(count * 8)]
        answers = instance.where(*addresses)
        found = [answer["address"] for answer in answers if answer["slot"] == slot]
        assert len(found) >= count, f"{len(found)} of {count} clients for slot {slot}"
        return found[:count]


class Contract(TestCase):
    """What a worker finds when it starts."""

    def look(self, *arguments, command=(), **options):
        """What the one worker of an instance inherited."""
        instance = self.serve("-w", "1", *arguments, "--", *command, WORKER, "--print-fds",
                              "--notify", **options)
        found = inherited(wait_for("the worker's words", lambda: instance.output))
        instance.terminate()
        return found

    def test_socket_activation(self):
        instance = self.serve("-w", "1", *LISTEN, "-l", "[::1]:3001", "--", WORKER,
                              "--print-fds", "--notify")
        found = inherited(wait_for("the worker's words", lambda: instance.output))
        pid = instance.workers()[0]["pid"]
        environment = found["env"]
        self.assertEqual((environment["LISTEN_FDS"], environment["LISTEN_PID"]),
                         ("2", str(pid)))
        self.assertEqual(len(environment["LISTEN_FDNAMES"].split(":")), 2)
        self.assertEqual([environment[f"STICKY_{name}"]
                          for name in ("NAME", "SLOT", "GENERATION")], ["default", "0", "1"])
        self.assertTrue(pathlib.Path(environment["NOTIFY_SOCKET"]).is_socket())
        self.assertEqual((found["process"]["pid"], found["process"]["pgid"],
                          found["process"]["ppid"]), (pid, pid, instance.pid))

    def test_descriptors(self):
        # What is left open for the controller must not reach the worker either.
        with open("/dev/null", "rb") as file:
            stray = fcntl.fcntl(file, fcntl.F_DUPFD, 100)
        self.addCleanup(os.close, stray)
        found = self.look(*LISTEN, "-l", "127.0.0.1:3001", pass_fds=[stray])
        self.assertEqual(set(found["fd"]), {0, 1, 2, 3, 4, 5, 6})
        self.assertEqual(found["fd"][0]["target"], "/dev/null")
        for fd, kind in ((1, "pipe:"), (2, "pipe:"), (3, "socket:"), (4, "socket:")):
            self.assertTrue(found["fd"][fd]["target"].startswith(kind), found["fd"][fd])
            self.assertFalse(found["fd"][fd]["cloexec"], found["fd"][fd])
        self.assertEqual(len({found["fd"][fd]["target"] for fd in (3, 4)}), 2)

    def test_signals_are_default(self):
        def disturb():
            for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD, signal.SIGPIPE):
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGALRM})

        masks = self.look(*LISTEN, preexec_fn=disturb)["masks"]
        self.assertEqual((masks["blocked"], masks["ignored"]), ([], []))

    def test_descriptor_limit_is_as_it_was(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (777, hard))

        process = self.look(*LISTEN, preexec_fn=limit)["process"]
        self.assertEqual((process["nofile_soft"], process["nofile_hard"]), (777, hard))

    def test_environment_of_each_life(self):
        command = self.script_worker(
            f'exec $WORKER --print-fds --notify >{self.dir}/life$STICKY_SLOT.$STICKY_GENERATION')
        instance = self.serve(*LISTEN, "-w", "3", "--env", "WHO={name}/{slot}", "--", command,
                              name="web")
        os.kill(instance.workers()[1]["pid"], signal.SIGKILL)
        self.wait_generation(instance, 2, slot=1)
        lives = [(0, 1), (1, 1), (2, 1), (1, 2)]
        for slot, generation in lives:
            text = (self.dir / f"life{slot}.{generation}").read_text()
            environment = inherited(text)["env"]
            self.assertEqual(
                [environment[name] for name in ("STICKY_NAME", "STICKY_SLOT",
                                                "STICKY_GENERATION", "WHO")],
                ["web", str(slot), str(generation), f"web/{slot}"])
            self.assertEqual(environment["LISTEN_PID"],
                             str(inherited(text)["process"]["pid"]))

    def test_port(self):
        for given, options, expected in (({}, (), "3000"), ({"PORT": 99}, (), "99"),
                                         ({"PORT": 99}, ("--env", "PORT=7"), "7")):
            with self.subTest(given=given, options=options):
                found = self.look(*LISTEN, "-l", "127.0.0.1:3001", *options, env=given)
                self.assertEqual(found["env"]["PORT"], expected)

    def test_port_that_the_kernel_chose(self):
        instance = self.serve("-w", "1", "-l", "127.0.0.1:0", "--", WORKER, "--print-fds",
                              "--notify")
        port = wait_for("the worker's words", lambda: instance.output and inherited(
            instance.output)["env"]["PORT"])
        self.assertEqual(instance.status()["listeners"], [f"127.0.0.1:{port}"])
        self.assertEqual(ask(("127.0.0.1", int(port)))["slot"], 0)

    def test_env_options(self):
        found = self.look(*LISTEN, "--env", "A=1", "--env", "B=x{slot}y{slot}{name}{other}",
                          "--env", "EMPTY=", "--env", "PATH_LIKE=a=b:c", "--env", "KEPT=new",
                          env={"KEPT": "old", "ALSO": "there",
                               "STICKYCTL_ENV": "A=0\nC=with space"})["env"]
        self.assertEqual({name: found[name] for name in
                          ("A", "B", "C", "EMPTY", "PATH_LIKE", "KEPT", "ALSO")},
                         {"A": "1", "B": "x0y0default{other}", "C": "with space", "EMPTY": "",
                          "PATH_LIKE": "a=b:c", "KEPT": "new", "ALSO": "there"})

    def test_what_was_meant_for_the_controller_is_not_passed_on(self):
        given = {"LISTEN_FDS": 7, "LISTEN_PID": 1, "LISTEN_FDNAMES": "x",
                 "NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": 1, "WATCHDOG_PID": 1,
                 "JOURNAL_STREAM": "1:2"}
        found = self.look(*LISTEN, env=given)["env"]
        for name, value in given.items():
            self.assertNotEqual(found.get(name), str(value), name)
        self.assertNotIn("WATCHDOG_USEC", found)
        self.assertEqual(found["LISTEN_FDS"], "1")

    def test_command_is_found_by_path(self):
        self.script("my-server", f"exec {WORKER} --notify")
        path = f"/nonexistent:{self.dir}:{os.environ['PATH']}"
        self.serve("-w", "1", *LISTEN, "--", "my-server", env={"PATH": path})
        self.assertEqual(ask(HERE)["slot"], 0)


class Directory(TestCase):
    """Where workers run: as typed, looked up at each life."""

    def setUp(self):
        super().setUp()
        for release in ("one", "two"):
            (self.dir / release).mkdir()
        self.link = self.dir / "current"
        self.link.symlink_to("one")

    def point_to(self, release):
        new = self.dir / "new"
        new.symlink_to(release)
        new.rename(self.link)

    def check_release(self, instance, release, typed):
        """Where the worker is, as the kernel, as it, and as status says."""
        worker = instance.workers()[0]
        real = os.readlink(f"/proc/{worker['pid']}/cwd")
        variables = pathlib.Path(f"/proc/{worker['pid']}/environ").read_bytes().split(b"\0")
        self.assertEqual(real, str(self.dir / release))
        self.assertEqual(worker["cwd"], real)
        self.assertIn(f"PWD={typed}".encode(), variables)

    def check_repointed_link(self, typed, *arguments, command=WORKER, **options):
        instance = self.serve("-w", "1", *LISTEN, *arguments, "--", command, "--notify",
                              **options)
        self.check_release(instance, "one", typed)
        self.point_to("two")
        self.kill_worker(instance)
        self.wait_generation(instance, 2)
        self.check_release(instance, "two", typed)

    def test_the_directory_as_typed(self):
        self.check_repointed_link(self.link, cwd=self.link, env={"PWD": self.link})

    def test_chdir(self):
        self.check_repointed_link(self.link, "--chdir", self.link)

    def test_chdir_relative(self):
        self.check_repointed_link(f"{self.dir}/current", "--chdir", "current", cwd=self.dir,
                                  env={"PWD": self.dir})

    def test_command_relative_to_chdir(self):
        for release in ("one", "two"):
            self.script(f"{release}/server", f'exec {WORKER} --status "{release}" "$@"')
        self.check_repointed_link(self.link, "--chdir", self.link, command="./server")

    def test_pwd_that_is_wrong_is_not_believed(self):
        for wrong in (self.dir / "two", "relative", "/nonexistent", None):
            with self.subTest(PWD=wrong):
                instance = self.serve("-w", "1", *LISTEN, "--", WORKER, "--notify",
                                      cwd=self.dir / "one", env={"PWD": wrong})
                self.check_release(instance, "one", self.dir / "one")
                instance.terminate()


class User(TestCase):
    """Whom workers run as."""

    def setUp(self):
        super().setUp()
        # As nobody, who can't read the build directory everywhere.
        self.worker = harness.copy_program(WORKER, self.dir)

    def add_users(self):
        """A user with groups, on a machine that has none: in our own mount namespace."""
        passwd = pathlib.Path("/etc/passwd").read_text()
        groups = pathlib.Path("/etc/group").read_text()
        self.mount("--bind", self.write("passwd", passwd + "e2e:x:51234:51234::/home/e2e:"
                                        "/bin/false\n"), "/etc/passwd")
        self.mount("--bind", self.write("group", groups + "e2e:x:51234:\ne2e-a:x:51235:e2e\n"
                                        "e2e-b:x:51236:e2e\n"), "/etc/group")

    def look(self, *arguments, **options):
        instance = self.serve("-w", "1", *LISTEN, "--ready", "notify", "--chdir", "/",
                              *arguments, "--", self.worker, "--print-fds", "--notify",
                              **options)
        found = inherited(wait_for("the worker's words", lambda: instance.output))
        self.assertEqual(ask(HERE)["slot"], 0)
        self.assertEqual(instance.terminate(), 0)
        return instance, found

    def ids(self, found):
        ids = found["ids"]
        self.assertEqual((ids["euid"], ids["egid"]), (ids["uid"], ids["gid"]))
        return ids["uid"], ids["gid"], sorted(ids["groups"])

    def test_user(self):
        _, found = self.look("--user", "nobody")
        self.assertEqual(self.ids(found), (NOBODY, NOBODY, [NOBODY]))
        self.assertEqual([found["env"][name] for name in ("HOME", "USER", "LOGNAME")],
                         ["/nonexistent", "nobody", "nobody"])
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(found["masks"][name], "0", name)

    def test_user_and_group(self):
        _, found = self.look("--user", "nobody:daemon")
        self.assertEqual(self.ids(found)[:2], (NOBODY, 1))

    def test_numbers(self):
        _, found = self.look("--user", f"{NOBODY}:1")
        self.assertEqual(self.ids(found)[:2], (NOBODY, 1))

    def test_supplementary_groups(self):
        self.add_users()
        _, found = self.look("--user", "e2e")
        self.assertEqual(self.ids(found), (51234, 51234, [51234, 51235, 51236]))
        self.assertEqual((found["env"]["HOME"], found["env"]["SHELL"]),
                         ("/home/e2e", "/bin/false"))

    def test_who_called_sudo(self):
        self.add_users()
        instance, found = self.look(env={"SUDO_USER": "e2e", "SUDO_UID": 51234})
        self.assertEqual(self.ids(found), (51234, 51234, [51234, 51235, 51236]))
        lines = instance.log_lines("workers_run_as")
        self.assertEqual([line.fields["user"] for line in lines], ["e2e"], "it is said")

    def test_user_wins_over_sudo(self):
        _, found = self.look("--user", "nobody", env={"SUDO_USER": "daemon"})
        self.assertEqual(self.ids(found)[0], NOBODY)

    def test_root_called_sudo(self):
        _, found = self.look(env={"SUDO_USER": "root"})
        self.assertEqual(self.ids(found)[:2], (0, 0))

    def test_restart_and_kill_of_another_users_workers(self):
        instance = self.serve("-w", "2", *LISTEN, "--user", "nobody", "--chdir", "/",
                              "--hard-shutdown-delay", "200ms", "--", self.worker, "--notify",
                              "--ignore-term", "--fork-child")
        self.kill_worker(instance, 1)
        self.wait_generation(instance, 2, slot=1)
        self.assertEqual(len(harness.other_processes()), 5, "no orphan of the first life")
        self.assertEqual(instance.terminate(), 4)

    def test_connections_of_another_users_workers_are_counted(self):
        instance = self.serve("-w", "1", *LISTEN, "--user", "nobody", "--chdir", "/", "--",
                              self.worker, "--notify")
        with client_socket(HERE) as client:
            client.sendall(b"half")
            instance.wait_status("one connection", lambda status: status["workers"][0][
                "connections"] == 1)

    def test_the_controller_keeps_little(self):
        instance = self.serve("-w", "1", *LISTEN, "--user", "nobody", "--chdir", "/", "--",
                              self.worker, "--notify")
        status = pathlib.Path(f"/proc/{instance.pid}/status").read_text()
        masks = {name: int(value, 16) for name, value in
                 re.findall(r"^(Cap\w+):\s*(\w+)", status, re.MULTILINE)}
        # BPF, NET_BIND_SERVICE, SETUID, SETGID, KILL, SYS_PTRACE, DAC_READ_SEARCH by number
        needed = sum(1 << number for number in (39, 10, 7, 6, 5, 19, 2))
        self.assertEqual((masks["CapEff"], masks["CapInh"]), (0, 0))
        self.assertEqual(masks["CapPrm"] & ~needed, 0, f"{masks['CapPrm']:x}")


class Unprivileged(TestCase):
    """An instance of a user who has CAP_BPF and nothing else."""

    def test_it_serves_and_restarts(self):
        for directory in ("run", "state"):
            (self.dir / directory).mkdir()
            os.chown(self.dir / directory, NOBODY, NOBODY)
        program = harness.copy_program(harness.STICKYCTL, self.dir)
        worker = harness.copy_program(WORKER, self.dir)
        instance = self.serve("-w", "2", *LISTEN, "--", worker, "--notify", cwd="/",
                              program=program, prefix=harness.as_nobody("bpf"))
        self.kill_worker(instance, 1)
        self.wait_generation(instance, 2, slot=1)
        status = pathlib.Path(f"/proc/{instance.pid}/status").read_text()
        self.assertIn(f"Uid:\t{NOBODY}\t{NOBODY}", status)
        for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
            self.assertEqual(ask(HERE, source)["slot"], instance.where(source)["slot"])
        self.assertEqual((self.run_dir / "default").stat().st_mode & 0o7777, 0o700)
        self.assertEqual(instance.terminate(), 0)


class Ready(TestCase):
    """When a worker gets clients: not before it is ready."""

    def client_during_start(self, instance):
        """Connect as soon as somebody listens; returns the answer and when it came."""
        wait_for("a listening socket", lambda: not is_nobody_there())
        with client_socket(HERE) as client:
            client.sendall(b"\n")
            instance.wait_status("the client to wait", lambda status: status["held"] == 1)
            self.assertEqual(instance.workers()[0]["state"], "starting")
            answer = harness.read_answer(client)
            return answer, time.time()

    def ready_line(self, instance, slot=0, generation=1):
        lines = instance.log_lines("worker_state", slot=slot, state="ready",
                                   generation=generation)
        self.assertEqual(len(lines), 1, lines)
        return lines[0]

    def assert_not_served_before_ready(self, instance, least_s):
        answer, when = self.client_during_start(instance)
        self.assertEqual(answer["gen"], 1)
        line = self.ready_line(instance)
        self.assertGreaterEqual(when, line.time, "nobody is served before READY")
        self.assertGreaterEqual(int(line.fields["after_ms"]), least_s * 1000 * EARLY)
        self.assertEqual(instance.status()["held"], 0)

    def test_notify(self):
        instance = self.start("-w", "1", *LISTEN, "--ready", "notify", "--", WORKER,
                              "--notify-delay", "600")
        self.assert_not_served_before_ready(instance, 0.6)

    def test_auto_believes_a_worker_that_speaks(self):
        # It speaks before min-uptime is over, but not of its readiness.
        instance = self.start("-w", "1", *LISTEN, "--min-uptime", "200ms", "--", WORKER,
                              "--status", "warming up", "--notify-delay", "700")
        self.assert_not_served_before_ready(instance, 0.7)

    def test_auto_does_not_wait_for_min_uptime_after_ready(self):
        instance = self.serve("-w", "1", *LISTEN, "--min-uptime", "60s", "--", WORKER,
                              "--notify-delay", "50")
        self.assertLess(int(self.ready_line(instance).fields["after_ms"]), 20_000)

    def test_auto_waits_for_min_uptime_where_nothing_is_said(self):
        instance = self.start("-w", "1", *LISTEN, "--min-uptime", "600ms", "--", WORKER)
        self.assert_not_served_before_ready(instance, 0.6)

    def test_auto_remembers_that_workers_speak(self):
        # The second life is silent for longer than min-uptime, and is given the time.
        command = self.script_worker('[ $STICKY_GENERATION = 1 ] && exec $WORKER --notify\n'
                                     'exec $WORKER --notify-delay 900')
        instance = self.serve("-w", "1", *LISTEN, "--min-uptime", "100ms", "--", command)
        self.kill_worker(instance)
        self.wait_generation(instance, 2)
        line = self.ready_line(instance, generation=2)
        self.assertGreaterEqual(int(line.fields["after_ms"]), 900 * EARLY)

    def test_auto_gives_a_slow_worker_time_once_another_has_spoken(self):
        # At the first start nobody knows that workers speak until one does.
        command = self.script_worker('[ $STICKY_SLOT = 0 ] && exec $WORKER --notify-delay 200\n'
                                     'exec $WORKER --notify-delay 900')
        instance = self.serve("-w", "2", *LISTEN, "--min-uptime", "500ms", "--", command)
        self.assertEqual([worker["generation"] for worker in instance.workers()], [1, 1])
        after_ms = int(self.ready_line(instance, 1).fields["after_ms"])
        self.assertGreaterEqual(after_ms, 900 * EARLY)

    def test_started(self):
        instance = self.serve("-w", "1", *LISTEN, "--ready", "started", "--min-uptime", "60s",
                              "--", WORKER)
        self.assertLess(int(self.ready_line(instance).fields["after_ms"]), 20_000)
        self.assertEqual(ask(HERE)["slot"], 0)

    def test_timeout_at_the_first_start(self):
        instance = self.start("-w", "2", *LISTEN, "--ready", "notify", "--ready-timeout",
                              "300ms", "--", WORKER)
        self.assertEqual(instance.wait(), 1)
        self.assert_message(instance.result(), "slot ", "--ready-timeout", code=1)

    def test_timeout_of_one_slot(self):
        command = self.script_worker('[ $STICKY_SLOT = 0 ] && exec $WORKER --notify\n'
                                     'exec $WORKER')
        instance = self.start("-w", "2", *LISTEN, "--ready", "notify", "--ready-timeout",
                              "200ms", "--", command)
        instance.ready(slots=[0])
        status = instance.wait_status("a restart of slot 1", lambda status: status[
            "workers"][1]["restarts"] >= 1)
        self.assertIn("--ready-timeout", status["workers"][1]["last_exit"]["text"])
        self.assertEqual((status["workers"][0]["restarts"], status["workers"][0]["state"]),
                         (0, "ready"))

    def send_notification(self, instance, *datagrams):
        """From a process that is no worker: ourselves."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(str(instance.directory / "notify.sock"))
            for datagram in datagrams:
                sender.send(datagram)

    def start_silent(self, *command):
        instance = self.start("-w", "1", *LISTEN, "--ready", "notify", "--", *command)
        instance.wait_status("a starting worker", lambda status: status["workers"][0]["pid"])
        return instance

    def assert_still_starting(self, instance):
        # Each status is a turn of the loop after the datagrams came.
        for _ in range(3):
            worker = instance.workers()[0]
            self.assertEqual((worker["state"], worker["status"]), ("starting", ""))
        self.assertEqual(instance.log_lines("worker_state", state="ready"), [])

    def test_an_outsider_is_not_believed(self):
        instance = self.start_silent(WORKER)
        self.send_notification(instance, b"READY=1", b"READY=1\nSTATUS=forged\n")
        self.assert_still_starting(instance)

    def test_who_left_the_group_is_not_believed(self):
        notify = self.write("notify.py", NOTIFY)
        command = self.script_worker(
            f"setsid {sys.executable} {notify} READY=1 {self.dir}/sent &\nexec $WORKER")
        instance = self.start_silent(command)
        wait_for("the notification", (self.dir / "sent").exists)
        self.assert_still_starting(instance)

    def test_a_child_in_the_group_is_believed(self):
        notify = self.write("notify.py", NOTIFY)
        command = self.script_worker(
            f"{sys.executable} {notify} READY=1 {self.dir}/sent &\nexec $WORKER")
        self.start_silent(command).ready()

    def test_garbage_on_the_notify_socket(self):
        instance = self.start_silent(WORKER, "--notify-delay", "700")
        self.send_notification(instance, b"", b"\0" * 100, b"READY", b"READY=2", b"ready=1",
                               b"=\n=\n", b"X" * 5000, b"READY=1" + b"\n" * 4096,
                               *(os.urandom(64) for _ in range(50)))
        self.assert_still_starting(instance)
        instance.ready()

    def test_descriptors_that_are_sent_along_are_closed(self):
        # systemd-notify waits for that after BARRIER=1.
        instance = self.start_silent(WORKER)
        read_end, write_end = os.pipe()
        with open(read_end, "rb") as reader:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.connect(str(instance.directory / "notify.sock"))
                socket.send_fds(sender, [b"BARRIER=1"], [write_end] * 3)
            os.close(write_end)
            selector = selectors.DefaultSelector()
            with selector:
                selector.register(reader, selectors.EVENT_READ)
                self.assertTrue(selector.select(harness.DEADLINE_S), "the end of the pipe")

    def test_status_words(self):
        notify = self.write("notify.py", NOTIFY)
        command = self.script_worker(
            f"{sys.executable} {notify} 'STATUS=first words' {self.dir}/sent\n"
            f"until [ -e {self.dir}/go ]; do sleep 0.01; done\n"
            "exec $WORKER --status 'second words' --notify")
        instance = self.start("-w", "1", *LISTEN, "--", command)

        def wait_words(words):
            instance.wait_status(words, lambda status: status["workers"][0]["status"] == words)

        wait_words("first words")
        (self.dir / "go").touch()
        wait_words("second words")
        instance.ready()
        self.assertEqual(instance.workers()[0]["status"], "second words")


    def test_status_words_that_are_no_utf8(self):
        # Nor is a long text that is cut in the middle of a character.
        for words in (b"caf\xe9 \xff\xfe", "x{}".format("\u00e4" * 200).encode()):
            with self.subTest(words=words[:20]):
                instance = self.serve("-w", "2", *LISTEN, "--", WORKER, "--notify", "--status",
                                      os.fsdecode(words))
                self.assertEqual(len(instance.workers()), 2)
                self.assertEqual(instance.workers()[0]["status"][0], chr(words[0]))
                self.assertEqual(instance.run("status").returncode, 0)
                instance.terminate()


# Sends a datagram to NOTIFY_SOCKET, waits until it was read (else its sender might be gone
# by then), and makes a file that tells so.
NOTIFY = """
import os, socket, sys
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.connect(os.environ["NOTIFY_SOCKET"])
sender.send(sys.argv[1].encode())
read_end, write_end = os.pipe()
socket.send_fds(sender, [b"BARRIER=1"], [write_end])
os.close(write_end)
os.read(read_end, 1)
open(sys.argv[2], "w").close()
"""


def is_nobody_there():
    return not harness.listening_sockets()


class Respawn(TestCase):
    """A worker that ends comes back, and hurts nobody else."""

    def gaps(self, instance, slot):
        """From each end of a life in a slot to the next beginning, in seconds."""
        ends = instance.log_lines("worker_exit", slot=slot)
        begins = instance.log_lines("worker_state", slot=slot, state="starting")[1:]
        return [begin.time - end.time for end, begin in zip(ends, begins)]

    def test_growing_delay(self):
        command = self.script_worker('[ $STICKY_SLOT = 1 ] && exit 7\nexec $WORKER --notify')
        instance = self.start("-w", "2", *LISTEN, "--", command).ready(slots=[0])
        steady = instance.workers()[0]
        source = self.sources_of(instance, 0, 1)[0]
        answers = set()

        def seen_enough(status):
            answer = ask(HERE, source)
            answers.add((answer["slot"], answer["pid"]))
            return status["workers"][1]["restarts"] >= 4

        instance.wait_status("four restarts of slot 1", seen_enough)
        status = instance.wait_status("a waiting slot", lambda status: status["workers"][1][
            "state"] == "waiting")
        worker = status["workers"][1]
        self.assertIsNone(worker["pid"])
        self.assertEqual((worker["last_exit"]["code"], worker["last_exit"]["signal"]),
                         (7, None))
        self.assertIn("7", worker["last_exit"]["text"])
        self.assertLessEqual(worker["restart_in_ms"], 1600)
        for gap, delay in zip(self.gaps(instance, 1), (0.1, 0.2, 0.4, 0.8)):
            self.assertGreaterEqual(gap, delay * EARLY)
        # One slot's crash loop is nobody else's business.
        self.assertEqual(answers, {(0, steady["pid"])})
        self.assertEqual((status["workers"][0]["restarts"], status["workers"][0]["generation"]),
                         (0, 1))
        self.assertEqual(instance.terminate(), 0)

    def test_the_delay_begins_anew_after_a_long_life(self):
        instance = self.serve("-w", "1", *LISTEN, "--min-uptime", "20ms", "--ready", "notify",
                              "--", WORKER, "--notify")
        for generation in range(2, 9):
            instance.wait_status("min-uptime to pass", lambda status: status["workers"][0][
                "uptime_ms"] >= 25)
            self.kill_worker(instance)
            self.wait_generation(instance, generation)
        gaps = self.gaps(instance, 0)
        self.assertEqual(len(gaps), 7)
        # Doubling, the seventh would be 6.4 s.
        self.assertTrue(all(0.1 * EARLY <= gap < 3 for gap in gaps), gaps)

    def test_last_exit_tells_the_signal(self):
        instance = self.serve("-w", "1", *LISTEN, "--", WORKER, "--notify")
        self.kill_worker(instance)
        worker = self.wait_generation(instance, 2)
        self.assertEqual((worker["restarts"], worker["last_exit"]["code"],
                          worker["last_exit"]["signal"]), (1, None, "SIGKILL"))

    def test_the_rest_of_the_group_goes_with_the_leader(self):
        instance = self.serve("-w", "1", *LISTEN, "--", WORKER, "--notify", "--fork-child")
        self.assertEqual(len(harness.other_processes()), 3)
        former = self.kill_worker(instance)
        self.wait_generation(instance, 2)
        self.assertEqual(len(harness.other_processes()), 3)
        self.assertNotIn(former, [os.getpgid(pid) for pid in harness.other_processes()])

    def test_a_worker_that_shut_its_socket_is_replaced(self):
        spoil = self.write("spoil.py", "import socket\n"
                           "socket.socket(fileno=3).shutdown(socket.SHUT_RD)\n" + NOTIFY +
                           "import time\ntime.sleep(600)\n")
        command = self.script_worker(
            f'[ $STICKY_SLOT$STICKY_GENERATION = 11 ] && exec {sys.executable} {spoil} READY=1 '
            '/dev/null\nexec $WORKER --notify')
        instance = self.start("-w", "2", *LISTEN, "--", command)
        self.wait_generation(instance, 2, slot=1)
        self.assertEqual(len(instance.log_lines("slot_refused", slot=1)), 1)
        self.assertEqual(ask(HERE, self.sources_of(instance, 1, 1)[0])["gen"], 2)

    def test_fifty_crashes_leave_no_descriptor(self):
        slots, rounds = 10, 5
        instance = self.serve("-w", slots, *LISTEN, "-l", "127.0.0.1:3001", "--min-uptime",
                              "5ms", "--ready", "notify", "--", WORKER, "--notify", "--stdout",
                              "hello")
        before = instance.descriptors()
        for generation in range(2, rounds + 2):
            for worker in instance.workers():
                os.kill(worker["pid"], signal.SIGKILL)
            instance.wait_status(f"all in generation {generation}", lambda status: all(
                (worker["state"], worker["generation"]) == ("ready", generation)
                for worker in status["workers"]))
        status = instance.status()
        self.assertEqual(sum(worker["restarts"] for worker in status["workers"]),
                         slots * rounds)
        instance.wait_descriptors(before)
        self.assertEqual(instance.output.count("hello\n"), slots * (rounds + 1))

    def test_a_crash_storm_under_load_loses_nobody(self):
        # The workers finish what they accepted (SIGTERM); what is queued moves along.
        instance = self.serve("-w", "4", *LISTEN, "--min-uptime", "5ms", "--ready", "notify",
                              "--", WORKER, "--notify")
        clients = self.program(CLIENTS, "--target", "127.0.0.1:3000", "--sources", "400",
                               "--duration", "2", "--concurrency", "32")
        while clients.runs:
            for slot, worker in enumerate(instance.workers()):
                if worker["state"] == "ready":
                    os.kill(worker["pid"], signal.SIGTERM)
                    self.wait_generation(instance, worker["generation"] + 1, slot)
        counts = json.loads(clients.output.splitlines()[-1])
        self.assertGreater(sum(worker["restarts"] for worker in instance.workers()), 4)
        self.assertEqual((counts["answered"], counts["unsticky"], counts["backward"]),
                         (counts["connections"], 0, 0), counts)


class Queue(harness.TestCase):
    """Connections that a dying worker has not accepted."""

    COUNT = 200
    sources_of = TestCase.sources_of
    wait_generation = TestCase.wait_generation
    kill_worker = TestCase.kill_worker
    script_worker = TestCase.script_worker

    def connect_all(self, sources):
        """A connection from each, the request sent: established, so in a queue."""
        clients = [client_socket(HERE, source) for source in sources]
        for client in clients:
            self.addCleanup(client.close)
            client.sendall(b"\n")
        return clients

    def collect(self, clients):
        """Each client's answer and when it came; None for one that was lost."""
        results = []
        with selectors.DefaultSelector() as selector:
            for client in clients:
                selector.register(client, selectors.EVENT_READ)
            deadline = time.monotonic() + harness.DEADLINE_S
            while selector.get_map() and time.monotonic() < deadline:
                for key, _ in selector.select(1):
                    selector.unregister(key.fileobj)
                    try:
                        answer = harness.read_answer(key.fileobj)
                    except ConnectionError:
                        answer = None
                    results.append((answer or None, time.time()))
        return results + [(None, time.time())] * (len(clients) - len(results))

    def check_all_moved(self, script, last_generation):
        """Queued on generation 1, which is killed: the last generation answers all."""
        instance = self.serve("-w", "2", *LISTEN, "--", self.script_worker(script))
        sources = self.sources_of(instance, 0, self.COUNT)
        clients = self.connect_all(sources)
        instance.wait_status("all to be queued", lambda status: status["workers"][0][
            "queue"] == self.COUNT)
        self.assertEqual(instance.status()["held"], 0, "queued at the worker, not held")
        self.kill_worker(instance, 0)
        status = instance.wait_status("all to be held", lambda status: status[
            "held"] == self.COUNT)
        self.assertIn(status["workers"][0]["state"], ("waiting", "starting"))
        # The other slot serves meanwhile.
        self.assertEqual(ask(HERE, self.sources_of(instance, 1, 1)[0])["slot"], 1)
        results = self.collect(clients)
        ready = instance.log_lines("worker_state", slot=0, state="ready",
                                   generation=last_generation)
        self.assertEqual(len(ready), 1)
        self.assertEqual(sum(answer is None for answer, _ in results), 0, "nobody is lost")
        self.assertEqual({(answer["slot"], answer["gen"]) for answer, _ in results},
                         {(0, last_generation)})
        self.assertGreaterEqual(min(when for _, when in results), ready[0].time,
                                "nobody is served before READY")
        self.assertEqual(sorted(answer["peer"] for answer, _ in results), sorted(sources))
        status = instance.status()
        self.assertEqual((status["held"], status["counters"]["dropped"]), (0, 0))
        self.assertGreaterEqual(status["counters"]["migrated"], self.COUNT)

    def test_the_next_life_answers_all(self):
        self.check_all_moved(
            '[ $STICKY_SLOT$STICKY_GENERATION = 01 ] && exec $WORKER --notify --no-accept\n'
            '[ $STICKY_SLOT = 0 ] && exec $WORKER --notify-delay 500\n'
            'exec $WORKER --notify', 2)

    def test_the_next_life_that_gets_ready_answers_all(self):
        # The second dies before it is ready, the third while the queue is its own.
        self.check_all_moved(
            'case $STICKY_SLOT$STICKY_GENERATION in\n'
            '01) exec $WORKER --notify --no-accept;;\n'
            '02) exec $WORKER --exit-after 100;;\n'
            '03) exec $WORKER --notify --no-accept --exit-after 300;;\n'
            'esac\nexec $WORKER --notify', 4)

    def test_connections_that_came_while_the_slot_was_empty(self):
        command = self.script_worker(
            '[ $STICKY_SLOT$STICKY_GENERATION = 02 ] && exec $WORKER --notify-delay 500\n'
            'exec $WORKER --notify')
        instance = self.serve("-w", "2", *LISTEN, "--", command)
        sources = self.sources_of(instance, 0, self.COUNT)
        self.kill_worker(instance, 0)
        instance.wait_status("an empty slot", lambda status: status["workers"][0]["holding"])
        clients = self.connect_all(sources)
        instance.wait_status("all to be held", lambda status: status["held"] == self.COUNT)
        results = self.collect(clients)
        self.assertEqual({answer and answer["gen"] for answer, _ in results}, {2})

    def test_a_plain_close_loses_them(self):
        """The same by plain SO_REUSEPORT: so the tests above bite."""
        server = self.write("server.py", PLAIN_SERVER)
        sources = [f"127.3.0.{number}" for number in range(1, 201)]

        def start(generation, accepts):
            program = self.program(sys.executable, server, str(generation), str(accepts))
            wait_for("the server to listen", lambda: program.output)
            return program

        dying, staying = start(1, 0), start(1, 0)
        clients = self.connect_all(sources)
        dying.process.kill()
        dying.wait()
        start(2, 1)
        staying.send(signal.SIGUSR1)  # accept
        results = self.collect(clients)
        lost = sum(answer is None for answer, _ in results)
        self.assertGreater(lost, self.COUNT / 8, "half of them, by the kernel's hash")
        self.assertLess(lost, self.COUNT)


# A server as many are: SO_REUSEPORT, and no plan for its queue.
PLAIN_SERVER = """
import os, signal, socket, sys
generation, accepts = sys.argv[1], int(sys.argv[2])
listener = socket.socket()
for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
    listener.setsockopt(socket.SOL_SOCKET, option, 1)
listener.bind(("127.0.0.1", 3000))
listener.listen(1024)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
print("listening", flush=True)
if not accepts:
    signal.sigwait({signal.SIGUSR1})
while True:
    client, _ = listener.accept()
    client.recv(100)
    client.sendall(f"slot=0 gen={generation} pid={os.getpid()}\\n".encode())
    client.close()
"""


class Output(TestCase):
    """What workers print is passed on."""

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

    def test_nobody_reads(self):
        size = 4 << 20
        instance = self.serve_script(f"head -c {size} /dev/zero &\nexec $WORKER --notify",
                                     stdout=subprocess.PIPE)
        # It stands still: our pipe is full, and so are the controller's buffer and the worker's.
        self.wait_stalled(instance)
        self.check_serving(instance)
        self.assertEqual(len(os.read(instance.process.stdout.fileno(), 1)), 1)
        self.assertEqual(len(instance.process.stdout.read(size - 1)), size - 1,
                         "nothing is lost")

    def wait_stalled(self, instance):
        """Until the writing child of the worker sleeps in write(2) for good."""
        def stalled():
            for pid in harness.other_processes():
                with contextlib.suppress(OSError):
                    wchan = pathlib.Path(f"/proc/{pid}/syscall").read_text().split()
                    name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
                    if name == "head" and wchan[0] == "1":  # write(2)
                        return pid
            return None

        wait_for("a blocked writer", stalled)

    def test_nobody_reads_either_stream(self):
        # A terminal that is stopped by ^S, or `stickyctl 2>&1 | less`.
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        size = 4 << 20
        instance = self.serve_script(
            f"head -c {size} /dev/zero >&2 &\nexec $WORKER --notify", stdout=write_end,
            stderr=write_end)
        os.close(write_end)
        self.wait_stalled(instance)
        self.kill_worker(instance)  # of which the controller wants to write in its log
        self.wait_generation(instance, 2)
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
