#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Takes long.
"""Each TCP port of a Node.js application is steered, whichever it opens first, and whenever."""

import harness
from clients import HERE, LISTEN, http_get, is_refused
from nodejs import PLAIN, NodeTestCase, ask_http, sources
from world import wait_for

METRICS = ("127.0.0.1", 9100)

# serve(port) answers with who it is.
SERVE = """
    const http = require('http'), fs = require('fs');
    const serve = port => http.createServer((request, response) =>
      response.end(who(request.socket) + `port=${port}\\n`)).listen(port, '127.0.0.1');
    """

LATE_MS = 3000

# Metrics at once, what clients want after a while.
LATE = SERVE + """
    serve(9100);
    setTimeout(serve, %d, 3000);
    """ % LATE_MS

# The same within a moment: for what is not about time.
BOTH = SERVE + """
    serve(9100);
    setImmediate(serve, 3000);
    """


class PortsTestCase(NodeTestCase):
    def ready_on_both(self, instance, slots=2):
        """Until each worker listens on both ports."""
        instance.ready()
        self.wait_served(instance, slots)
        return instance

    def wait_served(self, instance, slots):
        wait_for("all to listen on 3000", lambda: not is_refused(HERE), 20)
        for slot in range(slots):
            client = self.sources_of(instance, slot, 1)[0]
            for address in (HERE, METRICS):
                wait_for(f"slot {slot} to serve {address}",
                         lambda: ask_http(address, client)["slot"] == slot, 20)

    def assert_both_steered(self, instance):
        for address in (HERE, METRICS):
            self.assert_steered(instance, address)

    def reload(self, instance, wait="ready"):
        result = instance.run("reload", f"--wait={wait}")
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stderr


class Late(PortsTestCase):
    def test_the_main_port_comes_last(self):
        """FAULTS: one client met three workers, and a reload lost requests."""
        instance = self.ready_on_both(self.start_node(self.app(LATE)))
        first_ms = [int(line.fields["after_ms"]) for line in instance.log_lines("worker_state")
                    if line.fields["state"] == "ready"]
        self.assertLess(min(first_ms), LATE_MS, "READY at its first port")
        self.assert_both_steered(instance)
        client = sources(1)[0]
        self.assertEqual(len({ask_http(HERE, client)["pid"] for _ in range(20)}), 1)
        with self.load("--http", rate=40) as load:
            self.reload(instance)
        self.assert_nobody_lost(load.counts, least=60)
        self.assertEqual(self.generations(instance), [2, 2])
        self.assert_both_steered(instance)
        self.assertEqual(instance.stop(), 0)
        self.assertTrue(is_refused(HERE) and is_refused(METRICS))

    def test_a_worker_that_has_not_opened_it_yet_does_not_hang(self):
        """Its clients wait there for 10 s. It would be killed after --hang-timeout."""
        app = self.app(SERVE + """
            serve(9100);
            setTimeout(serve, process.env.STICKY_SLOT === '1' ? 4000 : 0, 3000);
            """)
        instance = self.serve_node(app, "--hang-timeout", "1s", "--on-hang", "restart")
        wait_for("slot 0 to listen on 3000", lambda: not is_refused(HERE))
        client = self.sources_of(instance, 1, 1)[0]
        before = self.pids(instance)
        answer = ask_http(HERE, client)
        self.assertEqual((answer["slot"], answer["gen"]), (1, 1))
        self.assertEqual(instance.log_lines("worker_hung"), [])
        self.assertEqual(self.pids(instance), before)
        instance.stop()

    def test_a_crash(self):
        """The next worker is ready when it listens on both: until then its clients wait."""
        instance = self.ready_on_both(self.start_node(self.app(LATE), "--max-retries", 100))
        client = self.sources_of(instance, 1, 1)[0]
        self.kill_worker(instance, 1)
        self.assertEqual(ask_http(HERE, client)["gen"], 2)
        self.assertEqual(ask_http(METRICS, client)["gen"], 2)
        instance.stop()


class Life(PortsTestCase):
    """What happens to an instance, with two listeners that the application asked for."""

    def test_scale(self):
        instance = self.ready_on_both(self.start_node(self.app(BOTH)))
        with self.load("--http", rate=100) as load:
            for slots in (4, 1):
                self.assertEqual(instance.run("scale", slots).returncode, 0)
                self.wait_all_ready(instance)
                self.wait_served(instance, slots)
                self.assert_both_steered(instance)
        self.assert_nobody_lost(load.counts, least=10)
        instance.stop()

    def test_takeover(self):
        app = self.app(BOTH)
        instance = self.ready_on_both(self.start_node(app))
        before = self.pids(instance)
        self.kill_controller(instance)
        successor = self.serve_node(app)
        self.assertEqual(self.pids(successor), before)
        self.assertEqual(len(successor.status()["listeners"]), 2)
        self.assert_both_steered(successor)
        with self.load("--http", rate=100) as load:
            self.reload(successor, "drained")
        self.assert_nobody_lost(load.counts, least=1)
        self.assert_both_steered(successor)
        successor.stop()

    def test_upgrade(self):
        instance = self.ready_on_both(self.start_node(self.app(BOTH)))
        before = self.pids(instance)
        with self.load("--http", rate=100) as load:
            result = instance.run("upgrade")
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_nobody_lost(load.counts, least=1)
        instance.note_bpf_objects()
        self.assertEqual(self.pids(instance), before)
        self.assert_both_steered(instance)
        self.reload(instance)
        self.assert_both_steered(instance)
        instance.stop()

    def test_port_is_not_set(self):
        """The first port need not be the main one: PORT would make the next worker listen on it
        twice."""
        app = self.app(SERVE + "serve(9100); serve(process.env.PORT || 3000);")
        instance = self.ready_on_both(self.start_node(app))
        self.reload(instance)
        self.assert_both_steered(instance)
        instance.stop()


class Not(PortsTestCase):
    """Workers that do not listen on a port of others."""

    def test_a_port_of_one_worker(self):
        """Clients of the other slots reach it there, as under Node's own primary."""
        app = self.app(SERVE + """
            serve(3000);
            if (process.env.STICKY_SLOT === '0') serve(9100);
            """)
        instance = self.serve_node(app, slots=3)
        wait_for("the others to give it up",
                 lambda: len(instance.log_lines("not_listened_on")) == 2, 30)
        for source in sources(24):
            self.assertEqual(ask_http(METRICS, source)["slot"], 0)
        self.assert_steered(instance)
        with self.load("--http", rate=50, target=METRICS) as load:
            self.assertNotIn("does not listen", self.reload(instance))
        self.assert_nobody_lost(load.counts, least=1)
        for source in sources(24):
            self.assertEqual(ask_http(METRICS, source)["slot"], 0)
        self.assert_steered(instance)
        self.kill_controller(instance)
        successor = self.serve_node(app, slots=3)
        self.assertEqual(self.generations(successor), [2, 2, 2])
        for source in sources(24):
            self.assertEqual(ask_http(METRICS, source)["slot"], 0)
        self.assert_steered(successor)
        self.reload(successor)
        self.assert_steered(successor)
        successor.stop()

    def test_a_port_that_the_next_release_has_not(self):
        app = self.app(BOTH)
        instance = self.ready_on_both(self.start_node(app, slots=1), 1)
        app.write_text(app.read_text().replace("serve(9100);", ""))
        said = self.reload(instance)
        self.assertIn("does not listen on 127.0.0.1:9100", said)
        line, = instance.log_lines("not_listened_on")
        self.assertEqual((line.level, line.fields["on"]), ("warn", "127.0.0.1:9100"))
        self.assertTrue(is_refused(METRICS))
        self.assertEqual(instance.status()["closed_listeners"], ["127.0.0.1:9100"])
        self.assertIn(" 127.0.0.1:9100 (closed)", instance.run("status").stdout)
        self.assert_steered(instance)
        # No other reload waits for it, and nobody needs its socket in a takeover.
        self.assertNotIn("does not listen", self.reload(instance))
        self.kill_controller(instance)
        successor = self.serve_node(app, slots=1)
        self.assert_steered(successor)
        self.assertEqual(successor.status()["closed_listeners"], ["closed"])
        self.assertIn("listening on 127.0.0.1:3000\n", successor.run("status").stdout)
        app.write_text(app.read_text() + "serve(9100);")
        self.reload(successor)
        wait_for("it to be there again", lambda: not is_refused(METRICS))
        self.assertNotIn("127.0.0.1:9100", successor.status()["closed_listeners"])
        self.assertNotIn("(closed)", successor.run("status").stdout)
        self.assert_both_steered(successor)
        successor.stop()

    def test_a_port_that_opens_on_a_condition(self):
        """Long after the others: its clients come back to their own worker."""
        app = self.app(SERVE + """
            serve(3000);
            if (process.env.STICKY_SLOT === '0') serve(9100);
            const timer = process.env.STICKY_SLOT !== '0' && setInterval(() => {
              if (!fs.existsSync(__dirname + '/go')) return;
              clearInterval(timer);
              serve(9100);
            }, 20);
            """)
        instance = self.serve_node(app)
        wait_for("it to be given up", lambda: instance.log_lines("not_listened_on"), 30)
        client = self.sources_of(instance, 1, 1)[0]
        self.assertEqual(ask_http(METRICS, client)["slot"], 0)
        self.write("go", "")
        wait_for("its own worker", lambda: ask_http(METRICS, client)["slot"] == 1)
        self.assert_both_steered(instance)
        instance.stop()


class OfEachWorker(PortsTestCase):
    """A port for metrics that names the worker, as docs/nodejs.md says."""

    def test_a_port_for_each_slot(self):
        app = self.app(SERVE + "serve(3000); serve(9100 + Number(process.env.STICKY_SLOT));")
        instance = self.serve_node(app, *LISTEN)
        for generation in (1, 2):
            for slot in (0, 1):
                wait_for("its port", lambda: not is_refused(("127.0.0.1", 9100 + slot)))
                answer = ask_http(("127.0.0.1", 9100 + slot))
                self.assertEqual((answer["slot"], answer["gen"]), (slot, generation))
            self.assert_steered(instance)
            self.reload(instance, "drained")
        instance.stop()


class Shared(PortsTestCase):
    def test_more_than_a_group_has(self):
        """The seventeenth is shared by all, as under Node's own primary."""
        app = self.app(SERVE + "for (let port = 3000; port < 3017; port++) serve(port);")
        instance = self.serve_node(app)
        last = ("127.0.0.1", 3016)
        wait_for("the last one", lambda: not is_refused(last))
        self.assertEqual(len(instance.status()["listeners"]), 16)
        self.assertEqual(ask_http(last)["port"], 3016)
        self.assertIn("3016", instance.log_lines("port_shared")[0].fields["port"])
        self.reload(instance)
        self.assertEqual(ask_http(last)["port"], 3016)
        instance.stop()

    def test_where_connections_are_passed(self):
        """Dispatchers have the first address alone: it is said, with the remedy."""
        instance = self.serve_node(self.app(BOTH), "--behind-proxy", "xff")
        wait_for("the other one", lambda: not is_refused(HERE))
        line, = instance.log_lines("port_shared")
        self.assertEqual(line.fields["port"], "3000")
        self.assertIn("-l", line.fields["hint"])
        self.assertIn("port=3000", http_get(HERE)[2])
        instance.stop()

    def test_wider_than_the_application_asks_for(self):
        """A server that was for this machine alone is open to all: it is said once."""
        for asked, named, expected in (
                ("127.0.0.1", ":3000", ("127.0.0.1:3000", "[::]:3000", "-l 127.0.0.1:3000")),
                ("127.0.0.1", "0.0.0.0:3000", ("127.0.0.1:3000", "0.0.0.0:3000",
                                               "-l 127.0.0.1:3000")),
                ("::1", ":3000", ("[::1]:3000", "[::]:3000", "-l [::1]:3000")),
                ("0.0.0.0", ":3000", None), ("::", ":3000", None),
                ("127.0.0.1", "127.0.0.1:3000", None)):
            with self.subTest(f"{asked} {named}"):
                instance = self.serve_node(self.app(PLAIN % f"3000, '{asked}'"), "-l", named)
                self.reload(instance)
                self.assertEqual([(line.fields["asked"], line.fields["listens"],
                                   line.fields["hint"])
                                  for line in instance.log_lines("address_wider")],
                                 [expected] if expected else [])
                instance.stop()

    def test_named(self):
        """With -l, what it names is steered, and nothing else."""
        instance = self.serve_node(self.app(BOTH), *LISTEN)
        self.assertEqual(instance.status()["listeners"], ["127.0.0.1:3000"])
        self.assertFalse(is_refused(METRICS))
        self.assertEqual(instance.log_lines("port_shared"), [])
        instance.stop()


if __name__ == "__main__":
    harness.main()
