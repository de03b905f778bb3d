#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make bench-passing: what connections cost that are accepted and passed on.

The same C worker (tests/peers/taker.c), the same clients, one run, the ways in turn:

    kernel    steered by the BPF program: nobody in between
    user      --steering=user: accepted by a dispatcher, passed by descriptor
    xff       --behind-proxy=xff: the same, and the head is read for the client's address
    haproxy   HAProxy in TCP mode, `balance source`, in front of the same workers

Each round measures every way once, in an order that turns. Printed: connections per second,
median and quartiles of the rounds; and the balancer's own CPU time for a connection: the
controller's with its threads, HAProxy's; not the workers'.

From the environment: BUILD, ROUNDS (15), CONNECTIONS (20000, of each round and way), WORKERS (2),
CONCURRENCY (64). Results also go to BUILD/bench/passing.json.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = int(os.environ.get("ROUNDS", 15))
CONNECTIONS = int(os.environ.get("CONNECTIONS", 20000))
WORKERS = int(os.environ.get("WORKERS", 2))
CONCURRENCY = int(os.environ.get("CONCURRENCY", 64))
SOURCES = 1000
BUILD = pathlib.Path(os.environ.get("BUILD", "build")).resolve()
STICKYCTL = BUILD / "stickyctl"
TAKER = BUILD / "tests" / "peers" / "taker"
CLIENTS = BUILD / "tests" / "peers" / "clients"
TICKS = os.sysconf("SC_CLK_TCK")
START_S = 10


def cpu_seconds(pid):
    """User and system time of a process with its threads, without its children."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wait_for_port(port, log):
    """Until somebody listens there, by the kernel's own table."""
    wanted = f":{port:04X}"
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()]
        if any(row[1].endswith(wanted) and row[3] == "0A" for row in rows[1:]):
            return
        time.sleep(0.01)
    sys.exit(f"passing: nobody listens on port {port} after {START_S} s:\n{log.read_text()}")


class Way:
    """A balancer with its workers, on a port of its own."""

    def __init__(self, name, port, directory, *options, request=()):
        self.name, self.port, self.request = name, port, request
        self.directory = pathlib.Path(directory, name)
        self.directory.mkdir()
        self.rates, self.cpu = [], []
        self.options, self.processes = options, []

    def start(self):
        self.start_stickyctl(self.port)
        self.balancer = self.processes[0].pid

    def start_stickyctl(self, port):
        log = open(self.directory / "stickyctl.log", "wb")
        process = subprocess.Popen(
            [STICKYCTL, "start", "--run-dir", self.directory / "run", "--state-dir",
             self.directory / "state", "-w", str(WORKERS), "-l", f"127.0.0.1:{port}",
             "--ready", "notify", *self.options, "--", TAKER], stdout=log, stderr=log)
        self.processes.append(process)  # from now on stop() ends it
        self.wait_until_ready(process)

    def wait_until_ready(self, process):
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and process.poll() is None:
            status = subprocess.run([STICKYCTL, "status", "--json", "--run-dir",
                                     self.directory / "run"], capture_output=True, check=False)
            if status.returncode == 0 and all(worker["state"] == "ready" for worker in
                                              json.loads(status.stdout)["workers"]):
                return
            time.sleep(0.02)
        sys.exit(f"passing: {self.name} did not start, see {self.directory}/stickyctl.log")

    def measure(self):
        before = cpu_seconds(self.balancer)
        result = subprocess.run(
            [CLIENTS, "--target", f"127.0.0.1:{self.port}", "--sources", str(SOURCES),
             "--connections", str(max(1, CONNECTIONS // SOURCES)), "--concurrency",
             str(CONCURRENCY), "--deadline", "60", *self.request],
            capture_output=True, text=True, check=False)
        counts = json.loads(result.stdout.splitlines()[-1])
        if counts["answered"] != counts["connections"]:
            sys.exit(f"passing: {self.name} lost connections: {counts}")
        if counts["unsticky"]:
            sys.exit(f"passing: {self.name} is not sticky: {counts}")
        used = cpu_seconds(self.balancer) - before
        self.rates.append(counts["per_second"])
        self.cpu.append(used / counts["answered"] * 1e6)

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(START_S)


class HAProxy(Way):
    """Its workers are reached by a private port each: what it does is what is measured."""

    def __init__(self, port, directory):
        super().__init__("haproxy", port, directory, "--slot-listen", "127.0.0.1:92{slot}")

    def start(self):
        self.start_stickyctl(self.port + 1)
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
        log = open(self.directory / "haproxy.log", "wb")
        process = subprocess.Popen(["haproxy", "-db", "-f", config], stdout=log, stderr=log)
        self.processes.append(process)
        self.balancer = process.pid
        wait_for_port(self.port, self.directory / "haproxy.log")


def quartiles(values):
    return statistics.quantiles(values, n=4) if len(values) > 1 else values * 3


def report(ways):
    kernel = statistics.median(ways[0].rates)
    print(f"{ROUNDS} rounds, interleaved; {CONNECTIONS} connections each, {CONCURRENCY} at a time, "
          f"{SOURCES} clients, {WORKERS} workers, {os.cpu_count()} processors, "
          f"Linux {os.uname().release}\n")
    print(f"{'':9}{'connections/s':>24}{'of kernel':>11}{'balancer CPU, us/connection':>30}")
    results = {}
    for way in ways:
        low, middle, high = quartiles(way.rates)
        cpu_low, cpu, cpu_high = quartiles(way.cpu)
        print(f"{way.name:9}{middle:9.0f} ({low:.0f}..{high:.0f}){middle / kernel:11.2f}"
              f"{cpu:15.1f} ({cpu_low:.1f}..{cpu_high:.1f})")
        results[way.name] = {"per_second": way.rates, "balancer_cpu_us": way.cpu}
    path = BUILD / "bench" / "passing.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1))
    print(f"\nraw figures: {path}")


def main():
    if os.environ.get("PASSING_NAMESPACE") != "1":
        os.execvpe("unshare", ["unshare", "--net", "--mount", "--", sys.executable, "-B",
                               *sys.argv], {**os.environ, "PASSING_NAMESPACE": "1"})
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=False,
                   stderr=subprocess.DEVNULL)
    directory = tempfile.mkdtemp(prefix="sticky-bench-", dir="/tmp")
    os.chmod(directory, 0o755)
    ways = []
    try:
        ways.append(Way("kernel", 3000, directory))
        ways.append(Way("user", 3100, directory, "--steering", "user"))
        ways.append(Way("xff", 3200, directory, "--behind-proxy", "xff", request=("--http",)))
        if shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            os.environ["PATH"] += ":/usr/sbin:/sbin"
            ways.append(HAProxy(3300, directory))
        else:
            print("haproxy is not installed: left out", file=sys.stderr)
        for way in ways:
            way.start()
        for turn in range(ROUNDS):
            shift = turn % len(ways)
            for way in ways[shift:] + ways[:shift]:
                way.measure()
    finally:
        for way in ways:
            way.stop()
        shutil.rmtree(directory, ignore_errors=True)
    report(ways)


if __name__ == "__main__":
    main()
