# SPDX-License-Identifier: MIT
"""nginx and HAProxy over the same distance: how many connections they lose at reloads."""

import os
import pathlib
import shutil
import signal
import time

from delay import DelayLine
from distance import SPARE_S, Measured
from programs import environment
from resets import ResetTrace
from world import wait_for


def find(program):
    path = environment()["PATH"] + ":/usr/sbin"
    return shutil.which(program, path=path)


def children(pid):
    return set(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


class Peer:
    """A server whose master process replaces its other processes when it gets a signal. The new
    processes inherit the sockets."""

    def __init__(self, test, line):
        self.test, self.line = test, line

    def start(self):
        self.program = self.test.program(*self.command())
        wait_for("its processes", lambda: children(self.program.pid))

    def reload(self):
        """Reload, and wait for new processes. The previous ones finish beside them."""
        before = children(self.program.pid)
        self.program.send(self.reload_signal)
        wait_for("new processes", lambda: children(self.program.pid) - before, interval=0.002)

    def stop(self):
        self.program.send(self.stop_signal)
        self.program.wait()


class Nginx(Peer):
    reload_signal, stop_signal = signal.SIGHUP, signal.SIGTERM

    def command(self):
        directory = self.test.dir
        temporary = "".join(f"{kind}_temp_path {directory}/{kind};\n" for kind in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        address = "{}:{}".format(*self.line.target)
        config = self.test.write("nginx.conf", f"""
            worker_processes 2;
            events {{ worker_connections 8192; }}
            http {{
              access_log off;
              keepalive_timeout 0;
              {temporary}
              server {{ listen {address} backlog=4096; return 200 "slot=0 gen=1\\n"; }}
            }}""")
        return (find("nginx"), "-c", config, "-e", directory / "error.log", "-g",
                f"daemon off; user root; pid {directory}/nginx.pid;")


class HAProxy(Peer):
    """HAProxy with expose-fd: the next process takes the listening sockets of the previous one."""

    reload_signal, stop_signal = signal.SIGUSR2, signal.SIGTERM

    def loadings(self):
        return self.program.errors.count("Loading success")

    def start(self):
        super().start()
        wait_for("its first loading", self.loadings)

    def reload(self):
        """The master executes itself anew. A signal that comes during that is lost, and is sent
        again."""
        before, sent = self.loadings(), 0

        def is_loaded():
            nonlocal sent
            if time.monotonic() - sent > 0.2:
                self.program.send(self.reload_signal)
                sent = time.monotonic()
            return self.loadings() > before

        wait_for("another loading", is_loaded, interval=0.002)

    def command(self):
        address = "{}:{}".format(*self.line.target)
        config = self.test.write("haproxy.cfg", f"""
global
  maxconn 8000
  stats socket {self.test.dir}/haproxy.sock mode 600 level admin expose-fd listeners
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  option httpclose
frontend in
  bind {address} backlog 4096
  http-request return status 200 content-type text/plain string "slot=0 gen=1\\n"
""")
        return (find("haproxy"), "-W", "-db", "-f", config)


PEERS = {"nginx": Nginx, "haproxy": HAProxy}


def measure_peer(test, name, rtt_ms, seconds, rate):
    """Reload the server for so many seconds under load, one reload after the other."""
    if not find(name):
        test.skipTest(f"{name}: not installed")
    with DelayLine(test, rtt_ms) as line, ResetTrace(*line.target) as trace:
        peer = PEERS[name](test, line)
        peer.start()
        load = line.load("--duration", seconds + SPARE_S, rate=rate)
        operations, until = 0, time.monotonic() + seconds
        while time.monotonic() < until or operations < 2:
            peer.reload()
            operations += 1
        counts = load.stop()
        peer.stop()
    return Measured(counts, operations, trace.describe())
