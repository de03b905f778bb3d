#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Applications of Node.js end soon, and by their own handlers, whatever they keep open."""

import signal
import time
import unittest

import harness
from clients import HERE
from nodejs import LISTENS, NODE_VERSION, SERVER, SOON_S, NodeTestCase, Talk, ask_http
from world import wait_for

TIMER = "setInterval(() => {}, 1000);"

# What applications keep open, each of which keeps the process.
OPEN = {
    "timer": TIMER,
    "pool": "net.createServer(() => {}).listen({port: 4000, exclusive: true}, () => "
            "{ for (let i = 0; i < 5; i++) net.connect(4000); }).on('error', () => net.connect(4000));",
    "child": "require('child_process').spawn('sleep', ['600']);",
    "thread": "new (require('worker_threads').Worker)('setInterval(() => {}, 1000)', {eval: true});",
    "watcher": "fs.watch(__dirname, () => {});",
}


# A handler as most applications have it.
def handler(name, then="process.exit(0)"):
    return """
        process.on('%s', () => {
          console.error('handler of %s begins');
          setTimeout(() => { console.error('handler ends'); %s; }, 100);
        });
        """ % (name, name, then)


class Stop(NodeTestCase):
    def app_with(self, *parts):
        return self.app("const net = require('net');" + SERVER + LISTENS + "".join(parts))

    def ends_soon(self, instance, seconds=SOON_S):
        """An instance that has been told to stop."""
        began = time.monotonic()
        self.assertEqual(instance.wait(), 0)
        self.assertLess(time.monotonic() - began, seconds, instance.errors)

    def assert_stops_soon(self, *parts, arguments=(), slots=2, **options):
        instance = self.serve_node(self.app_with(*parts), *arguments, slots=slots, **options)
        self.stop_soon(instance)
        return instance

    def assert_handled(self, instance, name="SIGTERM", times=1):
        self.assertEqual(instance.errors.count(f"handler of {name} begins"), times)
        self.assertEqual(instance.errors.count("handler ends"), times)
        self.assertEqual(self.how(instance), times * ["exited with code 0"])

    def test_no_handler(self):
        for name, text in OPEN.items():
            with self.subTest(name):
                self.assert_stops_soon(text)

    def test_nothing_open_and_no_handler(self):
        """It ends by itself, without a signal."""
        instance = self.assert_stops_soon()
        self.assertEqual(self.how(instance), 2 * ["exited with code 0"])

    def test_handler(self):
        for name, text in OPEN.items():
            with self.subTest(name):
                instance = self.assert_stops_soon(text, handler("SIGTERM"))
                self.assert_handled(instance, times=2)

    def test_handler_of_sigint_alone(self):
        """As applications have it that were written for pm2."""
        instance = self.assert_stops_soon(TIMER, handler("SIGINT"))
        self.assert_handled(instance, "SIGINT", times=2)

    def test_handlers_of_both(self):
        instance = self.assert_stops_soon(TIMER, handler("SIGTERM"), handler("SIGINT"))
        self.assert_handled(instance, times=2)

    def test_handler_that_closes_the_server_later(self):
        """The disconnect has closed it: a second close() would fail by itself, and many handlers
        leave out the rest then."""
        for text in ("server.close(done)", "server.close(error => server.close(done))"):
            with self.subTest(text):
                instance = self.assert_stops_soon(TIMER, """
                    const done = error => {
                      console.error(`closed: ${error}`);
                      process.exit(0);
                    };
                    process.on('SIGTERM', () => setTimeout(() => %s, 300));
                    """ % text, slots=1)
                self.assertEqual(instance.errors.count("closed: undefined"), 1, instance.errors)

    def test_message_of_pm2(self):
        """shutdown_with_message: an application that handles nothing else."""
        told = """
            process.on('message', message => {
              if (message !== 'shutdown') return;
              console.error('handler of message begins');
              setTimeout(() => { console.error('handler ends'); process.exit(0); }, 100);
            });
            """
        instance = self.assert_stops_soon(TIMER, told, arguments=("--stop-message", "shutdown"))
        self.assert_handled(instance, "message", times=2)
        # FAULTS: without the option it never runs.
        instance = self.assert_stops_soon(TIMER, told)
        self.assertEqual(self.how(instance), 2 * ["was killed by SIGTERM"])

    def test_message_comes_before_the_signal(self):
        """As with pm2, which sends no signal then."""
        instance = self.assert_stops_soon(TIMER, handler("SIGTERM"), handler("message"),
                                          arguments=("--stop-message", "shutdown"), slots=1)
        self.assert_handled(instance, "message")
        self.assertNotIn("handler of SIGTERM", instance.errors)

    def test_message_to_an_application_that_takes_none(self):
        instance = self.assert_stops_soon(TIMER, handler("SIGTERM"),
                                          arguments=("--stop-message", "shutdown"), slots=1)
        self.assert_handled(instance)

    def test_message_to_the_worker_of_cluster(self):
        instance = self.assert_stops_soon(TIMER, """
            require('cluster').worker.on('message', message => {
              console.error(`told ${message}`);
              process.exit(0);
            });
            """, arguments=("--stop-message", "shutdown"), slots=1)
        self.assertEqual(instance.errors.count("told shutdown"), 1)

    def test_message_after_the_request(self):
        """The handler exits at once: the request comes first, as before a signal's handler."""
        self.finish_request(TIMER, "process.on('message', () => process.exit(0));",
                            arguments=("--stop-message", "shutdown"))

    def test_another_stop_signal(self):
        instance = self.assert_stops_soon(TIMER, handler("SIGQUIT"), handler("SIGTERM"),
                                          arguments=("--stop-signal", "QUIT"))
        self.assert_handled(instance, "SIGQUIT", times=2)

    def test_handler_where_nothing_is_open(self):
        """enableShutdownHooks() of NestJS: its handler ends by sending the signal again."""
        instance = self.assert_stops_soon("""
            process.on('SIGTERM', async function hook() {
              await new Promise(resolve => setTimeout(resolve, 300));
              console.error('hooks called');
              process.removeListener('SIGTERM', hook);
              process.kill(process.pid, 'SIGTERM');
            });
            """, slots=1)
        self.assertEqual(instance.errors.count("hooks called"), 1)
        self.assertEqual(self.how(instance), ["was killed by SIGTERM"])

    def test_handler_that_closes_the_server(self):
        """server.close() without exit(): the process ends as nothing is left."""
        instance = self.assert_stops_soon("""
            process.on('SIGTERM', () => server.close(() => console.error('closed')));
            """, slots=1)
        self.assertEqual(instance.errors.count("closed"), 1)
        self.assertEqual(self.how(instance), ["exited with code 0"])

    def test_handler_of_disconnect(self):
        """It may take longer than an application without one."""
        for emitter in ("process", "require('cluster').worker"):
            with self.subTest(emitter):
                instance = self.assert_stops_soon(TIMER, """
                    %s.on('disconnect', () => setTimeout(() => {
                      console.error('database closed');
                      process.exit(0);
                    }, 800));
                    """ % emitter, slots=1)
                self.assertIn("database closed", instance.errors)
                self.assertEqual(self.how(instance), ["exited with code 0"])

    def test_websockets_and_a_handler(self):
        """The handler runs at once; it is what closes them."""
        instance = self.serve_node(self.app_with("""
            const sockets = new Set();
            server.on('upgrade', (request, socket) => sockets.add(socket));
            process.on('SIGTERM', () => {
              console.error('handled');
              for (const socket of sockets) socket.end('bye');
              server.close(() => process.exit(0));
            });
            """), slots=1)
        talk = Talk(self).upgrade()
        instance.send(signal.SIGTERM)
        talk.until(b"bye")
        talk.socket.close()
        self.ends_soon(instance)
        self.assertEqual(instance.errors.count("handled"), 1)
        self.assertEqual(self.how(instance), ["exited with code 0"])

    def test_requests_finish_without_a_handler(self):
        """A timer keeps the process; it ends soon after the request, and not before."""
        self.finish_request(TIMER)

    def test_requests_finish_before_a_handler_that_exits(self):
        self.finish_request(TIMER, "process.on('SIGTERM', () => process.exit(0));")

    def test_requests_finish_where_the_server_was_closed(self):
        """The channel closes before the request is over."""
        self.finish_request(TIMER, "server.on('request', () => server.close());")

    def finish_request(self, *parts, arguments=()):
        instance = self.serve_node(self.app_with(*parts), *arguments, slots=1)
        busy = Talk(self).send("/slow", headers="Connection: close\r\n")
        busy.until(b"begun\n")
        instance.send(signal.SIGTERM)
        wait_for("it to be asked", lambda: any(
            line.fields["state"] == "draining" for line in instance.log_lines("worker_state")))
        time.sleep(0.7)  # longer than an idle worker needs to end
        self.write("go", "")
        self.assertIn("gen=1", busy.until(b"client="))
        busy.socket.close()
        self.ends_soon(instance)

    def test_reload_runs_the_handler_too(self):
        instance = self.serve_node(self.app_with(TIMER, handler("SIGTERM")), slots=2)
        began = time.monotonic()
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assertLess(time.monotonic() - began, 2 * SOON_S)
        self.assert_handled(instance, times=2)
        self.assertEqual(ask_http(HERE)["gen"], 2)
        instance.stop()

    def test_after_a_takeover(self):
        app = self.app_with(TIMER, handler("SIGTERM"))
        self.kill_controller(self.serve_node(app, slots=1))
        instance = self.serve_node(app, slots=1)
        self.stop_soon(instance)
        self.assertEqual(instance.errors.count("handler ends"), 1)

    def test_term_after_is_the_time_of_connections(self):
        """Where it is named, the handler does not run before, unless the connections are gone."""
        instance = self.serve_node(self.app_with(TIMER, handler("SIGTERM")),
                                   "--term-after", "1s", slots=1)
        talk = Talk(self).upgrade()
        began = time.monotonic()
        instance.send(signal.SIGTERM)
        wait_for("the handler", lambda: "begins" in instance.errors)
        self.assertGreater(time.monotonic() - began, 0.9)
        self.ends_soon(instance)
        talk.socket.close()

    @unittest.skipUnless(NODE_VERSION >= 20, "Node.js 18 has no permission model")
    def test_permission_model(self):
        """The worker may not read the script: it serves, and it ends soon, by the signal."""
        app = self.app_with(TIMER)
        options = ["--permission" if NODE_VERSION > 22 else "--experimental-permission",
                   f"--allow-fs-read={app.parent}/*"]
        options += ["--allow-net"] if NODE_VERSION > 24 else []
        instance = self.serve_node(app, slots=1, node=("node", *options))
        self.assertEqual(ask_http(HERE)["slot"], 0)
        self.stop_soon(instance)
        self.assertEqual(self.how(instance), ["was killed by SIGTERM"])

    def test_a_run_directory_that_the_worker_can_not_read(self):
        """Node.js would not start with a script that it can't read: it serves without."""
        closed = self.dir / "closed"
        closed.mkdir(mode=0o700)
        self.run_dir = closed / "run"
        instance = self.serve_node(self.app_with(TIMER), "--user", "nobody", "--chdir", "/",
                                   slots=1)
        self.assertEqual(ask_http(HERE)["slot"], 0)
        self.assertEqual(len(instance.log_lines("preload_unreadable")), 1)
        self.stop_soon(instance)
        self.assertEqual(self.how(instance), ["was killed by SIGTERM"])

    def test_what_children_inherit(self):
        """The options of the user's own environment, and nothing of stickyctl's."""
        app = self.app_with("""
            const {execFileSync} = require('child_process');
            console.error('options: <%s>', execFileSync(process.execPath, ['-p',
              'String(process.env.NODE_OPTIONS)']).toString().trim());
            """)
        for wanted, env in (("undefined", {}),
                            ("--no-warnings", {"NODE_OPTIONS": "--no-warnings"})):
            with self.subTest(wanted):
                instance = self.serve_node(app, slots=1, env=env)
                self.assertIn(f"options: <{wanted}>", instance.errors)
                instance.stop()


if __name__ == "__main__":
    harness.main()
