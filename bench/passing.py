#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make bench-passing: what connections cost that are accepted and passed on.

The same C worker (tests/peers/taker.c), the same clients, one run, the ways in turn:

    kernel    steered by the BPF program: nobody in between
    user      --steering=user: accepted by a dispatcher, passed by descriptor
    xff       --behind-proxy=xff: the same, and the head is read for the client's address
    haproxy   HAProxy in TCP mode, `balance source`, in front of the same workers

Printed: connections per second, median and quartiles of the rounds; the median of the rounds' p99;
and the balancer's own CPU time for a connection: the controller's with its threads, HAProxy's; not
the workers'. Settings: bench/ways.py. Results also go to BUILD/bench/passing.json.
"""

import os
import shutil
import sys

from ways import WORKERS, Stickyctl, run


class HAProxy(Stickyctl):
    """Its workers are reached by a private port each: what it does is what is measured."""

    def __init__(self, port, directory):
        super().__init__("haproxy", port, directory, "--ready", "notify", "--slot-listen",
                         "127.0.0.1:92{slot}")

    def start(self):
        self.run_stickyctl(self.port + 1)
        servers = "\n".join(f"  server s{slot} 127.0.0.1:92{slot}" for slot in range(WORKERS))
        config = self.directory / "haproxy.cfg"
        config.write_text(f"""
global
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend in
  bind 127.0.0.1:{self.port}
  default_backend workers
backend workers
  balance source
{servers}
""")
        self.run("haproxy", "-db", "-f", config)
        self.wait_for_port()


def make_ways(directory):
    ways = [
        Stickyctl("kernel", 3000, directory, "--ready", "notify"),
        Stickyctl("user", 3100, directory, "--ready", "notify", "--steering", "user"),
        Stickyctl("xff", 3200, directory, "--ready", "notify", "--behind-proxy", "xff",
                  request=("--http",)),
    ]
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if shutil.which("haproxy"):
        ways.append(HAProxy(3300, directory))
    else:
        print("haproxy is not installed: left out", file=sys.stderr)
    return ways


if __name__ == "__main__":
    run("passing", make_ways)
