#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A worker that uses TLS and libsticky.so. The first bytes of a connection must be the client's
hello.

    tls_worker.py LIBRARY CERTIFICATE

Each connection gets one line, "slot=1 client=127.0.0.1", and is closed.
"""

import ctypes
import select
import signal
import socket
import ssl
import sys

CLOEXEC = socket.SOCK_CLOEXEC


def serve(context, fd, text):
    with socket.socket(fileno=fd) as connection:
        connection.settimeout(5)
        try:
            with context.wrap_socket(connection, server_side=True) as stream:
                stream.sendall(text.encode())
        except OSError as error:
            print(f"tls_worker: {error}", file=sys.stderr)


def client_of(address):
    """Returns the host part of a struct sockaddr_storage."""
    family = int.from_bytes(address[:2], sys.byteorder)
    return socket.inet_ntop(family, address[4:8] if family == socket.AF_INET else address[8:24])


def main():
    library = ctypes.CDLL(sys.argv[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2])
    process = ctypes.c_void_p()
    for error in (library.sticky_process_open(ctypes.byref(process)),
                  library.sticky_process_ready(process)):
        if error:
            sys.exit(f"tls_worker: {error}")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    poll = select.poll()
    poll.register(library.sticky_process_fd(process))
    slot = library.sticky_process_slot(process)
    while True:
        poll.poll()
        address = ctypes.create_string_buffer(128)
        while (fd := library.sticky_process_accept(process, address, CLOEXEC)) >= 0:
            serve(context, fd, f"slot={slot} client={client_of(address.raw)}\n")


if __name__ == "__main__":
    main()
