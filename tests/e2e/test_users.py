#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Instances of several ordinary users on one machine, without any privilege. Each user sees only
their own."""

import os
import pathlib
import stat

import harness
import lifecycle
from clients import HERE, ask
from lifecycle import WORKERS
from privilege import copy_program
from programs import FAILED, NOT_PERMITTED, NOT_RUNNING, STICKYCTL, WORKER

ONE, OTHER = 12345, 12346
PORTS = {ONE: 3000, OTHER: 3001}

# Tries to join the group of sockets at a port, and to get all of its connections.
JOIN = """
import socket, sys
joining = socket.socket()
joining.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
joining.bind(("127.0.0.1", int(sys.argv[1])))
joining.listen()
"""


class Users(lifecycle.LifecycleTestCase):
    """stickyctl chooses its directories by itself, in a /run of the test's own."""

    def setUp(self):
        super().setUp()
        self.mount("-t", "tmpfs", "tmpfs", "/run")
        for uid in PORTS:
            for place in (self.runtime(uid), self.dir / str(uid)):
                place.mkdir(parents=True)
                place.chmod(0o700)
                os.chown(place, uid, uid)
        self.copy = copy_program(STICKYCTL, self.dir)

    @staticmethod
    def runtime(uid):
        return pathlib.Path(f"/run/user/{uid}")

    def user(self, uid):
        """Returns options for programs that run as this user, in the environment of a login
        session."""
        return {"prefix": ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
                           "--inh-caps=-all", "--bounding-set=-all"],
                "program": self.copy, "cwd": "/",
                "env": {"STICKYCTL_RUN_DIR": None, "XDG_RUNTIME_DIR": self.runtime(uid),
                        "STICKYCTL_STATE_DIR": self.dir / str(uid)}}

    def serve_as(self, uid):
        return self.serve("-w", 2, "-l", f"127.0.0.1:{PORTS[uid]}", *WORKERS[2:], "--", WORKER,
                          "--notify", run_dir=self.runtime(uid) / "sticky", **self.user(uid))

    def run_as(self, uid, *words):
        return self.stickyctl(*words, **self.user(uid))

    def test_two_of_the_same_name(self):
        instances = {uid: self.serve_as(uid) for uid in PORTS}
        for uid, instance in instances.items():
            self.assertEqual(instance.status()["steering"], "classic")
            answer = ask(("127.0.0.1", PORTS[uid]))
            self.assertIn(answer["pid"], self.pids(instance))
            self.assertIn(f"pid {instance.pid}", self.run_as(uid, "status").stdout)
        # Root sees both instances, with the command for each.
        listed = self.stickyctl("list", env={"STICKYCTL_RUN_DIR": None}).stdout
        for uid in PORTS:
            self.assertRegex(listed, rf"(?m)^default +{uid} .*/run/user/{uid}/sticky$")
            result = self.stickyctl("status", "--run-dir", f"/run/user/{uid}/sticky")
            self.assertIn(f"pid {instances[uid].pid}", result.stdout)
        # Each user stops only their own instance.
        self.assertEqual(self.run_as(ONE, "stop").returncode, 0)
        self.assertEqual(instances[ONE].wait(), 0)
        self.assertEqual(self.run_as(ONE, "status").returncode, NOT_RUNNING)
        self.assertIn(ask(("127.0.0.1", PORTS[OTHER]))["pid"], self.pids(instances[OTHER]))
        self.assertEqual(self.run_as(OTHER, "stop").returncode, 0)
        self.assertEqual(instances[OTHER].wait(), 0)

    def test_another_user_can_neither_ask_nor_stop_it(self):
        instance = self.serve_as(ONE)
        place = self.runtime(ONE) / "sticky"
        for path in (place, place / "default"):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o700)
        # The files are not accessible even if the directory above is open to others.
        for mode in (0o700, 0o755):
            self.runtime(ONE).chmod(mode)
            for words in (("status",), ("stop",), ("stop", "--now"), ("reload",), ("logs",),
                          ("where", "127.0.0.1")):
                result = self.run_as(OTHER, *words, "--run-dir", place)
                self.assert_message(result, "Permission denied", code=NOT_PERMITTED)
                self.assertEqual(result.stdout, "")
        self.assertEqual(instance.status()["pid"], instance.pid)
        self.assertEqual(instance.stop(), 0)

    def test_the_port_of_another_user(self):
        """The message names the user: the process itself can't be seen."""
        instance = self.serve_as(ONE)
        pids = self.pids(instance)
        result = self.run_as(OTHER, "start", "-l", f"127.0.0.1:{PORTS[ONE]}", "--", WORKER)
        self.assert_message(result, f"cannot listen on 127.0.0.1:{PORTS[ONE]}", "in use",
                            f"a process of uid {ONE} listens on 127.0.0.1:{PORTS[ONE]}",
                            "choose another port", code=FAILED)
        result = self.run_program(*self.user(OTHER)["prefix"], "python3", "-c", JOIN, PORTS[ONE])
        self.assertIn("Address already in use", result.stderr)
        for number in range(20):
            self.assertIn(ask(HERE, f"127.5.0.{number + 1}")["pid"], pids)
        self.assertEqual(instance.stop(), 0)

    def test_a_port_of_root(self):
        root = self.serve_workers(1, run_dir="/run/sticky")
        result = self.run_as(ONE, "start", "-l", "127.0.0.1:3000", "--", WORKER)
        self.assert_message(result, "a process of root (uid 0) listens on 127.0.0.1:3000",
                            code=FAILED)
        self.assertEqual(root.stop(), 0)


if __name__ == "__main__":
    harness.main()
