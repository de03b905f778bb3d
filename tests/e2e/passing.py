# SPDX-License-Identifier: MIT
"""The common part of the tests of connections that the controller accepts and passes to workers."""

import contextlib
import resource
import socket
import struct

from clients import HERE, LISTEN, client_socket, read_all
from lifecycle import LifecycleTestCase
from programs import BUILD
from world import DEADLINE_S

TAKER = BUILD / "tests" / "peers" / "taker"

# Each option stands for a way in which connections are accepted. Tests run with any of them.
USER = ("--steering", "user")
XFF = ("--behind-proxy", "xff")
PROXY = ("--behind-proxy", "proxy")

LINE = b"whatever\n"  # not HTTP: the taker answers with a line
TLS_HELLO = bytes.fromhex("1603010005") + b"\1\0\0\1\0"  # the beginning of a TLS connection
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n"

# ---- Requests of clients and proxies ------------------------------------------------------


def request(*fields, target="/", close=True):
    """A request as bytes; fields: whole lines."""
    lines = [f"GET {target} HTTP/1.1", "Host: example.org", *fields]
    lines += ["Connection: close"] if close else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def forwarded(client, **options):
    return request(f"X-Forwarded-For: {client}", **options)


def proxy_v1(client):
    family, to = ("TCP6", "2001:db8::1") if ":" in client else ("TCP4", "192.0.2.1")
    return f"PROXY {family} {client} {to} 5000 80\r\n".encode()


def proxy_v2(client):
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    to = "2001:db8::1" if ":" in client else "192.0.2.1"
    body = (socket.inet_pton(family, client) + socket.inet_pton(family, to)
            + struct.pack("!HH", 5000, 80))
    return (PROXY_V2 + bytes([0x21, 0x21 if ":" in client else 0x11])
            + struct.pack("!H", len(body)) + body)


# ---- What the taker must have read: a second computation -----------------------------------


def fnv(data):
    total = 2166136261
    for byte in data:
        total = ((total ^ byte) * 16777619) & 0xffffffff
    return total


def pieces(data):
    """Split bytes into requests as tests/peers/taker.c does. Returns (bytes, sum) of each."""
    found = []
    while b"\n" in data:
        end = data.index(b"\n") + 1
        if b" HTTP/" in data[:end - 1]:
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                break
        found.append((end, fnv(data[:end])))
        data = data[end:]
    return found


def parse(text):
    """Returns the taker's answers that a client got, each as a dictionary."""
    lines = [line for line in text.decode().splitlines() if line.startswith("slot=")]
    answers = []
    for line in lines:
        answer = dict(word.split("=", 1) for word in line.split())
        answer.update({name: int(value) for name, value in answer.items() if value.isdigit()
                       and name != "sum"}, sum=int(answer["sum"], 16))
        answers.append(answer)
    return answers


# ---- Many connections -------------------------------------------------------------------------


@contextlib.contextmanager
def many_descriptors(count):
    """Raise the limit of descriptors during the block, for the test and the programs that it
    starts."""
    former = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = max(former[1], count) if former[1] != resource.RLIM_INFINITY else former[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, former)


class PassingTestCase(LifecycleTestCase):
    """Instances whose workers are tests/peers/taker."""

    def serve_takers(self, slots, *arguments, taker=(), command=None, **options):
        return self.serve(*self.words(slots, *arguments),
                          "--", *(command or (TAKER, "--stay", *taker)), **options)

    def start_takers(self, slots, *arguments, taker=(), command=None, **options):
        """Start an instance as serve_takers() does, without waiting for ready workers."""
        return self.start(*self.words(slots, *arguments),
                          "--", *(command or (TAKER, "--stay", *taker)), **options)

    @staticmethod
    def words(slots, *arguments):
        return ("-w", slots, *LISTEN, "--ready", "notify", "--min-uptime", "5ms", *arguments)

    def taker_script(self, text):
        """Write a worker that is a shell script. $TAKER is tests/peers/taker."""
        return self.script("taker.sh", f"TAKER={TAKER}\n{text}\nexec $TAKER")

    def drain(self, instance, *slots):
        for slot in slots:
            self.assertEqual(instance.run("drain", slot).returncode, 0)
        instance.wait_status("drained slots", lambda status: all(
            status["workers"][slot]["state"] == "drained" for slot in slots))

    def open(self, source=None, text=b"", address=HERE):
        """Open a connection on which each write is a packet."""
        client = client_socket(address, source)
        self.addCleanup(client.close)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if text:
            client.sendall(text)
        return client

    def ask_taker(self, text, source=None):
        """Open one connection, send the text, and read to the end. Returns the taker's answers, or
        []."""
        with client_socket(HERE, source) as client:
            client.sendall(text)
            if b"onnection: close" not in text:
                client.shutdown(socket.SHUT_WR)
            return parse(read_all(client))

    def asked(self, text, source=None):
        """Open one connection, and send the text. Returns the taker's only answer."""
        answer, = self.ask_taker(text, source)
        return answer

    def counters(self, instance, *names):
        counters = instance.status()["counters"]
        return tuple(counters[name] for name in names)

    def wait_counters(self, instance, seconds=DEADLINE_S, **wanted):
        return instance.wait_status(str(wanted), lambda status: all(
            status["counters"][name] == value for name, value in wanted.items()), seconds)

    def wait_pending(self, instance, count):
        self.wait_counters(instance, pending_heads=count)

    def wait_held(self, instance, count):
        return instance.wait_status(f"{count} held", lambda status: status["held"] == count)

    def public_of(self, instance, slot, count=1):
        """Returns addresses of clients behind the proxy that belong to a slot."""
        addresses = [f"203.0.{113 + number // 250}.{number % 250 + 1}"
                     for number in range(max(64, count * 8))]
        found = [answer["address"] for answer in instance.where(*addresses)
                 if answer["slot"] == slot]
        self.assertGreaterEqual(len(found), count)
        return found[:count]

    def slots_of(self, instance, addresses):
        return {answer["address"]: answer["slot"] for answer in instance.where(*addresses)}

    def assert_read(self, answers, data):
        """Check that the worker has read exactly these bytes."""
        self.assertEqual([(answer["bytes"], answer["sum"]) for answer in answers], pieces(data))
