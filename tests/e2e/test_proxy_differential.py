#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""PROXY headers are read by stickyctl and by HAProxy, whose protocol it is. Do both accept a
header, for the same client, and up to the same byte? The exceptions are listed in CLASSES, each
with its reason.

HAProxy forwards with send-proxy-v2 to a listener in this test, which shows how HAProxy has read the
header. Behind stickyctl, tests/peers/taker shows it. The client sends all bytes at once and then
closes its half. So neither side waits for more bytes, and both refuse a header that is cut
short."""

import collections
import contextlib
import ipaddress
import itertools
import random
import re
import shutil
import socket
import struct
import threading
import unittest

import harness
from clients import HERE, LISTEN, client_socket, read_all
from listening import listening_sockets
from programs import BUILD, DEADLINE_S, environment
from world import wait_for

TAKER = BUILD / "tests" / "peers" / "taker"
BY_HAPROXY = ("127.0.0.1", 4000)
BEHIND_HAPROXY = ("127.0.0.1", 5000)
PEER = "127.0.0.9"  # the client, if a header contains no address
PAYLOAD = b"hello\n\n"  # a line, and the one that ends the taker's connection
MUTATIONS = 1200

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
UNSPEC, TCP4, UDP4, TCP6, UDP6, UNIX, UNIX_DGRAM = 0x00, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32
CRC32C = 0x03
HEADER_MAX = 16384

Answer = collections.namedtuple("Answer", "client bytes sum")


# ---- Headers --------------------------------------------------------------------------


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def block(family):
    if family in (TCP4, UDP4):
        return socket.inet_aton("203.0.113.9") + socket.inet_aton("192.0.2.1") + b"\x12\x34\0\x50"
    if family in (TCP6, UDP6):
        return (socket.inet_pton(socket.AF_INET6, "2001:db8::9") +
                socket.inet_pton(socket.AF_INET6, "2001:db8::1") + b"\x12\x34\0\x50")
    if family in (UNIX, UNIX_DGRAM):
        return b"/run/client.sock".ljust(108, b"\0") + b"/run/server.sock".ljust(108, b"\0")
    return b""


def v2(command, family, behind=b"", addresses=None):
    addresses = block(family) if addresses is None else addresses
    return SIGNATURE + struct.pack("!BBH", command, family, len(addresses + behind)) + \
        addresses + behind


def with_checksum(command, family, before=b"", behind=b"", wrong=0):
    """Returns a header with its checksum between other TLVs; `wrong` is added to the checksum."""
    header = v2(command, family, before + tlv(CRC32C, bytes(4)) + behind)
    value = (crc32c(header) + wrong) & 0xffffffff
    at = len(header) - len(behind) - 4
    return header[:at] + struct.pack("!I", value) + header[at + 4:]


LINES = """
PROXY TCP4 203.0.113.9 192.0.2.1 56324 443
PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535
PROXY TCP4 0.0.0.0 0.0.0.0 0 0
PROXY TCP4 10.0.0.200 249.250.99.100 1 65529
PROXY TCP6 2001:db8::9 2001:db8::1 56325 80
PROXY TCP6 LONGEST LONGEST 65535 65535
PROXY TCP6 ::ffff:203.0.113.9 ::ffff:192.0.2.1 56326 81
PROXY TCP6 2001:DB8::ABCD 0:0:0:0:0:0:0:1 1 2
PROXY TCP6 64:ff9b::192.0.2.33 1:2:3:4:5:6:1.2.3.4 1 2
PROXY TCP6 :: :: 0 0
PROXY UNKNOWN
PROXY UNKNOWN LONGEST LONGEST 65535 65535
PROXY UNKNOWN 203.0.113.9 192.0.2.1 56324 443
PROXY TCP6 DOTTED DOTTED 1 2
PROXY TCP4 2001:db8::9 2001:db8::1 56325 80
PROXY TCP6 203.0.113.9 192.0.2.1 56324 443
PROXY TCP4 203.0.113.9 192.0.2.1 56324
PROXY TCP4 203.0.113.9 192.0.2.1
PROXY TCP4 203.0.113.9  192.0.2.1 56324 443
PROXY  TCP4 203.0.113.9 192.0.2.1 56324 443
PROXY TCP4 203.0.113.9 192.0.2.1 56324 443 0
PROXY TCP6 2001:db8::9 2001:db8::1 56325 80 0
PROXY TCP6 2001:db8::9 2001:db8::1 56325 65536
PROXY TCP4 203.0.113.9 192.0.2.1 56324 65536
PROXY TCP4 203.0.113.9 192.0.2.1 00056324 443
PROXY TCP6 2001:db8::9 2001:db8::1 0056325 80
PROXY TCP4 203.0.113.9 192.0.2.1 -1 443
PROXY TCP4 203.000.113.009 192.0.2.1 56324 443
PROXY TCP4 203.0.113.265 192.0.2.1 56324 443
PROXY TCP4 203.0.113 192.0.2.1 56324 443
PROXY TCP4 203.0.113.9.9 192.0.2.1 56324 443
PROXY TCP5 203.0.113.9 192.0.2.1 56324 443
PROXY UDP4 203.0.113.9 192.0.2.1 56324 443
PROXY UNKNOWNX
proxy TCP4 203.0.113.9 192.0.2.1 56324 443
GET / HTTP/1.1
""".strip().replace("LONGEST", ":".join(8 * ["ffff"])).replace(
    "DOTTED", "1111:2222:3333:4444:5555:6666:111.111.111.111").splitlines()


def written_headers():
    """Yields headers that follow the specification, and headers that just fail to do so."""
    headers = [line.encode() + b"\r\n" for line in LINES]
    headers += [line.encode() + b"\n" for line in LINES[:2]]
    headers += [b"PROXY TCP4 203.0.113.9 192.0.2.1 " + b"0" * 80 + b"1 2\r\n",
                b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n", b"", PAYLOAD]
    unique_id, authority, noop = tlv(5, b"id-of-a-connection"), tlv(2, b"example.org"), tlv(4, b"")
    for family in (UNSPEC, TCP4, UDP4, TCP6, UDP6, UNIX, UNIX_DGRAM):
        for command in (PROXY, LOCAL):
            headers += [v2(command, family), v2(command, family, unique_id + authority + noop),
                        with_checksum(command, family, unique_id, authority),
                        with_checksum(command, family, authority, noop, wrong=1)]
    for family in (TCP4, TCP6):
        head = with_checksum(PROXY, family)
        headers += [v2(PROXY, family, addresses=block(family)[:-1]),
                    v2(PROXY, family, addresses=b""),
                    v2(PROXY, family, b"\4"), v2(PROXY, family, b"\4\0\5ab"),
                    v2(PROXY, family, tlv(CRC32C, bytes(3))), v2(PROXY, family, tlv(CRC32C, b"")),
                    with_checksum(PROXY, family, tlv(CRC32C, bytes(4))),
                    v2(PROXY, family, tlv(2, bytes(255))), v2(PROXY, family, tlv(2, bytes(256))),
                    v2(PROXY, family, tlv(5, bytes(128))), v2(PROXY, family, tlv(5, bytes(129))),
                    v2(PROXY, family, tlv(0xea, bytes(4000))),
                    v2(PROXY, family, tlv(0x30, b"no-such-namespace")), head[:-1], head[:20]]
    mapped = bytes(10) + b"\xff\xff"
    headers += [v2(PROXY, TCP6, addresses=mapped + block(TCP4)[:4] + mapped + block(TCP4)[4:]),
                v2(0x22, TCP4), v2(0x2f, TCP4), v2(0x11, TCP4), v2(0x31, TCP4), v2(PROXY, 0x13),
                v2(PROXY, 0x41), v2(PROXY, 0xff), v2(PROXY, 0x10), v2(PROXY, 0x01),
                v2(LOCAL, 0xff), v2(LOCAL, 0x13, b"abc"),
                v2(PROXY, TCP4, tlv(0xea, bytes(HEADER_MAX - 31))),
                v2(PROXY, TCP4, tlv(0xea, bytes(HEADER_MAX - 30)))]
    return headers


def mutate(chance, header):
    """Make one small change."""
    at = chance.randrange(len(header))
    likely = b"0123456789 .:\r\naf" if header.startswith(b"P") else bytes(range(0x24))
    byte = bytes([chance.choice(likely)])
    kind = chance.randrange(6)
    if kind == 0:
        return header[:at] + byte + header[at + 1:]
    if kind == 1:
        return header[:at] + bytes([header[at] ^ 1 << chance.randrange(8)]) + header[at + 1:]
    if kind == 2:
        return header[:at] + byte + header[at:]
    if kind == 3:
        return header[:at] + header[at + 1:]
    if kind == 4:  # repeat a piece of it
        return header[:at] + header[max(0, at - chance.randrange(1, 8)):]
    return header[:at]  # cut short


def with_true_length(header):
    """Correct the length, so that a change behind it has an effect by itself."""
    if not header.startswith(SIGNATURE) or len(header) < 16:
        return header
    return header[:14] + struct.pack("!H", len(header) - 16) + header[16:]


def mutated_headers():
    chance = random.Random(7)
    originals = [header for header in written_headers() if 8 < len(header) < 400]
    for number in range(MUTATIONS):
        header = chance.choice(originals)
        for _ in range(chance.randint(1, 2)):
            header = mutate(chance, header) or b"P"
        yield header if number % 3 == 0 else with_true_length(header)


# ---- Asking both programs -------------------------------------------------------------


def fnv(data):
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xffffffff
    return value


def plain(address):
    """Convert ::ffff:1.2.3.4 to 1.2.3.4."""
    address = ipaddress.ip_address(address)
    return str(getattr(address, "ipv4_mapped", None) or address)


def ask(address, header):
    """Send a header and a payload at once. Returns the answer; it is empty if the header was
    refused."""
    with client_socket(address, PEER) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(header + PAYLOAD)
            with contextlib.suppress(OSError):  # reset in between
                client.shutdown(socket.SHUT_WR)
            return read_all(client)
    return b""


def ask_stickyctl(header):
    found = re.match(rb".* client=(\S+) .* bytes=(\d+) sum=(\w+) nth=\d+\n", ask(HERE, header))
    if not found:
        return None
    return Answer(plain(found[1].decode()), int(found[2]), int(found[3], 16))


def ask_haproxy(header):
    found = re.match(rb"(\S+) (\d+) (\d+)\n", ask(BY_HAPROXY, header))
    return Answer(plain(found[1].decode()), int(found[2]), int(found[3])) if found else None


class Behind(threading.Thread):
    """The server behind HAProxy. It answers with the client that the PROXY header names, and with
    the first line."""

    def __init__(self):
        super().__init__()
        self.listening = socket.create_server(BEHIND_HAPROXY)
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(DEADLINE_S)
                connection.sendall(self.answer(read_all(connection)))

    @staticmethod
    def answer(data):
        family, length = struct.unpack("!BH", data[13:16])
        size = 4 if family == TCP4 else 16
        source = socket.inet_ntop(socket.AF_INET if size == 4 else socket.AF_INET6,
                                  data[16:16 + size])
        line, end, _ = data[16 + length:].partition(b"\n")
        if not end:  # the header contains the payload: no answer, as from the taker
            return b""
        return f"{source} {len(line + end)} {fnv(line + end)}\n".encode()

    def stop(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.join()



# ---- Allowed differences --------------------------------------------------------------


def fields_of(header):
    """Returns the words of a line between its spaces, or an empty list if it is no line."""
    line, end, _ = header.partition(b"\r\n")
    return line.split(b" ") if end and line.startswith(b"PROXY ") else []


def is_proper(fields):
    """Is this a line for TCP4 or TCP6 by section 2.1: six fields, decimal, no leading zero?"""
    with contextlib.suppress(ValueError, UnicodeDecodeError, IndexError):
        version = {b"TCP4": 4, b"TCP6": 6}.get(fields[1])
        hosts = [ipaddress.ip_address(field.decode()) for field in fields[2:4]]
        ports = [field for field in fields[4:] if re.fullmatch(rb"0|[1-9]\d{0,4}", field)
                 and int(field) <= 65535]
        return len(fields) == 6 and len(ports) == 2 and all(
            host.version == version for host in hosts)
    return False


def is_sloppy_line(header):
    fields = fields_of(header)
    return fields[1:2] in ([b"TCP4"], [b"TCP6"]) and not is_proper(fields)


def is_long_line(header):
    return is_proper(fields_of(header)) and header.index(b"\r\n") + 2 > 107


def says_unknown(header):
    return header.startswith(b"PROXY UNKNOWN ") and b"\r\n" in header[:107]


def is_binary(header, command, *families):
    """Is this a whole header, with room for the addresses of its family?"""
    return (header[:13] == SIGNATURE + bytes([command]) and header[13] in families and
            len(block(header[13])) <= size_of(header) - 16 <= len(header) - 16)


def size_of(header):
    return 16 + struct.unpack("!H", header[14:16])[0]


def tlvs_of(header, at=None):
    """Returns the TLVs behind the addresses, or from a byte on: [(type, value, place)], and whether
    they fill the header."""
    at, end = at or 16 + len(block(header[13])), size_of(header)
    found = []
    while at + 3 <= end:
        kind, length = struct.unpack("!BH", header[at:at + 3])
        found.append((kind, header[at + 3:min(at + 3 + length, end)], at + 3))
        at += 3 + length
    return found, at == end


def has_wrong_checksum(header, first=None):
    checksums = [(value, at) for kind, value, at in tlvs_of(header, first)[0] if kind == CRC32C]
    if not checksums:
        return False
    value, at = checksums[0]
    without = header[:at] + bytes(4) + header[at + 4:size_of(header)]
    return len(checksums) > 1 or value != struct.pack("!I", crc32c(without))


def names_nobody(header):
    """Is this a PROXY command without TCP? For some of these families the place of the TLVs is
    unknown."""
    return is_binary(header, PROXY, UNSPEC, UDP4, UDP6, UNIX, UNIX_DGRAM) and \
        not has_wrong_checksum(header) or is_binary(header, PROXY, 0x01, 0x02, 0x10, 0x20, 0x30)


def has_broken_tlvs(header):
    return is_binary(header, PROXY, TCP4, TCP6) and not tlvs_of(header)[1]


def is_too_long(kind, value):
    return len(value) > {0x02: 255, 0x05: 128}.get(kind, 1024)


def has_long_tlv(header):
    return is_binary(header, PROXY, TCP4, TCP6) and any(
        is_too_long(kind, value) for kind, value, _ in tlvs_of(header)[0])


def is_local_with_wrong_checksum(header):
    return is_binary(header, LOCAL, UNSPEC) and has_wrong_checksum(header)


def is_local_without_tlvs(header):
    """Is this LOCAL, with any family, whose bytes behind the first 16 are no TLVs, or wrong
    ones?"""
    if header[:13] != SIGNATURE + bytes([LOCAL]) or size_of(header) > len(header):
        return False
    tlvs, are_whole = tlvs_of(header, 16)
    return not are_whole or has_wrong_checksum(header, 16) or any(
        is_too_long(kind, value) for kind, value, _ in tlvs)


# The quotes are from doc/proxy-protocol.txt. In all these classes one program accepts the header,
# and the other does not. If both accept it, the client and the header's end are always the same.
BY_US, BY_THEM = "stickyctl takes it", "HAProxy takes it"
CLASSES = {
    # 2.1: "the receiver must ignore anything presented before the CRLF". HAProxy only knows the
    # short form. stickyctl is right.
    "UNKNOWN with something behind": (BY_US, says_unknown),
    # 2.1: no zeros in front, octets to 255, ports to 65535, and nothing behind them: "any sequence
    # which does not exactly match the protocol must be discarded". HAProxy reads digits and does
    # not count them; some of these lines become another address than the one that is written.
    # stickyctl is right.
    "a line that is not as it should be": (BY_THEM, is_sloppy_line),
    # 2.1: a line has 107 bytes at most. Two addresses with dots in them can be longer; HAProxy
    # accepts a line that fits into its buffer. stickyctl is right, and no proxy sends this.
    "a line of more than 107 bytes": (BY_THEM, is_long_line),
    # 2.2: "the receiver is free to accept the connection anyway and use the real endpoint addresses
    # or to reject it". HAProxy 2.6 is meant to accept it, but then looks for TLVs at byte 0.
    "UDP, UNIX or unspecified": (BY_US, names_nobody),
    # 2.2: "a receiver may choose to skip over and ignore the TLVs it is not interested in". If they
    # do not end with the header, HAProxy refuses it. stickyctl only looks for a checksum. Both are
    # allowed: the addresses come before the TLVs.
    "TLVs that do not end with the header": (BY_US, has_broken_tlvs),
    # 2.2.2, 2.2.5: limits of values that HAProxy copies and stickyctl skips: an authority and a
    # unique id, and in HAProxy 3.0 all values.
    "a value that is too long": (BY_US, has_long_tlv),
    # 2.2.3: a wrong checksum makes the connection invalid. HAProxy 2.6 does not look at the TLVs of
    # LOCAL, although it sends such checksums with its health checks. stickyctl is right.
    "a wrong checksum with LOCAL": (BY_THEM, is_local_with_wrong_checksum),
    # 2.2: "the receiver must [...] discard the protocol block including the family which is
    # ignored". HAProxy 3.0 reads the whole block as TLVs, with the addresses, and refuses it if
    # they are no valid TLVs. stickyctl is right.
    "LOCAL with something that is no TLV": (BY_US, is_local_without_tlvs),
}
# The first one occurs with versions of HAProxy that do not read the TLVs of LOCAL, the second one
# with later versions.
ONE_OF = {"a wrong checksum with LOCAL", "LOCAL with something that is no TLV"}


def class_of(header, who):
    """Returns the name of the class, or None."""
    return next((name for name, (taker, applies) in CLASSES.items()
                 if taker == who and applies(header + PAYLOAD)), None)


# ---- Tests ----------------------------------------------------------------------------


@unittest.skipUnless(shutil.which("haproxy", path=environment()["PATH"]),
                     "haproxy is not installed")
class ProxyDifferential(harness.TestCase):
    def setUp(self):
        super().setUp()
        behind = Behind()
        self.addCleanup(behind.stop)
        config = self.write("haproxy.cfg", f"""
            global
              maxconn 100
            defaults
              mode tcp
              timeout connect {DEADLINE_S}s
              timeout client {DEADLINE_S}s
              timeout server {DEADLINE_S}s
            frontend proxied
              bind {BY_HAPROXY[0]}:{BY_HAPROXY[1]} accept-proxy
              default_backend behind
            backend behind
              server one {BEHIND_HAPROXY[0]}:{BEHIND_HAPROXY[1]} send-proxy-v2
""")
        self.program("haproxy", "-db", "-f", config)  # one process, in the foreground
        wait_for("HAProxy to listen", lambda: BY_HAPROXY in listening_sockets())
        self.serve(*LISTEN, "-w", 1, "--behind-proxy", "proxy", "--", TAKER)

    def compare(self, header, seen):
        ours, theirs = ask_stickyctl(header), ask_haproxy(header)
        what = f"{header!r}: stickyctl: {ours}, HAProxy: {theirs}"
        if ours == theirs:
            seen["taken by both" if ours else "refused by both"] += 1
            # stickyctl must refuse the headers that only HAProxy accepts.
            self.assertFalse(ours and class_of(header, BY_THEM), what)
            return
        self.assertFalse(ours and theirs, what)
        name = class_of(header, BY_US if ours else BY_THEM)
        self.assertIsNotNone(name, what)
        seen[name] += 1

    def test_both_read_the_same(self):
        seen = collections.Counter()
        for header in itertools.chain(written_headers(), mutated_headers()):
            self.compare(header, seen)
        for name, count in seen.most_common():
            print(f"# {count:4} {name}")
        self.assertGreater(seen["taken by both"], 50)
        self.assertGreater(seen["refused by both"], 100)
        self.assertEqual(CLASSES.keys() - ONE_OF - seen.keys(), set(),
                         "classes that nothing falls into")
        self.assertEqual(len(ONE_OF & seen.keys()), 1, "it reads the TLVs of LOCAL, or does not")

    def test_a_header_in_two_pieces(self):
        """2: a sender sends the header at once, and it fits into one segment. HAProxy relies on
        that, and refuses a header that is not complete at its first look. stickyctl waits for the
        rest."""
        for header in (LINES[0].encode() + b"\r\n", with_checksum(PROXY, TCP6)):
            with client_socket(BY_HAPROXY, PEER) as client:
                client.sendall(header[:20])
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(read_all(client), b"")
            with client_socket(HERE, PEER) as client:
                client.sendall(header[:20])
                client.sendall(header[20:] + PAYLOAD)
                self.assertIn(b" bytes=6 ", read_all(client))


if __name__ == "__main__":
    harness.main()
