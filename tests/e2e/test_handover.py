#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients that connect while a slot is handed over are served by the slot's next worker.

A connection that no worker has accepted belongs to the listening socket. It is in the accept queue,
or it is still a request: the last ACK of its handshake, or with TCP_DEFER_ACCEPT its first data,
has not arrived. If the socket is closed, the kernel drops all of these, although the clients see
them as connected. Each test first shows that with plain SO_REUSEPORT servers. Then it shows that a
reload loses none of 200 connections, and that each is served by the slot that `where` names.

The clients are in another network namespace, at the end of a wire that can withhold their ACKs
(wire.py).
"""

import contextlib
import os
import pathlib
import signal
import socket
import sys

import harness
from clients import read_answer
from lifecycle import LifecycleTestCase
from listening import listening_sockets
from programs import WORKER
from wire import V4_SERVER, V6_SERVER, Wire, why_not
from workers import start_plain
from world import command_line, set_sysctl, wait_for

CLIENTS = 200
SLOTS = 4
PORT = 3000

# Each client has a key of its own: an IPv4 address, or an IPv6 /64.
V4_SOURCES = [f"198.18.{number // 100}.{number % 100 + 1}" for number in range(CLIENTS)]
V6_SOURCES = [f"fd01:0:0:{number + 1:x}::1" for number in range(CLIENTS)]

# The listening address ("": all of both families), the server's address, and its clients.
FAMILIES = {
    "ipv4": (V4_SERVER, V4_SERVER, V4_SOURCES),
    "v4_mapped": ("", V4_SERVER, V4_SOURCES),
    "ipv6": (V6_SERVER, V6_SERVER, V6_SOURCES),
}

# The numbers of /proc/net/tcp. A handshake that is not complete is a SYN_RECV, whichever packet it
# lacks.
ESTABLISHED, SYN_RECV = "01", "03"

# The plain servers send no READY=1.
GOOD = "exec $WORKER ${NOTIFY_SOCKET:+--notify}"


def server_sockets(state):
    """Returns rows of /proc/net/tcp and tcp6, as lists of words."""
    rows = [line.split() for table in ("tcp", "tcp6")
            for line in pathlib.Path("/proc/net", table).read_text().splitlines()[1:]]
    return [row for row in rows if row[1].endswith(f":{PORT:04X}") and row[3] == state]


def requests():
    """Returns how many handshakes are not complete."""
    return len(server_sockets(SYN_RECV))


def queued():
    """Returns how many clients wait to be accepted: their sockets have no inode yet."""
    return sum(row[9] == "0" for row in server_sockets(ESTABLISHED))


class PlainServers:
    """The naive way: several sockets share a port; new ones are opened, then the old servers
    end."""

    def __init__(self, test, host, command, farewell):
        self.test, self.command, self.farewell = test, command, farewell
        self.family = socket.AF_INET if "." in host else socket.AF_INET6
        self.address = (host, PORT)
        self.workers = self.start_all(1)

    def start_all(self, generation):
        return [self.start(slot, generation) for slot in range(SLOTS)]

    def start(self, slot, generation):
        with socket.create_server(self.address, family=self.family, backlog=4096, reuse_port=True,
                                  dualstack_ipv6=not self.address[0]) as listener:
            return start_plain(self.test, listener, slot, generation, self.command)

    def pids(self):
        return [worker.pid for worker in self.workers]

    def change_hands(self):
        former, self.workers = self.workers, self.start_all(2)
        self.end(former, self.farewell)

    def stop(self):
        self.end(self.workers, signal.SIGTERM)

    @staticmethod
    def end(workers, number):
        for worker in workers:
            worker.send(number)
        for worker in workers:
            worker.wait()


class StickyServers:
    """The same workers under stickyctl, with a reload."""

    def __init__(self, test, host, command):
        self.test = test
        self.instance = test.serve(
            "-l", f"[{host}]:{PORT}" if ":" in host else f"{host}:{PORT}", "-w", SLOTS,
            "--ready", "notify", "--hard-shutdown-delay", "2s", "--", command)

    def pids(self):
        return self.test.pids(self.instance)

    def change_hands(self):
        """Reload, and wait until the previous workers have ended."""
        result = self.instance.run("reload", "--wait=drained")
        self.test.assertEqual(result.returncode, 0, result.stderr)
        # The controller closes the former sockets a moment after their workers.
        wait_for("a socket for each slot", lambda: len(listening_sockets()) == SLOTS)

    def check_answers(self, sources, answers):
        """Check that each client has its answer, from the next worker of its slot."""
        expected = [f"slot={where['slot']} gen=2 peer={where['address']}"
                    for where in self.instance.where(*sources)]
        self.test.assertEqual([as_expected(answer) for answer in answers], expected)
        self.test.assert_counters(self.instance)
        migrated = self.instance.status()["counters"]["migrated"]
        self.test.assertGreaterEqual(migrated, CLIENTS, "all were moved from a former socket")

    def stop(self):
        self.test.assertEqual(self.instance.stop(), 0)


def as_expected(answer):
    """Returns a worker's line without the fields that `where` does not know, or None if the
    connection broke."""
    fields = dict(word.split("=", 1) for word in (answer or b"").decode().split())
    peer = fields.get("peer", "").removeprefix("::ffff:")
    return f"slot={fields['slot']} gen={fields['gen']} peer={peer}" if fields else None


class Handover(LifecycleTestCase):
    """200 clients connect, the slots are handed over, the clients get their answers: with plain
    servers, and then with stickyctl."""

    worker = GOOD
    farewell = signal.SIGTERM  # the signal for the plain servers; stickyctl chooses its own

    def check(self, host, server, sources):
        if why_not():
            self.skipTest(why_not())
        # This is the default: the kernel by itself moves nothing.
        set_sysctl("net.ipv4.tcp_migrate_req", 0)
        self.wire = Wire(self)
        self.server, self.sources = (server, PORT), sources
        command = self.script_worker(self.worker)

        servers = PlainServers(self, host, command, self.farewell)
        self.assertEqual(self.play(servers), [None] * CLIENTS, "the naive way loses all")
        self.assertEqual(self.answer_of_a_new_client()["gen"], 2, "and serves who comes later")
        servers.stop()
        servers = StickyServers(self, host, command)
        servers.check_answers(sources, self.play(servers))
        servers.stop()

    def play(self, servers):
        """Returns the answer that each client got, or None if its connection broke."""
        self.wire.forget()
        self.prepare(servers)
        clients = self.wire.connect(self.server, self.sources)
        with contextlib.ExitStack() as closing:
            for client in clients:
                closing.enter_context(client)
            self.wait_at_the_door(clients)
            servers.change_hands()
            self.go_on(clients)
            return [answer for answer, _ in self.collect(clients)]

    def answer_of_a_new_client(self):
        [client] = self.wire.connect(self.server, self.sources[:1])
        with client:
            client.sendall(b"\n")
            return read_answer(client)

    def wait_for_requests(self):
        """Wait until all handshakes have begun. None of them is complete."""
        wait_for(lambda: f"{CLIENTS} requests; there are {requests()}",
                 lambda: requests() == CLIENTS)
        self.assertEqual(queued(), 0)


@harness.tests_of(FAMILIES)
class HalfOpen(Handover):
    """The last ACK of each handshake is withheld until after the handover."""

    def prepare(self, servers):
        self.wire.withhold()

    def wait_at_the_door(self, clients):
        self.wait_for_requests()

    def go_on(self, clients):
        for client in clients:
            client.sendall(b"\n")
        self.wire.release()


@harness.tests_of(FAMILIES)
class HalfOpenForLonger(HalfOpen):
    """The ACK comes after a second SYN-ACK, which the kernel sends when the ACK is a second late.
    At that moment the handshake moves to the new socket, and not when the ACK comes."""

    def go_on(self, clients):
        # A request whose socket has no successor ends at this moment.
        wait_for("a second SYN-ACK for each",
                 lambda: min(dict(self.wire.syn_acks).values()) > 1 or not requests())
        for client in clients:
            client.sendall(b"\n")
        self.wire.release()


@harness.tests_of(FAMILIES)
class Deferred(Handover):
    """The listening socket has TCP_DEFER_ACCEPT, as with nginx's `deferred`. For the client the
    handshake is complete, but for the server it is a request until data come, after the
    handover."""

    worker = f"""{sys.executable} -c '
import socket
socket.socket(fileno=3).setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)'
{GOOD}"""

    def prepare(self, servers):
        """No packet is withheld."""

    def wait_at_the_door(self, clients):
        wait_for("the ACK of each", lambda: self.wire.acks >= CLIENTS)
        self.wait_for_requests()

    def go_on(self, clients):
        for client in clients:
            client.sendall(b"\n")


@harness.tests_of(FAMILIES)
class Queued(Handover):
    """The workers hang. Connections wait to be accepted until the workers are killed."""

    farewell = signal.SIGKILL

    def prepare(self, servers):
        for pid in servers.pids():
            os.kill(pid, signal.SIGSTOP)
            wait_for("the worker to hang", lambda: "[T " in command_line(pid))

    def wait_at_the_door(self, clients):
        for client in clients:
            client.sendall(b"\n")
        wait_for(lambda: f"{CLIENTS} in the queues; there are {queued()}",
                 lambda: queued() == CLIENTS)

    def go_on(self, clients):
        """The connections are in the queues already."""


if __name__ == "__main__":
    harness.main()
