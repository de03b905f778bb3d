#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The configuration file: at the start, read again at each reload, and at a takeover."""

import pathlib
import shutil
import signal
import time

import harness
from clients import HERE, ask
from lifecycle import LifecycleTestCase
from programs import FAILED, USAGE, WORKER
from test_takeover import TakeoverTestCase
from world import scaled, wait_for

BAD_CONFIG = 78

LISTEN = "listen: 127.0.0.1:3000"
SITE = f"""# a site
{LISTEN}
workers: 2
ready: notify
min_uptime: 5ms
command: [{WORKER}, --notify]
"""


class ConfigTestCase(LifecycleTestCase):
    def setUp(self):
        super().setUp()
        self.path = self.dir / "site.yaml"

    def config(self, text=SITE, **replaced):
        """Write the file as an editor does: a new file takes the place of the old one."""
        for name, value in replaced.items():
            lines = [line for line in text.splitlines() if not line.startswith(f"{name}:")]
            text = "\n".join([*lines, *([f"{name}: {value}"] if value is not None else [])]) + "\n"
        temporary = self.dir / "site.new"
        temporary.write_text(text)
        temporary.rename(self.path)

    def serve_config(self, *arguments, **options):
        return self.serve("-c", self.path, *arguments, **options)

    def assert_all_answered(self, counts):
        """Check that all connections were answered. Some clients changed slots, as the number of
        slots changed."""
        self.assertGreater(counts["connections"], 50)
        self.assertEqual(counts["answered"], counts["connections"], counts)

    def environment_of(self, pid, name):
        for item in pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if item.startswith(name.encode() + b"="):
                return item.decode().split("=", 1)[1]
        return None


class Start(ConfigTestCase):
    def test_everything_from_the_file(self):
        self.config()
        instance = self.serve_config()
        self.assertEqual(len(instance.workers()), 2)
        self.assertIn(ask(HERE, "127.4.0.1")["slot"], (0, 1))
        self.assertEqual(instance.stop(), 0)

    def test_the_command_line_wins(self):
        self.config()
        instance = self.serve_config("-w", "3", env={"STICKYCTL_WORKERS": "4"})
        self.assertEqual(len(instance.workers()), 3)
        self.assertEqual(instance.stop(), 0)

    def test_the_environment_wins_over_the_file_and_can_name_it(self):
        self.config()
        instance = self.serve(env={"STICKYCTL_WORKERS": "3", "STICKYCTL_CONFIG": self.path})
        self.assertEqual(len(instance.workers()), 3)
        self.assertEqual(instance.stop(), 0)

    def test_the_file_of_a_name_is_found(self):
        """The file is /etc/sticky/NAME.yaml. The test has an /etc of its own."""
        etc = self.dir / "etc"
        shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True)
        self.mount("--bind", etc, "/etc")
        pathlib.Path("/etc/sticky").mkdir(exist_ok=True)
        pathlib.Path("/etc/sticky/web.yaml").write_text(SITE)
        instance = self.serve(name="web")
        self.assertEqual(len(instance.workers()), 2)
        self.assertEqual(instance.stop(), 0)
        pathlib.Path("/etc/sticky/web.yaml").write_text("workers: none\n")
        result = self.stickyctl("start", "-n", "web")
        self.assert_message(result, "/etc/sticky/web.yaml:1:10", "workers", code=BAD_CONFIG)

    def test_a_file_without_a_command_starts_no_demo(self):
        for text in ("", "workers: 2\n"):
            path = self.write("empty.yaml", text)
            result = self.stickyctl("start", "-c", path)
            self.assert_message(result, f"{path} names no command", code=BAD_CONFIG)

    def test_no_file_for_a_name_is_no_error(self):
        result = self.stickyctl("start", "-n", "nobodys", "--", WORKER)
        self.assertEqual(result.returncode, FAILED)
        self.assertIn("name by -l", result.stderr)

    def test_what_is_wrong_ends_the_start(self):
        self.config(workers="0")
        result = self.stickyctl("start", "-c", self.path)
        self.assert_message(result, f"{self.path}:6:10: workers: '0'", code=BAD_CONFIG)
        result = self.stickyctl("start", "-c", self.dir / "none.yaml")
        self.assert_message(result, "none.yaml", "No such file", code=BAD_CONFIG)

    def start_fails(self, *words, code=BAD_CONFIG, arguments=()):
        result = self.stickyctl("start", "-c", self.path, *arguments)
        self.assertEqual(result.returncode, code, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)
        return result

    def test_what_the_file_names_is_not_there(self):
        """The place in the file is told, as by `check`."""
        bad = self.write("bad.env", "A=1\nB\n")
        for option, value, words in (
                ("user", "no-such-user", ("user: no such user: no-such-user",)),
                ("chdir", "/nowhere", ("chdir: /nowhere: No such file or directory",)),
                ("env_file", "/nowhere.env", (
                    "env_file: /nowhere.env: No such file or directory",
                    "could not be started: /nowhere.env: No such file or directory")),
                ("env_file", bad, (f"env_file: {bad}:2: '=' is wanted",
                                   f"could not be started: {bad}:2: '=' is wanted")),
                ("seed_file", "/nowhere.seed", ("cannot read /nowhere.seed: No such file",))):
            with self.subTest(option):
                self.config(**{option: value})
                column = len(option) + 3
                # A directory or a file may be there at the next try of a service manager.
                code = FAILED if option in ("chdir", "env_file") else BAD_CONFIG
                result = self.start_fails(f"stickyctl: {self.path}:7:{column}: {option}: ", *words,
                                          code=code)
                self.assertNotIn("Bad message", result.stderr)
                self.assertNotIn("doctor", result.stderr)

    def test_a_wrong_user_or_seed_is_told_once(self):
        for option, words in (("user", "no such user"), ("seed_file", "No such file")):
            self.config(**{option: "/no-such"})
            self.assertEqual(self.start_fails(words).stderr.count("/no-such"), 1)

    def test_what_the_command_line_names_is_not_there(self):
        """The file is not to blame."""
        self.config()
        for words, code in ((("--user", "no-such-user"), USAGE), (("--chdir", "/nowhere"), FAILED),
                            (("--env-file", "/nowhere.env"), FAILED)):
            with self.subTest(words):
                result = self.start_fails(words[1], code=code, arguments=words)
                self.assertNotIn(str(self.path), result.stderr)

    def test_a_failed_start_with_a_file_without_mistakes(self):
        self.config(command="[sh, -c, exit 3]")
        self.start_fails("exited with code 3", code=FAILED)

    def test_a_missing_file_is_no_reason_for_a_takeover_to_fail(self):
        """The workers that run serve on."""
        there = self.write("there.env", "A=1\n")
        self.config(env_file=there)
        instance = self.serve_config()
        there.unlink()
        self.kill_controller(instance)
        successor = self.start("-c", self.path).ready()
        self.assertEqual(self.generations(successor), [1, 1])
        there.write_text("A=1\n")
        self.assertEqual(successor.stop(), 0)

    def test_keys_are_named_as_they_are_written(self):
        self.config(max_rss="12")
        self.assert_message(self.stickyctl("start", "-c", self.path), "max_rss: '12'",
                            code=BAD_CONFIG)
        self.config(stop_signal="TREM")
        self.assertIn(": stop_signal: 'TREM'", self.stickyctl("check", "-c", self.path).stderr)


class Reload(ConfigTestCase):
    def reload(self, instance, *arguments):
        result = instance.run("reload", *arguments or ("--wait",))
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def test_command_and_environment_are_read_again(self):
        self.config(env="{COLOR: blue}")
        instance = self.serve_config()
        self.assertEqual([self.environment_of(pid, "COLOR") for pid in self.pids(instance)],
                         ["blue"] * 2)
        self.config(env="{COLOR: green}", command=f"[{WORKER}, --notify, --status, new]",
                    chdir=self.dir)
        with self.load() as load:
            self.reload(instance)
        self.assert_nobody_lost(load.counts)
        for worker in instance.workers():
            self.assertEqual((worker["status"], worker["cwd"]), ("new", str(self.dir)))
            self.assertEqual(self.environment_of(worker["pid"], "COLOR"), "green")
        self.assertEqual(instance.stop(), 0)

    def test_the_number_of_workers_is_read_again(self):
        self.config()
        instance = self.serve_config()
        self.config(workers="5")
        with self.load() as load:
            self.reload(instance)
            self.wait_all_ready(instance)
        self.assert_all_answered(load.counts)
        self.assertEqual(self.generations(instance), [2, 2, 1, 1, 1])
        # A scale by hand holds until the number in the file changes.
        self.assertEqual(instance.run("scale", "3").returncode, 0)
        self.reload(instance)
        self.assertEqual(len(instance.workers()), 3)
        self.config(workers="4")
        self.reload(instance)
        self.assertEqual(len(instance.workers()), 4)
        self.assertEqual(instance.stop(), 0)

    def test_delays_are_read_again(self):
        """A worker that ignores SIGTERM is killed after the new delay, and not after the previous
        one."""
        self.config(command=f"[{WORKER}, --notify, --ignore-term]", hard_shutdown_delay="60s")
        instance = self.serve_config()
        self.config(command=f"[{WORKER}, --notify]", hard_shutdown_delay="2s")
        begun = time.monotonic()
        self.reload(instance, "--wait=drained")
        self.assertLess(time.monotonic() - begun, scaled(15))
        self.assertEqual([worker["killed"] for worker in instance.workers()], [1, 1])
        self.assertEqual(instance.stop(), 0)

    def test_another_watchdog_is_for_later_workers(self):
        """A worker that was started with a watchdog of 60 s is not killed because it was silent for
        300 ms. When the watchdog is removed, it is not killed, either."""
        self.config(watchdog="60s", command=f"[{WORKER}, --notify, --watchdog]")
        instance = self.serve_config()
        for watchdog in ("300ms", None):
            before = self.pids(instance)
            self.config(watchdog=watchdog, command=f"[{WORKER}, --notify, --watchdog]",
                        reload_parallel=2)
            self.reload(instance, "--wait=drained")
            self.assertFalse(set(before) & set(self.pids(instance)))
            time.sleep(0.7)  # longer than the watchdog: nothing may happen
            self.assertEqual([worker["restarts"] for worker in instance.workers()], [0, 0])
        self.assertEqual(instance.stop(), 0)

    def test_when_down_is_read_again(self):
        """A slot that is drained holds its clients. From the reload on they are spilled."""
        self.config()
        instance = self.serve_config()
        source = self.sources_of(instance, 0, 1)[0]
        self.assertEqual(instance.run("drain", "0").returncode, 0)
        self.assertEqual(instance.where(source)["slot"], 0)
        self.config(when_down="spill")
        self.reload(instance)
        self.assertEqual(ask(HERE, source)["slot"], 1)
        self.config(when_down="hold")
        self.reload(instance)
        waiting = self.connect([source])[0]
        self.assertEqual(instance.run("ready", "0").returncode, 0)
        self.assertIn(b"slot=0", self.collect([waiting])[0][0])
        self.assertEqual(instance.stop(), 0)

    def test_a_mistake_changes_nothing(self):
        self.config()
        instance = self.serve_config()
        before = instance.workers()
        for arguments in (("--wait",), ()):
            self.config(workers="many", command="[/nonexistent]")
            result = instance.run("reload", *arguments)
            self.assert_message(result, f"{self.path}:5:10: workers", "'many'", code=BAD_CONFIG)
        self.path.unlink()
        result = instance.run("reload")
        self.assert_message(result, "site.yaml", "No such file", code=BAD_CONFIG)
        instance.send(signal.SIGHUP)
        wait_for("the log to say so", lambda: "reload_refused" in instance.errors)
        self.assertEqual([worker["pid"] for worker in instance.workers()],
                         [worker["pid"] for worker in before])
        # The previous options stay in use, also for a worker that is started later.
        self.kill_worker(instance)
        self.wait_generation(instance, 2)
        self.config()
        self.reload(instance)
        self.assertEqual(instance.stop(), 0)

    def test_what_cannot_change_is_named(self):
        self.config(env="{COLOR: blue}")
        instance = self.serve_config()
        self.config(listen="127.0.0.1:3001", v4_prefix="24", user="nobody",
                    env="{COLOR: green}")
        for arguments in (("--wait",), ()):
            result = self.reload(instance, *arguments)
            for word in ("listen", "v4-prefix", "user", "stop and a start"):
                self.assertIn(word, result.stderr)
            self.wait_reload(instance)
        self.assertEqual(instance.status()["listeners"], ["127.0.0.1:3000"])
        self.assertEqual(self.environment_of(self.pids(instance)[0], "COLOR"), "green")
        self.assertEqual(len(self.events(instance, "options_kept")), 2)
        # There is no message if no option differs.
        self.config()
        self.assertNotIn("not changed", self.reload(instance).stderr)
        self.assertEqual(instance.stop(), 0)

    def test_the_demo_reads_it_again_too(self):
        self.config(f"{LISTEN}\nworkers: 2\n")
        instance = self.serve_config()
        self.config(f"{LISTEN}\nworkers: 3\ncommand: [{WORKER}]\n")
        result = self.reload(instance)
        self.assertIn("command", result.stderr)
        self.wait_all_ready(instance)
        self.assertEqual(len(instance.workers()), 3)
        self.assertEqual(instance.stop(), 0)


class Takeover(TakeoverTestCase, ConfigTestCase):
    """The next controller reads the file. Options that differ are applied as at a reload."""

    def test_what_differs_is_applied_or_named(self):
        self.config(env="{COLOR: blue}")
        instance = self.serve_config()
        former = self.pids(instance)
        self.kill_controller(instance)
        self.config(env="{COLOR: green}", workers=3, listen="127.0.0.1:3001")
        with self.load() as load:
            successor = self.serve_config()
            self.wait_reload(successor)
            self.wait_all_ready(successor)
        self.assert_all_answered(load.counts)
        self.assertEqual(len(successor.workers()), 3)
        self.assertFalse(set(former) & set(self.pids(successor)))
        self.assertEqual(self.environment_of(self.pids(successor)[0], "COLOR"), "green")
        self.assertEqual(successor.status()["listeners"], ["127.0.0.1:3000"])
        self.assertEqual([event["options"] for event in self.events(successor, "options_kept")],
                         ["listen"])
        self.assertEqual(successor.stop(), 0)

    def test_what_a_reload_read_is_no_difference(self):
        self.config(env="{COLOR: blue}")
        instance = self.serve_config()
        self.config(env="{COLOR: green}", workers=3)
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.wait_all_ready(instance)
        former = self.pids(instance)
        self.kill_controller(instance)
        successor = self.serve_config()
        self.wait_all_ready(successor)
        self.assertEqual(self.pids(successor), former)
        self.assertEqual(self.events(successor, "options_kept"), [])
        self.assertEqual(successor.stop(), 0)

    def test_an_upgrade_reads_it(self):
        self.config()
        instance = self.serve_config()
        former = self.pids(instance)
        self.config(workers=3)
        self.assertEqual(instance.run("upgrade").returncode, 0)
        self.wait_all_ready(instance)
        self.assertEqual(self.pids(instance)[:2], former)
        self.assertEqual(len(instance.workers()), 3)
        self.assertEqual(instance.stop(), 0)


if __name__ == "__main__":
    harness.main()
