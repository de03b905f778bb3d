#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Only proxies that are trusted are believed about their clients."""

import contextlib
import socket

import harness
from clients import client_socket
from harness import needs
from lifecycle import Line
from proxies import (BACKEND, DIRECT, FRONT, HAPROXY_CLOSES, LISTENERS, PROXIED, PROXY, XFF,
                     ProxyTestCase, get, source, sources)
from programs import USAGE
from world import wait_for

BAD_FILE = 78    # of the exit codes in README.md
COUNT = 100      # clients that are looked at one by one
MANY = 1000
PUBLIC = "203.0.113.0/24"

SAMPLE_ONE_IN = 256  # src/handoff/frontend.c
SAMPLES_TO_WARN = 5
# On average there are 60 samples by then. Fewer than 5 occur once in 10^18 runs.
ENOUGH = 60 * SAMPLE_ONE_IN

FORGED = "X-Forwarded-For: 192.0.2.77"
FORGED_V1 = b"PROXY TCP4 192.0.2.77 127.0.0.1 4321 3000\r\n"
FORGED_V2 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("192.0.2.77") +
             socket.inet_aton(PROXY) + bytes((16, 0xe1, 11, 0xb8)))


class Forged(ProxyTestCase):
    """Clients that claim to be another client. If they were believed, all would be on that client's
    worker."""

    def check(self, instance, family, ask):
        """Check that the claim is ignored. ask returns a client's answer, from its address"""
        slots, _ = self.expected(instance, COUNT, family)
        self.assertEqual(set(slots.values()), set(range(4)))
        for each, slot in slots.items():
            answer = ask(each)
            self.assertEqual((answer["slot"], answer["client"]), (slot, each))

    def check_direct(self, instance, *headers, family="4"):
        self.check(instance, family, lambda each: get(DIRECT[family], each, *headers))

    def test_header(self):
        instance = self.serve_takers(*XFF)
        for family in DIRECT:
            self.check_direct(instance, FORGED, family=family)
        # The naive way: a trusted peer is believed.
        self.assertEqual(get(BACKEND, PROXY, FORGED)["client"], "192.0.2.77")

    def test_proxy_header(self):
        """To the worker, the header is data of the client, which arrive unchanged."""
        instance = self.serve_takers(*PROXIED)

        def ask(each, family="4"):
            line = Line(self, each, DIRECT[family])
            answer = line.ask(FORGED_V1[:-1].decode())
            self.assertEqual(answer["bytes"], len(FORGED_V1))
            line.socket.close()
            return answer

        self.check(instance, "4", ask)
        self.check(instance, "6", lambda each: ask(each, "6"))
        for header in (FORGED_V1, FORGED_V2):
            answer = get(BACKEND, PROXY, before=header)
            self.assertEqual(answer["client"], "192.0.2.77")

    @needs("haproxy")
    def test_header_through_haproxy(self):
        """HAProxy adds a header line of its own behind the client's."""
        instance = self.serve_takers(*XFF)
        self.haproxy(*HAPROXY_CLOSES)
        for family, address in FRONT.items():
            self.check(instance, family, lambda each, to=address: get(to, each, FORGED))

    @needs("nginx")
    def test_header_through_nginx(self):
        """nginx appends to the client's header line."""
        instance = self.serve_takers(*XFF)
        self.nginx()
        for family, address in FRONT.items():
            self.check(instance, family, lambda each, to=address: get(to, each, FORGED))

    @needs("haproxy")
    def test_proxy_header_through_haproxy(self):
        """HAProxy's own header comes first. The client's header is data for the worker."""
        instance = self.serve_takers(*PROXIED)
        self.haproxy(server="send-proxy-v2", mode="tcp")

        def ask(each):
            line = Line(self, each, FRONT["4"])
            answer = line.ask(FORGED_V1[:-1].decode())
            self.assertEqual(answer["bytes"], len(FORGED_V1))
            line.socket.close()
            return answer

        self.check(instance, "4", ask)

    @needs("nginx")
    def test_another_header(self):
        """The text that clients write into X-Forwarded-For has no effect then."""
        instance = self.serve_takers(*XFF, "--client-ip-header", "X-Real-IP")
        self.nginx("proxy_set_header X-Real-IP $remote_addr;")
        for family, address in FRONT.items():
            self.check(instance, family, lambda each, to=address: get(
                to, each, FORGED, "X-Real-IP: 192.0.2.78"))
            self.assert_each_on_its_own(instance, {family: address}, MANY)

    @needs("haproxy", "nginx")
    def test_two_in_a_row(self):
        """The first proxy is not trusted, so it counts as the client, whatever it claims."""
        instance = self.serve_takers(*XFF)
        self.nginx(port=8081)
        self.haproxy(*HAPROXY_CLOSES, backend=("127.0.0.1", 8081), server="source 127.77.0.1")
        slot = instance.where("127.77.0.1")["slot"]
        for each in sources(COUNT):
            answer = get(FRONT["4"], each)
            self.assertEqual((answer["slot"], answer["client"]), (slot, "127.77.0.1"))


class File(ProxyTestCase):
    """--trusted-proxy @FILE, which is read again at each reload."""

    def write_ranges(self, *lines):
        return self.write("proxies", "".join(f"{line}\n" for line in lines))

    def serve_by_file(self, *arguments, lines):
        return self.serve_takers(*arguments, "--trusted-proxy", f"@{self.write_ranges(*lines)}")

    def assert_trusted(self, instance):
        self.assert_each_on_its_own(instance, FRONT, COUNT)

    def assert_not_trusted(self, instance):
        """Check that all clients are counted as the proxy."""
        slot = instance.where(PROXY)["slot"]
        for family, address in FRONT.items():
            counts = self.many(address, COUNT, family)
            self.assertEqual((counts["answered"], counts["per_slot"]),
                             (COUNT, {str(slot): COUNT}))

    def reload(self, instance):
        result = instance.run("reload", "--wait=drained")
        self.assertEqual(result.returncode, 0, result.stderr)

    def check(self, instance):
        self.assert_not_trusted(instance)
        self.write_ranges("# ours", "", "192.0.2.0/24", f"{PROXY}/32  # HAProxy")
        self.assert_not_trusted(instance)
        self.reload(instance)
        self.assert_trusted(instance)
        self.write_ranges("2001:db8::1")
        self.assert_trusted(instance)
        self.reload(instance)
        self.assert_not_trusted(instance)

    @needs("haproxy")
    def test_header(self):
        self.haproxy(*HAPROXY_CLOSES)
        self.check(self.serve_by_file("--behind-proxy", "xff", lines=["192.0.2.0/24"]))

    @needs("haproxy")
    def test_proxy_protocol(self):
        # In TCP mode: to a worker that sees it, the header is a line.
        self.haproxy(server="send-proxy", mode="tcp")
        self.check(self.serve_by_file("--behind-proxy", "proxy", lines=["192.0.2.0/24"]))

    def check_bad(self, instance, *words):
        """Check that nothing changes: neither the workers nor the trusted proxies."""
        before = self.pids(instance)
        result = instance.run("reload", "--wait")
        self.assert_message(result, "--trusted-proxy", *words, code=BAD_FILE)
        self.assertEqual(self.pids(instance), before)
        self.assertEqual(self.generations(instance), 4 * [1])
        self.assert_trusted(instance)

    @needs("haproxy")
    def test_bad_file(self):
        self.haproxy(*HAPROXY_CLOSES)
        instance = self.serve_by_file("--behind-proxy", "xff", lines=[PROXY])
        path = self.dir / "proxies"
        self.assert_trusted(instance)
        for line in ("127.0.0.1/33", "proxy.example", "::ffff:10.0.0.0/8", "1.2.3",
                     "10.0.0.0/8 127.0.0.1", "10.0.0.0/8, 127.0.0.1"):
            with self.subTest(line):
                self.write_ranges("192.0.2.1", "# and", line, "192.0.2.2")
                self.check_bad(instance, f"{path}:3:", "not a range")
        self.write_ranges(*(f"10.{number >> 8}.{number & 255}.0/24" for number in range(16385)))
        self.check_bad(instance, "16384")
        path.unlink()
        self.check_bad(instance, str(path), "No such file")
        self.write_ranges("192.0.2.1")
        self.reload(instance)
        self.assert_not_trusted(instance)

    def test_bad_file_at_the_start(self):
        path = self.write_ranges("192.0.2.1", "192.0.2.1/x")
        result = self.stickyctl("start", *LISTENERS, *XFF, "--trusted-proxy", f"@{path}",
                                "--", "true")
        self.assert_message(result, "--trusted-proxy", f"{path}:2:", code=BAD_FILE)

    def test_bad_word_at_the_start(self):
        result = self.stickyctl("start", *LISTENERS, *XFF, "--trusted-proxy", "192.0.2.1/x",
                                "--", "true")
        self.assert_message(result, "--trusted-proxy", "192.0.2.1/x", code=USAGE)


class Name(ProxyTestCase):
    """--client-ip-header, in a file that is read again at each reload."""

    def write_name(self, name):
        return self.write("sticky.yaml", f"client_ip_header: {name}\n")

    @needs("nginx")
    def test_reload(self):
        self.nginx("proxy_set_header X-Real-IP $remote_addr;")
        instance = self.serve_takers("-c", self.write_name("X-Forwarded-For"), *XFF)
        each = source("4", 7)
        # If a client writes a header that the proxy does not set, it is believed: so the name
        # matters.
        self.assertEqual(get(FRONT["4"], each, FORGED)["client"], "192.0.2.77")
        self.write_name("x-real-ip")
        result = instance.run("reload", "--wait")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(get(FRONT["4"], each, FORGED)["client"], each)
        self.assert_each_on_its_own(instance, FRONT, COUNT)
        self.write_name("'X Real IP'")
        result = instance.run("reload", "--wait")
        self.assert_message(result, "sticky.yaml:1", "client_ip_header", code=BAD_FILE)
        self.assert_each_on_its_own(instance, FRONT, COUNT)


class Forgotten(ProxyTestCase):
    """A proxy on a public address is missing in --trusted-proxy. This is logged after a while,
    once."""

    def serve_public(self, *arguments):
        self.local_route(PUBLIC)
        return self.serve_takers(*arguments)

    def check_warned(self, instance, peer):
        line, = instance.log_lines("untrusted_proxy")
        self.assertEqual((line.level, line.fields["peer"]), ("warn", peer))
        self.assertIn("--trusted-proxy", line.fields["so"])
        counters = self.counters(instance)
        self.assertGreaterEqual(counters["dispatched"], SAMPLES_TO_WARN)
        self.assertLess(counters["dispatched"], ENOUGH / SAMPLE_ONE_IN * 4)
        wait_for("all to be taken", lambda: self.counters(instance)["handed"] ==
                 counters["dispatched"])

    def check(self, instance, peer):
        """Check that all clients are on the proxy's own worker, also those that were sampled."""
        slot = instance.where(peer)["slot"]
        counts = self.many(FRONT["4"], MANY, "4", "--connections", ENOUGH // MANY)
        self.assertEqual((counts["answered"], counts["per_slot"]),
                         (counts["connections"], {str(slot): counts["connections"]}))

    @needs("haproxy")
    def test_header(self):
        instance = self.serve_public(*XFF)
        self.haproxy(*HAPROXY_CLOSES, server="source 203.0.113.9")
        self.check(instance, "203.0.113.9")
        self.check_warned(instance, "203.0.113.9")
        self.check(instance, "203.0.113.9")
        self.check_warned(instance, "203.0.113.9")

    @needs("haproxy")
    def test_proxy_protocol(self):
        instance = self.serve_public(*PROXIED)
        self.haproxy(server="send-proxy-v2 source 203.0.113.9", mode="tcp")
        self.check(instance, "203.0.113.9")
        self.check_warned(instance, "203.0.113.9")

    def check_not_warned(self, instance):
        self.assertGreaterEqual(self.counters(instance)["dispatched"], SAMPLES_TO_WARN)
        self.assertEqual(instance.log_lines("untrusted_proxy"), [])

    @needs("haproxy")
    def test_private_address(self):
        """The proxy is in a private network: its address is not one of the Internet."""
        instance = self.serve_takers(*XFF)
        self.haproxy(*HAPROXY_CLOSES, server="source 127.77.0.1")
        self.check(instance, "127.77.0.1")
        self.check_not_warned(instance)

    @needs("haproxy")
    def test_nothing_said(self):
        """The connections name no other client: this is a client with many connections, or a router
        with many clients behind it."""
        instance = self.serve_public(*XFF)
        self.haproxy("option http-server-close", server="source 203.0.113.9")
        self.check(instance, "203.0.113.9")
        self.check_not_warned(instance)

    def test_server_speaks_first(self):
        """A client that waits for the server's first bytes does not wait much longer."""
        instance = self.serve_takers(*PROXIED)
        with contextlib.ExitStack() as stack:
            # One of them is a sample, except in one run of 10^5.
            for _ in range(12 * SAMPLE_ONE_IN):
                stack.enter_context(client_socket(BACKEND, "127.77.0.1"))
            self.assertGreater(self.counters(instance)["dispatched"], 0)
            wait_for("all to be taken", lambda: self.counters(instance)["handed"] ==
                     self.counters(instance)["dispatched"], 5)


if __name__ == "__main__":
    harness.main()
