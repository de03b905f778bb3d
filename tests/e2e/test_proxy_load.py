#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Takes long.
"""Behind a proxy workers are replaced, and every byte is compared. No connection and no byte is
lost."""

import contextlib
import random
import socket
import ssl
import struct
import sys
import threading
import unittest
from pathlib import Path

import harness
from clients import HERE, client_socket
from harness import needs
from proxies import (FRONT, HAPROXY_CLOSES, PROXIED, PROXY, XFF, ProxyTestCase, fields,
                     needs_stream, source, sources, target)
from programs import BUILD
from world import DEADLINE_S, wait_for

# HAProxy sends health checks of its own, and stops sending clients after a single failed check.
CHECKED = "check inter 200ms fastinter 200ms downinter 10s fall 1"

TLS_WORKER = Path(__file__).parent / "tls_worker.py"
LIBRARY = BUILD / "libsticky.so.0"


class Reload(ProxyTestCase):
    """Workers are replaced under load through a proxy."""

    def check(self, instance, *, family="4", reloads=3, rate=2000):
        """Check that all connections are answered with 200, each by its slot, and none by an older
        worker than before."""
        before = self.counters(instance)["handed"]
        with self.load("--http", "--target", target(FRONT[family]), "--family", family,
                       rate=rate) as load:
            wait_for("load", lambda: self.counters(instance)["handed"] > before + 200)
            for generation in range(2, 2 + reloads):
                result = instance.run("reload", "--wait=drained")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(self.generations(instance), 4 * [generation])
        self.assert_nobody_lost(load.counts, least=300)
        self.assertEqual(len(load.counts["per_slot"]), 4)
        self.assert_counters(instance, answered_502=0, bad_proxy_header=0, head_timeout=0)
        return load.counts

    @needs("haproxy")
    def test_header(self):
        instance = self.serve_takers(*XFF)
        self.haproxy(*HAPROXY_CLOSES, server=CHECKED)
        self.check(instance)

    @needs("haproxy")
    def test_header_v6(self):
        instance = self.serve_takers(*XFF)
        self.haproxy(*HAPROXY_CLOSES, server=CHECKED)
        self.check(instance, family="6")

    @needs("haproxy")
    def test_v2(self):
        instance = self.serve_takers(*PROXIED)
        self.haproxy("option http-server-close", server=f"send-proxy-v2 {CHECKED}")
        self.check(instance)

    @needs("haproxy")
    def test_v2_tcp(self):
        instance = self.serve_takers(*PROXIED)
        self.haproxy(mode="tcp", server=f"send-proxy-v2 {CHECKED}")
        self.check(instance)

    @needs("nginx")
    def test_nginx(self):
        instance = self.serve_takers(*XFF)
        self.nginx()
        self.check(instance)

    @needs("haproxy")
    def test_all_at_once(self):
        instance = self.serve_takers(*PROXIED, "--reload-parallel", "4")
        self.haproxy(mode="tcp", server=f"send-proxy-v2 {CHECKED}")
        self.check(instance, reloads=5)

    @needs("haproxy")
    def test_old_first(self):
        """While the slot has no worker, its clients wait in the controller."""
        instance = self.serve_takers(*PROXIED, "--reload-order", "old-first",
                                     taker=("--ready-delay", "100"))
        self.haproxy(mode="tcp", server=f"send-proxy-v2 {CHECKED}")
        self.check(instance, reloads=2, rate=1000)

    @needs("haproxy")
    def test_trust_is_read_again_under_load(self):
        """The ranges are replaced while they are used. The proxy is in them all the time."""
        path = self.write("proxies", f"{PROXY}\n")
        instance = self.serve_takers("--behind-proxy", "xff", "--trusted-proxy", f"@{path}")
        self.haproxy(*HAPROXY_CLOSES, server=CHECKED)
        slots, expected = self.expected(instance, 256, "4")
        with self.load("--http", "--target", target(FRONT["4"]), "--expect", expected) as load:
            for turn in range(4):
                self.write("proxies", f"{PROXY}\n" + "".join(
                    f"10.{turn}.{number >> 8}.{number & 255}\n" for number in range(1000)))
                result = instance.run("reload", "--wait=drained")
                self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_nobody_lost(load.counts)
        self.assertEqual(load.counts["mismatched"], 0)


class Succession(ProxyTestCase):
    """The next controller passes connections to the existing workers."""

    def check_after(self, instance, pids):
        self.wait_all_ready(instance)
        self.assertEqual(self.pids(instance), pids)
        self.assert_each_on_its_own(instance, FRONT, 256)
        self.assertEqual(self.counters(instance)["answered_502"], 0)
        # The workers after them get connections, too, and none is left over.
        result = instance.run("reload", "--wait=drained")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_each_on_its_own(instance, FRONT, 256)
        self.assertEqual(instance.stop(), 0)

    def check_upgrade(self, instance):
        pids = self.pids(instance)
        for _ in range(2):
            result = instance.run("upgrade")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assert_each_on_its_own(instance, FRONT, 256)
        self.check_after(instance, pids)

    def check_takeover(self, instance):
        pids = self.pids(instance)
        self.kill_controller(instance)
        self.check_after(self.serve(*instance.arguments[2:]), pids)

    @needs("haproxy")
    def test_upgrade_by_header(self):
        self.haproxy(*HAPROXY_CLOSES)
        self.check_upgrade(self.serve_takers(*XFF))

    @needs("haproxy")
    def test_upgrade_by_v2(self):
        self.haproxy(mode="tcp", server="send-proxy-v2")
        self.check_upgrade(self.serve_takers(*PROXIED))

    def check_upgrade_under_load(self, instance):
        """Check that connections which arrive while the program is replaced wait in the
        dispatchers' queues."""
        with self.load("--http", "--target", target(FRONT["4"])) as load:
            for _ in range(3):
                before = self.counters(instance)["handed"]
                wait_for("load", lambda: self.counters(instance)["handed"] > before + 50)
                result = instance.run("upgrade")
                self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_nobody_lost(load.counts, least=200)
        self.assert_counters(instance, answered_502=0, bad_proxy_header=0)
        self.assertEqual(instance.stop(), 0)

    @needs("haproxy")
    def test_upgrade_by_header_under_load(self):
        instance = self.serve_takers(*XFF)
        self.haproxy(*HAPROXY_CLOSES)
        self.check_upgrade_under_load(instance)

    @needs("haproxy")
    def test_upgrade_by_v2_under_load(self):
        instance = self.serve_takers(*PROXIED)
        self.haproxy(mode="tcp", server="send-proxy-v2")
        self.check_upgrade_under_load(instance)

    @needs("haproxy")
    def test_takeover_by_header(self):
        self.haproxy(*HAPROXY_CLOSES)
        self.check_takeover(self.serve_takers(*XFF))

    @needs("haproxy")
    def test_takeover_by_v2(self):
        self.haproxy(mode="tcp", server="send-proxy-v2")
        self.check_takeover(self.serve_takers(*PROXIED))


class Checks(ProxyTestCase):
    """Health checks of HAProxy."""

    def check(self, instance, **wanted):
        wait_for("some checks", lambda: self.counters(instance)["dispatched"] >= 8)
        counts = self.many(FRONT["4"], 100, "4")
        self.assertEqual(counts["answered"], 100)
        counters = self.counters(instance)
        self.assertEqual({name: counters[name] for name in wanted}, wanted)
        self.assertEqual((counters["answered_502"], counters["head_timeout"],
                          counters["dropped"]), (0, 0, 0))

    @needs("haproxy")
    def test_http(self):
        instance = self.serve_takers(*XFF)
        self.haproxy("option httpchk GET /", *HAPROXY_CLOSES, server=CHECKED)
        self.check(instance, client_gone=0)

    def test_connect(self):
        """Other proxies connect, and close without sending a byte."""
        instance = self.serve_takers(*XFF)
        for _ in range(20):
            client_socket(HERE, PROXY).close()
        wait_for("all to be gone", lambda: self.counters(instance)["client_gone"] == 20)
        self.assertEqual(self.counters(instance)["handed"], 0)

    @needs("haproxy")
    def test_v1_local(self):
        instance = self.serve_takers(*PROXIED)
        self.haproxy(mode="tcp", server=f"send-proxy {CHECKED}")
        self.check(instance, bad_proxy_header=0)

    @needs("haproxy")
    def test_v2_local(self):
        """The command LOCAL has no client."""
        instance = self.serve_takers(*PROXIED)
        self.haproxy("option httpchk GET /", server=f"send-proxy-v2 {CHECKED}")
        self.check(instance, bad_proxy_header=0, client_gone=0)


def fnv_1a(text):
    """Returns the sum that tests/peers/taker.c computes."""
    total = 2166136261
    for byte in text:
        total = (total ^ byte) * 16777619 & 0xffffffff
    return f"{total:08x}"


def lines_of(stream):
    *lines, rest = stream.split(b"\n")
    assert not rest
    return [(len(line) + 1, fnv_1a(line + b"\n")) for line in lines]


def header_v1(client, server):
    family = "TCP6" if ":" in client[0] else "TCP4"
    return f"PROXY {family} {client[0]} {server[0]} {client[1]} {server[1]}\r\n".encode()


def header_v2(client, server):
    is_v6 = ":" in client[0]
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    addresses = b"".join(socket.inet_pton(family, each[0]) for each in (client, server))
    ports = struct.pack("!HH", client[1], server[1])
    return (b"\r\n\r\n\0\r\nQUIT\n\x21" + (b"\x21" if is_v6 else b"\x11") +
            struct.pack("!H", len(addresses + ports)) + addresses + ports)


class Bytes(ProxyTestCase):
    """The worker reads exactly the bytes that the client wrote, with or without the header before
    them."""

    SIZE = 100_000

    def payload(self, seed):
        """Returns lines of any length, with any bytes."""
        generator = random.Random(seed)
        parts, size = [], 0
        while size < self.SIZE:
            line = generator.randbytes(generator.choice((0, 1, 15, 16, 107, 232, 4000, 16384)))
            parts.append(line.replace(b"\n", b"\0") + b"\n")
            size += len(parts[-1])
        return b"".join(parts)

    def talk(self, instance, family, number, header):
        """Compare one conversation. header returns the bytes that the worker sees before the
        payload, from both addresses"""
        each, payload = source(family, number), self.payload(number)
        slot = instance.where(each)["slot"]
        with client_socket(FRONT[family], each) as client:
            expected = lines_of(header(client.getsockname()[:2], FRONT[family]) + payload)
            sender = threading.Thread(target=client.sendall, args=(payload,))
            sender.start()
            with client.makefile("r") as stream:
                answers = [fields(stream.readline()) for _ in expected]
            sender.join(DEADLINE_S)
        self.assertEqual([(answer["bytes"], answer["sum"]) for answer in answers], expected)
        self.assertEqual({(answer["client"], answer["slot"]) for answer in answers},
                         {(each, slot)})

    def check(self, instance, header):
        for family in FRONT:
            for number in range(8):
                self.talk(instance, family, number, header)
        self.assertEqual(self.counters(instance)["bad_proxy_header"], 0)

    def check_both(self, header):
        strips = self.serve_takers(*PROXIED, taker=("--stay",))
        self.check(strips, lambda *addresses: b"")
        self.assertEqual(strips.stop("--now"), 0)
        self.check(self.serve_takers(*PROXIED, "--proxy-header", "keep",
                                     taker=("--stay",)), header)

    @needs("haproxy")
    def test_v1(self):
        self.haproxy(mode="tcp", server="send-proxy")
        self.check_both(header_v1)

    @needs("haproxy")
    def test_v2(self):
        self.haproxy(mode="tcp", server="send-proxy-v2")
        self.check_both(header_v2)

    @needs("nginx")
    @needs_stream()
    def test_nginx_v1(self):
        self.nginx_stream()
        self.check_both(header_v1)

    def test_byte_by_byte(self):
        """Each byte of the header is a packet of its own. The data follow with the last one."""
        for header in (header_v1, header_v2):
            instance = self.serve_takers(*PROXIED)
            text = header(("192.0.2.9", 77), ("127.0.0.1", 3000))
            with client_socket(HERE, PROXY) as client, client.makefile("r") as stream:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for byte in text[:-1]:
                    client.sendall(bytes([byte]))
                wait_for("it to wait for more", lambda: self.counters(instance)[
                    "pending_heads"] == 1)
                client.sendall(text[-1:] + b"hello\n")
                answer = fields(stream.readline())
            self.assertEqual((answer["client"], answer["bytes"], answer["sum"]),
                             ("192.0.2.9", 6, fnv_1a(b"hello\n")))
            self.assertEqual(instance.stop("--now"), 0)


def has_sanitizer():
    """Was the library built with AddressSanitizer? Python can't load it then."""
    return LIBRARY.exists() and b"__asan_init" in LIBRARY.read_bytes()


class Tls(ProxyTestCase):
    """TLS is between the client and its worker: the proxy and stickyctl pass its bytes on."""

    def make_certificate(self):
        path = self.dir / "worker.pem"
        result = self.run_program(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", path, "-out", self.dir / "certificate.pem", "-days", "1",
            "-subj", "/CN=worker", "-addext", "subjectAltName=DNS:worker")
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(path, "a", encoding="ascii") as both:
            both.write((self.dir / "certificate.pem").read_text())
        return path

    def ask(self, context, family, each):
        with contextlib.closing(client_socket(FRONT[family], each)) as client:
            with context.wrap_socket(client, server_hostname="worker") as stream:
                with stream.makefile("r") as lines:
                    return fields(lines.readline())

    @needs("haproxy", "openssl")
    @unittest.skipIf(has_sanitizer(), "libsticky.so needs AddressSanitizer's runtime")
    def test_tls(self):
        certificate = self.make_certificate()
        context = ssl.create_default_context(cafile=self.dir / "certificate.pem")
        instance = self.serve("-w", "4", "-l", "127.0.0.1:3000", "--ready", "notify", *PROXIED,
                              "--", sys.executable, "-B", TLS_WORKER, LIBRARY, certificate)
        self.haproxy(mode="tcp", server=f"send-proxy-v2 {CHECKED}")
        for family in FRONT:
            slots, _ = self.expected(instance, 40, family)
            for each in sources(40, family):
                self.assertEqual(self.ask(context, family, each),
                                 {"slot": slots[each], "client": each})
        self.assertEqual(self.counters(instance)["bad_proxy_header"], 0)


if __name__ == "__main__":
    harness.main()
