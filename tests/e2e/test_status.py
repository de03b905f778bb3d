#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The output of `status` on a terminal: problems first, 80 columns, colours only where they
belong."""

import re
import subprocess
import time

import harness
from clients import HERE, ask
from lifecycle import LifecycleTestCase
from programs import NOT_RUNNING, STICKYCTL, USAGE
from world import scaled, wait_for


class Status(LifecycleTestCase):
    def lines(self, instance, *arguments):
        result = instance.run("status", *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        lines = result.stdout.splitlines()
        self.assertLessEqual(max(map(len, lines)), 80, result.stdout)
        return lines

    def on_a_terminal(self, instance, *arguments, seconds=None, **environment):
        """Returns the output when stdout is a terminal, which script(1) makes."""
        command = f"{STICKYCTL} status {' '.join(arguments)}"
        env = self.environment(**environment)
        process = subprocess.Popen(["script", "-qfc", command, "/dev/null"], env=env, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            return process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0]

    def test_what_is_wrong_comes_first(self):
        command = self.switchable_worker("bad) echo broken >&2; exit 3;;")
        instance = self.serve_workers(3, "--restart-limit", "1/1m", command=[command])
        self.assertTrue(self.lines(instance)[0].startswith("default: running"))
        instance.run("drain", 1)
        self.wait_drained(instance)
        self.mode("bad")
        self.kill_worker(instance, 0)
        instance.wait_status("slot 0 to fail", lambda status: status["workers"][0][
            "state"] == "failed")
        self.assertEqual(instance.run("reload", "--wait").returncode, 4)
        lines = self.lines(instance)
        end = lines.index("")
        text = "\n".join(lines[:end])
        self.assertIn("the last reload stopped at 0 of 2", text)
        self.assertIn("'stickyctl reload'", text)
        self.assertIn("slot 0 has failed, the last worker exited with code 3: "
                      "'stickyctl restart 0'", text)
        self.assertIn("slot 1 is drained: 'stickyctl ready 1' brings it back", text)
        self.assertTrue(lines[end + 1].startswith("default: running"))

    def test_without_sysfs(self):
        """A chroot has no sysfs: the possible number of processors is unknown."""
        self.mount("-t", "tmpfs", "none", "/sys/devices/system/cpu")
        instance = self.serve_workers(2)
        ask(HERE)
        self.assertEqual(instance.status()["counters"]["steered"], 1)
        self.assertTrue(self.lines(instance)[0].startswith("default: running"))

    def test_many_numbers_fit(self):
        instance = self.serve_workers(2)
        with self.load("--duration", "1", rate=1000):
            time.sleep(0.5)
        lines = self.lines(instance)
        self.assertRegex(lines[4], r"^SLOT +PID STATE +GEN +UPTIME +SHARE +PLACED QUEUE +OPEN MEMORY$")

    def test_colours_on_a_terminal_alone(self):
        instance = self.serve_workers(1)
        self.assertNotIn("\033", instance.run("status").stdout)
        self.assertIn("\033[32mready", self.on_a_terminal(instance))
        self.assertNotIn("\033", self.on_a_terminal(instance, NO_COLOR="1"))
        self.assertIn("\033[32mready", self.on_a_terminal(instance, NO_COLOR=""))

    def test_watch(self):
        instance = self.serve_workers(1)
        text = self.on_a_terminal(instance, "--watch", seconds=scaled(2.5))
        self.assertGreaterEqual(text.count("\033[H"), 2)
        self.assertEqual(text.count("\033[2J"), 1, "it is drawn over what is there")
        watching = self.program(STICKYCTL, "status", "--watch")
        wait_for("two of them", lambda: watching.output.count("default: running") >= 2)
        self.assertNotIn("\033", watching.output)
        instance.stop()
        self.assertEqual(watching.wait(), NOT_RUNNING)

    def test_ready(self):
        self.assertEqual(self.stickyctl("status", "--ready").returncode, NOT_RUNNING)
        command = self.switchable_worker("slow) exec $WORKER --notify-delay 60000;;")
        instance = self.serve_workers(2, command=[command])
        result = instance.run("status", "--ready")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        self.mode("slow")
        self.kill_worker(instance, 0)
        instance.wait_status("it to be gone", lambda status: status["workers"][0][
            "state"] != "ready")
        self.assertEqual(instance.run("status", "--ready").returncode, 1)
        instance.run("drain", 0)
        instance.wait_status("it to be drained", lambda status: status["workers"][0][
            "state"] == "drained")
        self.assertEqual(instance.run("status", "--ready").returncode, 0)
        instance.stop("--now")

    def test_one_at_a_time(self):
        result = self.stickyctl("status", "--json", "--watch")
        self.assertEqual(result.returncode, USAGE)
        self.assertTrue(re.search("only one of", result.stderr))


if __name__ == "__main__":
    harness.main()
