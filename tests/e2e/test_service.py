#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Messages of stickyctl to its own supervisor, as with Type=notify of systemd: readiness, reloads,
the stop, the watchdog. The supervisor is a socket of the test."""

import contextlib
import os
import pathlib
import signal
import socket
import time

import harness
from clients import HERE
from lifecycle import WORKERS, Line, LifecycleTestCase
from programs import WORKER
from world import wait_for

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Supervisor:
    """The socket that NOTIFY_SOCKET names, and the messages that it got, as dictionaries."""

    def __init__(self, test, name, buffer=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        test.addCleanup(self.socket.close)
        self.messages = []

    def read(self):
        """Read the messages that have arrived. Returns all messages so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                lines = self.socket.recv(4096).decode().splitlines()
                self.messages.append(dict(line.split("=", 1) for line in lines))
        return self.messages

    def values(self, name):
        return [message[name] for message in self.read() if name in message]

    def news(self):
        """Returns the names of the states of the service, in the order of their messages."""
        return [name for message in self.read()
                for name in ("READY", "RELOADING", "STOPPING") if name in message]

    def wait(self, name, count=1):
        """Wait for the message that is the count-th with this name."""
        wait_for(lambda: f"{count} {name}; {self.messages}",
                 lambda: len(self.values(name)) >= count)
        return [message for message in self.messages if name in message][count - 1]

    def wait_status(self, text):
        wait_for(lambda: f"a status with {text}; {self.messages}",
                 lambda: self.values("STATUS") and text in self.values("STATUS")[-1])


class Service(LifecycleTestCase):
    def supervisor(self, name=None):
        self.name = name or str(self.dir / "supervisor.sock")
        return Supervisor(self, self.name)

    def start_service(self, slots, *arguments, env=None, **options):
        env = {"NOTIFY_SOCKET": self.name, **(env or {})}
        return self.serve_workers(slots, *arguments, env=env, **options)

    def monotonic_us(self):
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000

    def test_from_the_start_to_the_stop(self):
        """READY=1 when all slots are ready; a reload; a stop that waits for a worker."""
        supervisor = self.supervisor("@sticky-e2e-service")
        command = self.switchable_worker(
            f"slow) while [ -e {self.dir}/wait ]; do sleep 0.02; done; exec $WORKER --notify;;")
        (self.dir / "wait").touch()
        self.mode("slow")
        instance = self.start("-w", 2, "-l", "127.0.0.1:3000", "--ready", "notify", "--", command,
                              env={"NOTIFY_SOCKET": self.name})
        supervisor.wait_status("starting, 0 of 2 slots ready, 2 starting; steering kernel")
        self.assertEqual(supervisor.news(), [])
        (self.dir / "wait").unlink()
        instance.ready()
        self.assertEqual(supervisor.wait("READY")["STATUS"],
                         "running, 2 of 2 slots ready; steering kernel")

        before = self.monotonic_us()
        instance.send(signal.SIGHUP)
        began = supervisor.wait("RELOADING")
        self.assertTrue(before <= int(began["MONOTONIC_USEC"]) <= self.monotonic_us())
        self.assertEqual(began["EXTEND_TIMEOUT_USEC"], "15000000")
        supervisor.wait("READY", 2)

        line = Line(self, address=HERE)
        line.ask()
        instance.send(signal.SIGTERM)
        stopping = supervisor.wait("STOPPING")
        self.assertIn("stopping", stopping["STATUS"])
        self.assertEqual(stopping["EXTEND_TIMEOUT_USEC"], "15000000")
        supervisor.wait_status("1 draining")
        line.socket.close()
        self.assertEqual(instance.wait(), 0)
        self.assertEqual(supervisor.news(), ["READY", "RELOADING", "READY", "STOPPING"])
        self.assertEqual(supervisor.values("MAINPID"), [])

    def test_refused_and_failed_reloads(self):
        """A supervisor that waits for the end of a reload gets a message about that, with the
        reason why nothing has changed."""
        supervisor = self.supervisor()
        command = self.switchable_worker("bad) exit 3;;")
        config = self.write("good.yaml", "retry_delay: 150ms\n")
        instance = self.start_service(1, "-c", config, command=[command])
        supervisor.wait("READY")
        config.write_text("retry_delai: 150ms\n")
        instance.send(signal.SIGHUP)
        told = supervisor.wait("READY", 2)
        self.assertIn("the last reload was refused", told["STATUS"])
        self.assertIn("retry_delai", told["STATUS"])
        config.write_text("retry_delay: 150ms\n")
        self.mode("bad")
        instance.send(signal.SIGHUP)
        told = supervisor.wait("READY", 3)
        self.assertIn("the last reload stopped at 0 of 1", told["STATUS"])
        self.assertNotIn("refused", told["STATUS"])
        self.assertEqual(supervisor.news(), ["READY", *2 * ["RELOADING", "READY"]])

    def test_slots_that_are_drained_are_not_waited_for(self):
        """A controller that takes over does not wait for these slots, either."""
        supervisor = self.supervisor()
        instance = self.start_service(2)
        instance.run("drain", 1)
        supervisor.wait_status("1 of 2 slots ready, 1 drained")
        os.kill(instance.pid, signal.SIGKILL)
        instance.wait()
        instance = self.start("-w", 2, "-l", "127.0.0.1:3000", "--ready", "notify", "--", WORKER,
                              "--notify", env={"NOTIFY_SOCKET": self.name})
        self.assertIn("1 of 2 slots ready, 1 drained", supervisor.wait("READY", 2)["STATUS"])
        self.assertEqual(instance.stop(), 0)

    def test_a_takeover_does_not_wait_for_a_slot_that_fails(self):
        """If the takeover waited, the start would take too long, and the supervisor would end the
        workers that serve."""
        supervisor = self.supervisor()
        command = self.switchable_worker("bad) exit 3;;")
        arguments = ("-w", 2, *WORKERS, "--", command)
        instance = self.start(*arguments, env={"NOTIFY_SOCKET": self.name}).ready()
        supervisor.wait("READY")
        self.mode("bad")
        self.kill_worker(instance, 1)
        instance.wait_status("a slot that waits", lambda status:
                             status["workers"][1]["state"] == "waiting")
        self.kill_controller(instance)
        instance = self.start(*arguments, env={"NOTIFY_SOCKET": self.name})
        told = supervisor.wait("READY", 2)["STATUS"]
        self.assertTrue(told.startswith("running, 1 of 2 slots ready"), told)
        self.mode("good")
        instance.run("restart", 1)
        instance.ready()
        self.assertEqual(instance.stop(), 0)

    def test_watchdog(self):
        """WATCHDOG=1 is sent by the main loop, at half of the time, also after an upgrade."""
        supervisor = self.supervisor()
        instance = self.start_service(1, env={"WATCHDOG_USEC": "200000"})
        supervisor.wait("WATCHDOG", 3)
        self.assertEqual(instance.run("upgrade").returncode, 0)
        count = len(supervisor.values("WATCHDOG"))
        supervisor.wait("WATCHDOG", count + 2)
        supervisor.wait("READY", 2)
        self.assertEqual(instance.status()["pid"], instance.pid)
        os.kill(instance.pid, signal.SIGSTOP)
        supervisor.read()
        count = len(supervisor.values("WATCHDOG"))
        time.sleep(0.3)  # longer than its period
        self.assertEqual(len(supervisor.values("WATCHDOG")), count)
        os.kill(instance.pid, signal.SIGCONT)
        supervisor.wait("WATCHDOG", count + 1)

    def test_a_watchdog_of_another_process(self):
        """A watchdog of another process is ignored. Workers inherit none of these variables."""
        supervisor = self.supervisor()
        instance = self.start_service(1, env={"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"})
        pid = instance.workers()[0]["pid"]
        words = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        found = dict(word.decode().split("=", 1) for word in words if b"=" in word)
        self.assertEqual({name: found.get(name) for name in VARIABLES},
                         {"NOTIFY_SOCKET": str(instance.directory / "notify.sock"),
                          "WATCHDOG_USEC": None, "WATCHDOG_PID": None})
        supervisor.wait("READY")
        self.assertEqual(supervisor.values("WATCHDOG"), [])

    def test_a_supervisor_that_does_not_read(self):
        """The supervisor's socket is full. The controller goes on, and important messages are sent
        later."""
        supervisor = self.supervisor()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    filler.sendto(b"X_FULL=1", self.name)
            instance = self.start_service(1)
            instance.send(signal.SIGHUP)
            self.wait_generation(instance, 2)
            wait_for("the log", lambda: instance.log_lines("notify_failed"))
        supervisor.wait("READY", 2)
        self.assertEqual(supervisor.news(), ["READY", "RELOADING", "READY"])

    def test_a_supervisor_that_is_away_and_one_that_can_not_be(self):
        self.name = str(self.dir / "nothing.sock")
        instance = self.start_service(1)
        wait_for("the log", lambda: instance.log_lines("notify_failed"))
        supervisor = Supervisor(self, self.name)
        supervisor.wait("READY")
        self.assertEqual(instance.stop(), 0)
        self.name = "vsock:2:1234"
        instance = self.start_service(1)
        self.assertTrue(instance.log_lines("notify_unavailable"))
        self.assertEqual(instance.stop(), 0)


if __name__ == "__main__":
    harness.main()
