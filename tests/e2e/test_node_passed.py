#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Applications of Node.js whose connections are passed by the controller."""

import os
import resource
import signal

import harness
from clients import HERE, LISTEN, client_socket, read_all
from nodejs import LISTENS, REQUEST, SERVER, NodeTestCase, Talk, ask_http, fields, sources
from privilege import as_nobody, copy_program
from programs import STICKYCTL
from world import wait_for


class Passed(NodeTestCase):
    """Passed connections go to the same slots, and none is lost."""

    def xff(self, source):
        return ask_http(HERE, **{"X-Forwarded-For": source})

    def test_x_forwarded_for(self):
        instance = self.serve_node(self.app(SERVER + LISTENS), "--behind-proxy", "xff", slots=3)
        clients = [f"203.0.113.{number}" for number in range(1, 25)]
        for answer in instance.where(*clients):
            self.assertEqual(self.xff(answer["address"])["slot"], answer["slot"])
        self.assertEqual(instance.status()["counters"]["handed"], len(clients))
        self.assertEqual(instance.stop(), 0)

    def test_proxy_protocol(self):
        instance = self.serve_node(self.app(SERVER + LISTENS), "--behind-proxy", "proxy",
                                   slots=3)
        for answer in instance.where(*[f"203.0.113.{number}" for number in range(1, 17)]):
            with client_socket(HERE) as client:
                client.sendall(f"PROXY TCP4 {answer['address']} 192.0.2.1 5 3000\r\n".encode() +
                               REQUEST)
                self.assertEqual(fields(read_all(client).decode())["slot"], answer["slot"])
        instance.stop()

    def test_steering_by_user(self):
        instance = self.serve_node(self.app(SERVER + LISTENS), "--steering", "user", slots=3)
        self.assert_slots(instance)
        counters = instance.status()["counters"]
        self.assertEqual((counters["handed"], counters["steered"]), (24, 0))
        instance.stop()

    def test_steering_by_user_of_several_listeners(self):
        """A connection goes to the server of its port."""
        app = self.app("""
            const http = require('http');
            for (const port of [3000, 3001])
              http.createServer((request, response) =>
                response.end(who(request.socket) + `port=${port}\\n`)).listen(port);
            """)
        instance = self.serve_node(app, *LISTEN, "-l", "127.0.0.1:3001", "--steering", "user")
        for port in (3000, 3001):
            self.assert_slots(instance, ("127.0.0.1", port), sources(6))
            self.assertEqual(ask_http(("127.0.0.1", port))["port"], port)
        instance.stop()

    def test_as_nobody_without_any_capability(self):
        program = copy_program(STICKYCTL, self.dir)
        for directory in (self.run_dir, self.state_dir):
            directory.mkdir()
            os.chown(directory, 65534, 65534)
        instance = self.start_node(self.app(SERVER + LISTENS), "--steering", "user", program=program,
                                   prefix=as_nobody(), cwd="/tmp", env={"PWD": "/tmp"})
        instance.ready()
        self.assertEqual(instance.status()["steering"], "user")
        self.assert_slots(instance)
        result = self.stickyctl("reload", "--wait=drained", program=program, prefix=as_nobody(),
                                cwd="/tmp")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_slots(instance)
        instance.terminate()

    def test_reload(self):
        instance = self.serve_node(self.app(SERVER + LISTENS), "--steering", "user")
        with self.load("--http", rate=300) as load:
            for _ in range(2):
                self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assert_nobody_lost(load.counts, least=10)
        instance.stop()

    def test_a_server_that_is_closed_for_a_while(self):
        """Node.js answers with accepted: false. The connection waits in the controller until the
        application listens again."""
        app = self.app(SERVER + LISTENS + """
            server.on('request', request => {
              if (request.url !== '/pause') return;
              server.close(() => {
                fs.writeFileSync(__dirname + '/closed', '');
                const timer = setInterval(() => {
                  if (!fs.existsSync(__dirname + '/go')) return;
                  clearInterval(timer);
                  server.listen(3000);
                }, 10);
              });
            });
            """)
        instance = self.serve_node(app, "--steering", "user", slots=1)
        ask_http(HERE, path="/pause")
        wait_for("the close", (self.dir / "closed").exists)
        clients = self.connect(sources(4), REQUEST)
        wait_for("them to be accepted", lambda: instance.status()["counters"][
            "dispatched"] == 5)
        self.assertEqual(instance.status()["counters"]["handed"], 1)
        self.write("go", "")
        for text, _ in self.collect(clients):
            self.assertIn(b"slot=0", text or b"")
        self.assertEqual(self.generations(instance), [1])
        instance.stop()

    def test_out_of_descriptors(self):
        """NODE_HANDLE_NACK: connections that the worker could not take come back, and are served
        later."""
        instance = self.serve_node(self.app(SERVER + LISTENS), "--steering", "user", slots=1)
        pid = instance.workers()[0]["pid"]
        ask_http(HERE)
        former = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = max(map(int, os.listdir(f"/proc/{pid}/fd")))
        busy = [Talk(self, source).upgrade() for source in sources(3)]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 1, former[1]))
        clients = self.connect(sources(5), REQUEST)
        instance.wait_status("them to be tried", lambda status: status["counters"][
            "dispatched"] == 9)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, former)
        for text, _ in self.collect(clients):
            self.assertIn(b"slot=0", text or b"")
        self.assertEqual(self.pids(instance), [pid])
        for talk in busy:
            self.assertEqual(talk.echo("alive")["gen"], 1)
        instance.stop("--now")

    def test_death_before_its_answer(self):
        """Connections that the worker had not taken go to the next worker of the slot."""
        instance = self.serve_node(self.app(SERVER + LISTENS), "--steering", "user",
                                   "--min-uptime", "5ms", slots=1)
        pid = instance.workers()[0]["pid"]
        os.kill(pid, signal.SIGSTOP)
        clients = self.connect(sources(30), REQUEST)
        instance.wait_status("them to be on their way", lambda status: status["counters"][
            "dispatched"] == 30)
        os.kill(pid, signal.SIGKILL)
        for text, _ in self.collect(clients):
            self.assertIn(b"gen=2", text or b"")
        instance.stop()

    def test_a_pause_longer_than_what_may_be_on_the_way(self):
        instance = self.serve_node(self.app(SERVER + LISTENS), "--steering", "user", slots=1)
        pid = instance.workers()[0]["pid"]
        os.kill(pid, signal.SIGSTOP)
        clients = self.connect(sources(200), REQUEST)
        instance.wait_status("some to be on their way, and the others to wait with us",
                             lambda status: status["counters"]["dispatched"] == 200 and
                             0 < status["held"] < 200)
        os.kill(pid, signal.SIGCONT)
        for text, _ in self.collect(clients):
            self.assertIn(b"gen=1", text or b"")
        instance.stop()

    def test_upgrades_last(self):
        instance = self.serve_node(self.app(SERVER + LISTENS), "--behind-proxy", "xff", slots=1)
        talk = Talk(self)
        talk.send(headers="Connection: Upgrade\r\nUpgrade: echo\r\nX-Forwarded-For: 9.9.9.9\r\n")
        talk.until(b"\r\n\r\n")
        for word in ("one", "two"):
            self.assertEqual(talk.echo(word)["gen"], 1)
        instance.stop("--now")


if __name__ == "__main__":
    harness.main()
