#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the installed units do under systemd. run.sh runs this as a service of a systemd of its own.

    checks.py [Class[.test] ...]
"""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
import unittest

from service import (STICKYCTL, TARGET, WORKER, Load, Service, UserManager,
                     install_worker, is_alive, status_of, wait_for)

HERE = ("127.0.0.1", 3000)
RUNNING = "active (running)"
KEPT = {"cap_net_bind_service", "cap_setuid", "cap_setgid", "cap_kill", "cap_bpf",
        "cap_dac_read_search", "cap_sys_ptrace"}


def drop_ins():
    """Those of docs/systemd.md, for the user nobody."""
    page = pathlib.Path("docs/systemd.md").read_text()
    blocks = re.findall(r"^    \[Service\]\n((?:    .*\n)+)", page, re.MULTILINE)
    return [re.sub(r"\bapp\b", "nobody", textwrap.dedent(block)) for block in blocks]


class Case(unittest.TestCase):
    """A check with an instance of its own, which must leave nothing behind."""

    manager = None

    def service(self, start=True, drop_in=None, **options):
        service = Service("web", self.manager, **options)
        self.addCleanup(self.clean_up, service)
        if drop_in:
            service.drop_in(drop_in)
        if start:
            self.assertEqual(service.do("start"), 0,
                             service.journal()[-2000:])
        return service

    def clean_up(self, service):
        service.do("stop")
        drop_in = service.manager.drop_ins / f"{service.unit}.d" / "test.conf"
        drop_in.unlink(missing_ok=True)
        service.path.unlink(missing_ok=True)
        service.systemctl("daemon-reload")
        service.do("reset-failed")
        left = [pid for pid in service.processes() if is_alive(pid)]
        for pid in left:
            os.kill(int(pid), signal.SIGKILL)
        self.assertEqual(left, [], f"processes are left: {service.journal()[-2000:]}")

    def assert_nobody_lost(self, counts):
        self.assertGreater(counts["connections"], 100)
        self.assertEqual((counts["answered"], counts["unsticky"]), (counts["connections"], 0),
                         counts)

    def assert_stopped(self, service, pids):
        self.assertEqual([pid for pid in pids if is_alive(pid)], [])
        self.assertEqual(service.processes(), [])
        self.assertFalse(list(pathlib.Path("/sys/fs/bpf").glob("sticky*/*")))
        self.assertFalse(pathlib.Path("/run/sticky/web/slots").exists())


class Start(Case):
    """systemctl start, status, stop."""

    def test_start_and_stop(self):
        """start: running, with the kernel's engine and a status text; stop: an empty cgroup"""
        service = self.service()
        self.assertEqual(service.state, RUNNING)
        self.assertEqual(service.show("StatusText"),
                         "running, 2 of 2 slots ready; steering kernel")
        self.assertNotIn("takeover_", service.journal())
        pids = [service.pid, *service.workers()]
        self.assertTrue(set(map(str, pids)) <= set(service.processes()))
        self.assertEqual(service.do("stop"), 0)
        self.assertEqual((service.state, service.show("Result")), ("inactive (dead)", "success"))
        self.assert_stopped(service, pids)

    def test_ready_after_the_workers(self):
        """start: activating until the last worker is ready"""
        gate = pathlib.Path("/tmp/gate")
        service = self.service(start=False, command=[
            "sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.05; done; exec {WORKER} --notify"])
        self.addCleanup(gate.unlink)
        service.do("start", "--no-block")
        wait_for("the status text", lambda: "0 of 2 slots ready" in service.show("StatusText"))
        self.assertEqual(service.state, "activating (start)")
        gate.touch()
        wait_for(f"running, {service.state}", lambda: service.state == RUNNING)

    def test_bad_configuration(self):
        """a mistake in the file, and a file that is not there: failed, and not tried again"""
        service = self.service(start=False)
        service.write("wrokers: 2\n")
        self.assertNotEqual(service.do("start"), 0)
        self.assertEqual((service.state, service.show("ExecMainStatus"), service.show("NRestarts")),
                         ("failed (failed)", "78", "0"))
        self.assertIn("did you mean 'workers'?", service.journal())
        service.path.unlink()
        self.assertNotEqual(service.do("start"), 0)
        self.assertEqual((service.state, service.show("NRestarts")), ("failed (failed)", "0"))

    def test_tried_again(self):
        """a start that fails: tried again each second, until it succeeds"""
        service = self.service(start=False)
        with socket.create_server(HERE):
            began = time.monotonic()
            self.assertNotEqual(service.do("start"), 0)
            self.assertGreater(time.monotonic() - began, 1)
            wait_for("the second try", lambda: int(service.show("NRestarts")) >= 2)
            self.assertGreater(time.monotonic() - began, 2)
        wait_for(f"running, {service.state}", lambda: service.state == RUNNING)

    def test_restart(self):
        """restart: other workers"""
        service = self.service()
        before = service.workers()
        self.assertEqual(service.do("restart"), 0)
        self.assertEqual(service.state, RUNNING)
        self.assertFalse(set(before) & set(service.workers()))

    def test_a_worker_that_does_not_end(self):
        """stop: a worker that had to be killed is no failure of the unit"""
        service = self.service(command=[str(WORKER), "--notify", "--ignore-term"],
                               hard_shutdown_delay="1s")
        pids = service.workers()
        self.assertEqual(service.do("stop"), 0)
        self.assertEqual((service.state, service.show("Result")), ("inactive (dead)", "success"))
        self.assertIn("stopped exit_code=4", service.journal())
        self.assert_stopped(service, pids)

    def test_enable(self):
        """enable: wanted by multi-user.target"""
        service = self.service(start=False)
        self.assertEqual(service.do("enable"), 0)
        self.assertTrue(pathlib.Path("/etc/systemd/system/multi-user.target.wants",
                                     service.unit).is_symlink())
        self.assertEqual(service.do("disable"), 0)


class Reload(Case):
    """systemctl reload, and stickyctl upgrade."""

    def test_under_load(self):
        """reload: other workers, no connection lost"""
        service = self.service()
        before = service.workers()
        load = Load()
        self.assertEqual(service.do("reload"), 0)
        self.assert_nobody_lost(load.stop())
        self.assertEqual(service.state, RUNNING)
        self.assertFalse(set(before) & set(service.workers()))

    def test_refused(self):
        """reload: fails where the file has a mistake, and changes nothing"""
        service = self.service()
        before = service.workers()
        service.write("wrokers: 2\n")
        self.assertNotEqual(service.do("reload"), 0)
        self.assertEqual((service.state, service.workers()), (RUNNING, before))
        self.assertIn("did you mean 'workers'?", service.journal())

    def test_longer_than_a_start(self):
        """reload: may take longer than TimeoutStartSec="""
        service = self.service(command=[str(WORKER), "--notify-delay", "1000"])
        service.drop_in("TimeoutStartSec=1")
        began = time.monotonic()
        self.assertEqual(service.do("reload"), 0)
        self.assertGreater(time.monotonic() - began, 1.9)
        self.assertEqual(service.state, RUNNING)

    def test_upgrade(self):
        """upgrade: the same process and workers, no connection lost"""
        service = self.service()
        before = service.pid, service.workers()
        load = Load()
        result = service.stickyctl("upgrade")
        self.assertEqual(result.returncode, 0, result)
        self.assert_nobody_lost(load.stop())
        self.assertEqual(service.state, RUNNING)
        self.assertEqual((service.pid, service.workers()), before)


class Crash(Case):
    """The controller dies."""

    def test_takeover(self):
        """kill -9: the workers live on, and are taken over; no connection lost"""
        service = self.service()
        before = service.workers()
        load = Load()
        former = service.kill_controller()
        wait_for("the pause", lambda: service.show("SubState") == "stop-post")
        self.assertTrue(all(map(is_alive, before)))
        service.wait_next(former)
        self.assert_nobody_lost(load.stop())
        self.assertEqual((service.workers(), service.show("NRestarts")), (before, "1"))

    def test_the_naive_way(self):
        """kill -9 with KillMode=control-group: the workers die, and connections are lost"""
        service = self.service(drop_in="KillMode=control-group")
        before = service.workers()
        load = Load()
        service.wait_next(service.kill_controller())
        counts = load.stop()
        self.assertLess(counts["answered"], counts["connections"])
        self.assertFalse([pid for pid in before if is_alive(pid)])

    def test_watchdog(self):
        """watchdog: a controller that hangs is replaced, and the workers stay"""
        service = self.service(drop_in="WatchdogSec=1")
        before = service.workers()
        load = Load()
        former = service.kill_controller(signal.SIGSTOP)
        service.wait_next(former)
        self.assert_nobody_lost(load.stop())
        self.assertEqual(service.workers(), before)
        self.assertIn("watchdog", service.journal().lower())

    def test_stop_in_the_pause(self):
        """stop after a crash, before the next controller: ends the workers"""
        service = self.service()
        pids = service.workers()
        service.kill_controller()
        wait_for("the pause", lambda: service.show("SubState") == "stop-post")
        self.assertEqual(service.do("stop"), 0)
        self.assertIn(service.state, ("inactive (dead)", "failed (failed)"))
        self.assert_stopped(service, pids)

    def test_restart_in_the_pause(self):
        """restart after a crash, before the next controller: takes the workers over"""
        service = self.service()
        before = service.workers()
        former = service.kill_controller()
        wait_for("the pause", lambda: service.show("SubState") == "stop-post")
        self.assertEqual(service.do("restart"), 0)
        service.wait_next(former)
        self.assertEqual(service.workers(), before)

    def test_loop(self):
        """8 crashes one after the other: the workers stay; then stop ends everything"""
        service = self.service()
        before = service.workers()
        for _ in range(8):
            former = service.kill_controller()
            wait_for("the next controller", lambda former=former: service.pid not in (0, former))
        service.kill_controller()
        wait_for("the last controller", lambda: service.state == RUNNING)
        self.assertEqual(service.workers(), before)
        service.kill_controller()
        self.assertEqual(service.do("stop"), 0)
        self.assert_stopped(service, before)

    def test_a_slot_that_fails(self):
        """kill -9 while a slot's workers fail: the other slot's worker serves on, for good"""
        broken = pathlib.Path("/tmp/broken")
        service = self.service(
            drop_in="TimeoutStartSec=2", min_uptime="5ms",
            command=["sh", "-c", f"[ ! -e {broken} ] || exit 1; exec {WORKER} --notify"])
        before = service.workers()
        broken.touch()
        self.addCleanup(broken.unlink)
        os.kill(before[1], signal.SIGKILL)
        wait_for("the slot to fail", lambda: "1 of 2 slots ready" in service.show("StatusText"))
        service.wait_next(service.kill_controller())
        time.sleep(3)  # longer than TimeoutStartSec=
        self.assertEqual((service.state, service.show("NRestarts")), (RUNNING, "1"))
        self.assertEqual(service.workers()[0], before[0])

    def test_a_mistake_since_then(self):
        """crash, and the file has a mistake by now: the workers serve on until start, or stop"""
        service = self.service()
        before = service.workers()
        service.write("wrokers: 2\n")
        service.kill_controller()
        wait_for(f"failed, {service.state}", lambda: service.state == "failed (failed)")
        self.assertTrue(all(map(is_alive, before)))
        service.configure()
        self.assertEqual(service.do("start"), 0)
        self.assertEqual(service.workers(), before)
        service.write("wrokers: 2\n")
        service.kill_controller()
        wait_for(f"failed, {service.state}", lambda: service.state == "failed (failed)")
        self.assertEqual(service.stickyctl("stop").returncode, 0)
        self.assert_stopped(service, before)

    def test_hangs_while_it_stops(self):
        """stop of a controller that hangs: it is killed, and so are the workers"""
        service = self.service(drop_in="TimeoutStopSec=1", hard_shutdown_delay="1s")
        pids = service.workers()
        client = socket.create_connection(HERE)
        self.addCleanup(client.close)
        client.sendall(b"+\n")
        client.recv(100)
        service.do("stop", "--no-block")
        wait_for("the stop", lambda: service.show("SubState") == "stop-sigterm")
        service.kill_controller(signal.SIGSTOP)
        wait_for("the end", lambda: service.show("SubState") in ("dead", "failed"))
        self.assertEqual(service.show("Result"), "timeout")
        self.assert_stopped(service, pids)


class Sandbox(Case):
    """What the controller and the workers may do."""

    def test_controller(self):
        """the controller has the capabilities that it keeps, and none is effective"""
        service = self.service()
        status = status_of(service.pid)
        found = subprocess.run(["capsh", f"--decode={status['CapPrm']}"], check=False,
                               capture_output=True, text=True).stdout.strip()
        if found:
            self.assertEqual(set(found.partition("=")[2].split(",")), KEPT)
        self.assertEqual((int(status["CapEff"], 16), status["NoNewPrivs"]), (0, "1"))

    def test_user(self):
        """user: workers as another user, on port 80, through a crash and a reload"""
        service = self.service(user="nobody", listen=["127.0.0.1:80", TARGET])
        before = service.workers()
        self.assertEqual({status_of(pid)["Uid"].split()[0] for pid in before}, {"65534"})
        self.assertEqual({int(status_of(pid)["CapPrm"], 16) for pid in before}, {0})
        service.wait_next(service.kill_controller())
        self.assertEqual(service.workers(), before)
        load = Load()
        self.assertEqual(service.do("reload"), 0)
        self.assert_nobody_lost(load.stop())
        self.assertFalse(set(before) & set(service.workers()))

    def test_bind(self):
        """a server that binds its address itself, as another user, through a crash"""
        service = self.service(user="nobody", worker="bind",
                               command=[str(WORKER), "--notify", "--bind", TARGET])
        before = service.workers()
        load = Load()
        service.wait_next(service.kill_controller())
        self.assert_nobody_lost(load.stop())
        self.assertEqual(service.workers(), before)
        self.assertEqual(service.do("reload"), 0)
        self.assertFalse(set(before) & set(service.workers()))

    def test_files(self):
        """workers of root can't write to /usr, /etc, /sys, and can to /tmp, /var and the pins"""
        script = pathlib.Path("/usr/local/lib/sticky-test/writes")
        script.write_text("#!/bin/sh\nfor place in /usr /etc /sys/fs/bpf /sys/fs/cgroup /tmp /var/lib; do\n"
                          "  mkdir $place/written 2>/dev/null && echo wrote $place\n"
                          "done\nexec " + f"{WORKER} --notify\n")
        script.chmod(0o755)
        service = self.service(workers=1, command=[str(script)])
        for place in ("/tmp", "/var/lib", "/sys/fs/bpf"):
            pathlib.Path(place, "written").rmdir()
        wrote = [line.split()[-1] for line in service.journal().splitlines()
                 if line.startswith("wrote")]
        self.assertEqual(wrote, ["/sys/fs/bpf", "/tmp", "/var/lib"])

    def test_node(self):
        """Node.js, whose compiler needs memory that is writable and executable"""
        if subprocess.run(["sh", "-c", "command -v node"], check=False,
                          capture_output=True).returncode:
            self.skipTest("node: not installed")
        app = pathlib.Path("/usr/local/lib/sticky-test/app.js")
        app.write_text("require('http').createServer((q, s) => s.end(String(process.pid)))"
                       ".listen(3000, '127.0.0.1');\n")
        node = subprocess.run(["node", "-p", "process.execPath"], check=True, text=True,
                              capture_output=True).stdout.strip()
        service = self.service(command=[node, str(app)], ready="auto", user="nobody")
        before = service.workers()
        service.wait_next(service.kill_controller())
        self.assertEqual(service.workers(), before)
        self.assertEqual(service.do("reload"), 0)

    def test_drop_ins(self):
        """each drop-in of docs/systemd.md: it starts, reloads and is taken over"""
        uploads = pathlib.Path("/srv/web/uploads")
        uploads.mkdir(parents=True)
        for text in drop_ins():
            service = self.service(drop_in=text)
            self.assertEqual(service.do("reload"), 0, text)
            before = service.workers()
            service.wait_next(service.kill_controller())
            self.assertEqual(service.workers(), before, text)
            self.clean_up(service)

    def test_drop_in_user(self):
        """drop-in: the controller as another user, with port 80"""
        text = next(text for text in drop_ins() if "User=" in text)
        service = self.service(drop_in=text, listen=["127.0.0.1:80", TARGET])
        self.assertIn("steering kernel", service.show("StatusText"))
        pids = [service.pid, *service.workers()]
        self.assertEqual({status_of(pid)["Uid"].split()[0] for pid in pids}, {"65534"})
        self.assertEqual(service.do("reload"), 0)
        self.assertEqual(service.stickyctl("status").returncode, 0)
        pids = [service.pid, *service.workers()]
        self.assertEqual(service.do("stop"), 0)
        self.assert_stopped(service, pids)


class User(Case):
    """The user's unit, under systemd --user."""

    @classmethod
    def setUpClass(cls):
        cls.manager = UserManager("nobody")
        cls.manager.start()

    @classmethod
    def tearDownClass(cls):
        cls.manager.stop()

    def test_start_reload_stop(self):
        """start: running, with the classic engine; reload under load; stop: an empty cgroup"""
        service = self.service()
        self.assertEqual(service.state, RUNNING)
        self.assertEqual(service.show("StatusText"),
                         "running, 2 of 2 slots ready; steering classic")
        load = Load()
        self.assertEqual(service.do("reload"), 0)
        self.assert_nobody_lost(load.stop())
        pids = [service.pid, *service.workers()]
        self.assertEqual(service.do("stop"), 0)
        self.assertEqual(service.state, "inactive (dead)")
        self.assert_stopped(service, pids)

    def test_crash(self):
        """kill -9: the workers serve until the next controller ends them, and begins anew"""
        service = self.service()
        before = service.workers()
        former = service.kill_controller()
        wait_for("the pause", lambda: service.show("SubState") == "stop-post")
        self.assertTrue(all(map(is_alive, before)))
        service.wait_next(former)
        self.assertFalse(set(before) & set(service.workers()))
        self.assertEqual([pid for pid in before if is_alive(pid)], [])

    def test_stop_in_the_pause(self):
        """stop after a crash, before the next controller: ends the workers"""
        service = self.service()
        pids = service.workers()
        service.kill_controller()
        wait_for("the pause", lambda: service.show("SubState") == "stop-post")
        self.assertEqual(service.do("stop"), 0)
        self.assert_stopped(service, pids)

    def test_watchdog(self):
        """watchdog: a controller that hangs is replaced"""
        service = self.service(drop_in="WatchdogSec=1")
        service.wait_next(service.kill_controller(signal.SIGSTOP))

    def test_file_capabilities(self):
        """a stickyctl with file capabilities: the kernel's engine, and port 80"""
        if subprocess.run(["setcap", "cap_bpf,cap_net_bind_service+ep", STICKYCTL],
                          check=False, capture_output=True).returncode:
            self.skipTest("setcap is not possible here")
        self.addCleanup(subprocess.run, ["setcap", "-r", STICKYCTL], check=True)
        service = self.service(listen=["127.0.0.1:80", TARGET])
        self.assertEqual(service.show("StatusText"),
                         "running, 2 of 2 slots ready; steering kernel")


class Lines(unittest.TextTestResult):
    """A line for each check."""

    def describe(self, word, test, reason=""):
        text = test.shortDescription() if hasattr(test, "shortDescription") else str(test)
        print(f"{word:4} {type(test).__name__}: {text}{reason}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed = getattr(self, "passed", 0) + 1
        self.describe("ok", test)

    def complain(self, test, error):
        self.describe("FAIL", test)
        print("\n".join(f"     | {line}" for line in
                        self._exc_info_to_string(error, test).splitlines()), flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.complain(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.complain(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.describe("skip", test, f" ({reason})")


def main():
    install_worker()
    print(subprocess.run(["systemctl", "--version"], check=True, capture_output=True,
                         text=True).stdout.splitlines()[0], flush=True)
    names = sys.argv[1:]
    loader = unittest.defaultTestLoader
    module = sys.modules["__main__"]
    suite = loader.loadTestsFromNames(names, module) if names else loader.loadTestsFromModule(module)
    began = time.monotonic()
    with open(os.devnull, "w", encoding="ascii") as nowhere:
        result = unittest.TextTestRunner(nowhere, resultclass=Lines, verbosity=0).run(suite)
    failed = len(result.failures) + len(result.errors)
    passed = getattr(result, "passed", 0)
    print(f"{time.monotonic() - began:.0f} s\n"
          f"{passed} passed, {failed} failed, {len(result.skipped)} skipped", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
