# SPDX-License-Identifier: MIT
"""Ways to serve the same clients with the same workers: ours, plain SO_REUSEPORT, and others'.

Each has a port of its own. Its `balancer` is the processes between the clients and the workers:
none with the kernel's steering, where the controller only looks on.
"""

import itertools
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess

from . import processes
from .processes import Failure, Programs
from .settings import BUILD, STICKYCTL

WORKER = BUILD / "bench" / "worker"
NODE_APPLICATIONS = pathlib.Path(__file__).resolve().parents[1] / "node"
MODULES = BUILD / "bench" / "node" / "node_modules"
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def find_program(name):
    return shutil.which(name, path=PATH)


class Way:
    """One way to serve.

    title      the name in the report
    workers_in "C" or "Node.js": only figures of the same kind are compared with each other
    is_sticky  True if a client must always meet the same worker
    needs      programs that must be installed
    """

    workers_in = "C"
    is_sticky = True
    is_ours = False
    forwarded = False  # True: clients connect as a proxy does
    needs = ()

    def __init__(self, title, port, workers):
        self.title, self.port, self.worker_count = title, port, workers
        self.programs = None

    def missing(self):
        """Return why the way can't be measured; None if it can."""
        absent = [name for name in self.needs if not find_program(name)]
        return f"not installed: {', '.join(absent)}" if absent else None

    def start(self, directory):
        self.programs = Programs(pathlib.Path(directory, self.title.replace("/", "-")))
        try:
            self.begin()
        except Failure as error:
            raise Failure(f"{self.title}: {error}\n{self.programs.last_words()}") from error

    def begin(self):
        """Start the way's programs, and wait until they serve."""
        raise NotImplementedError

    def balancer(self):
        """Return the process ids of the programs between clients and workers."""
        return []

    def workers(self):
        raise NotImplementedError

    def stop(self):
        if self.programs:
            self.programs.stop()


class Plain(Way):
    """Processes with a SO_REUSEPORT socket each. The kernel chooses by itself, by a hash over both
    address and port."""

    is_sticky = False

    def begin(self):
        process = self.programs.start(WORKER, "plain", self.port, self.worker_count)
        processes.wait_until(lambda: len(self.workers()) == self.worker_count, "its workers")
        self.programs.wait_for_port(process, self.port)

    def workers(self):
        return processes.children(self.programs.running[0].pid)


class Threads(Way):
    """Threads of one process, steered by libsticky."""

    is_ours = True

    def begin(self):
        process = self.programs.start(WORKER, "threads", self.port, self.worker_count)
        self.programs.wait_for_port(process, self.port)

    def workers(self):
        return [self.programs.running[0].pid]


class Stickyctl(Way):
    """Workers under stickyctl, with some options."""

    is_ours = True

    def __init__(self, title, port, workers, *options, command=(WORKER, "process"),
                 forwarded=False, start_s=processes.START_S):
        super().__init__(title, port, workers)
        self.options, self.command, self.start_s = options, command, start_s
        self.forwarded = forwarded

    def begin(self):
        controller = self.programs.start(
            STICKYCTL, "start", *self.directories(), "--state-dir",
            self.programs.directory / "state", "-w", self.worker_count, "-l",
            f"127.0.0.1:{self.port}", *self.options, "--", *self.command,
            env={**os.environ, "PATH": PATH, "PORT": str(self.port)})

        def look():
            if controller.poll() is not None:
                raise Failure(f"it ended with status {controller.returncode}")
            return self.answers() and all(worker["state"] == "ready" for worker in
                                          self.status()["workers"])

        processes.wait_until(look, "its workers to be ready", self.start_s)

    def directories(self):
        return "--run-dir", self.programs.directory / "run"

    def command_line(self, command, *arguments):
        """Run one of stickyctl's commands."""
        return subprocess.run(
            [str(each) for each in (STICKYCTL, command, *self.directories(), *arguments)],
            capture_output=True, text=True, check=False)

    def answers(self):
        return self.command_line("status", "--json").returncode == 0

    def status(self):
        result = self.command_line("status", "--json")
        if result.returncode:
            raise Failure(f"{self.title}: status: {result.stderr.strip()}")
        return json.loads(result.stdout)

    @property
    def controller(self):
        return self.programs.running[0].pid

    def balancer(self):
        return [self.controller]

    def workers(self):
        return [worker["pid"] for worker in self.status()["workers"]]

    def reload(self):
        """Reload, and wait until new workers have all slots, and the previous ones have ended."""
        result = self.command_line("reload", "--wait=drained")
        if result.returncode:
            raise Failure(f"reload: {result.stderr}")


class StickyctlNode(Stickyctl):
    """A Node.js application under stickyctl, which needs no change for it."""

    workers_in = "Node.js"
    needs = ("node",)

    def __init__(self, title, port, workers, *options, forwarded=False):
        super().__init__(title, port, workers, *options, forwarded=forwarded,
                         command=("node", NODE_APPLICATIONS / "server.js"))


class Proxy(Way):
    """A proxy in front of the same workers. Each worker has its own port, from port + 10 on."""

    @property
    def first_backend(self):
        return self.port + 10

    def backends(self):
        return [f"127.0.0.1:{self.first_backend + slot}" for slot in range(self.worker_count)]

    def begin(self):
        workers = self.programs.start(WORKER, "backends", self.first_backend, self.worker_count)
        for slot in range(self.worker_count):
            self.programs.wait_for_port(workers, self.first_backend + slot)
        self.programs.wait_for_port(self.begin_proxy(), self.port)

    def begin_proxy(self):
        raise NotImplementedError

    def balancer(self):
        return processes.family(self.programs.running[1].pid)

    def workers(self):
        return processes.children(self.programs.running[0].pid)


class HAProxy(Proxy):
    """HAProxy with `balance source`, in master-worker mode, so that it can be reloaded."""

    needs = ("haproxy",)

    def begin_proxy(self):
        servers = "\n".join(f"  server s{slot} {address}"
                            for slot, address in enumerate(self.backends()))
        config = self.programs.directory / "haproxy.cfg"
        config.write_text(f"""
global
  maxconn 8000
  stats socket {self.programs.directory}/haproxy.sock mode 600 level admin expose-fd listeners
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend in
  bind 127.0.0.1:{self.port} backlog 4096
  default_backend workers
backend workers
  balance source
{servers}
""")
        return self.programs.start(find_program("haproxy"), "-W", "-db", "-f", config)


class Nginx(Proxy):
    """nginx with `hash $remote_addr` of its stream module."""

    needs = ("nginx",)
    module = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")

    def missing(self):
        return super().missing() or (None if self.module.exists() else
                                     "not installed: nginx's stream module")

    def begin_proxy(self):
        directory = self.programs.directory
        servers = "\n".join(f"    server {address};" for address in self.backends())
        config = directory / "nginx.conf"
        config.write_text(f"""
load_module {self.module};
worker_processes auto;
worker_rlimit_nofile {resource.getrlimit(resource.RLIMIT_NOFILE)[0]};
daemon off;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 8192; }}
stream {{
  upstream workers {{
    hash $remote_addr;
{servers}
  }}
  server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    proxy_pass workers;
  }}
}}
""")
        return self.programs.start(find_program("nginx"), "-p", directory, "-e", "stderr",
                                   "-c", config)


class NodePrimary(Way):
    """A program of bench/node that forks its workers itself."""

    workers_in = "Node.js"
    needs = ("node",)

    def __init__(self, title, port, workers, program, is_sticky=True):
        super().__init__(title, port, workers)
        self.program, self.is_sticky = program, is_sticky

    def missing(self):
        if self.program != "cluster.js" and not MODULES.exists():
            return "npm could not install its packages, see bench/node/npm.log in the build folder"
        return super().missing()

    def begin(self):
        process = self.programs.start("node", NODE_APPLICATIONS / self.program, env={
            **os.environ, "PORT": str(self.port), "WORKERS": str(self.worker_count),
            "NODE_PATH": str(MODULES), "NODE_ENV": "production"})
        self.programs.wait_for_port(process, self.port)
        seen = set()
        clients = itertools.cycle(range(1, 255))

        def all_have_answered():
            seen.add(ask(self.port, f"127.0.9.{next(clients)}"))
            return len(seen - {None}) == self.worker_count

        processes.wait_until(all_have_answered, "an answer of each worker", pause_s=0)

    def balancer(self):
        return [self.programs.running[0].pid]

    def workers(self):
        return processes.children(self.programs.running[0].pid)


def ask(port, source):
    """Return the slot that answers a client; None if none does."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5, (source, 0)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    except OSError:
        return None
    found = re.search(rb"slot=(\d+)", answer)
    return int(found[1]) if found else None


# ---- All ways that are compared --------------------------------------------------------

PLAIN, KERNEL, THREADS = "plain SO_REUSEPORT", "stickyctl, kernel", "libsticky, threads"
CLASSIC, USER = "stickyctl, classic", "stickyctl, user"
XFF = "stickyctl, X-Forwarded-For"
NGINX, HAPROXY = "nginx", "HAProxy"
NODE, NODE_XFF = "stickyctl, Node.js", "stickyctl, Node.js, X-Forwarded-For"
CLUSTER, LISTEN, STICKY_CLUSTER, SOCKETIO = (
    "Node.js cluster", "sticky-listen + recluster", "sticky-cluster", "@socket.io/sticky")


def all_ways(workers):
    notify = ("--ready", "notify")
    return [
        Plain(PLAIN, 3000, workers),
        Stickyctl(KERNEL, 3100, workers, *notify),
        Threads(THREADS, 3200, workers),
        Stickyctl(CLASSIC, 4300, workers, *notify, "--steering", "classic"),
        Stickyctl(USER, 3300, workers, *notify, "--steering", "user"),
        Stickyctl(XFF, 3400, workers, *notify, "--behind-proxy", "xff", forwarded=True),
        Nginx(NGINX, 3500, workers),
        HAProxy(HAPROXY, 3600, workers),
        StickyctlNode(NODE, 3700, workers),
        StickyctlNode(NODE_XFF, 3800, workers, "--behind-proxy", "xff", forwarded=True),
        NodePrimary(CLUSTER, 3900, workers, "cluster.js", is_sticky=False),
        NodePrimary(LISTEN, 4000, workers, "sticky-listen.js"),
        NodePrimary(STICKY_CLUSTER, 4100, workers, "sticky-cluster.js"),
        NodePrimary(SOCKETIO, 4200, workers, "socketio-sticky.js", is_sticky=False),
    ]
