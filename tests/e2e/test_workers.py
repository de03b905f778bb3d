#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Workers as processes: the state in which they start, their directory and their user."""

import fcntl
import json
import os
import pathlib
import re
import resource
import signal

import harness
from clients import HERE, LISTEN, ask, client_socket
from harness import needs
from lifecycle import LifecycleTestCase
from privilege import NOBODY, as_nobody, copy_program
from programs import STICKYCTL, WORKER, environment
from workers import WorkerTestCase
from world import but_keepers, wait_for

def inherited(text):
    """Returns the output of worker --print-fds by kind. The environment and the descriptors are
    maps."""
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


class Contract(WorkerTestCase):
    """The descriptors, variables and settings with which a worker starts."""

    def look(self, *arguments, command=(), **options):
        """Returns the state that the only worker of an instance inherited."""
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
        # A descriptor that the controller has inherited must not reach the worker.
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
        # The worker keeps the reading ends of its own output, for a controller that takes over.
        for kept, stream in ((5, 1), (6, 2)):
            self.assertEqual(found["fd"][kept]["target"], found["fd"][stream]["target"])

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


class Directory(WorkerTestCase):
    """The directory of workers: it is as the user typed it, and resolved again for each worker."""

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
        """Check the worker's directory as the kernel, the worker and `status` name it."""
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


class User(WorkerTestCase):
    """The user of the workers."""

    def setUp(self):
        super().setUp()
        # The worker runs as nobody, who may not be able to read the build directory.
        self.worker = copy_program(WORKER, self.dir)

    def add_users(self):
        """Add a user with groups, in the test's own mount namespace."""
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
        self.assertEqual(len(but_keepers()), 5, "no orphan of the first life")
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
        # These are the numbers of BPF, NET_BIND_SERVICE, SETUID, SETGID, KILL, SYS_PTRACE and
        # DAC_READ_SEARCH.
        needed = sum(1 << number for number in (39, 10, 7, 6, 5, 19, 2))
        self.assertEqual((masks["CapEff"], masks["CapInh"]), (0, 0))
        self.assertEqual(masks["CapPrm"] & ~needed, 0, f"{masks['CapPrm']:x}")


class Unprivileged(WorkerTestCase):
    """An instance of a user who has CAP_BPF and nothing else."""

    def test_it_serves_and_restarts(self):
        for directory in ("run", "state"):
            (self.dir / directory).mkdir()
            os.chown(self.dir / directory, NOBODY, NOBODY)
        program = copy_program(STICKYCTL, self.dir)
        worker = copy_program(WORKER, self.dir)
        instance = self.serve("-w", "2", *LISTEN, "--", worker, "--notify", cwd="/",
                              program=program, prefix=as_nobody("bpf"))
        self.kill_worker(instance, 1)
        self.wait_generation(instance, 2, slot=1)
        status = pathlib.Path(f"/proc/{instance.pid}/status").read_text()
        self.assertIn(f"Uid:\t{NOBODY}\t{NOBODY}", status)
        for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
            self.assertEqual(ask(HERE, source)["slot"], instance.where(source)["slot"])
        self.assertEqual((self.run_dir / "default").stat().st_mode & 0o7777, 0o700)
        self.assertEqual(instance.terminate(), 0)


class Watchdog(LifecycleTestCase):
    """--watchdog where workers never send WATCHDOG=1: healthy ones are left alone."""

    def check(self, *command, event):
        instance = self.serve("-w", 2, *LISTEN, "--watchdog", "300ms", "--", *command)
        pids = self.pids(instance)
        instance.wait_status("a while", lambda status: all(
            worker["uptime_ms"] > 1500 for worker in status["workers"]))
        self.assertEqual(self.pids(instance), pids)
        line, = instance.log_lines(event)
        self.assertIn("--on-hang=restart", line.fields["hint"])
        self.assertEqual(line.level, "warn")
        return instance

    @needs("node")
    def test_node(self):
        app = self.write("app.js", "require('http').createServer((request, response) => "
                         "response.end('ok')).listen(3000);\n")
        self.assertEqual(self.check("node", app, event="watchdog_without_sender").stop(), 0)

    def test_a_server_that_binds(self):
        java = self.script("java", f"exec {WORKER} --bind 127.0.0.1:3000")
        self.assertEqual(self.check(java, event="watchdog_without_sender").stop(), 0)

    def test_a_worker_that_sends_ready_alone(self):
        self.assertEqual(self.check(WORKER, "--notify", event="watchdog_not_used").stop(), 0)

    def test_one_that_has_never_sent_any(self):
        """The other one has: they are of a kind that does."""
        command = self.script("half", f'if [ "$STICKY_SLOT" = 0 ]; then exec {WORKER} --notify '
                              f'--watchdog; else exec {WORKER} --notify; fi')
        instance = self.serve("-w", 2, *LISTEN, "--watchdog", "700ms", "--", command)
        worker = self.wait_generation(instance, 2, slot=1)
        self.assertIn("sent no WATCHDOG=1 for 700 ms", worker["last_exit"]["text"])
        self.assertIn("--hang-timeout", worker["last_exit"]["hint"])

    def test_it_is_known_after_a_takeover(self):
        words = ("-w", 1, *LISTEN, "--watchdog", "2s", "--", WORKER, "--notify", "--watchdog")
        instance = self.serve(*words)
        instance.wait_status("a while", lambda status: status["workers"][0]["uptime_ms"] > 1000)
        stopped, = self.pids(instance)
        # Stopped first: this worker ends where there is nobody to send WATCHDOG=1 to.
        os.kill(stopped, signal.SIGSTOP)
        self.kill_controller(instance)
        successor = self.start(*words)
        self.wait_generation(successor, 2)
        self.assertEqual(successor.stop(), 0)


if __name__ == "__main__":
    harness.main()
