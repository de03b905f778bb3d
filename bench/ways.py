# SPDX-License-Identifier: MIT
"""What the benchmarks share that measure ways to the same workers: each way is started once, each
round measures every way, in an order that turns.

From the environment: BUILD, ROUNDS (15), CONNECTIONS (20000, of each round and way), WORKERS (2),
CONCURRENCY (64).
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


class Way:
    """A balancer with its workers, on a port of its own.

    request    options of tests/peers/clients.c: what is sent
    is_sticky  each client must see one worker
    """

    is_sticky = True

    def __init__(self, name, port, directory, request=()):
        self.name, self.port, self.request = name, port, request
        self.directory = pathlib.Path(directory, name)
        self.directory.mkdir()
        self.rates, self.cpu, self.p99 = [], [], []
        self.processes = []  # the balancer is the last one

    def run(self, *arguments, **options):
        """Start a program, which stop() ends; returns it."""
        with open(self.directory / f"log{len(self.processes)}", "wb") as log:
            self.processes.append(subprocess.Popen(arguments, stdout=log, stderr=log, **options))
        return self.processes[-1]

    def logs(self):
        return "".join(path.read_text() for path in sorted(self.directory.glob("log*")))

    def fail(self, what):
        sys.exit(f"{self.name}: {what}\n{self.logs()}")

    def wait_for_port(self):
        """Until somebody listens there, by the kernel's own table."""
        wanted = f":{self.port:04X}"
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            rows = [line.split() for file in ("tcp", "tcp6") for line in
                    pathlib.Path("/proc/net", file).read_text().splitlines()[1:]]
            if any(row[1].endswith(wanted) and row[3] == "0A" for row in rows):
                return
            time.sleep(0.01)
        self.fail(f"nobody listens on port {self.port} after {START_S} s")

    def measure(self):
        balancer = self.processes[-1].pid
        before = cpu_seconds(balancer)
        result = subprocess.run(
            [CLIENTS, "--target", f"127.0.0.1:{self.port}", "--sources", str(SOURCES),
             "--connections", str(max(1, CONNECTIONS // SOURCES)), "--concurrency",
             str(CONCURRENCY), "--deadline", "60", *self.request],
            capture_output=True, text=True, check=False)
        counts = json.loads(result.stdout.splitlines()[-1])
        if counts["answered"] != counts["connections"]:
            self.fail(f"lost connections: {counts}")
        if self.is_sticky and counts["unsticky"]:
            self.fail(f"not sticky: {counts}")
        self.rates.append(counts["per_second"])
        self.p99.append(counts["latency_us"]["p99"])
        self.cpu.append((cpu_seconds(balancer) - before) / counts["answered"] * 1e6)

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(START_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Stickyctl(Way):
    """Under stickyctl, as its options say."""

    def __init__(self, name, port, directory, *options, command=(TAKER,), request=()):
        super().__init__(name, port, directory, request)
        self.options, self.command = options, command

    def start(self):
        self.run_stickyctl(self.port)

    def run_stickyctl(self, port):
        process = self.run(
            STICKYCTL, "start", "--run-dir", self.directory / "run", "--state-dir",
            self.directory / "state", "-w", str(WORKERS), "-l", f"127.0.0.1:{port}",
            *self.options, "--", *self.command, env={**os.environ, "PORT": str(port)})
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and process.poll() is None:
            status = subprocess.run([STICKYCTL, "status", "--json", "--run-dir",
                                     self.directory / "run"], capture_output=True, check=False)
            if status.returncode == 0 and all(worker["state"] == "ready" for worker in
                                              json.loads(status.stdout)["workers"]):
                return
            time.sleep(0.02)
        self.fail("did not start")


# ---- Rounds and figures -------------------------------------------------------------


def quartiles(values):
    return statistics.quantiles(values, n=4) if len(values) > 1 else values * 3


def report(ways, name):
    """ways: the first one is what the others are compared with."""
    first = statistics.median(ways[0].rates)
    print(f"{ROUNDS} rounds, interleaved; {CONNECTIONS} connections each, {CONCURRENCY} at a time, "
          f"{SOURCES} clients, {WORKERS} workers, {os.cpu_count()} processors, "
          f"Linux {os.uname().release}\n")
    print(f"{'':16}{'connections/s':>24}{'of ' + ways[0].name:>14}{'p99, ms':>9}"
          f"{'balancer CPU, us/connection':>30}")
    results = {}
    for way in ways:
        low, middle, high = quartiles(way.rates)
        cpu_low, cpu, cpu_high = quartiles(way.cpu)
        print(f"{way.name:16}{middle:9.0f} ({low:.0f}..{high:.0f}){middle / first:14.2f}"
              f"{statistics.median(way.p99) / 1000:9.1f}"
              f"{cpu:15.1f} ({cpu_low:.1f}..{cpu_high:.1f})")
        results[way.name] = {"per_second": way.rates, "p99_us": way.p99,
                             "balancer_cpu_us": way.cpu}
    path = BUILD / "bench" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1))
    print(f"\nraw figures: {path}")


def enter_namespaces():
    """The program again, in network and mount namespaces of its own."""
    if os.environ.get("BENCH_NAMESPACE") != "1":
        os.execvpe("unshare", ["unshare", "--net", "--mount", "--", sys.executable, "-B",
                               *sys.argv], {**os.environ, "BENCH_NAMESPACE": "1"})
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=False,
                   stderr=subprocess.DEVNULL)


def run(name, make_ways):
    """make_ways: (directory) -> ways, none of them started."""
    enter_namespaces()
    directory = tempfile.mkdtemp(prefix="sticky-bench-", dir="/tmp")
    os.chmod(directory, 0o755)
    ways = make_ways(directory)
    try:
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
    report(ways, name)
