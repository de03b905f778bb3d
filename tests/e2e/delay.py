# SPDX-License-Identifier: MIT
"""A delay line: clients that are a real distance away, in a network namespace of their own.

    with DelayLine(self, rtt_ms=40) as line:
        instance = self.serve("-w", 2, *line.listen, "--", WORKER)
        load = line.load(rate=1000)
        ...
        counts = load.stop()

The server's namespace is that of the test. The clients' namespace belongs to the relay
(tests/delay/), and goes with it. Every address of 10.100.0.0/16 is a client.
"""

import json
import pathlib
import random
import signal
import subprocess
import sys
import unittest

from lifecycle import Load
from programs import DELAY
from world import DEADLINE_S, patience, wait_for

DEVICE = "line0"  # the TUN device, on either side
SERVER = "10.200.0.1"
CLIENTS = "10.100.0.0/16"
FIRST_CLIENT = "10.100.0.1"
PATIENCE_S = 5  # after the load: a client without an answer by then has timed out

# The device has no IPv6 address, so that it sends nothing by itself. Its queue is long, so that it
# drops nothing while the relay waits for a processor.
UP = f"link set dev {DEVICE} addrgenmode none txqueuelen 20000\nlink set dev {DEVICE} up\n"
SERVER_SIDE = UP + f"addr add {SERVER}/32 dev {DEVICE}\nroute add {CLIENTS} dev {DEVICE}\n"
CLIENT_SIDE = UP + ("link set dev lo up\n"
                    f"route add local {CLIENTS} dev lo\nroute add {SERVER}/32 dev {DEVICE}\n")

NO_TUN = 77  # exit status of the relay if it can't have TUN devices


def run_ip(commands, prefix=()):
    subprocess.run([*prefix, "ip", "-batch", "-"], input=commands, text=True, check=True)


def dropped_by_device(net_dev):
    """Returns how many packets the device dropped, in both directions, from /proc/PID/net/dev."""
    for line in pathlib.Path(net_dev).read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == DEVICE:
            fields = numbers.split()
            return int(fields[3]) + int(fields[11])
    raise AssertionError(f"no {DEVICE} in {net_dev}")


class DelayLine:
    """Two namespaces, joined by a relay with a fixed delay each way.

    rtt_ms   the round trip
    packets  how many packets may be on their way in each direction; one more is an error
    """

    def __init__(self, test, rtt_ms, packets=8192):
        self.test = test
        self.rtt_ms = rtt_ms
        self.packets = packets
        # A port that no other test uses at the same time: a trace of the kernel covers all
        # namespaces.
        self.target = (SERVER, random.randint(20000, 60000))

    @property
    def listen(self):
        """The arguments of `stickyctl start` that say where to listen."""
        return ("-l", "{}:{}".format(*self.target))

    @property
    def client_side(self):
        """The beginning of a command line that runs a command in the clients' namespace."""
        return ("nsenter", f"--net=/proc/{self.relay.pid}/ns/net", "--")

    def __enter__(self):
        self.relay = self.test.program(DELAY, DEVICE, round(self.rtt_ms * 500), self.packets)
        wait_for("the relay", lambda: "ready" in self.relay.output or not self.relay.runs)
        if not self.relay.runs and self.relay.wait() == NO_TUN:
            raise unittest.SkipTest(f"no delay line: {self.relay.errors.strip()}")
        run_ip(SERVER_SIDE)
        run_ip(CLIENT_SIDE, self.client_side)
        return self

    def __exit__(self, kind, error, trace):
        try:
            dropped = (dropped_by_device("/proc/self/net/dev")
                       + dropped_by_device(f"/proc/{self.relay.pid}/net/dev"))
        finally:
            self.relay.send(signal.SIGTERM)
            status = self.relay.wait()
        self.counts = json.loads(self.relay.output.splitlines()[-1])
        if not kind:  # the first failure is the one that is reported
            assert not dropped, f"{DEVICE}: {dropped} packets were dropped"
            assert status == 0, self.relay.errors

    def load(self, *arguments, sources=4000, rate=1000):
        """Start a load of so many connections a second, from so many clients. Each sends one HTTP
        request. It runs until stop() is called: see lifecycle.Load."""
        return Load(self.test, "--http", "--from", FIRST_CLIENT, "--patience", patience(PATIENCE_S),
                    *arguments, sources=sources, rate=rate, target=self.target,
                    prefix=self.client_side)

    def client(self, text):
        """Run a client in Python, whose socket `client` is connected. Returns its output."""
        program = CLIENT.format(first=FIRST_CLIENT, target=self.target, limit=DEADLINE_S) + text
        return subprocess.run([*self.client_side, sys.executable, "-c", program], check=True,
                              stdout=subprocess.PIPE, text=True, timeout=2 * DEADLINE_S).stdout


CLIENT = """
import socket, time
client = socket.socket()
client.settimeout({limit})
client.bind(("{first}", 0))
began = time.monotonic()
client.connect({target})
connected = time.monotonic()
"""
