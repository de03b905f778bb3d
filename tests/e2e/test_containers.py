#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The conditions in which containers run, made by namespaces and seccomp filters: stickyctl starts in
each, and keeps every client with its worker."""

import os
import subprocess

import harness
import lifecycle
from harness import needs
from clients import HERE, LISTEN, ask, is_refused
from privilege import DOCKER, NOBODY, as_nobody, copy_program, forbid_bpf, only
from programs import STICKYCTL, WORKER
from world import wait_for


class Containers(lifecycle.LifecycleTestCase):
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

    def test_default_capabilities(self):
        self.check(["CAP_BPF is missing"], prefix=only(*DOCKER))

    def test_no_capability(self):
        self.check(["CAP_BPF is missing"], prefix=only())

    def test_user_namespace(self):
        self.check(["first user namespace"], prefix=["unshare", "--user", "--map-root-user"])

    def test_bpf_is_refused(self):
        """bpf(2) gives EPERM, as by Docker's profile, although the capability is there."""
        self.check(["seccomp"], preexec_fn=lambda: forbid_bpf(1))

    def test_bpf_is_hidden(self):
        """It gives ENOSYS, as by the profiles of gVisor and others."""
        self.check(["no bpf(2)"], preexec_fn=lambda: forbid_bpf(38))

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
        program = copy_program(STICKYCTL, self.dir)
        result = self.run_program("setcap", "cap_bpf,cap_net_bind_service+p", program)
        self.assertEqual(result.returncode, 0, result.stderr)
        worker = copy_program(WORKER, self.dir)
        for path in (self.run_dir, self.state_dir):
            path.mkdir()
            os.chown(path, NOBODY, NOBODY)
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


if __name__ == "__main__":
    harness.main()
