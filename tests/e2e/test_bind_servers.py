#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""--worker=bind with unchanged servers of other projects: each client is accepted by the worker of
its slot, also over a crash, a reload and a takeover."""

import os
import pathlib
import shutil
import subprocess
import textwrap

import harness
import world
from clients import HERE, client_socket
from harness import needs
from lifecycle import LifecycleTestCase
from world import wait_for

SOURCES = [f"127.8.0.{number}" for number in range(1, 25)]
HTTP = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def socket_inode(client):
    """Returns the inode of the other end of a connection, or 0 while it waits to be accepted."""
    host, port = client.getsockname()
    # The tables of both families are read: a server's socket may be of either.
    wanted = f"{int.from_bytes(bytes(map(int, host.split('.'))), 'little'):08X}:{port:04X}"
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path("/proc/net", table).read_text().splitlines()[1:]:
            row = line.split()
            if row[2].endswith(wanted) and row[1].endswith(f":{HERE[1]:04X}"):
                return int(row[9])
    return 0



def holder_of(inode):
    """Returns the process group of the process that has this socket, or None if no process has it
    (yet)."""
    for pid in world.other_processes():
        try:
            for name in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{name}") == f"socket:[{inode}]":
                    return os.getpgid(pid)
        except OSError:
            continue  # it has ended
    return None


class Servers(LifecycleTestCase):
    REQUEST, ANSWER = HTTP, b"200"

    def accepted_by(self, source):
        """Connect, and find the worker that accepts. The request must be answered."""
        with client_socket(HERE, source) as client:
            pid = wait_for("the connection to be accepted",
                           lambda: (inode := socket_inode(client)) and holder_of(inode))
            client.sendall(self.REQUEST)
            answer = client.recv(65536)
            self.assertIn(self.ANSWER, answer[:64])
            return pid

    def assert_sticky(self, instance):
        places = {place["address"]: place["slot"] for place in instance.where(*SOURCES)}
        self.assertGreater(len(set(places.values())), 1)
        pids = self.pids(instance)
        self.assertEqual({source: self.accepted_by(source) for source in SOURCES},
                         {source: pids[slot] for source, slot in places.items()})

    def check(self, *command, listen="127.0.0.1:3000", request=HTTP, answer=b"200", options=(),
              **more):
        self.REQUEST, self.ANSWER = request, answer
        words = ("-w", 2, *(("-l", listen) if listen else ()), "--worker", "bind",
                 "--hard-shutdown-delay", "3s", *options, "--", *command)
        instance = self.serve(*words, **more)
        self.assert_sticky(instance)
        self.kill_worker(instance, 1)
        self.wait_generation(instance, 2, slot=1)
        self.assert_sticky(instance)
        self.assertEqual(instance.run("reload", "--wait=ready").returncode, 0)
        self.assert_sticky(instance)
        pids = self.pids(instance)
        self.kill_controller(instance)
        successor = self.start(*words, **more).ready()
        self.assertEqual(self.pids(successor), pids)
        self.assert_sticky(successor)
        self.assertIn(successor.stop("--now"), (0, 4))

    @needs("python3")
    def test_python(self):
        self.check("python3", "-m", "http.server", "-b", "127.0.0.1", "3000")

    def test_python_without_an_address(self):
        self.check("python3", "-m", "http.server", "3000", listen=None)

    def test_python_as_another_user(self):
        """The Python of Debian is used, as the user nobody must be able to read it."""
        if not os.access("/usr/bin/python3", os.X_OK):
            self.skipTest("/usr/bin/python3: not installed")
        (self.dir / "index.html").write_text("hello")
        self.check("/usr/bin/python3", "-m", "http.server", "-b", "127.0.0.1", "3000",
                   options=("--user", "nobody"), cwd=self.dir)

    @needs("php")
    def test_php(self):
        (self.dir / "index.php").write_text("<?php echo 'hello';")
        self.check("php", "-S", "127.0.0.1:3000", "-t", self.dir)

    @needs("ruby")
    def test_ruby(self):
        """WEBrick binds both families, with two sockets."""
        if subprocess.run(["ruby", "-e", "require 'webrick'"], capture_output=True,
                          check=False).returncode:
            self.skipTest("WEBrick: not installed")
        self.check("ruby", "-r", "webrick", "-e", "server = WEBrick::HTTPServer.new(Port: 3000, "
                   f"DocumentRoot: '{self.dir}'); trap('TERM') {{ server.shutdown }}; "
                   "server.start", listen=":3000")

    @needs("redis-server")
    def test_redis(self):
        """A server that does not speak HTTP."""
        self.check("redis-server", "--port", "3000", "--bind", "127.0.0.1", "--save", "",
                   "--protected-mode", "no", request=b"PING\r\n", answer=b"+PONG")

    @needs("java")
    def test_java(self):
        """Threads of the virtual machine call bind()."""
        (self.dir / "Server.java").write_text(textwrap.dedent("""
            import com.sun.net.httpserver.HttpServer;
            import java.net.InetSocketAddress;

            public class Server {
                public static void main(String[] words) throws Exception {
                    HttpServer server = HttpServer.create(
                        new InetSocketAddress("127.0.0.1", 3000), 0);
                    server.createContext("/", exchange -> {
                        exchange.sendResponseHeaders(200, 2);
                        exchange.getResponseBody().write("ok".getBytes());
                        exchange.close();
                    });
                    server.start();
                }
            }
            """))
        if not shutil.which("javac"):
            self.skipTest("javac: not installed")
        self.run_program("javac", "Server.java", cwd=self.dir, seconds=120)
        self.check("java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", self.dir, "Server")

    @needs("node")
    def test_node(self):
        """Node.js is treated as any other server, with its own bind()."""
        server = self.write("server.js", "require('http').createServer((request, response) => "
                            "response.end('ok')).listen(3000, '127.0.0.1');\n")
        self.check("node", server)

    def test_behind_a_shell(self):
        """The process that binds is a child of the worker."""
        self.check("sh", "-c", "python3 -m http.server -b 127.0.0.1 3000; true")


if __name__ == "__main__":
    harness.main()
