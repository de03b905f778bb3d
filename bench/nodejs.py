#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make bench-node: an application of Node.js under stickyctl, and under what it replaces.

The same handler (bench/node/handler.js), the same clients, one run, the ways in turn:

    stickyctl        steered by the kernel
    stickyctl-xff    --behind-proxy=xff: accepted by us, the head is read, passed on
    cluster          Node's own cluster: not sticky
    sticky-listen    with recluster
    sticky-cluster
    socketio-sticky  @socket.io/sticky: sticky by socket.io's session, not by address

Printed as by bench-passing. The balancer's CPU time is the controller's, or the primary's. Settings:
bench/ways.py. Results also go to BUILD/bench/node.json.
"""

import itertools
import os
import pathlib
import re
import shutil
import socket
import sys
import time

from ways import BUILD, START_S, WORKERS, Stickyctl, Way, run

HERE = pathlib.Path(__file__).resolve().parent / "node"
MODULES = BUILD / "bench" / "node" / "node_modules"
REQUEST = ("--http",)


class Primary(Way):
    """A program of bench/node that forks its workers itself."""

    def __init__(self, name, port, directory, is_sticky=True):
        super().__init__(name, port, directory, REQUEST)
        self.is_sticky = is_sticky

    def start(self):
        self.run("node", HERE / f"{self.name}.js", env={
            **os.environ, "PORT": str(self.port), "WORKERS": str(WORKERS),
            "NODE_PATH": str(MODULES), "NODE_ENV": "production"})
        self.wait_for_port()
        self.wait_for_workers()

    def wait_for_workers(self):
        """Until each has answered somebody."""
        seen = set()
        deadline = time.monotonic() + START_S
        for client in itertools.cycle(range(1, 255)):
            with socket.create_connection(("127.0.0.1", self.port), START_S,
                                          (f"127.0.9.{client}", 0)) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
                answer = b"".join(iter(lambda: connection.recv(4096), b""))
            found = re.search(rb"slot=(\d+)", answer)
            if found:
                seen.add(found[1])
            if len(seen) == WORKERS:
                return
            if time.monotonic() > deadline:
                self.fail(f"{len(seen)} of {WORKERS} workers answer after {START_S} s")


def make_ways(directory):
    server = ("node", HERE / "server.js")
    ways = [
        Stickyctl("stickyctl", 3000, directory, command=server, request=REQUEST),
        Stickyctl("stickyctl-xff", 3100, directory, "--behind-proxy", "xff", command=server,
                  request=REQUEST),
        Primary("cluster", 3200, directory, is_sticky=False),
    ]
    if MODULES.exists():
        ways += [Primary("sticky-listen", 3300, directory),
                 Primary("sticky-cluster", 3400, directory),
                 Primary("socketio-sticky", 3500, directory, is_sticky=False)]
    else:
        print("left out: sticky-listen, sticky-cluster, @socket.io/sticky: npm could not install "
              f"them, see {MODULES.parent}/npm.log", file=sys.stderr)
    return ways


if __name__ == "__main__":
    if not shutil.which("node"):
        sys.exit("node is not installed")
    run("node", make_ways)
