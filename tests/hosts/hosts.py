# SPDX-License-Identifier: MIT
"""The common part of the tests of several hosts: instances on them, a balancer, clients.

The balancers run with the files of examples/hosts/. Only the places of their sockets are changed.
"""

import contextlib
import pathlib
import shutil
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
# pylint: disable=wrong-import-position
import harness  # noqa: E402, F401
import tap
from lifecycle import LifecycleTestCase
from listening import listeners_at
from network import FIRST_CLIENT, SERVICE, Network, address_of, client, run
from programs import CLIENTS, WORKER, connect_unix, environment
from proxies import TAKER
from world import scaled, slowness, wait_for

tap.TEST_LIMIT_S = scaled(400)

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples" / "hosts"
HOSTS, WORKERS = 3, 2
# number of connections from each; it is lower if processors are emulated
SOURCES, CONNECTIONS = 4096, 20 if slowness() < 4 else 4
SEED = "sticky-seed 1\n0123456789abcdef\n"
PORT = 3000


def say(text):
    """Print a figure that `make test-hosts` shows."""
    print(f"# {text}", flush=True)


def read_map(path):
    """Returns client -> the worker that served it: host * WORKERS + slot."""
    return {address: int(slot) for address, slot in
            (line.split() for line in path.read_text().splitlines())}


def host_of(worker):
    """The number of a worker's host, from 1 on."""
    return worker // WORKERS + 1


class Runtime:
    """HAProxy's runtime API."""

    def __init__(self, path):
        self.path = path

    def ask(self, command):
        with connect_unix(self.path) as client_socket:
            client_socket.sendall(command.encode() + b"\n")
            client_socket.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client_socket.recv(65536), b"")).decode()

    def listens(self):
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            return self.ask("show info")

    def states(self):
        """Returns server -> the beginning of its state, such as UP or DOWN."""
        rows = [line.split(",") for line in self.ask("show stat").splitlines()]
        name, status = rows[0].index("svname"), rows[0].index("status")
        return {row[name]: row[status].split()[0] for row in rows[1:]
                if len(row) > status and row[name].startswith("app")}

    def wait(self, **states):
        wait_for(lambda: f"{states}, not {self.states()}",
                 lambda: states.items() <= self.states().items(), 30, 0.1)


class HostsTestCase(LifecycleTestCase):
    """Some hosts with an instance on each, and a balancer."""

    hosts = HOSTS

    def setUp(self):
        super().setUp()
        self.seed = self.write("seed", SEED, 0o600)
        self.network = Network(self, self.hosts)
        self.runs = 0

    # Hosts.

    def worker_of(self, number, program):
        """Write a worker that tells which host it is on: its slots are counted over all hosts."""
        first = (number - 1) * WORKERS
        return self.script(f"worker{number}", f"STICKY_SLOT=$((STICKY_SLOT + {first}))\n"
                           f"export STICKY_SLOT\nexec {program}")

    def start_host(self, number, config="web.yaml", listen=None, arguments=(), command=None,
                   ready="notify", env=None):
        """Start stickyctl on a host, with a configuration file of the examples."""
        address = address_of(number)
        program = TAKER if config == "web.yaml" else f"{WORKER} --notify"
        return self.start(
            "-c", EXAMPLES / config, "-l", listen or f"{address}:{PORT}",
            "--admin", f"{address}:9180", "--seed-file", self.seed, "--ready", ready,
            "--min-uptime", "5ms", *arguments,
            "--", *(command or [self.worker_of(number, program)]),
            name="web", run_dir=self.dir / f"app{number}", env=env,
            prefix=self.network.hosts[number - 1].prefix)

    def start_hosts(self, *arguments, **options):
        self.instances = [self.start_host(number, *arguments, **options)
                          for number in range(1, self.hosts + 1)]
        for instance in self.instances:
            instance.ready()

    def stop_host(self, number):
        self.assertEqual(self.instances[number - 1].stop(), 0)

    def start_again(self, number, *arguments, **options):
        self.instances[number - 1] = self.start_host(number, *arguments, **options).ready()

    # Load.

    def loading(self, rate=1500):
        """Run a load during the block: new connections of all clients, without a pause. See
        lifecycle.Load."""
        return self.load("--from", FIRST_CLIENT, "--patience", 10, sources=SOURCES, rate=rate,
                         target=SERVICE, prefix=self.network.clients.prefix)

    def assert_none_failed(self, counts):
        say(f"{counts['connections']} connections meanwhile, "
            f"{counts['connections'] - counts['answered']} failed")
        self.assertEqual(counts["answered"], counts["connections"], {**counts, "histogram": None})

    # Balancers.

    def rules(self, name):
        """Install the rules for a transparent proxy with a script of the examples, until the end of
        the test."""
        run(EXAMPLES / name, "up")
        self.addCleanup(run, EXAMPLES / name, "down")

    def example(self, name, *changes):
        """Copy a file of the examples. Its sockets and pid file are in the test's directory.
        changes are pairs of an old and a new text."""
        text = (EXAMPLES / name).read_text()
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        return self.write(name, text.replace("/run/haproxy/", f"{self.dir}/").replace(
            "pid /run/", f"pid {self.dir}/"))

    def haproxy(self, name="haproxy.cfg", *changes):
        self.runtime = Runtime(self.dir / "admin.sock")
        self.balance("haproxy", "-db", "-f", self.example(name, *changes))
        wait_for("HAProxy's socket", self.runtime.listens)
        self.runtime.wait(**{f"app{number}": "UP" for number in range(1, self.hosts + 1)})

    def nginx(self, name="nginx-stream.conf", *changes):
        return self.balance("nginx", "-g", "daemon off; master_process off;", "-c",
                            self.example(name, *changes), "-e", self.dir / "nginx.log")

    def balance(self, name, *arguments):
        program = self.program(shutil.which(name, path=environment()["PATH"]), *arguments)

        def listens():
            assert program.runs, f"{name} ended: {program.errors}"
            return listeners_at(SERVICE[1])

        wait_for(f"{name} to listen", listens)
        return program

    # Clients.

    def load_words(self, *arguments, target=SERVICE):
        return (*self.network.clients.prefix, CLIENTS, "--target", "%s:%d" % target,
                "--from", FIRST_CLIENT, "--sources", SOURCES, *arguments)

    def serve_all(self, connections=1, target=SERVICE):
        """Connect from all clients. Check that each client was answered, and always by the same
        worker. Returns the workers by client, and the counts."""
        self.runs += 1
        path = self.dir / f"map{self.runs}"
        result = self.run_program(*self.load_words(
            "--connections", connections, "--concurrency", 200, "--deadline", scaled(180),
            "--map", path, target=target), seconds=scaled(200))
        counts = harness.json.loads(result.stdout.splitlines()[-1])
        total = SOURCES * connections
        self.assertEqual((counts["connections"], counts["answered"], counts["unsticky"]),
                         (total, total, 0), {**counts, "histogram": None})
        return read_map(path), counts

    def clients(self):
        return [client(number) for number in range(SOURCES)]

    def assert_own(self, workers):
        """Check that each client's worker is the one that its host's `where` names."""
        for number, instance in enumerate(self.instances, 1):
            theirs = [address for address, worker in workers.items() if host_of(worker) == number]
            expected = {answer["address"]: answer["slot"] + (number - 1) * WORKERS
                        for answer in instance.where(*theirs)}
            self.assertEqual(expected, {address: workers[address] for address in theirs})

    def assert_spread(self, workers):
        """Check that every worker has a share of the clients, and print the shares."""
        shares = [sum(worker == each for worker in workers.values())
                  for each in range(self.hosts * WORKERS)]
        say(f"{len(workers)} clients, by worker: {shares}")
        self.assertGreater(min(shares), SOURCES / (self.hosts * WORKERS) / 3)

    def moved(self, before, after, number):
        """Returns how many clients of a host, and how many of all others, have moved."""
        moved = [address for address in before if before[address] != after[address]]
        own = sum(host_of(before[address]) == number for address in moved)
        return own, len(moved) - own
