#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who the client is, out of the first bytes that a proxy sends, however they come: always the
right slot, and every byte for the worker."""

import re
import socket
import time

import harness
from clients import read_all
from passing import (LINE, PROXY, PROXY_V2, TLS_HELLO, XFF, PassingTestCase, forwarded, fnv, parse,
                     proxy_v1, proxy_v2, request)
from world import scaled

CLIENT = "203.0.113.77"
CLIENT6 = "2001:db8:7::5"
PROXIES_OWN = "127.0.0.1"
SLOTS = 4


def as_balancers_read(first):
    """Whom sticky-listen 3.3.0 takes for the client: what is behind the name, wherever it is, in
    the first packet, up to the line's end and without two characters."""
    found = re.search(rb"x-forwarded-for", first, re.IGNORECASE)
    if not found:
        return None
    return first[found.end() + 2:].split(b"\n")[0].decode(errors="replace")


class Heads(PassingTestCase):
    """What all have in common: splits."""

    def serve_heads(self, *arguments, **options):
        return self.serve_takers(SLOTS, "--head-timeout", "60s", *arguments, **options)

    def check_every_split(self, instance, text, decided, client, seen=None):
        """A connection for each place to split `text` at, all at once. The first part is
        surely peeked before the second is sent: it counts among those that have not said enough.

        decided  how many bytes tell who the client is
        seen     what the worker must have read
        """
        seen = text if seen is None else seen
        clients = [self.open(text=text[:end]) for end in range(1, len(text))]
        self.wait_pending(instance, min(decided, len(text)) - 1)
        for end, each in enumerate(clients, 1):
            each.sendall(text[end:])
        answers = [parse(answer or b"") for answer, _ in self.collect(clients)]
        wanted = [(instance.where(client)["slot"], client, len(seen), fnv(seen))]
        for end, answer in enumerate(answers, 1):
            self.assertEqual([(each["slot"], each["client"], each["bytes"], each["sum"])
                              for each in answer], wanted, f"split behind {end} bytes")
        self.assertEqual(self.counters(instance, "pending_heads", "client_gone"), (0, 0))

    def assert_client(self, instance, text, client, source=None, naive=False):
        """Whom the worker is told, by the right slot, and all of the bytes.

        naive  what a first packet with these bytes is read as elsewhere, to see that it matters
        """
        answers = self.ask_taker(text, source)
        self.assert_read(answers, text)
        self.assertEqual({each["client"] for each in answers}, {client}, text)
        self.assertEqual(answers[0]["slot"], instance.where(client)["slot"])
        if naive is not False:
            self.assertEqual(as_balancers_read(text), naive)


class Forwarded(Heads):
    """--behind-proxy=xff."""

    def test_every_split(self):
        instance = self.serve_heads(*XFF)
        # Of another slot than the proxy's: or a mistake would not be seen.
        own = instance.where(PROXIES_OWN)["slot"]
        client, = self.public_of(instance, (own + 1) % SLOTS)
        text = forwarded(client)
        self.check_every_split(instance, text, len(text), client)
        # The naive way: of these first packets it understands few, and some wrongly.
        read = [as_balancers_read(text[:end]) for end in range(1, len(text))]
        self.assertGreater(read.count(None), len(text) / 3)
        self.assertGreater(sum(each is not None and each != client for each in read), 10)

    def test_every_split_of_ipv6(self):
        instance = self.serve_heads(*XFF)
        text = forwarded(CLIENT6)
        self.check_every_split(instance, text, len(text), CLIENT6)

    def test_byte_by_byte(self):
        instance = self.serve_heads(*XFF)
        text = forwarded(CLIENT)
        client = self.open(text=text[:1])
        self.wait_pending(instance, 1)
        for byte in text[1:]:
            client.sendall(bytes([byte]))
        answer, = parse(read_all(client))
        self.assertEqual((answer["client"], answer["bytes"], answer["sum"]),
                         (CLIENT, len(text), fnv(text)))
        self.assertEqual(answer["slot"], instance.where(CLIENT)["slot"])

    def test_how_it_is_written(self):
        """What the modules that we replace read wrongly."""
        instance = self.serve_heads(*XFF)
        for line, client, naive in (
                (f"X-Forwarded-For:{CLIENT}", CLIENT, CLIENT[1:] + "\r"),
                (f"x-forwarded-FOR:\t {CLIENT} ", CLIENT, f" {CLIENT} \r"),
                (f"X-Forwarded-For: {CLIENT}, 10.0.0.1", CLIENT, f"{CLIENT}, 10.0.0.1\r"),
                (f"X-Forwarded-For: {CLIENT}, 10.0.0.2, 10.9.9.9", CLIENT,
                 f"{CLIENT}, 10.0.0.2, 10.9.9.9\r"),
                (f"X-Forwarded-For: 6.6.6.6, {CLIENT}", CLIENT, f"6.6.6.6, {CLIENT}\r"),
                (f"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: {CLIENT}", CLIENT, "6.6.6.6\r"),
                (f"X-Forwarded-For: {CLIENT6}", CLIENT6, f"{CLIENT6}\r"),
                ("X-Forwarded-For-Evil: 6.6.6.6", PROXIES_OWN, "vil: 6.6.6.6\r"),
                ("Evil-X-Forwarded-For: 6.6.6.6", PROXIES_OWN, "6.6.6.6\r"),
                ("X-Forwarded-For: unknown", PROXIES_OWN, "unknown\r"),
                ("X-Forwarded-For:", PROXIES_OWN, ""),
                ("Accept: */*", PROXIES_OWN, None)):
            with self.subTest(line=line):
                self.assert_client(instance, request(line), client, naive=naive)

    def test_a_body_is_no_head(self):
        instance = self.serve_heads(*XFF)
        body = b"X-Forwarded-For: 6.6.6.6\r\n"
        head = request(f"Content-Length: {len(body)}", close=False)
        self.assert_client(instance, head + body, PROXIES_OWN, naive="6.6.6.6\r")
        head = request(f"X-Forwarded-For: {CLIENT}", f"Content-Length: {len(body)}", close=False)
        self.assert_client(instance, head + body, CLIENT)

    def test_a_client_who_says_it_is_another(self):
        """Only who is trusted is believed."""
        instance = self.serve_heads(*XFF, "--trusted-proxy", "127.0.0.1")
        for number in range(1, 9):
            source = f"127.9.0.{number}"
            self.assert_client(instance, forwarded(CLIENT), source, source)
            self.assert_client(instance, forwarded(f"{CLIENT}, {source}"), source)
        # The proxy's 8 are dispatched, the clients' 8 are steered. But the program sends one in 256
        # clients to a dispatcher as a sample: then one more is dispatched, and one less steered.
        dispatched, steered = self.counters(instance, "dispatched", "steered")
        self.assertEqual(dispatched + steered, 16, "each connection once")
        self.assertIn(dispatched, (8, 9, 10), "the proxy's, and hardly ever a sample")

    def test_what_comes_behind_the_head(self):
        """Nothing of it is touched: pipelined requests, an upgrade with its first frames, HTTP/2
        by prior knowledge (whose fields can't be read: the peer's address)."""
        instance = self.serve_heads(*XFF)
        upgrade = request(f"X-Forwarded-For: {CLIENT}", "Upgrade: websocket",
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                          "Connection: Upgrade", close=False)
        frames = bytes(range(128, 256)) * 20 + b"\n"
        for text, client in (
                (forwarded(CLIENT, close=False) * 3 + forwarded(CLIENT), CLIENT),
                (forwarded(CLIENT, close=False) + forwarded("203.0.113.1"), CLIENT),
                (upgrade + frames, CLIENT),
                (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\n", PROXIES_OWN)):
            with self.subTest(text=text[:80]):
                self.assert_client(instance, text, client)
                # The same in two packets.
                for end in (1, len(text) // 2, len(text) - 1):
                    connection = self.open(text=text[:end])
                    if end == 1:
                        self.wait_pending(instance, 1)
                    connection.sendall(text[end:])
                    connection.shutdown(socket.SHUT_WR)
                    answers = parse(read_all(connection))
                    self.assert_read(answers, text)
                    self.assertEqual(answers[0]["client"], client)

    def test_a_head_that_is_too_long(self):
        """What is behind 64 KiB (CONNECTION_HEAD_SIZE_MAX) is not waited for."""
        instance = self.serve_heads(*XFF)
        for pad in (16000, 16384, 40000, 60000):
            with self.subTest(pad=pad):
                text = request("Cookie: " + "x" * pad, f"X-Forwarded-For: {CLIENT}")
                self.assert_client(instance, text, CLIENT)
        # One that is never finished is the worker's to refuse.
        endless = self.open(text=b"GET / HTTP/1.1\r\nCookie: " + b"x" * 70000)
        self.wait_counters(instance, handed=5, pending_heads=0)
        endless.close()

    def test_a_head_that_is_too_long_is_reported(self):
        """Its client is not found: all of such clients are with the proxy's own worker."""
        instance = self.serve_heads(*XFF)
        own = instance.where(PROXIES_OWN)["slot"]
        client, = self.public_of(instance, (own + 1) % SLOTS)
        text = request("Cookie: " + "x" * 70000, f"X-Forwarded-For: {client}")
        for _ in range(12):
            self.open(text=text)
        self.wait_counters(instance, handed=12, head_too_long=12)
        self.assertEqual(instance.workers()[own]["handed"], 12)
        line, = instance.log_lines("head_too_long")
        self.assertEqual((line.level, line.fields["peer"], line.fields["more"]),
                         ("warn", PROXIES_OWN, "0"))
        self.assertIn("65536 bytes", line.fields["why"])
        self.assertIn("--trusted-proxy", line.fields["hint"])
        self.assertIn("too long 12,", instance.run("status").stdout)
        # The counter is not this process's alone.
        self.assertEqual(instance.run("upgrade").returncode, 0)
        self.assertEqual(self.counters(instance, "head_too_long"), (12,))

    def test_a_long_head_of_a_stranger(self):
        """The kernel places it, but for samples: nothing is reported."""
        instance = self.serve_heads(*XFF, "--trusted-proxy", "10.0.0.0/8")
        self.open(text=request("Cookie: " + "x" * 70000))
        self.wait_counters(instance, steered=1, head_too_long=0)

    def test_what_is_no_http(self):
        instance = self.serve_heads(*XFF)
        for text in (LINE, TLS_HELLO + b"\n", b"\0\1\2\xff\n", b"SSH-2.0-OpenSSH_9.2\r\n",
                     b"\x16\n", PROXY_V2 + b"\n", proxy_v1(CLIENT), b"GET /\r\n"):
            with self.subTest(text=text):
                self.assert_client(instance, text, PROXIES_OWN)
        # The first bytes of a TLS hello say it, the rest may take its time.
        client = self.open(text=TLS_HELLO[:3])
        self.wait_counters(instance, handed=9, pending_heads=0)
        client.sendall(TLS_HELLO[3:] + b"\n")
        client.shutdown(socket.SHUT_WR)
        answer, = parse(read_all(client))
        self.assertEqual((answer["client"], answer["bytes"]), (PROXIES_OWN, 11))

    def test_those_that_reset(self):
        """While nobody knows yet who they are."""
        instance = self.serve_heads(*XFF)
        descriptors = instance.descriptors()
        clients = [self.open(text=forwarded(CLIENT)[:number % 60]) for number in range(200)]
        self.wait_pending(instance, 200)
        for client in clients:
            client.close()  # SO_LINGER 0: a reset
        self.wait_counters(instance, client_gone=200, pending_heads=0)
        self.assertEqual(self.asked(forwarded(CLIENT))["client"], CLIENT)
        self.assertEqual(self.counters(instance, "handed"), (1,))
        instance.wait_descriptors(descriptors)

    def test_half_closed(self):
        instance = self.serve_heads(*XFF)
        text = forwarded(CLIENT)
        # Behind a whole head, at once and once it was waited for.
        for end in (len(text), 20):
            client = self.open(text=text[:end])
            if end < len(text):
                self.wait_pending(instance, 1)
                client.sendall(text[end:])
            client.shutdown(socket.SHUT_WR)
            answer, = parse(read_all(client))
            self.assertEqual((answer["client"], answer["sum"]), (CLIENT, fnv(text)))
        # In the middle: no more will come, so it is the worker's to say what it thinks of it.
        for waits in (True, False):
            handed, = self.counters(instance, "handed")
            client = self.open(text=text[:20])
            if waits:
                self.wait_pending(instance, 1)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(client), b"")
            self.wait_counters(instance, handed=handed + 1, pending_heads=0)
        # Without a word: it has gone.
        for waits in (True, False):
            client = self.open()
            if waits:
                self.wait_pending(instance, 1)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(client), b"")
        self.wait_counters(instance, client_gone=2, pending_heads=0, handed=4)


class Proxied(Heads):
    """--behind-proxy=proxy."""

    def test_every_split(self):
        instance = self.serve_heads(*PROXY)
        text = request()
        for client in (CLIENT, CLIENT6):
            for head in (proxy_v1(client), proxy_v2(client)):
                with self.subTest(head=head):
                    self.check_every_split(instance, head + text, len(head), client, seen=text)

    def test_every_split_where_it_is_kept(self):
        instance = self.serve_heads(*PROXY, "--proxy-header", "keep")
        for head in (proxy_v1(CLIENT), proxy_v2(CLIENT)):
            text = head + request()
            clients = [self.open(text=text[:end]) for end in range(1, len(text))]
            self.wait_pending(instance, len(head) - 1)
            for end, each in enumerate(clients, 1):
                each.sendall(text[end:])
            for answer, _ in self.collect(clients):
                answers = parse(answer)
                self.assert_read(answers, text)
                self.assertEqual({each["client"] for each in answers}, {CLIENT})

    def test_byte_by_byte(self):
        instance = self.serve_heads(*PROXY)
        for head in (proxy_v1(CLIENT), proxy_v2(CLIENT)):
            client = self.open(text=head[:1])
            self.wait_pending(instance, 1)
            for byte in head[1:] + request():
                client.sendall(bytes([byte]))
            answer, = parse(read_all(client))
            self.assertEqual((answer["client"], answer["sum"]), (CLIENT, fnv(request())))
            self.assertEqual(answer["slot"], instance.where(CLIENT)["slot"])

    def test_what_comes_behind(self):
        """TLS, HTTP/2, a header's text: not one byte more is taken out than the header has."""
        instance = self.serve_heads(*PROXY)
        for head in (proxy_v1(CLIENT), proxy_v2(CLIENT)):
            for text in (TLS_HELLO + b"\n", proxy_v1(CLIENT6), head + b"\n", LINE * 3,
                         forwarded("6.6.6.6"), b"x" * 40000 + b"\n"):
                answers = self.ask_taker(head + text)
                self.assert_read(answers, text)
                self.assertEqual({each["client"] for each in answers}, {CLIENT})
                self.assertEqual(answers[0]["slot"], instance.where(CLIENT)["slot"])

    def test_the_proxy_for_itself(self):
        """Health checks: UNKNOWN, LOCAL."""
        instance = self.serve_heads(*PROXY)
        for head in (b"PROXY UNKNOWN\r\n", PROXY_V2 + b"\x20\0\0\0"):
            answer = self.asked(head + request())
            self.assertEqual((answer["client"], answer["sum"]), (PROXIES_OWN, fnv(request())))
        self.assertEqual(self.counters(instance, "bad_proxy_header"), (0,))

    def test_missing_or_wrong(self):
        instance = self.serve_heads(*PROXY)
        wrong = (request(), forwarded(CLIENT), TLS_HELLO, LINE, b"\0", b"PROXY TCP4 1.2.3.4\r\n",
                 b"PROXY TCP4 1.2.3.400 1.2.3.4 1 2\r\n", b"PROXY " + b"x" * 200,
                 b"PROXY\tTCP4", PROXY_V2 + b"\x11\x11\0\x0c" + bytes(12),
                 PROXY_V2 + b"\x21\x11\0\x01" + bytes(12), PROXY_V2[:11] + b"X")
        for number, text in enumerate(wrong, 1):
            with self.subTest(text=text):
                client = self.open(text=text)
                self.assertTrue(is_ended(client))
                self.wait_counters(instance, bad_proxy_header=number)
        # One that comes in two parts, the second of which spoils it; and one that breaks off.
        client = self.open(text=b"PROXY TCP4 ")
        self.wait_pending(instance, 1)
        client.sendall(b"nonsense\r\n")
        self.assertTrue(is_ended(client))
        client = self.open(text=proxy_v2(CLIENT)[:20])
        self.wait_pending(instance, 1)
        client.shutdown(socket.SHUT_WR)
        self.assertTrue(is_ended(client))
        self.wait_counters(instance, bad_proxy_header=len(wrong) + 2, pending_heads=0, handed=0)
        self.assertEqual(self.asked(proxy_v1(CLIENT) + request())["client"], CLIENT)

    def test_a_wrong_header_is_logged(self):
        """Once for all in a while: who sent it, what is wrong, and what helps."""
        instance = self.serve_heads(*PROXY)
        for _ in range(12):
            self.assertTrue(is_ended(self.open(text=request())))
        self.wait_counters(instance, bad_proxy_header=12)
        line, = instance.log_lines("bad_proxy_header")
        self.assertEqual((line.level, line.fields["peer"], line.fields["more"]),
                         ("warn", PROXIES_OWN, "0"))
        self.assertEqual(line.fields["why"], "no PROXY header")
        for words in ("check-send-proxy", "--trusted-proxy"):
            self.assertIn(words, line.fields["hint"])

    def test_a_header_that_breaks_off_is_logged(self):
        instance = self.serve_heads(*PROXY)
        client = self.open(text=proxy_v1(CLIENT)[:10])
        self.wait_pending(instance, 1)
        client.shutdown(socket.SHUT_WR)
        self.assertTrue(is_ended(client))
        self.wait_counters(instance, bad_proxy_header=1)
        line, = instance.log_lines("bad_proxy_header")
        self.assertIn("ends within", line.fields["why"])

    def test_a_client_who_says_it_is_another(self):
        """From others it is a client's text like any other."""
        instance = self.serve_heads(*PROXY, "--trusted-proxy", "127.0.0.1")
        for number in range(1, 9):
            source = f"127.9.0.{number}"
            self.assert_client(instance, proxy_v1(CLIENT) + request(), source, source)


class Slow(Heads):
    """--head-timeout."""

    TIMEOUT_S, LATE_S, EARLY_S = 0.3, 0.2, 0.002

    def test_in_its_time(self):
        for how, slow in ((XFF, forwarded(CLIENT)[:-1]), (PROXY, proxy_v1(CLIENT)[:-1])):
            instance = self.serve_takers(2, *how, "--head-timeout", "300ms")
            clients, began = [], []
            for number in range(100):
                began.append(time.monotonic())
                # Those that say nothing, those that say too little.
                clients.append(self.open(text=b"" if number % 2 else slow))
            results = self.collect_ends(clients)
            waited = [end - start for end, start in zip(results, began)]
            self.assertGreaterEqual(min(waited), self.TIMEOUT_S - self.EARLY_S)
            self.assertLess(max(waited), self.TIMEOUT_S + scaled(self.LATE_S))
            self.wait_counters(instance, head_timeout=100, pending_heads=0, handed=0)
            self.assertEqual(instance.stop(), 0)

    def collect_ends(self, clients):
        """When each connection ended, by its end or a reset."""
        return [when for _, when in self.collect(clients)]

    def test_one_that_keeps_talking(self):
        """Its time is up all the same: it is the head's."""
        self.serve_takers(2, *XFF, "--head-timeout", "300ms")
        began = time.monotonic()
        client = self.open(text=b"GET / HTTP/1.1\r\n")
        client.settimeout(0.02)
        while time.monotonic() < began + 5:
            try:
                client.sendall(b"X")
                if not client.recv(1):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        self.assertGreaterEqual(time.monotonic() - began, self.TIMEOUT_S - self.EARLY_S)
        self.assertLess(time.monotonic() - began, self.TIMEOUT_S + scaled(self.LATE_S + 0.02))

    def test_a_preconnect_is_fine_until_then(self):
        instance = self.serve_takers(2, *XFF, "--head-timeout", "2s")
        clients = [self.open() for _ in range(20)]
        self.wait_pending(instance, 20)
        time.sleep(0.5)  # as a browser's that is used later
        for client in clients:
            client.sendall(forwarded(CLIENT))
        for answer, _ in self.collect(clients):
            self.assertEqual(parse(answer)[0]["client"], CLIENT)
        self.assertEqual(self.counters(instance, "head_timeout", "client_gone"), (0, 0))


def is_ended(client):
    """The end, or a reset where it had sent what nobody read."""
    try:
        return not read_all(client)
    except ConnectionError:
        return True


if __name__ == "__main__":
    harness.main()
