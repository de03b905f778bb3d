#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The controller of Node.js workers dies. The workers serve on, and the next controller goes on
with them."""

import signal
import time

import harness
from clients import HERE, LISTEN, is_refused
from nodejs import NODE_VERSION, SERVER, NodeTestCase, Talk, ask_http, rss_kib, sources
from world import wait_for

# Prints a line for each request: a stdout that no process reads must do no harm.
TALKATIVE = SERVER + """
    server.on('request', request => {
      console.log('request', request.url);
      console.error('error', request.url);
    });
    """
LISTENS = "server.listen(3000);"
METRICS = ("127.0.0.1", 4000)


class ControllerTestCase(NodeTestCase):
    def start_again(self, app, *arguments, slots=2, **options):
        return self.serve_node(app, *arguments, slots=slots, **options)

    def assert_same(self, successor, before):
        for name in ("pid", "generation", "restarts"):
            self.assertEqual([worker[name] for worker in successor.workers()],
                             [worker[name] for worker in before], name)


class Gone(ControllerTestCase):
    """SIGKILL to the controller, then `start` again."""

    def test_workers_serve_on(self):
        app = self.app(TALKATIVE + LISTENS)
        for arguments in ((), LISTEN):
            with self.subTest(arguments):
                instance = self.serve_node(app, *arguments, slots=2)
                before = instance.workers()
                served = {source: ask_http(HERE, source)["pid"] for source in sources(20)}
                with self.load("--http", rate=300) as load:
                    self.kill_controller(instance)
                    for source, pid in served.items():
                        self.assertEqual(ask_http(HERE, source)["pid"], pid)
                    successor = self.start_again(app, *arguments)
                self.assert_nobody_lost(load.counts, least=10)
                self.assert_same(successor, before)
                self.assertEqual(self.assert_steered(successor), {0, 1})
                self.assertEqual(successor.stop(), 0)
                self.assertTrue(is_refused(HERE))

    def test_everything_works_afterwards(self):
        app = self.app(TALKATIVE + LISTENS)
        instance = self.serve_node(app)
        self.kill_controller(instance)
        successor = self.start_again(app)
        self.assertEqual(len(successor.status()["listeners"]), 1)
        with self.load("--http", rate=300) as load:
            result = successor.run("reload", "--wait=drained")
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_nobody_lost(load.counts, least=10)
        self.assertEqual(self.generations(successor), [2, 2])
        self.assertEqual(successor.run("scale", "3").returncode, 0)
        self.wait_all_ready(successor)
        self.assertEqual(self.assert_steered(successor), {0, 1, 2})
        killed = self.kill_worker(successor, 2)
        self.wait_generation(successor, 2, slot=2)
        self.wait_gone(killed)
        self.kill_controller(successor)
        third = self.start_again(app, slots=3)
        self.assert_steered(third)
        self.assertEqual(third.terminate(), 0)

    def test_drain_of_a_worker_that_was_taken_over(self):
        """The worker is drained by its channel: an idle connection is closed, a busy one
        finishes."""
        app = self.app(SERVER + LISTENS)
        instance = self.serve_node(app, slots=1)
        self.kill_controller(instance)
        successor = self.start_again(app, slots=1)
        client = self.begin_slow()
        self.assertEqual(successor.run("reload", "--wait").returncode, 0)
        self.assertEqual(ask_http(HERE)["gen"], 2)
        self.write("go", "")
        self.assertIn(b"gen=1", client.recv(4096))
        self.wait_drained(successor)
        self.assertEqual(successor.workers()[0]["killed"], 0)
        successor.stop()

    def test_term_after_of_a_worker_that_drains(self):
        """The previous controller has told the worker to finish. The signal comes from the next
        one."""
        app = self.app(SERVER + LISTENS + """
            process.on('SIGTERM', () => { console.error('signal'); process.exit(0); });
            """)
        times = ("--term-after", "1s", "--hard-shutdown-delay", "30s")
        instance = self.serve_node(app, *times, slots=1)
        client = self.begin_slow()
        instance.run("reload", "--wait")
        self.kill_controller(instance)
        successor = self.start_again(app, *times, slots=1)
        self.wait_drained(successor)
        self.assertIn("signal", instance.errors + successor.errors)
        successor.stop()

    def test_other_sockets_are_shared_again(self):
        """A metrics port, a UNIX path and UDP sockets: the next worker gets the same ones."""
        app = self.app(SERVER + LISTENS + """
            const dgram = require('dgram');
            for (const where of [4000, __dirname + '/app.sock'])
              http.createServer((request, response) => response.end(who(request.socket) + '\\n'))
                .listen(where);
            dgram.createSocket('udp4').bind(5000);
            dgram.createSocket({type: 'udp4', reuseAddr: true}).bind(5001);
            """)
        instance = self.serve_node(app)
        self.kill_controller(instance)
        successor = self.start_again(app)
        result = successor.run("reload", "--wait=drained")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(ask_http(METRICS)["pid"], self.pids(successor))
        self.assertEqual(self.generations(successor), [2, 2])
        self.assertEqual(successor.stop(), 0)
        self.assertTrue(is_refused(METRICS))
        self.assertFalse((self.dir / "app.sock").exists())

    def test_told_by_the_next_controller(self):
        """The controller died before it could tell the worker to finish."""
        app = self.app(SERVER + LISTENS)
        instance = self.serve_node(app, slots=1)
        silent, kept = Talk(self), Talk(self).send()
        kept.until(b"client=127.0.0.1 \n")
        former = self.pids(instance)[0]
        instance.wait_status("both", lambda status: status["workers"][0]["connections"] == 2)
        instance.send(signal.SIGHUP)
        instance.wait_status("it to drain", lambda status: status["workers"][0]["draining"])
        self.kill_controller(instance)
        successor = self.start_again(app, slots=1)
        if NODE_VERSION > 18:
            self.assertTrue(kept.ended(), "it was idle")
        kept.socket.close()
        silent.socket.close()
        self.wait_gone(former)
        self.assertEqual(ask_http(HERE)["gen"], 2)
        successor.stop()

    def test_closed_by_the_next_life_alone(self):
        """A worker of the previous controller still has the port. The port stays open, and can be
        requested again."""
        app = self.app(SERVER + LISTENS + """
            const health = http.createServer((request, response) => response.end('ok'));
            health.listen(4000, '127.0.0.1');
            server.on('request', request => {
              if (request.url === '/close') health.close();
              if (request.url === '/open') health.listen(4000, '127.0.0.1');
            });
            """)
        instance = self.serve_node(app)
        self.kill_controller(instance)
        successor = self.start_again(app)
        self.assertEqual(successor.run("restart", "0").returncode, 0)
        self.wait_generation(successor, 2)
        client = self.sources_of(successor, 0, 1)[0]
        for path in ("/close", "/open", "/close", "/open"):
            self.assertEqual(ask_http(HERE, client, path)["gen"], 2)
            self.assertFalse(is_refused(METRICS))
        successor.stop()

    def test_a_second_listen_of_one_that_was_taken_over(self):
        """The worker gets the error that the address is in use, as from its first controller."""
        app = self.app(SERVER + LISTENS + """
            server.on('request', request => {
              if (request.url === '/twice')
                http.createServer().on('error', error => console.error('second', error.code))
                  .listen(3000);
              if (request.url === '/again')
                server.close(() => server.listen(3000));
            });
            """)
        instance = self.serve_node(app, slots=1)
        self.kill_controller(instance)
        successor = self.start_again(app, slots=1)
        ask_http(HERE, path="/twice")
        wait_for("the error", lambda: "second EADDRINUSE" in successor.errors)
        ask_http(HERE, path="/again", Connection="close")
        self.assertEqual(ask_http(HERE)["gen"], 1)
        self.assertEqual(successor.workers()[0]["restarts"], 0)
        successor.stop()

    def test_a_named_server_that_is_closed_meanwhile(self):
        """The worker goes on, and gets the socket of the next controller when it listens again."""
        app = self.app(SERVER + LISTENS + """
            const other = http.createServer((request, response) =>
              response.end(who(request.socket) + '\\n'));
            other.listen(4000, '127.0.0.1');
            server.on('request', request => {
              if (request.url === '/close') other.close(() => console.error('closed'));
              if (request.url === '/open') other.listen(4000, '127.0.0.1');
            });
            """)
        named = (*LISTEN, "-l", "127.0.0.1:4000")
        instance = self.serve_node(app, *named)
        before = instance.workers()
        client = self.sources_of(instance, 1, 1)[0]
        ask_http(HERE, client, "/close")
        wait_for("it to be closed", lambda: "closed" in instance.errors)
        self.kill_controller(instance)
        successor = self.start_again(app, *named)
        self.assert_same(successor, before)
        self.assertEqual(ask_http(METRICS, client)["slot"], 0)
        ask_http(HERE, client, "/open")
        wait_for("it to listen", lambda: ask_http(METRICS, client)["slot"] == 1)
        self.assert_steered(successor, METRICS)
        successor.stop()

    def test_a_worker_that_starts_meanwhile_is_replaced(self):
        """The controller that read the worker's request is dead."""
        app = self.app(SERVER + """
            const timer = setInterval(() => {
              if (!fs.existsSync(__dirname + '/go')) return;
              clearInterval(timer);
              server.listen(3000);
            }, 10);
            console.error('begun');
            """)
        self.write("go", "")
        instance = self.serve_node(app, *LISTEN)
        (self.dir / "go").unlink()
        killed = self.kill_worker(instance, 0)
        wait_for("its successor to begin", lambda: instance.errors.count("begun") == 3)
        starting = instance.workers()[0]["pid"]
        self.assertNotEqual(starting, killed)
        self.kill_controller(instance)
        self.write("go", "")
        successor = self.start_again(app, *LISTEN)
        self.wait_gone(starting)
        self.assert_steered(successor)
        successor.stop()

    def test_messages_that_nobody_reads(self):
        """Messages that a worker sends meanwhile pile up in the worker. The next controller gets no
        line that is cut off. The worker serves all the time."""
        app = self.app(SERVER + LISTENS + """
            server.on('request', request => {
              if (request.url === '/send')
                for (let count = 0; count < 2000; count++)
                  process.send({number: count, text: 'x'.repeat(1000)}, () => {});
              if (request.url === '/replace') process.send({cmd: 'disconnect'});
            });
            """)
        instance = self.serve_node(app, slots=1)
        self.kill_controller(instance)
        self.assertEqual(ask_http(HERE, path="/send")["gen"], 1)
        self.assertEqual(ask_http(HERE)["gen"], 1)
        successor = self.start_again(app, slots=1)
        self.assertEqual(ask_http(HERE, path="/replace")["gen"], 1)
        self.wait_generation(successor, 2)
        self.assertEqual(ask_http(HERE)["gen"], 2)
        self.wait_drained(successor)
        successor.stop()

    def test_nothing_grows_without_a_controller(self):
        """The memory and the descriptors of a worker that only serves and logs."""
        app = self.app(TALKATIVE + LISTENS)
        instance = self.serve_node(app, slots=1)
        pid = self.pids(instance)[0]
        self.kill_controller(instance)
        for number in range(1000):  # until the heap has the size that it wants
            ask_http(HERE)
        descriptors, memory = self.open_fds(pid), rss_kib(pid)
        for number in range(1500):
            ask_http(HERE)
        wait_for("its last connections to be closed", lambda: self.open_fds(pid) <= descriptors)
        self.assertLess(rss_kib(pid) - memory, 24 << 10)
        self.start_again(app, slots=1).stop()

    def test_passed_connections(self):
        """The worker is behind a proxy: the next controller passes connections on."""
        app = self.app(SERVER + LISTENS)
        arguments = ("--behind-proxy", "xff")
        instance = self.serve_node(app, *arguments)
        before = instance.workers()
        self.kill_controller(instance)
        successor = self.start_again(app, *arguments)
        self.assert_same(successor, before)
        for number in range(1, 9):
            source = f"203.0.113.{number}"
            answer = ask_http(HERE, **{"X-Forwarded-For": source})
            self.assertEqual(answer["slot"], successor.where(source)["slot"])
        self.assertEqual(successor.run("reload", "--wait=drained").returncode, 0)
        successor.stop()


class Upgrade(ControllerTestCase):
    def test_upgrade(self):
        app = self.app(TALKATIVE + LISTENS + """
            http.createServer((request, response) => response.end(who(request.socket) + '\\n'))
              .listen(4000);
            """)
        instance = self.serve_node(app)
        before = instance.workers()
        with self.load("--http", rate=300) as load:
            for _ in range(2):
                result = instance.run("upgrade")
                self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_nobody_lost(load.counts, least=10)
        instance.note_bpf_objects()
        self.assert_same(instance, before)
        self.assert_steered(instance)
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assertIn(ask_http(METRICS)["pid"], self.pids(instance))
        self.assertEqual(self.generations(instance), [2, 2])
        self.assertEqual(instance.stop(), 0)


if __name__ == "__main__":
    harness.main()
