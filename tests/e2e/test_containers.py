#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The conditions in which containers run, made by namespaces and seccomp filters: stickyctl starts in
each, and keeps every client with its worker."""

import errno
import json
import os
import subprocess
import sys

import harness
import lifecycle
from cgroups import DelegatedCgroup, MemoryCgroup
from clients import HERE, LISTEN, ask, is_refused
from harness import needs
from privilege import (CLOSE_RANGE_SYSCALL, DOCKER, NOBODY, as_nobody, copy_program, forbid_bpf,
                       forbid_call, forbid_seccomp, give_to_nobody, only)
from programs import FAILED, NOT_PERMITTED, STICKYCTL, WORKER
from world import set_sysctl, status_of, wait_for


# Has more memory than it may when the file in its argument is there.
HOG = """
import os, sys, time
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
full = [bytes([1]) * (1 << 20) for _ in range(1000)]
"""


class ContainersTestCase(lifecycle.LifecycleTestCase):
    def check(self, words, **options):
        """auto takes the classic engine, says why, and places each client where `where` says."""
        instance = self.serve_workers(3, **options)
        status = instance.status()
        self.assertEqual(status["steering"], "classic")
        for word in words:
            self.assertIn(word, status["steering_reason"])
        self.assert_sticky(instance)
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assert_sticky(instance)
        self.kill_worker(instance, 1)
        self.wait_generation(instance, 3, slot=1)
        self.assert_sticky(instance)
        self.assertEqual(instance.terminate(), 0)

    def assert_sticky(self, instance):
        for slot in range(3):
            for source in self.sources_of(instance, slot, 8):
                self.assertEqual(ask(HERE, source)["slot"], slot)

    def give_to_nobody(self):
        """An ordinary user has its directories, and the program."""
        give_to_nobody(self.run_dir, self.state_dir)
        return copy_program(STICKYCTL, self.dir)


class Containers(ContainersTestCase):
    """It serves."""

    def test_default_capabilities(self):
        self.check(["CAP_BPF is missing"], prefix=only(*DOCKER))

    def test_user_needs_these_capabilities(self):
        """docs/operating.md names them; without the one that gives the notify socket away, the start
        says which is missing."""
        arguments = ("--user", "65534:65534", "--require-engine", "kernel")
        instance = self.serve_workers(1, *arguments, prefix=only(
            "bpf", "setuid", "setgid", "chown", "kill"))
        self.assertEqual(status_of(self.pids(instance)[0])["Uid"].split()[0], "65534")
        self.assertEqual(instance.terminate(), 0)
        result = self.stickyctl("start", *LISTEN, *arguments, "--", WORKER,
                                prefix=only("bpf", "setuid", "setgid", "kill"))
        self.assert_message(result, "notify.sock", "CAP_CHOWN", code=NOT_PERMITTED)

    def test_no_capability(self):
        self.check(["CAP_BPF is missing"], prefix=only())

    def test_user_namespace(self):
        self.check(["first user namespace"], prefix=["unshare", "--user", "--map-root-user"])

    def test_user_namespace_of_an_ordinary_user(self):
        """Root inside, who is nobody outside: rootless Podman and Docker. It is asked from inside:
        root outside is another user there."""
        program = self.give_to_nobody()
        instance = self.start("-w", 3, *lifecycle.WORKERS, "--", WORKER, "--notify", cwd="/",
                              program=program, prefix=[*as_nobody(), "--bounding-set=-all",
                                                       "unshare", "--user", "--map-root-user"])

        def run(*words):
            return self.stickyctl(*words, program=program, prefix=[
                "nsenter", "--target", instance.pid, "--user", "--"])

        wait_for("workers", lambda: run("status", "--ready").returncode == 0)
        status = json.loads(run("status", "--json").stdout)
        self.assertEqual(status["steering"], "classic")
        self.assertIn("first user namespace", status["steering_reason"])
        for number in range(20):
            source = f"127.1.0.{number + 1}"
            self.assertEqual(ask(HERE, source)["slot"],
                             json.loads(run("where", source, "--json").stdout)["slot"])
        self.assertEqual(run("reload", "--wait").returncode, 0)
        self.assert_message(self.stickyctl("status"), "own user", code=NOT_PERMITTED)
        self.assertEqual(run("stop").returncode, 0)
        self.assertEqual(instance.wait(), 0)

    def test_bpf_is_refused(self):
        """bpf(2) gives EPERM, as by Docker's profile, although the capability is there."""
        self.check(["seccomp"], preexec_fn=lambda: forbid_bpf(1))

    def test_bpf_is_hidden(self):
        """It gives ENOSYS, as by the profiles of gVisor and others."""
        self.check(["no bpf(2)"], preexec_fn=lambda: forbid_bpf(38))

    def test_close_range_is_refused(self):
        """Profiles that are older than the call refuse it; and Linux 5.10 does not know its flag."""
        for error in (errno.EPERM, errno.ENOSYS, errno.EINVAL):
            with self.subTest(error=error):
                self.check(["CAP_BPF is missing"], prefix=only(),
                           preexec_fn=lambda error=error: forbid_call(CLOSE_RANGE_SYSCALL, error))

    def test_bind_can_not_be_answered(self):
        """No seccomp filter is permitted: servers that take LISTEN_FDS run, and others are told."""
        for error, word in ((errno.EPERM, "something forbids seccomp()"),
                            (errno.ENOSYS, "hides seccomp()")):
            options = {"prefix": only(), "preexec_fn": lambda error=error: forbid_seccomp(error)}
            instance = self.serve("-w", 1, *LISTEN, "--", WORKER, "--notify", **options)
            line, = instance.log_lines("bind_not_answered")
            self.assertIn(word, line.fields["why"])
            self.assertEqual(instance.stop(), 0)
            result = self.stickyctl("start", "-w", "1", "--", WORKER, "--bind", "127.0.0.1:3000",
                                    **options)
            self.assert_message(result, "name one by -l", word, code=NOT_PERMITTED
                                if error == errno.EPERM else FAILED)

    def test_no_bpffs(self):
        """Docker's with --cap-add BPF: the kernel engine serves, and can't be taken over."""
        script = self.script("no-bpffs", "mount -t tmpfs -o ro tmpfs /sys/fs/bpf\nexec \"$@\"")
        instance = self.serve_workers(2, prefix=["unshare", "--mount", script,
                                                *only(*DOCKER, "bpf")])
        self.assertEqual(instance.status()["steering"], "kernel")
        line, = instance.log_lines("takeover_unavailable")
        self.assertIn("/sys/fs/bpf", line.fields["why"])
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertEqual(instance.stop(), 0)

    def test_read_only_root(self):
        """All that is written is in the directories that are named. The kernel's settings can't be
        written either."""
        script = self.script("read-only", f"mount --bind {self.dir} {self.dir}\n"
                             "mount -o remount,bind,ro /\nmount -o remount,bind,ro /proc\n"
                             'exec "$@"')
        self.check(["CAP_BPF is missing"], prefix=["unshare", "--mount", script, *only()])

    @needs("setcap")
    def test_permitted_capabilities(self):
        """Those of the file, without the bit that would make them effective: the same program also
        starts where they are out of reach."""
        program = self.give_to_nobody()
        result = self.run_program("setcap", "cap_bpf,cap_net_bind_service+p", program)
        self.assertEqual(result.returncode, 0, result.stderr)
        worker = copy_program(WORKER, self.dir)
        port = ("-l", "127.0.0.1:80", "--ready", "notify", "--min-uptime", "5ms", "--", worker,
                "--notify")
        instance = self.serve(*port, program=program, prefix=as_nobody(), cwd="/")
        self.assertEqual(instance.status()["steering"], "kernel")
        self.assertEqual(instance.terminate(), 0)
        self.check(["CAP_BPF is missing"], program=program, prefix=[
            "setpriv", f"--reuid={NOBODY}", "--clear-groups", "--bounding-set=-all"], cwd="/",
            command=(worker, "--notify"))

    def test_no_runtime_directory(self):
        """No variable names a directory, and the user has no home: the files are below /tmp."""
        program = copy_program(STICKYCTL, self.dir)
        command = [*as_nobody(), program]
        options = {"env": {"PATH": os.environ["PATH"]}, "text": True, "cwd": "/"}
        with subprocess.Popen([*command, "start", *LISTEN, "--", WORKER], **options,
                              stderr=subprocess.PIPE) as process:
            line = next(line for line in process.stderr if " starting " in line)
            self.assertIn("control=/tmp/sticky-65534/default/", line)
            wait_for("a worker", lambda: not is_refused(HERE))
            result = subprocess.run([*command, "status"], **options, capture_output=True,
                                    check=True)
            self.assertIn("steering classic", result.stdout)
            subprocess.run([*command, "stop"], **options, check=True, capture_output=True)
            process.stderr.read()
        self.assertEqual(process.returncode, 0)


class NoPlace(ContainersTestCase):
    """Nothing can be written: which directory it is, and which option names another one."""

    def refuse(self, *words, code, **options):
        result = self.stickyctl("start", *LISTEN, "--", WORKER, "--notify", **{
            "env": {"STICKYCTL_RUN_DIR": None, **options.pop("variables", {})}, **options})
        self.assert_message(result, *words, "--run-dir", "STICKYCTL_RUN_DIR", code=code)

    def read_only(self, *places):
        """A mount namespace in which nothing can be written at these places."""
        mounts = "".join(f"mount -t tmpfs -o ro tmpfs {place}\n" for place in places)
        return ["unshare", "--mount", self.script("read-only", f'{mounts}exec "$@"')]

    def test_of_root(self):
        self.refuse("/run/sticky: Read-only file system", code=FAILED,
                    prefix=[*self.read_only("/run"), *only()])

    def test_of_an_ordinary_user(self):
        """Neither XDG_RUNTIME_DIR nor /run/user/UID; and what is left is read-only."""
        # The program must be where it is not hidden by the mount.
        place = self.dir / "tmp"
        place.mkdir()
        self.mount("--bind", place, "/mnt")
        program = copy_program(STICKYCTL, "/mnt")
        self.refuse(f"/tmp/sticky-{NOBODY}", "Read-only file system", code=FAILED, program=program,
                    cwd="/", prefix=[*self.read_only("/tmp"), *as_nobody()])

    def test_a_directory_of_another_user(self):
        """XDG_RUNTIME_DIR of the user who called su or sudo."""
        self.refuse(f"{self.dir}/sticky", "Permission denied", code=NOT_PERMITTED, cwd="/",
                    program=copy_program(STICKYCTL, self.dir), prefix=as_nobody(),
                    variables={"XDG_RUNTIME_DIR": self.dir})

    def test_what_it_says_helps(self):
        instance = self.serve_workers(1, cwd="/", program=self.give_to_nobody(),
                                      prefix=as_nobody(), run_dir=self.run_dir,
                                      env={"STICKYCTL_RUN_DIR": None, "XDG_RUNTIME_DIR": "/root"})
        self.assertEqual(instance.stop(), 0)


class LowPort(ContainersTestCase):
    """Port 80 of an ordinary user, by each of the remedies that the message of test_bad_input.py
    names."""

    def serve_low(self, program=None, capabilities=()):
        program = self.give_to_nobody() if program is None else program
        instance = self.serve("-w", 2, "-l", "127.0.0.1:80", *lifecycle.WORKERS[2:], "--steering",
                              "classic", "--", WORKER, "--notify", cwd="/", program=program,
                              prefix=as_nobody(*capabilities))
        # New sockets, later on.
        self.assertEqual(instance.run("scale", 3).returncode, 0)
        self.wait_all_ready(instance)
        for number in range(20):
            source = f"127.1.0.{number + 1}"
            self.assertEqual(ask(("127.0.0.1", 80), source)["slot"],
                             instance.where(source)["slot"])
        self.assertEqual(instance.stop(), 0)

    def test_an_ambient_capability(self):
        self.serve_low(capabilities=["net_bind_service"])

    @needs("setcap")
    def test_a_capability_of_the_file(self):
        program = self.give_to_nobody()
        subprocess.run(["setcap", "cap_net_bind_service+ep", program], check=True)
        self.serve_low(program)

    def test_a_lower_limit(self):
        """That of Docker's containers is 0."""
        set_sysctl("net.ipv4.ip_unprivileged_port_start", 0)
        self.addCleanup(set_sysctl, "net.ipv4.ip_unprivileged_port_start", 1024)
        self.serve_low()


class Memory(ContainersTestCase):
    """A limit of memory."""

    MIB = 1 << 20

    def setUp(self):
        super().setUp()
        self.cgroup = MemoryCgroup.make()
        if not self.cgroup:
            self.skipTest("no cgroup that limits memory can be made")
        self.addCleanup(self.cgroup.remove)
        self.cgroup.limit(200 * self.MIB)
        self.prefix = self.cgroup.prefix

    def test_a_worker_that_is_killed_for_it(self):
        """That is told, with the limit; it is replaced, and a later SIGKILL is none of it."""
        hog = self.write("hog.py", HOG)
        command = self.script_worker(
            f"[ $STICKY_GENERATION = 1 ] && exec {sys.executable} {hog} {self.dir}/go\n"
            "exec $WORKER --notify")
        instance = self.start("-w", 1, *LISTEN, "--ready", "started", "--min-uptime", "5ms", "--",
                              command, prefix=[*self.prefix, *only()]).ready()
        self.write("go", "")
        worker = self.wait_generation(instance, 2)
        self.assertEqual(worker["last_exit"]["text"], "was killed by SIGKILL: out of memory")
        line, = instance.log_lines("worker_exit")
        for word in ("memory.max", "-w", "--max-rss"):
            self.assertIn(word, line.fields["hint"])
        self.assertIn("out of memory", instance.run("status").stdout)
        # That was long ago.
        instance.wait_status("two seconds", lambda status: status["workers"][0][
            "uptime_ms"] > 2100)
        self.kill_worker(instance)
        worker = self.wait_generation(instance, 3)
        self.assertEqual(worker["last_exit"]["text"], "was killed by SIGKILL")
        self.assertEqual(instance.stop(), 0)

    def test_the_first_worker_of_a_start(self):
        """The start has failed, and says so."""
        self.write("go", "")
        result = self.stickyctl("start", "-w", "1", *lifecycle.WORKERS, "--", sys.executable,
                                self.write("hog.py", HOG), self.dir / "go",
                                prefix=[*self.prefix, *only()])
        self.assert_message(result, "out of memory", "memory.max", code=FAILED)


class Delegated(Memory):
    """The same limit, for workers that have cgroups of their own."""

    def setUp(self):
        super().setUp()
        self.below = DelegatedCgroup.make_below(self.cgroup)
        if not self.below:
            self.skipTest("no cgroup of version 2 with cgroup.kill can be made here")
        self.addCleanup(self.below.remove)
        of_version_2 = self.below.path.parent == self.cgroup.path
        self.prefix = [*(() if of_version_2 else self.prefix), *self.below.prefix]

    def test_the_cgroups(self):
        instance = self.serve("-w", 2, *LISTEN, "--", WORKER, "--notify",
                              prefix=[*self.prefix, *only()])
        self.assertEqual(self.below.below, ["stickyctl-default@0.1", "stickyctl-default@1.1"])
        self.assertEqual(instance.stop(), 0)


if __name__ == "__main__":
    harness.main()
