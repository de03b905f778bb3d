#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Applications of Node.js: readiness, drain, reload, crash, scale."""

import signal
import time

import harness
from clients import HERE, LISTEN
from lifecycle import PARTLY
from nodejs import (BEGUN_IN, BLOCKS, LISTENS, NODE_VERSION, REQUEST, SERVER, NodeTestCase, Talk,
                    ask_http, sources)
from world import wait_for

class Readiness(NodeTestCase):
    def test_asynchronous_start_up(self):
        """No client is served before READY. Connections wait, and are served then."""
        app = self.app(SERVER + """
            const timer = setInterval(() => {
              if (!fs.existsSync(__dirname + '/go')) return;
              clearInterval(timer);
              server.listen(3000);
            }, 10);
            """)
        instance = self.start_node(app, *LISTEN)
        wait_for("workers", instance.try_status)
        clients = self.connect(sources(10), REQUEST)
        time.sleep(1.2)  # longer than --min-uptime
        self.assertEqual({worker["state"] for worker in instance.workers()}, {"starting"})
        self.write("go", "")
        instance.ready()
        for text, _ in self.collect(clients):
            self.assertIn(b"slot=", text or b"")
        instance.stop()

    def ready_by_message(self, message):
        app = self.app(SERVER + LISTENS + """
            const timer = setInterval(() => {
              if (!fs.existsSync(__dirname + '/go')) return;
              clearInterval(timer);
              process.send(%s);
            }, 10);
            process.send('nearly'); process.send({cmd: 'other'}); process.send({ready: true});
            server.on('listening', () => console.error('it listens'));
            """ % message)
        instance = self.start_node(app, "--ready", "message", slots=1)
        wait_for("listen()", lambda: "it listens" in instance.errors)
        client = self.connect(sources(1), REQUEST)
        time.sleep(1.1)
        self.assertEqual(instance.workers()[0]["state"], "starting")
        self.write("go", "")
        instance.ready()
        self.assertIn(b"slot=0", self.collect(client)[0][0])
        instance.stop()

    def test_ready_by_a_word(self):
        self.ready_by_message("'ready'")

    def test_ready_by_a_command(self):
        self.ready_by_message("{cmd: 'ready'}")

    def test_ready_message_that_never_comes(self):
        self.assert_start_fails(self.app(SERVER + LISTENS), "process.send('ready')", arguments=(
            "--ready", "message", *BEGUN_IN), slots=1)

    def test_exit_before_it_listened(self):
        instance = self.assert_start_fails(self.app("""
            console.error('no database');
            process.exit(5);
            """), "no database", "exited with code 5")
        self.assertNotIn("READY=1", instance.errors)

    def test_exception_before_it_listened(self):
        self.assert_start_fails(self.app("throw new Error('broken configuration');"),
                                "Error: broken configuration", "exited with code 1")

    def test_it_asks_for_its_replacement(self):
        """{cmd: 'disconnect'}: the next worker is ready before this one ends."""
        app = self.app(SERVER + LISTENS + """
            server.on('request', request => {
              if (request.url === '/replace') process.send({cmd: 'disconnect'});
            });
            """)
        instance = self.serve_node(app)
        source = self.sources_of(instance, 1, 1)[0]
        with self.load("--http") as load:
            former = ask_http(HERE, source, "/replace")
            worker = self.wait_generation(instance, 2, slot=1)
            self.wait_gone(former["pid"])
        self.assert_nobody_lost(load.counts, least=10)
        self.assertEqual((self.generations(instance), worker["restarts"]), ([1, 2], 0))
        self.assert_counters(instance)
        instance.stop()

    def test_it_disconnects_by_itself(self):
        """cluster.worker.disconnect(): the next worker is started, and no connection is lost."""
        app = self.app(SERVER + LISTENS + """
            server.on('request', request => {
              if (request.url === '/leave') setTimeout(() =>
                require('cluster').worker.disconnect(), 10);
            });
            """)
        instance = self.serve_node(app, "--min-uptime", "5ms", slots=1)
        former = ask_http(HERE, path="/leave", Connection="close")
        self.wait_gone(former["pid"])
        self.wait_generation(instance, 2)
        self.assertEqual(ask_http(HERE)["gen"], 2)
        instance.stop()

    def test_its_own_messages_are_no_harm(self):
        """Messages of all kinds do no harm, also large ones."""
        app = self.app(SERVER + LISTENS + """
            server.on('request', request => {
              if (request.url !== '/junk') return;
              for (const junk of [null, 1, 'a', [], {}, {cmd: 1}, {cmd: 'NODE_CLUSTER'},
                                  {cmd: 'NODE_CLUSTER', act: 'queryServer'},
                                  {cmd: 'NODE_CLUSTER', ack: 99, accepted: false},
                                  {cmd: 'NODE_CLUSTER', act: 'close', key: 'sticky:99999'},
                                  {cmd: 'NODE_CLUSTER', act: 'close', key: {}},
                                  {source: '_sio_adapter'}, 'x'.repeat(5e6), '\\0', '\\ud800',
                                  {n: 1e20}, {cmd: 'NODE_HANDLE_ACK'}])
                process.send(junk, () => {});
            });
            """)
        instance = self.serve_node(app)
        for source in sources(8):
            ask_http(HERE, source, "/junk")
        self.assert_steered(instance)
        self.assertEqual(self.generations(instance), [1, 1])
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        instance.stop()


class Drain(NodeTestCase):
    def test_requests_in_flight_finish(self):
        """Requests finish on the old worker, while new ones go to the new worker. An idle
        connection is closed."""
        instance = self.serve_node(self.app(SERVER + LISTENS), slots=1)
        idle = Talk(self).send()
        idle.until(b"client=127.0.0.1 \n")
        busy = Talk(self).send("/slow")
        busy.until(b"begun\n")
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        # Up to Node.js 18, idle connections stay open until their keepAliveTimeout, or the stop
        # signal.
        if NODE_VERSION > 18:
            self.assertTrue(idle.ended(), "it was idle")
        else:
            idle.socket.close()
        self.assertEqual(ask_http(HERE)["gen"], 2)
        self.assertEqual(instance.workers()[0]["draining"], 1)
        self.write("go", "")
        self.assertIn("gen=1", busy.until(b"client="))
        busy.socket.close()
        self.wait_drained(instance)
        self.assertEqual(instance.stop(), 0)
        self.assertEqual({line.fields["how"] for line in instance.log_lines("worker_exit")},
                         {"exited with code 0"})

    def test_what_it_has_not_read_yet(self):
        """Node.js from 26 on closes connections with unread requests when it is told to finish."""
        app = self.app(SERVER + LISTENS + BLOCKS)
        instance = self.serve_node(app, slots=1)
        busy = self.block(instance)
        clients = self.connect(sources(20), REQUEST)
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.write("go", "")
        for text, _ in self.collect(busy + clients):
            self.assertIn(b"gen=", text or b"")
        self.wait_drained(instance)
        instance.stop()

    def test_one_that_has_not_sent_anything_yet(self):
        """A connection without a request has a moment to send one. One that never does so delays
        nothing."""
        instance = self.serve_node(self.app(SERVER + LISTENS), slots=1)
        late, silent = Talk(self), Talk(self)
        instance.wait_status("both to be accepted",
                             lambda status: status["workers"][0]["connections"] == 2)
        instance.send(signal.SIGHUP)
        instance.wait_status("it to be told, or about to be",
                             lambda status: status["workers"][0]["draining"])
        late.send(headers="Connection: close\r\n")
        self.assertIn("gen=1", late.until(b"client="))
        if NODE_VERSION >= 26:
            self.assertTrue(silent.ended())
        silent.socket.close()
        self.wait_drained(instance)
        instance.stop()

    def test_another_request_that_it_has_not_read_yet(self):
        """The connection was idle before. Node.js would close it with the request unread."""
        app = self.app(SERVER + LISTENS + BLOCKS)
        instance = self.serve_node(app, slots=1)
        kept = Talk(self).send()
        kept.until(b"client=127.0.0.1 \n")
        busy = self.block(instance)
        kept.send(headers="Connection: close\r\n")
        instance.send(signal.SIGHUP)
        instance.wait_status("it to be told, or about to be",
                             lambda status: status["workers"][0]["draining"])
        self.write("go", "")
        self.assertIn("gen=1", kept.until(b"client="))
        self.collect(busy)
        kept.socket.close()
        self.wait_drained(instance)
        instance.stop()

    def test_signal_before_it_could_be_told(self):
        """--term-after ends while the worker is busy. It gets the message and the signal, each
        once."""
        app = self.app(SERVER + LISTENS + """
            process.on('SIGTERM', () => console.error('signal'));
            """ + BLOCKS)
        instance = self.serve_node(app, "--handshake-grace", "0", "--term-after", "100ms", slots=1)
        busy = self.block(instance)
        clients = self.connect(sources(3), REQUEST)
        instance.send(signal.SIGHUP)
        instance.wait_status("it to drain", lambda status: status["workers"][0]["draining"])
        time.sleep(0.3)  # longer than --term-after
        self.write("go", "")
        for text, _ in self.collect(busy + clients):
            self.assertIn(b"gen=", text or b"")
        self.wait_drained(instance)
        self.assertEqual(instance.errors.count("signal"), 1)
        self.assertEqual(instance.workers()[0]["killed"], 0)
        instance.stop()

    def test_stop_lets_requests_finish(self):
        instance = self.serve_node(self.app(SERVER + LISTENS), slots=2)
        busy = [Talk(self, source).send("/slow") for source in sources(6)]
        for talk in busy:
            talk.until(b"begun\n")
        instance.send(signal.SIGINT)
        wait_for("the stop to have begun", lambda: any(
            line.fields["state"] == "draining" for line in instance.log_lines("worker_state")))
        self.write("go", "")
        for talk in busy:
            self.assertIn("gen=1", talk.until(b"client="))
            talk.socket.close()
        self.assertEqual(instance.wait(), 0)

    def stop_with_a_handler(self, name, *arguments):
        app = self.app(SERVER + LISTENS + """
            process.on('%s', () => {
              console.error('handler begins');
              setTimeout(() => { console.error('handler ends'); process.exit(0); }, 300);
            });
            """ % name)
        instance = self.serve_node(app, "--term-after", "200ms", "--hard-shutdown-delay", "10s",
                                   *arguments, slots=1)
        socket_like = Talk(self).upgrade()
        began = time.monotonic()
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertEqual(socket_like.echo("still")["gen"], 1)
        self.assertTrue(socket_like.ended())
        self.assertGreater(time.monotonic() - began, 0.4, "the handler had its time")
        self.wait_drained(instance)
        self.assertIn("handler ends", instance.errors)
        self.assertEqual(instance.workers()[0]["killed"], 0)
        instance.stop()

    def test_term_after(self):
        self.stop_with_a_handler("SIGTERM")

    def test_term_after_with_another_signal(self):
        self.stop_with_a_handler("SIGINT", "--stop-signal", "INT")

    def test_hard_shutdown_delay(self):
        """An open WebSocket never drains. It lives until the delay is over, and not longer."""
        app = self.app(SERVER + LISTENS + "process.on('SIGTERM', () => {});")
        instance = self.serve_node(app, "--hard-shutdown-delay", "1200ms", slots=1)
        talk = Talk(self).upgrade()
        pid = instance.workers()[0]["pid"]
        began = time.monotonic()
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertEqual(talk.echo("still")["gen"], 1)
        self.assertTrue(talk.ended())
        self.assertGreater(time.monotonic() - began, 0.9)
        self.wait_gone(pid)
        self.wait_drained(instance)
        self.assertEqual(instance.workers()[0]["killed"], 1)
        instance.stop()

    def test_term_after_0_is_the_signal_at_once(self):
        app = self.app(SERVER + LISTENS + """
            process.on('SIGTERM', () => { console.error('signal'); process.exit(0); });
            """)
        instance = self.serve_node(app, "--term-after", "0", slots=1)
        Talk(self).upgrade()
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assertIn("signal", instance.errors)
        instance.stop()

    def test_stop_while_it_starts(self):
        """The worker calls listen() when it has already been told to end."""
        app = self.app(SERVER + """
            console.error('begun');
            process.on('message', () => {});
            const end = Date.now() + 400;
            while (Date.now() < end);
            server.listen(3000);
            """)
        instance = self.start_node(app, *LISTEN, slots=3)
        wait_for("all to begin", lambda: instance.errors.count("begun") == 3)
        instance.send(signal.SIGTERM)
        instance.wait()
        self.assertGreaterEqual(instance.process.returncode, 0)

    def test_connections_are_counted(self):
        instance = self.serve_node(self.app(SERVER + LISTENS), slots=1)
        talks = [Talk(self, source).upgrade() for source in sources(5)]
        self.assertEqual(instance.workers()[0]["connections"], 5)
        for talk in talks:
            talk.socket.close()
        instance.wait_status("none", lambda status: not status["workers"][0]["connections"])
        instance.stop()


class Load(NodeTestCase):
    """Under load no connection is lost, and no client meets an older worker."""

    def test_reloads(self):
        instance = self.serve_node(self.app(SERVER + LISTENS), slots=2)
        with self.load("--http", rate=500) as load:
            for _ in range(3):
                result = instance.run("reload", "--wait=drained")
                self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_nobody_lost(load.counts, least=10)
        self.assertEqual(self.generations(instance), [4, 4])
        self.assert_counters(instance)
        instance.stop()

    def test_a_reload_that_fails(self):
        app = self.app(SERVER + LISTENS)
        instance = self.serve_node(app)
        with self.load("--http", rate=500) as load:
            app.write_text("throw new Error('broken release');")
            result = instance.run("reload", "--wait")
            self.assertEqual(result.returncode, PARTLY)
            self.assertIn("broken release", result.stderr)
        self.assert_nobody_lost(load.counts, least=10)
        self.assertEqual(self.generations(instance), [1, 1])
        instance.stop()

    def test_crashes(self):
        """Only connections of the dead worker are lost. Clients that connect meanwhile wait."""
        instance = self.serve_node(self.app(SERVER + LISTENS), "--min-uptime", "5ms")
        with self.load("--http", rate=300) as load:
            for generation in (2, 3):
                # A new worker accepts all clients that have waited for it, and would die with them.
                instance.wait_status("slot 0 to have served them", lambda status: not (
                    status["workers"][0]["connections"] or status["workers"][0]["queue"]))
                killed = self.kill_worker(instance, 0)
                self.wait_generation(instance, generation)
                self.wait_gone(killed)
        counts = load.counts
        self.assertEqual((counts["unsticky"], counts["backward"], counts["refused"],
                          counts["timeout"]), (0, 0, 0, 0), counts)
        self.assertLessEqual(counts["connections"] - counts["answered"], 20, counts)
        instance.stop()

    def test_scale(self):
        instance = self.serve_node(self.app(SERVER + LISTENS))
        self.assertEqual(instance.run("scale", "4").returncode, 0)
        self.wait_all_ready(instance)
        self.assertEqual(self.assert_steered(instance), {0, 1, 2, 3})
        self.assertEqual(instance.run("scale", "1").returncode, 0)
        self.wait_drained(instance)
        wait_for("one worker", lambda: len(instance.workers()) == 1)
        self.assertEqual(self.assert_steered(instance), {0})
        self.assertEqual(instance.run("drain", "0").returncode, 0)
        instance.wait_status("the drained slot", lambda status: status["workers"][0][
            "state"] == "drained")
        self.assertEqual(instance.run("ready", "0").returncode, 0)
        instance.ready()
        self.assertEqual(ask_http(HERE)["slot"], 0)
        instance.stop()


if __name__ == "__main__":
    harness.main()
