# SPDX-License-Identifier: MIT
"""Clients in a network of their own, at the other end of a wire that can withhold packets.

On loopback a handshake is over before connect() returns. Here the clients' kernel and the
servers' are two network namespaces, and each packet between them passes through the test.
"""

import collections
import contextlib
import ctypes
import errno
import fcntl
import os
import selectors
import struct
import subprocess
import threading

from clients import client_socket
from world import set_sysctl

# The servers' addresses, and the networks of the clients: every address in them is a client.
V4_SERVER, V6_SERVER = "192.0.2.1", "fd00::1"
V4_CLIENTS, V6_CLIENTS = "198.18.0.0/15", "fd01::/16"

CLONE_NEWNET = 0x40000000  # sched.h
TUNSETIFF = 0x400454ca     # linux/if_tun.h
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
IPPROTO_TCP = 6
SYN, ACK = 0x02, 0x10
PACKET_MAX = 65536


def enter_network(fd=None):
    """Move the calling thread to a network namespace. Without an argument a new one is made."""
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.unshare(CLONE_NEWNET) if fd is None else libc.setns(fd, CLONE_NEWNET)
    if failed:
        raise OSError(ctypes.get_errno(), "network namespace")


def this_network():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def open_tun():
    """Open one end of the wire: a device that takes and delivers IP packets. It is removed when it
    is closed."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"wire", IFF_TUN | IFF_NO_PI))
        # The queue has room for a burst: packets beyond it would be lost.
        ip("link", "set", "wire", "txqueuelen", "10000", "up")
    except BaseException:
        os.close(tun)
        raise
    return tun


def tcp_flags(packet):
    """Returns the flags of a TCP segment, or None for other packets, such as IPv6 neighbour
    discovery."""
    version = packet[0] >> 4
    start = (packet[0] & 15) * 4 if version == 4 else 40
    return packet[start + 13] if packet[9 if version == 4 else 6] == IPPROTO_TCP else None


def destination(packet):
    return packet[16:20] if packet[0] >> 4 == 4 else packet[24:40]


class Wire:
    """Two devices, and a thread that carries packets between them."""

    def __init__(self, test):
        self.forget()
        self._lock = threading.Lock()
        self._withheld = None  # a list while packets are withheld
        with contextlib.ExitStack() as undo:
            self._here = this_network()
            undo.callback(os.close, self._here)
            self._servers = self._open_servers_end()
            undo.callback(os.close, self._servers)
            self._clients = self._open_clients_end(undo)
            self._stop = os.eventfd(0, os.EFD_CLOEXEC)
            undo.callback(os.close, self._stop)
            self._thread = threading.Thread(target=self._carry)
            self._thread.start()
            undo.callback(self._thread.join)
            undo.callback(os.eventfd_write, self._stop, 1)
            test.addCleanup(undo.pop_all().close)

    @staticmethod
    def _open_servers_end():
        tun = open_tun()
        ip("address", "add", V4_SERVER, "dev", "wire")
        ip("address", "add", V6_SERVER, "dev", "wire", "nodad")
        ip("route", "add", V4_CLIENTS, "dev", "wire")
        ip("-6", "route", "add", V6_CLIENTS, "dev", "wire")
        return tun

    def _open_clients_end(self, undo):
        try:
            enter_network()
            self._there = this_network()
            undo.callback(os.close, self._there)
            ip("link", "set", "lo", "up")
            set_sysctl("net.ipv6.ip_nonlocal_bind", 1)
            tun = open_tun()
            undo.callback(os.close, tun)
            ip("route", "add", "local", V4_CLIENTS, "dev", "lo")
            ip("-6", "route", "add", "local", V6_CLIENTS, "dev", "lo")
            ip("route", "add", "default", "dev", "wire")
            ip("-6", "route", "add", "default", "dev", "wire")
            return tun
        finally:
            enter_network(self._here)

    # Functions for tests.

    def forget(self):
        """Reset the counts."""
        # client's address, as bytes -> number of SYN-ACKs that it got
        self.syn_acks = collections.Counter()
        self.acks = 0  # segments without SYN that the servers got

    def connect(self, address, sources):
        """Returns a connected client socket for each source. A socket stays in its network."""
        enter_network(self._there)
        try:
            return [client_socket(address, source) for source in sources]
        finally:
            enter_network(self._here)

    def withhold(self):
        """From now on only the clients' SYNs arrive. All other packets are withheld."""
        with self._lock:
            self._withheld = []

    def release(self):
        """Deliver the withheld packets in order, and all packets after them."""
        with self._lock:
            packets, self._withheld = self._withheld, None
            for packet in packets:
                self._to_servers(packet)

    # The thread.

    def _carry(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self._servers, selectors.EVENT_READ, self._from_servers)
            selector.register(self._clients, selectors.EVENT_READ, self._from_clients)
            selector.register(self._stop, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == self._stop:
                        return
                    self._drain(key.fd, key.data)

    @staticmethod
    def _drain(tun, take):
        with contextlib.suppress(BlockingIOError):
            while True:
                take(os.read(tun, PACKET_MAX))

    def _from_servers(self, packet):
        flags = tcp_flags(packet)
        if flags is None:
            return
        os.write(self._clients, packet)
        if flags & (SYN | ACK) == SYN | ACK:
            self.syn_acks[destination(packet)] += 1

    def _from_clients(self, packet):
        flags = tcp_flags(packet)
        if flags is None:
            return
        with self._lock:
            if self._withheld is None or flags & SYN:
                self._to_servers(packet)
            else:
                self._withheld.append(packet)

    def _to_servers(self, packet):
        os.write(self._servers, packet)
        self.acks += not tcp_flags(packet) & SYN


def why_not():
    """Returns why there can be no wire here, or None."""
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        return f"/dev/net/tun: {errno.errorcode[error.errno]}"
    return None
