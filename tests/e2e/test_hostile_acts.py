#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Takes long.
"""Each act by which a worker can harm its group or cut off its own clients: it is noticed within
seconds, the clients of other slots lose nothing in the meantime, and afterwards each client comes to
the slot where it was.

The acts are done to a duplicate of the worker's socket, with the rights of the worker."""

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import threading
import time

import harness
import unprivileged
from clients import HERE, ask
from lifecycle import LifecycleTestCase
from privilege import NOBODY, copy_program
from programs import WORKER
from workers import fetch_descriptor
from world import scaled, wait_for

ATTACH_REUSEPORT_CBPF, ATTACH_REUSEPORT_EBPF, DETACH_REUSEPORT_BPF = 51, 52, 68
IP_MINTTL, IPV6_MINHOPCOUNT, IPV6_SEGMENTS = 21, 73, 57  # IPV6_SEGMENTS: IPV6_RTHDR
NOTICED_WITHIN_S = 5
SLOTS = 14
V4, V6 = 3, 4   # descriptors of a worker
CLIENTS = [f"127.12.0.{number}" for number in range(1, 129)]
ACTS = ("detach", "attach", "foreign_socket", "own_sockets")
ALSO = ("-l", "[::1]:3000")
TUN = "hostile0"  # a device by which no client comes


def shut(worker):
    worker.shutdown(socket.SHUT_RD)


def disconnect(worker):
    """connect(AF_UNSPEC), which the module socket does not offer."""
    if ctypes.CDLL(None, use_errno=True).connect(worker.fileno(), b"\0" * 16, 16):
        raise OSError(ctypes.get_errno(), "connect")


def listen_0(worker):
    worker.listen(0)


def set_min_ttl(worker):
    worker.setsockopt(socket.IPPROTO_IP, IP_MINTTL, 255)


def set_min_hops(worker):
    worker.setsockopt(socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT, 255)


def set_hops(worker):
    worker.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 1)


def set_segments(worker):
    """A segment routing header by an address that does not answer."""
    worker.setsockopt(socket.IPPROTO_IPV6, IPV6_SEGMENTS, struct.pack(
        "BBBBI16x16s", 0, 4, 4, 1, 1, socket.inet_pton(socket.AF_INET6, "2001:db8::99")))


def set_ttl(worker):
    worker.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)


def set_dont_route(worker):
    worker.setsockopt(socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)


def bind_device(worker):
    worker.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, other_device().encode() + b"\0")


def other_device():
    """Without TUN devices loopback must do: to bind a socket to it is noticed, too."""
    return TUN if os.path.exists(f"/sys/class/net/{TUN}") else "lo"


# To a socket of a slot: the event that follows, what it says, and whether the worker is replaced.
OWN_SOCKETS = [
    (V4, shut, None, None, True),
    (V4, disconnect, None, None, True),
    (V4, bind_device, "worker_hung", "network device", True),
    (V6, bind_device, "worker_hung", "network device", True),
    (V4, listen_0, "socket_restored", "listen()", False),
    (V4, set_min_ttl, "socket_restored", "IP_MINTTL", False),
    (V4, set_dont_route, "socket_restored", "SO_DONTROUTE", False),
    (V4, set_ttl, "socket_restored", "IP_TTL", False),
    (V6, set_min_hops, "socket_restored", "IPV6_MINHOPCOUNT", False),
    (V6, set_hops, "socket_restored", "IPV6_UNICAST_HOPS", False),
    (V6, set_segments, "socket_restored", "IPV6_RTHDR", False),
]


@contextlib.contextmanager
def rights_of(uid):
    """Of the worker: without capabilities where it is not root."""
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


class Clients:
    """One connection after the other from clients of the slots that are let alone."""

    def __init__(self, owners, least_slot):
        self.owners = {client: slot for client, slot in owners.items() if slot >= least_slot}
        self.answered, self.lost, self.moved, self.over = 0, [], 0, False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over:
            for client, slot in self.owners.items():
                try:
                    self.moved += ask(HERE, client)["slot"] != slot
                    self.answered += 1
                except (OSError, KeyError) as error:
                    self.lost.append((client, error))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.over = True
        self.thread.join()


class Acts:
    """The checks, without an engine."""

    ASTRAY_MAX = 0  # connections of the other slots that a moment may cost

    def serve_slots(self):
        raise NotImplementedError

    def check(self, act):
        subprocess.run(["ip", "tuntap", "add", TUN, "mode", "tun"], check=False,
                       stderr=subprocess.DEVNULL)
        self.addCleanup(subprocess.run, ["ip", "link", "del", TUN], check=False,
                        stderr=subprocess.DEVNULL)
        self.instance = self.serve_slots()
        self.owners = {answer["address"]: answer["slot"]
                       for answer in self.instance.where(*CLIENTS)}
        self.assertEqual(self.count_moved(), 0)
        getattr(self, f"check_{act}")()
        self.assertEqual(self.count_moved(), 0)

    def count_moved(self):
        return sum(ask(HERE, client)["slot"] != slot for client, slot in self.owners.items())

    def socket_of(self, slot, descriptor=V4):
        pid = self.pids(self.instance)[slot]
        listener = socket.socket(fileno=fetch_descriptor(pid, descriptor))
        self.addCleanup(listener.close)
        return listener

    @contextlib.contextmanager
    def load(self, least_slot=1):
        """Clients of the slots from this one on, none of which may lose a connection."""
        with Clients(self.owners, least_slot) as clients:
            wait_for("the clients", lambda: clients.answered)
            yield clients
        self.assertLessEqual(len(clients.lost), self.ASTRAY_MAX, clients.lost)

    def wait_noticed(self, what, condition, began):
        wait_for(what, condition)
        self.assertLess(time.monotonic() - began, scaled(NOTICED_WITHIN_S), what)

    def wait_steering_lost(self, began):
        self.wait_noticed("the loss to be noticed",
                          lambda: self.instance.status()["steering_restored"], began)
        self.assertEqual(len(self.events(self.instance, "steering_lost")), 1)

    def check_detach(self):
        worker = self.socket_of(0)
        with self.load():
            with rights_of(self.UID):
                worker.setsockopt(socket.SOL_SOCKET, DETACH_REUSEPORT_BPF, 0)
            self.wait_steering_lost(time.monotonic())

    def check_attach(self):
        """A program of another kind: SO_LOCK_FILTER forbids it at once."""
        worker = self.socket_of(0)
        with self.load() as clients, rights_of(self.UID):
            for option, program in ((ATTACH_REUSEPORT_CBPF, take_the_first()),
                                    (ATTACH_REUSEPORT_EBPF, 0)):
                with self.assertRaises(PermissionError):
                    worker.setsockopt(socket.SOL_SOCKET, option, program)
        self.assertEqual(clients.moved, 0)

    def check_foreign_socket(self):
        """In the group, with a program of its own. The kernel lets those of the controller's user
        in, and no others."""
        with self.load() as clients:
            if self.UID != self.CONTROLLER:
                with self.foreign() as thief, self.assertRaises(OSError):
                    thief.bind(HERE)
                self.assertEqual(clients.moved, 0)
                return
            with self.foreign() as thief:
                thief.bind(HERE)
                thief.listen()
                began = time.monotonic()
                thief.setsockopt(socket.SOL_SOCKET, ATTACH_REUSEPORT_CBPF, take_the_first())
                self.wait_steering_lost(began)
                self.assertEqual(len(self.events(self.instance, "foreign_listener")), 1)

    def foreign(self):
        with rights_of(self.UID):  # a socket belongs to the user that makes it
            thief = socket.socket()
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return thief

    def check_own_sockets(self):
        """Each act to the socket of another slot, all at the same time."""
        sockets = [self.socket_of(slot, descriptor)
                   for slot, (descriptor, *_) in enumerate(OWN_SOCKETS)]
        with self.load(len(OWN_SOCKETS)) as clients:
            for (_, act, *_), worker in zip(OWN_SOCKETS, sockets):
                began = time.monotonic()
                with worker, rights_of(self.UID):
                    act(worker)
                if act in (shut, disconnect):
                    self.wait_for_the_end_of(act)
            self.wait_noticed(self.describe_missing, lambda: not self.missing(), began)
            for slot, (*_, is_replaced) in enumerate(OWN_SOCKETS):
                self.wait_generation(self.instance, 2 if is_replaced else 1, slot)
        self.assertLessEqual(clients.moved, self.ASTRAY_MAX)
        self.assertEqual(self.generations(self.instance)[len(OWN_SOCKETS):],
                         [1] * (SLOTS - len(OWN_SOCKETS)))

    def wait_for_the_end_of(self, act):
        """With the classic engine, two that leave the group at once would not be told apart."""
        wait_for(f"a word about: {act.__name__}", lambda: act.__name__ not in self.missing())

    def missing(self):
        """The acts of which nothing is said yet."""
        events = self.events(self.instance)
        shut_down = {line.fields["slot"] for line in self.instance.log_lines("socket_ended")}
        return [act.__name__ for slot, (_, act, name, text, _) in enumerate(OWN_SOCKETS)
                if not (any(event["event"] == name and event["slot"] == slot and text in
                            event.get("what", event.get("how")) for event in events)
                        if name else str(slot) in shut_down)]

    def describe_missing(self):
        return f"a word about: {', '.join(self.missing())}"


def take_the_first():
    """A classic program for SO_ATTACH_REUSEPORT_CBPF: every client to one socket."""
    take_the_first.program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    return struct.pack("HP", 1, ctypes.addressof(take_the_first.program))


TABLE = harness.tests_of({act: (act,) for act in ACTS})


@TABLE
class ByTheSameUser(Acts, LifecycleTestCase):
    UID = CONTROLLER = 0

    def serve_slots(self):
        return self.serve_workers(SLOTS, *ALSO)


@TABLE
class ByAnotherUser(Acts, LifecycleTestCase):
    UID, CONTROLLER = NOBODY, 0

    def serve_slots(self):
        return self.serve_workers(SLOTS, *ALSO, "--user", "nobody",
                                  command=(copy_program(WORKER, self.dir), "--notify"))


@TABLE
class OfAClassicEngine(Acts, unprivileged.Classic, LifecycleTestCase):
    UID = CONTROLLER = NOBODY
    # The spare socket resets what comes to it until the loss is noticed. A socket that leaves the
    # group changes the order of the others, until the next program follows.
    ASTRAY_MAX = 20

    def serve_slots(self):
        return self.serve_workers(SLOTS, *ALSO)


if __name__ == "__main__":
    harness.main()
