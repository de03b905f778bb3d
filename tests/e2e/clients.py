# SPDX-License-Identifier: MIT
"""Clients within the test's own process: a few, each with the behaviour that the test needs.
tests/peers/clients is for many clients at once."""

import contextlib
import ctypes
import http.client
import socket
import struct

from world import DEADLINE_S

# Most tests listen at this address: each has a network namespace of its own.
HERE = ("127.0.0.1", 3000)
LISTEN = ("-l", "127.0.0.1:3000")


def client_socket(address, source=None):
    """A connected socket. Its close is a reset, so that no port stays in TIME_WAIT."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    client = socket.socket(family)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.settimeout(DEADLINE_S)
    try:
        if source:
            client.bind((source, 0))
        client.connect(address)
    except OSError:
        client.close()
        raise
    return client


def read_all(client):
    """Read until the end of the connection."""
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def read_answer(client):
    """Returns the line of tests/worker/main.c as a dictionary, with numbers as int."""
    text = read_all(client).decode()
    pairs = dict(word.split("=", 1) for word in text.split())
    return {name: int(value) if value.isdigit() else value for name, value in pairs.items()}


def ask(address, source=None):
    """Open a connection to a worker. Returns its answer."""
    with client_socket(address, source) as client:
        client.sendall(b"\n")
        return read_answer(client)


def http_get(address, source=None, path="/", **headers):
    """Send one request on a connection of its own. Returns status, headers, body."""
    connection = http.client.HTTPConnection(address[0], address[1], timeout=DEADLINE_S)
    connection.sock = client_socket(address, source)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Connection": "close", **headers})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


class HalfOpen:
    """A connection whose handshake is not complete: the client does not see the server's SYN-ACK
    until finish(). A filter on its socket drops every packet; the kernel sends no reset."""

    ATTACH_FILTER, DETACH_FILTER = 26, 27

    def __init__(self, address, source=None):
        self.socket = socket.socket()
        take_nothing = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, self.ATTACH_FILTER, struct.pack(
            "HP", 1, ctypes.addressof(take_nothing)))
        if source:
            self.socket.bind((source, 0))
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self.socket.connect(address)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()

    def finish(self):
        """Let the client see the SYN-ACK when it is sent again, within a second or two. Then send
        the request."""
        self.socket.setsockopt(socket.SOL_SOCKET, self.DETACH_FILTER, 0)
        self.socket.settimeout(DEADLINE_S)
        self.socket.sendall(b"\n")
        return read_answer(self.socket)


def is_refused(address, source=None):
    try:
        client_socket(address, source).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # it has been closed meanwhile
    return False
