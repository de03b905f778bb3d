#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`list`, and what a command says that does not find its instance: which instances run, also
those of other users, and how they are reached."""

import json
import os
import pathlib

import harness
from privilege import NOBODY, as_nobody, copy_program
from programs import FAILED, NOT_RUNNING
from test_takeover import TakeoverTestCase

BAD_CONFIG = 78


class Own(harness.TestCase):
    def test_what_runs_is_listed(self):
        web = self.serve("-w", "2", "-l", "127.0.0.1:3000", name="web")
        self.serve("-w", "1", "-l", "127.0.0.1:3001", name="api")
        lines = self.stickyctl("list").stdout.splitlines()
        self.assertEqual(lines[0].split()[:5], ["NAME", "USER", "PID", "READY", "UPTIME"])
        rows = {line.split()[0]: line.split() for line in lines[1:]}
        self.assertEqual(rows["web"][1:4], ["root", str(web.pid), "2/2"])
        self.assertEqual(rows["api"][3], "1/1")
        self.assertEqual(len(rows), 2)

        found = {each["name"]: each for each in json.loads(self.stickyctl("list", "--json").stdout)}
        self.assertEqual((found["web"]["pid"], found["web"]["slots"], found["web"]["ready"]),
                         (web.pid, 2, 2))
        self.assertEqual(found["web"]["run_dir"], str(self.run_dir))

        # What it says to do shows that instance.
        self.assertEqual(self.stickyctl(*found["web"]["command"].split()[1:]).returncode, 0)
        result = self.stickyctl("status")
        self.assertEqual((result.returncode, result.stdout), (NOT_RUNNING, ""))
        for name in ("web", "api"):
            self.assertIn(f"\n  stickyctl status -n {name} --run-dir {self.run_dir}\n",
                          result.stderr)
        self.check_completion(web)

    def check_completion(self, web):
        """Names and slots are completed as long as the instance runs."""
        names = self.stickyctl("complete-words", "status", "-n", "").stdout.splitlines()
        self.assertEqual(sorted(names), ["api\tinstance of root", "web\tinstance of root"])
        slots = self.stickyctl("complete-words", "drain", "-n", "web", "").stdout.splitlines()
        self.assertEqual([line.split(",")[0] for line in slots], ["0\tready", "1\tready"])
        self.assertEqual(web.stop(), 0)
        result = self.stickyctl("complete-words", "drain", "-n", "web", "")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def test_nothing_runs(self):
        (self.run_dir / "dead").mkdir(parents=True)
        (self.run_dir / "dead" / "pid").write_text("1\n")
        result = self.stickyctl("list")
        self.assertEqual((result.returncode, result.stdout), (0, "no instance is running\n"))
        self.assertEqual(json.loads(self.stickyctl("list", "--json").stdout), [])
        self.assert_message(self.stickyctl("status"), "start it by", code=NOT_RUNNING)
        (self.run_dir / "dead" / "pid").unlink()
        (self.run_dir / "dead").rmdir()


class Left(TakeoverTestCase):
    """The controller was killed, and workers live on."""

    def test_they_are_named(self):
        instance = self.serve_workers(2, name="web")
        first, second = self.pids(instance)
        self.kill_controller(instance)
        result = self.stickyctl("list")
        self.assertRegex(result.stdout, rf"(?m)^web +root +died +- +- {self.run_dir}$")
        self.assertEqual(result.stdout.count("\n"), 2)
        self.assert_message(result, "has died", f"slot 0 pid {first}, slot 1 pid {second}",
                            "'stickyctl stop -n web", code=0)
        found, = json.loads(self.stickyctl("list", "--json").stdout)
        self.assertEqual((found["name"], found["pid"], found["left_workers"]), ("web", None, 2))
        result = self.stickyctl("status")
        self.assert_message(result, "stickyctl status -n web", "has died", code=NOT_RUNNING)

        self.assertEqual(instance.run("stop").returncode, 0)
        self.assertEqual(self.stickyctl("list").stdout, "no instance is running\n")


class Others(harness.TestCase):
    """The directories are those that stickyctl chooses by itself, in a /run of the test's own."""

    def setUp(self):
        super().setUp()
        self.mount("-t", "tmpfs", "tmpfs", "/run")
        self.nobodys = pathlib.Path(f"/run/user/{NOBODY}/sticky")
        self.nobodys.parent.mkdir(parents=True)
        self.nobodys.parent.chmod(0o700)
        os.chown(self.nobodys.parent, NOBODY, NOBODY)
        self.state_of_nobody = self.dir / "nobodys"
        self.state_of_nobody.mkdir()
        os.chown(self.state_of_nobody, NOBODY, NOBODY)
        self.program_of_nobody = copy_program(harness.STICKYCTL, self.dir)

    def environment(self, **variables):
        return super().environment(**{"STICKYCTL_RUN_DIR": None, "HOME": "/nonexistent",
                                      **variables})

    def as_nobody(self, *words):
        return self.stickyctl(*words, prefix=as_nobody(), program=self.program_of_nobody)

    def test_each_sees_the_others(self):
        roots = self.serve("-w", "1", "-l", "127.0.0.1:3000", name="web", run_dir="/run/sticky")
        nobodys = self.serve("-w", "1", "-l", "127.0.0.1:3001", name="api", run_dir=self.nobodys,
                             prefix=as_nobody(), program=self.program_of_nobody,
                             env={"STICKYCTL_STATE_DIR": self.state_of_nobody})
        # A link does not make it the instance of one more user.
        pathlib.Path("/run/user/65533").mkdir()
        pathlib.Path("/run/user/65533/sticky").symlink_to(self.nobodys)

        remedy = f"stickyctl status -n api --run-dir {self.nobodys}"
        result = self.stickyctl("list")
        self.assertRegex(result.stdout, rf"(?m)^web +root +{roots.pid} +1/1 .* /run/sticky$")
        self.assertRegex(result.stdout, rf"(?m)^api +nobody +- +- +- {self.nobodys}$")
        self.assertEqual(result.stdout.count("\n"), 5)
        self.assertTrue(result.stdout.endswith(f":\n  {remedy}\n"), result.stdout)
        self.assertEqual(self.stickyctl(*remedy.split()[1:]).returncode, 0)

        result = self.as_nobody("list")
        self.assertRegex(result.stdout, rf"(?m)^api +nobody +{nobodys.pid} +1/1 ")
        self.assertTrue(result.stdout.endswith(":\n  sudo stickyctl status -n web\n"))

        result = self.as_nobody("status")
        self.assertEqual(result.returncode, NOT_RUNNING)
        self.assertIn("\nthese instances run:\n", result.stderr)
        self.assertIn("\n  sudo stickyctl status -n web\n", result.stderr)
        self.assertIn("\n  stickyctl status -n api\n", result.stderr)
        self.assertEqual((roots.stop(), nobodys.stop()), (0, 0))

    def test_what_is_not_permitted_is_said_by_the_command(self):
        roots = self.serve("-w", "1", "-l", "127.0.0.1:3000", name="web", run_dir="/run/sticky")
        result = self.as_nobody("status", "-n", "web", "--run-dir", "/run/sticky")
        self.assertNotIn(result.returncode, (0, FAILED, NOT_RUNNING, BAD_CONFIG))
        self.assertEqual(roots.stop(), 0)


if __name__ == "__main__":
    harness.main()
