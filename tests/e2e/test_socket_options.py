#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Options of the listening sockets: --tcp-defer-accept, --tcp-fastopen, --freebind, --bind-device."""

import pathlib
import socket
import subprocess

import harness
from clients import HERE, LISTEN, ask, client_socket, is_refused, read_answer
from programs import WORKER

LISTENING, SYN_RECV = 0x0A, 0x03


def states(port):
    """The states of the server's connections at a port, as the kernel tells them."""
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    words = [line.split() for line in lines]
    return {int(each[3], 16) for each in words if each[1].endswith(f":{port:04X}")} - {LISTENING}


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
        # The server must allow it, and need no cookie, which only a second connection would have.
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


if __name__ == "__main__":
    harness.main()
