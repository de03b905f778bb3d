#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Options of the listening sockets: --tcp-defer-accept and similar ones."""

import pathlib
import re
import socket
import subprocess

import harness
from clients import HERE, LISTEN, ask, client_socket, is_refused, read_answer
from privilege import as_nobody, copy_program, give_to_nobody, without
from programs import NOT_PERMITTED, STICKYCTL, WORKER

LISTENING, SYN_RECV = 0x0A, 0x03
NET_ADMIN = 1 << 12


def states(port):
    """Returns the states of the server's connections at a port, as the kernel reports them."""
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    words = [line.split() for line in lines]
    return {int(each[3], 16) for each in words if each[1].endswith(f":{port:04X}")} - {LISTENING}


def marks(*states_of):
    """Returns the marks of the sockets at port 3000, as ss(8) shows them; "" stands for none."""
    lines = subprocess.run(["ss", "-Htne", *states_of, "sport = :3000"], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return [(re.findall(r"fwmark:(\w+)", line) or [""])[0] for line in lines]


def permitted(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^CapPrm:\s*(\w+)", text, re.MULTILINE)[1], 16)


class SocketOptions(harness.TestCase):
    def test_defer_accept_gives_the_worker_connections_with_their_first_bytes(self):
        instance = self.serve("-w", 2, *LISTEN, "--tcp-defer-accept", 30, "--", WORKER)
        with client_socket(HERE) as client:
            self.assertEqual(states(3000), {SYN_RECV})
            client.sendall(b"\n")
            self.assertIn("slot", read_answer(client))
        instance.run("reload", "--wait")
        self.assertIn("slot", ask(HERE))

    def test_fastopen_takes_data_in_the_syn(self):
        self.serve("-w", 2, *LISTEN, "--tcp-fastopen", 64, "--", WORKER)
        # The server must allow it, and require no cookie, which only a second connection would
        # have.
        before = pathlib.Path("/proc/sys/net/ipv4/tcp_fastopen").read_text()
        harness.world.set_sysctl("net.ipv4.tcp_fastopen", 0x207)
        self.addCleanup(harness.world.set_sysctl, "net.ipv4.tcp_fastopen", before.strip())
        with socket.socket() as client:
            client.settimeout(10)
            client.sendto(b"\n", socket.MSG_FASTOPEN, HERE)
            self.assertIn("slot", read_answer(client))

    def test_freebind_listens_before_the_address_is_there(self):
        address = ("192.0.2.1", 3000)
        listen = ("-l", "192.0.2.1:3000")
        failed = self.start("-w", 1, *listen, "--", WORKER)
        self.assertNotEqual(failed.wait(), 0)
        self.serve("-w", 1, *listen, "--freebind", "yes", "--", WORKER)
        subprocess.run(["ip", "address", "add", "192.0.2.1/32", "dev", "lo"], check=True)
        self.addCleanup(subprocess.run, ["ip", "address", "del", "192.0.2.1/32", "dev", "lo"])
        self.assertIn("slot", ask(address))

    def test_bind_device_accepts_from_that_device_alone(self):
        instance = self.serve("-w", 2, *LISTEN, "--bind-device", "lo", "--", WORKER)
        self.assertIn("slot", ask(HERE))
        instance.run("reload", "--wait")
        self.assertIn("slot", ask(HERE))
        instance.stop()
        failed = self.start("-w", 2, *LISTEN, "--bind-device", "nosuch0", "--", WORKER)
        self.assertNotEqual(failed.wait(), 0)
        self.assertTrue(is_refused(HERE))

    def test_each_socket_and_connection_has_the_mark(self):
        instance = self.serve("-w", 2, *LISTEN, "--mark", 42, "--", WORKER, "--notify")
        self.assertEqual(set(marks("-l")), {"0x2a"})
        with client_socket(HERE):
            harness.world.wait_for("the connection has it", lambda: marks() == ["0x2a"])
        instance.run("reload", "--wait")
        instance.run("scale", 3)
        instance.wait_status("3 workers", lambda status: len(status["workers"]) == 3)
        self.assertEqual(set(marks("-l")), {"0x2a"})
        self.assertTrue(permitted(instance.pid) & NET_ADMIN)
        instance.stop()

    def test_without_an_option_that_needs_it_the_capability_is_given_up(self):
        instance = self.serve("-w", 1, *LISTEN, "--", WORKER, "--notify")
        self.assertEqual(set(marks("-l")), {""})
        self.assertFalse(permitted(instance.pid) & NET_ADMIN)

    def test_a_user_with_the_capability(self):
        give_to_nobody(self.dir / "run", self.dir / "state")
        program, worker = (copy_program(source, self.dir) for source in (STICKYCTL, WORKER))
        words = ("-w", 2, *LISTEN, "--mark", 42, "--", worker, "--notify")
        instance = self.serve(*words, cwd="/", program=program,
                              prefix=as_nobody("bpf", "net_admin"))
        self.assertEqual(instance.run("reload", "--wait", prefix=as_nobody()).returncode, 0)
        self.assertEqual(set(marks("-l")), {"0x2a"})
        self.assertEqual(instance.run("upgrade", prefix=as_nobody()).returncode, 0)
        self.assertEqual(instance.run("reload", "--wait", prefix=as_nobody()).returncode, 0)
        self.assertEqual(set(marks("-l")), {"0x2a"})
        self.assertEqual(instance.stop(), 0)

    def test_without_the_capability_it_is_refused(self):
        for option in (("--mark", 1), ("--transparent", "yes")):
            result = self.stickyctl("start", *LISTEN, *option, "--", WORKER,
                                    prefix=without("net_admin", "net_raw"))
            self.assert_message(result, "CAP_NET_ADMIN", option[0], code=NOT_PERMITTED)

    def test_transparent_takes_connections_to_addresses_of_others(self):
        there = ("192.0.2.1", 3000)
        instance = self.serve("-w", 2, "-l", "192.0.2.1:3000", "-l", "[2001:db8::1]:3000",
                              "--transparent", "yes", "--", WORKER, "--notify")
        route = ("route", "add", "local", "192.0.2.0/24", "dev", "lo")
        subprocess.run(["ip", *route], check=True)
        self.addCleanup(subprocess.run, ["ip", *route[:1], "del", *route[2:]])
        self.assertIn("slot", ask(there))
        instance.run("reload", "--wait")
        self.assertIn("slot", ask(there))


if __name__ == "__main__":
    harness.main()
