# SPDX-License-Identifier: MIT
"""The common part of the tests of Node.js applications."""

import os
import pathlib
import shutil
import subprocess
import time
import unittest

from clients import HERE, client_socket, http_get
from lifecycle import LifecycleTestCase
from programs import BUILD, environment
from world import DEADLINE_S, scaled, wait_for

PACKAGES = BUILD / "tests" / "node"  # packages that npm has installed, see Makefile
NODE = shutil.which("node", path=environment()["PATH"])
NODE_VERSION = int(subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True)
                   .stdout[1:].split(".")[0]) if NODE else 0

# The time in which Node.js starts and runs an application's first turn, also on a busy machine.
# Tests use it whose application never gets ready.
BEGUN_IN = ("--ready-timeout", "2s")

SOON_S = scaled(2)  # limit for a stop; the default --term-after is 30 s

# Every application here answers with the worker that serves, and with the client.
WHO = """
    const who = socket => `slot=${process.env.STICKY_SLOT} gen=${process.env.STICKY_GENERATION} ` +
      `pid=${process.pid} client=${(socket.remoteAddress || '').replace('::ffff:', '')} `;
    """

# An application that knows nothing of stickyctl.
PLAIN = """
    const http = require('http');
    http.createServer((request, response) => response.end(who(request.socket) + '\\n'))
      .listen(%s);
    """

# The same on port 3000. /slow answers when the file `go` exists in its directory, /hold never ends,
# /keep leaves the connection open.
SERVER = """
    const http = require('http'), fs = require('fs');
    const server = http.createServer((request, response) => {
      const answer = () => response.end(who(request.socket) + '\\n');
      if (request.url === '/slow') {
        response.write('begun\\n');
        const timer = setInterval(() => {
          if (!fs.existsSync(__dirname + '/go')) return;
          clearInterval(timer);
          answer();
        }, 10);
      } else if (request.url === '/hold') {
        response.write(who(request.socket) + '\\n');
      } else {
        answer();
      }
    });
    server.keepAliveTimeout = 60000;
    server.on('upgrade', (request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: echo\\r\\n' +
                   'Connection: Upgrade\\r\\n\\r\\n');
      socket.on('data', data => socket.write(who(socket) + data));
      socket.on('error', () => {});
    });
    """


LISTENS = "server.listen(3000);"

# This is appended to SERVER: after a request for /block its event loop is blocked until the file
# `go` exists.
BLOCKS = """
    server.on('request', request => {
      if (request.url !== '/block') return;
      console.error('blocked');
      while (!fs.existsSync(__dirname + '/go'));
    });
    """

# An application with two ports. A request for /close closes the second one, in this worker.
SERVER_OF_TWO = """
    const http = require('http');
    const answer = (request, response) => response.end(who(request.socket) + '\\n');
    const second = http.createServer(answer).listen(3001);
    http.createServer((request, response) => {
      if (request.url === '/close') second.close();
      answer(request, response);
    }).listen(3000);
    """
REQUEST = b"GET / HTTP/1.0\r\n\r\n"


def fields(text):
    """Returns the fields of an answer, with numbers as int."""
    pairs = dict(word.split("=", 1) for word in text.split() if "=" in word)
    return {name: int(value) if value.isdigit() else value for name, value in pairs.items()}


def ask_http(address=HERE, source=None, path="/", **headers):
    """Request the worker's fields on a connection of its own. Returns the fields."""
    code, _, body = http_get(address, source, path, **headers)
    assert code == 200, (code, body)
    return fields(body)


def sources(count, network="127.5.0"):
    return [f"{network}.{number}" for number in range(1, count + 1)]


class Talk:
    """One connection that a client keeps. It writes HTTP itself."""

    def __init__(self, test, source=None, address=HERE):
        self.socket = client_socket(address, source)
        test.addCleanup(self.socket.close)
        self.text = b""

    def send(self, path="/", headers=""):
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n".encode())
        return self

    def until(self, mark):
        """Read up to and including a mark."""
        while mark not in self.text:
            part = self.socket.recv(4096)
            if not part:
                raise AssertionError(f"the end instead of {mark}: {self.text}")
            self.text += part
        text, _, self.text = self.text.partition(mark)
        return text.decode()

    def upgrade(self):
        self.send(headers="Connection: Upgrade\r\nUpgrade: echo\r\n")
        self.until(b"\r\n\r\n")
        return self

    def echo(self, word):
        self.socket.sendall(word.encode() + b"\n")
        return fields(self.until(b"\n"))

    def ended(self):
        """Has the other side closed the connection?"""
        try:
            return not self.socket.recv(4096)
        except ConnectionError:
            return True


def no_packages(name):
    """Returns why the packages of tests/node/NAME are missing, or None."""
    directory = PACKAGES / name
    if (directory / "installed").exists():
        return None
    log = directory / "npm.log"
    lines = log.read_text().strip().splitlines() if log.exists() else []
    return f"no packages of npm: {lines[0] if lines else 'npm was not run'}"


@unittest.skipUnless(NODE, "node is not installed")
class NodeTestCase(LifecycleTestCase):
    """Instances whose workers are applications of Node.js."""

    def app(self, text, name="server.js"):
        return self.write(name, WHO + text)

    def plain(self, where):
        return self.app(PLAIN % where)

    def start_node(self, app, *arguments, slots=2, node=("node",), **options):
        return self.start("-w", slots, *arguments, "--", *node, app, **options)

    def serve_node(self, app, *arguments, **options):
        return self.start_node(app, *arguments, **options).ready()

    def begin_slow(self):
        """Begin a request that is answered when the file `go` exists. Returns the client."""
        client = client_socket(HERE)
        self.addCleanup(client.close)
        client.sendall(b"GET /slow HTTP/1.0\r\n\r\n")
        while b"begun" not in client.recv(4096):
            pass
        return client

    def stop_soon(self, instance, seconds=SOON_S):
        """Stop the instance within this time. Returns all that the workers and stickyctl have
        printed."""
        began = time.monotonic()
        self.assertEqual(instance.stop(), 0)
        took = time.monotonic() - began
        self.assertLess(took, seconds, instance.errors)
        return instance.errors

    def how(self, instance):
        """Returns how the workers of an instance have ended."""
        return [line.fields["how"] for line in instance.log_lines("worker_exit")]

    def block(self, instance):
        """Block the event loop of an application with BLOCKS. Returns the clients whose request has
        done it."""
        clients = self.connect(sources(1), b"GET /block HTTP/1.0\r\n\r\n")
        wait_for("it to be blocked", lambda: "blocked" in instance.errors)
        return clients

    def assert_start_fails(self, app, *words, arguments=(), seconds=DEADLINE_S, **options):
        """Check that the start ends by itself, with these words in its message."""
        instance = self.start_node(app, *arguments, **options)
        code = instance.wait(seconds)
        self.assertNotEqual(code, 0)
        for word in words:
            self.assertIn(word, instance.errors)
        return instance

    def assert_steered(self, instance, address=HERE, clients=None):
        """Check that every client is served in the slot that `where` names, and that the kernel
        sent it there. Returns the slots."""
        clients = clients or sources(24)
        expected = {answer["address"]: answer["slot"] for answer in instance.where(*clients)}
        before = instance.status()["counters"]
        for source, slot in expected.items():
            answer = ask_http(address, source)
            self.assertEqual((answer["slot"], answer["client"]), (slot, source))
        status = instance.status()
        after = status["counters"]
        # The first packet of a connection counts twice if it comes twice.
        if status["counts_placements"]:
            self.assertGreaterEqual(after["steered"] - before["steered"], len(clients))
        self.assertEqual(after["handed"], before["handed"])
        self.assertEqual(after["empty_slot"], before["empty_slot"])
        return set(expected.values())

    def assert_slots(self, instance, address=HERE, clients=None):
        """Check the slots of connections that stickyctl passes on."""
        clients = clients or sources(24)
        for answer in instance.where(*clients):
            self.assertEqual(ask_http(address, answer["address"])["slot"], answer["slot"])

    def open_fds(self, pid):
        return len(os.listdir(f"/proc/{pid}/fd"))


def rss_kib(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0])
