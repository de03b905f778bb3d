#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a worker, or a process of the same user, can do to the group: noticed, and put right."""

import ctypes
import os
import signal
import socket
import struct
import time

import harness
from clients import HERE, ask
from lifecycle import LifecycleTestCase
from programs import WORKER
from workers import fetch_descriptor
from world import scaled, status_of, wait_for

ATTACH_REUSEPORT_CBPF, DETACH_REUSEPORT_BPF = 51, 68
NOTICED_WITHIN_S = 5
CLIENTS = [f"127.12.0.{number}" for number in range(1, 65)]


def listening_socket_of(pid):
    """The listening socket of a worker: what it can do to it itself, a duplicate can do, too."""
    return socket.socket(fileno=fetch_descriptor(pid, 3))


def sleeps(pids):
    """How often each process has gone to sleep: once more if a connection wakes it."""
    return [status_of(pid)["voluntary_ctxt_switches"] for pid in pids]


class Steering(LifecycleTestCase):
    def owners(self, instance):
        return {answer["address"]: answer["slot"] for answer in instance.where(*CLIENTS)}

    def moved(self, owners):
        """How many clients come to another slot than `where` says."""
        return sum(ask(HERE, client)["slot"] != slot for client, slot in owners.items())

    def assert_noticed(self, instance, since):
        instance.wait_status("the loss to be noticed",
                             lambda status: status["steering_restored"] == 1)
        self.assertLess(time.monotonic() - since, scaled(NOTICED_WITHIN_S))
        event = self.events(instance, "steering_lost")[-1]
        self.assertEqual(event["listeners"], 1)
        self.assertIn("--user", event["hint"])
        self.assertEqual(len(instance.log_lines("steering_lost")), 1)
        self.assertIn("steering was lost", instance.run("status").stdout)
        self.assertEqual(self.moved(self.owners(instance)), 0)

    def test_a_worker_detaches_the_program(self):
        instance = self.serve_workers(4)
        self.assertEqual(self.moved(self.owners(instance)), 0)
        with listening_socket_of(instance.workers()[1]["pid"]) as worker:
            began = time.monotonic()
            worker.setsockopt(socket.SOL_SOCKET, DETACH_REUSEPORT_BPF, 0)
        self.assert_noticed(instance, began)

    def test_a_foreign_process_attaches_its_own(self):
        instance = self.serve_workers(4)
        take_the_last = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 4))
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            thief.bind(HERE)
            thief.listen()
            began = time.monotonic()
            thief.setsockopt(socket.SOL_SOCKET, ATTACH_REUSEPORT_CBPF, struct.pack(
                "HP", 1, ctypes.addressof(take_the_last)))
            self.assert_noticed(instance, began)

    def test_it_is_noticed_on_a_device(self):
        """The workers listen on a device alone, and no connection to loopback reaches them."""
        for command in ("link add steer0 type veth peer name steer1",
                        "address add 10.8.0.1/24 dev steer0", "link set steer1 up",
                        "link set steer0 up"):
            self.assertEqual(self.run_program("ip", *command.split()).returncode, 0)
        self.addCleanup(self.run_program, "ip", "link", "delete", "steer0")
        instance = self.serve("-w", 4, "-l", "0.0.0.0:3000", "--bind-device", "steer0", "--ready",
                              "notify", "--", WORKER, "--notify")
        with listening_socket_of(instance.workers()[1]["pid"]) as worker:
            worker.setsockopt(socket.SOL_SOCKET, DETACH_REUSEPORT_BPF, 0)
        instance.wait_status("the loss to be noticed",
                             lambda status: status["steering_restored"] == 1)
        self.assertEqual(len(self.events(instance, "steering_lost")), 1)
        self.assertEqual(instance.terminate(), 0)

    def test_without_a_controller_it_stays_lost(self):
        """What the check is for: nothing else ends it."""
        instance = self.serve_workers(4)
        owners, pid = self.owners(instance), self.pids(instance)[1]
        os.kill(instance.pid, signal.SIGSTOP)
        try:
            with listening_socket_of(pid) as worker:
                worker.setsockopt(socket.SOL_SOCKET, DETACH_REUSEPORT_BPF, 0)
            self.assertGreater(self.moved(owners), len(CLIENTS) // 4)
        finally:
            os.kill(instance.pid, signal.SIGCONT)
        self.assert_noticed(instance, time.monotonic())

    def test_a_check_is_no_connection(self):
        """The connections by which it is checked come to no worker, and are counted nowhere."""
        instance = self.serve_workers(2)
        pids = self.pids(instance)
        wait_for("the workers to sleep", lambda: all(
            status_of(pid)["State"][0] == "S" for pid in pids))
        before, slept = instance.status()["counters"], sleeps(pids)
        time.sleep(scaled(7))
        status = instance.status()
        self.assertEqual(status["counters"], before)
        self.assertEqual(status["steering_restored"], 0)
        self.assertEqual(sleeps(pids), slept)


class Foreign(LifecycleTestCase):
    """Listening sockets of others at our port."""

    def listen(self, address):
        listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.addCleanup(listener.close)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((address, 3000))
        listener.listen()
        return listener

    def assert_found(self, instance, address):
        (found,) = instance.status()["foreign_listeners"]
        self.assertEqual((found["address"], found["pid"], found["uid"]), (address, os.getpid(), 0))
        self.assertIn("python", found["command"])
        (event,) = self.events(instance, "foreign_listener")
        self.assertEqual((event["address"], event["pid"]), (address, os.getpid()))
        return event

    def test_in_the_group(self):
        instance = self.serve_workers(2)
        self.assertEqual(instance.status()["foreign_listeners"], [])
        listener = self.listen("127.0.0.1")
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertIn("group of sockets", self.assert_found(instance, "127.0.0.1:3000")["so"])
        doctor = instance.run("doctor").stdout
        self.assertRegex(doctor, rf"warning +ports +pid {os.getpid()} \(.*\) listens at "
                                 r"127.0.0.1:3000, too")
        # It is said once; and it is over when it is gone.
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertEqual(len(self.events(instance, "foreign_listener")), 1)
        listener.close()
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertEqual(instance.status()["foreign_listeners"], [])
        self.assertRegex(instance.run("doctor").stdout, r"ok +ports +the workers of 'default'")

    def test_at_a_more_specific_address(self):
        instance = self.serve("-w", 2, "-l", "0.0.0.0:3000", "--ready", "notify", "--", WORKER,
                              "--notify")
        self.listen("127.0.0.7")
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertIn("not to the workers", self.assert_found(instance, "127.0.0.7:3000")["so"])
        self.assertIn("foreign listener", instance.run("status").stdout)

    def test_at_loopback(self):
        """It answers the test connection, but the program steers the clients of other
        addresses."""
        instance = self.serve("-w", 2, "-l", "0.0.0.0:3000", "--ready", "notify", "--", WORKER,
                              "--notify")
        self.listen("127.0.0.1")
        instance.wait_status("the socket to be found",
                             lambda status: status["foreign_listeners"])
        time.sleep(scaled(7))  # two more checks
        self.assert_found(instance, "127.0.0.1:3000")
        self.assertEqual(instance.status()["steering_restored"], 0)
        self.assertEqual(self.events(instance, "steering_lost"), [])
        self.assertEqual(instance.log_lines("steering_unchecked"), [])

    def test_a_start_names_who_is_there(self):
        self.listen("127.0.0.7")
        for address in ("127.0.0.7:3000", "0.0.0.0:3000"):
            result = self.stickyctl("start", "-w", 1, "-l", address, "--", WORKER)
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, rf"pid {os.getpid()} \(.*python.*\) listens on "
                                            r"127\.0\.0\.7:3000: stop it, or choose another port")

    def test_what_is_not_in_the_way(self):
        self.listen("127.0.0.7")
        instance = self.serve_workers(2)  # at 127.0.0.1 alone
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.kill_worker(instance, 0)
        self.wait_generation(instance, 3)
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertEqual(instance.status()["foreign_listeners"], [])
        self.assertEqual(self.events(instance, "foreign_listener"), [])


if __name__ == "__main__":
    harness.main()
