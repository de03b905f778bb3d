#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Unknown clients at the control socket."""

import contextlib
import os
import pathlib
import re
import socket
import time

import harness
from clients import HERE, LISTEN, client_socket, http_get, read_all
from privilege import NOBODY, copy_program
from programs import NOT_PERMITTED, STICKYCTL, connect_unix
from world import scaled, wait_for

class Control(harness.TestCase):
    """Clients of the control socket that are not stickyctl."""

    def setUp(self):
        super().setUp()
        self.instance = self.serve(*LISTEN, "-w", "1")

    def connect(self):
        client = connect_unix(self.instance.control_path)
        self.addCleanup(client.close)
        return client

    def exchange(self, *parts):
        """Send the parts, then read to the end. The other side may close the connection."""
        with self.connect() as client:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for part in parts:
                    client.sendall(part)
                client.shutdown(socket.SHUT_WR)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                answer = read_all(client)
            return answer

    def memory(self):
        text = pathlib.Path(f"/proc/{self.instance.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+) kB", text)[1]) * 1024

    def code_of(self, answer):
        found = re.match(rb"HTTP/1\.\d (\d+)", answer)
        return int(found[1]) if found else None

    def check_alive(self):
        self.assertEqual(self.instance.status()["pid"], self.instance.pid)
        self.assertEqual(http_get(HERE)[0], 200)

    def test_garbage(self):
        before = self.instance.descriptors()
        for garbage in (b"\0" * 1000, b"\xff" * 1000, os.urandom(5000), b"garbage\r\n\r\n",
                        b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"GET /v1/status\r\n\r\n",
                        b"GET /v1/status HTTP/9\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n",
                        b"GET http:// HTTP/1.1\r\n\r\n", b"GET /%zz%00 HTTP/1.1\r\n\r\n",
                        b"GET /v1/where?address=%00 HTTP/1.0\r\n\r\n",
                        b"GET /v1/where?a=%&&==& HTTP/1.0\r\n\r\n",
                        b"GET * HTTP/1.0\r\n\r\n", b"GET ?address=1 HTTP/1.0\r\n\r\n",
                        b"GET //v1/status HTTP/1.0\r\n\r\n",
                        b"POST /v1/stop HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                        b"POST /v1/stop HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
            with self.subTest(garbage=garbage[:60]):
                self.assertNotEqual(self.code_of(self.exchange(garbage)), 200)
                self.check_alive()
        self.instance.wait_descriptors(before)

    def test_large_requests(self):
        before, megabyte = self.memory(), b"x" * (1 << 20)
        head = b"POST /v1/stop HTTP/1.1\r\nHost: x\r\n"
        for parts in ((head + b"Content-Length: 10485760\r\n\r\n", *10 * [megabyte]),
                      (head + b"Transfer-Encoding: chunked\r\n\r\n",
                       *10 * [b"100000\r\n" + megabyte + b"\r\n"]),
                      (b"GET /v1/status HTTP/1.1\r\nA: ", *10 * [megabyte]),
                      (b"GET /v1/status HTTP/1.1\r\n", *40 * [b"A: b\r\n" * 50_000]),
                      (b"GET /", *10 * [megabyte]),
                      tuple(10 * [megabyte])):
            with self.subTest(parts=parts[0][:60]):
                self.assertNotEqual(self.code_of(self.exchange(*parts)), 200)
                self.check_alive()
        self.assertLess(self.memory() - before, 4 << 20, "it reads no further than it must")

    def test_who_says_nothing_or_not_enough_is_let_go(self):
        before = self.instance.descriptors()
        silent, half = self.connect(), self.connect()
        body, one_by_one = self.connect(), self.connect()
        half.sendall(b"GET /v1/status HTTP/1.1\r\nHost:")
        body.sendall(b"POST /v1/stop HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf of it")
        began = time.monotonic()
        self.check_alive()
        for client in (silent, half, body, one_by_one):
            with contextlib.suppress(ConnectionResetError):
                read_all(client)
        self.assertLess(time.monotonic() - began, scaled(15))
        self.check_alive()
        self.instance.wait_descriptors(before)

    def test_silent_clients_do_not_delay_the_end(self):
        clients = [self.connect() for _ in range(200)]
        for client in clients[:100]:
            client.sendall(b"GET /v1/status HTTP/1.1\r\n")
        self.check_alive()
        began = time.monotonic()
        self.assertEqual(self.instance.terminate(), 0)
        self.assertLess(time.monotonic() - began, scaled(5))

    def test_who_never_reads(self):
        before = self.memory()
        client = self.connect()
        client.setblocking(False)
        request = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n" * 100
        with contextlib.suppress(BlockingIOError, ConnectionResetError, BrokenPipeError):
            while True:
                client.send(request)
        self.check_alive()
        self.assertLess(self.memory() - before, 8 << 20)

    def test_answers_to_wrong_questions(self):
        for method, target, code in (
                ("POST", "/v1/status", 405), ("GET", "/v1/stop", 405),
                ("POST", "/v1/where", 405),
                ("GET", "/", 404), ("GET", "/v1", 404), ("GET", "/v1/status/", 404),
                ("GET", "/v2/status", 404), ("GET", "/v1/where", 400),
                ("GET", "/v1/where?address=", 400), ("GET", "/v1/where?address=nobody", 400),
                ("GET", "/v1/where?address=1.2.3.4&address=x", 200)):
            with self.subTest(method=method, target=target), self.instance.control() as control:
                found, answer = control.ask(target, method)
                self.assertEqual(found, code, answer)
                self.assertEqual("error" in answer, code != 200)
        for method in ("DELETE", "PUT", "OPTIONS", "BREW"):
            answer = self.exchange(f"{method} /v1/stop HTTP/1.0\r\n\r\n".encode())
            self.assertNotEqual(self.code_of(answer), 200)
        self.check_alive()

    def test_who_asks_for_a_stop_and_goes_away(self):
        with client_socket(HERE) as held:  # so that the stop takes a while
            held.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
            wait_for("the connection", lambda: http_get(HERE)[0] == 200)
            clients = [self.connect() for _ in range(3)]
            for client in clients:
                client.sendall(b"POST /v1/stop HTTP/1.1\r\nHost: x\r\n"
                               b"Content-Length: 0\r\n\r\n")
            self.instance.wait_status("the stop", lambda status: status["state"] == "stopping")
            for client in clients:
                client.close()
            self.assertEqual(self.instance.status()["state"], "stopping")
        self.assertEqual(self.instance.wait(), 0)

    def as_nobody(self, *arguments):
        return self.run_program("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                                "--clear-groups", *arguments, cwd="/")

    def test_another_user_can_not_connect(self):
        program = copy_program(STICKYCTL, self.dir)
        for command in (("status",), ("stop",), ("where", "192.0.2.1")):
            result = self.as_nobody(program, *command)
            self.assert_message(result, str(self.instance.control_path), "Permission denied",
                                code=NOT_PERMITTED)
        self.check_alive()

    def test_another_user_who_connects_is_refused(self):
        program = copy_program(STICKYCTL, self.dir)
        self.instance.control_path.chmod(0o666)
        for method, target in (("GET", "status"), ("GET", "where?address=192.0.2.1"),
                               ("POST", "stop"), ("GET", "nothing")):
            result = self.as_nobody("curl", "-s", "-X", method, "-w", "%{http_code}",
                                    "--unix-socket", self.instance.control_path,
                                    f"http://x/v1/{target}")
            self.assertEqual(result.stdout[-3:], "403", result)
            self.assertNotIn("pid", result.stdout)
        for command in (("status",), ("stop",)):
            self.assert_message(self.as_nobody(program, *command), "user", code=NOT_PERMITTED)
        self.check_alive()


if __name__ == "__main__":
    harness.main()
