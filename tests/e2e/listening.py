# SPDX-License-Identifier: MIT
"""The listening sockets of a network namespace.

They are read with sock_diag(7) and not from /proc/net/tcp. For that file the kernel walks its table
of all connections, which has 262,144 places on a machine with 24 GiB, and takes milliseconds."""

import socket
import struct

NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
LISTEN = 10
HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
REQUEST = struct.Struct("=BBBBI48x")  # struct inet_diag_req_v2, without a socket's identity
SOCKET = struct.Struct("=BBBB2s2s16s")  # the beginning of struct inet_diag_msg


def _messages(family):
    """Yields the type and the content of each message of a dump."""
    request = REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << LISTEN)
    header = HEADER.pack(HEADER.size + len(request), SOCK_DIAG_BY_FAMILY,
                         NLM_F_REQUEST | NLM_F_DUMP, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(10)
        netlink.send(header + request)
        while True:
            data = netlink.recv(1 << 16)
            while data:
                length, kind = HEADER.unpack_from(data)[:2]
                if kind == NLMSG_DONE:
                    return
                yield kind, data[HEADER.size:length]
                data = data[length + 3 & ~3:]


def _listeners(family):
    for kind, content in _messages(family):
        if kind == NLMSG_ERROR:
            number = -struct.unpack_from("=i", content)[0]
            raise OSError(number, f"sock_diag lists no sockets of family {family}")
        _, state, _, _, port, _, address = SOCKET.unpack_from(content)
        size = 4 if family == socket.AF_INET else 16
        if state == LISTEN:
            yield socket.inet_ntop(family, address[:size]), int.from_bytes(port, "big")


def listening_sockets():
    """The addresses and ports of all listening TCP sockets: [(address, port)]."""
    return [*_listeners(socket.AF_INET), *_listeners(socket.AF_INET6)]


def listeners_at(port):
    """How many sockets listen on a port."""
    return sum(each == port for _, each in listening_sockets())
