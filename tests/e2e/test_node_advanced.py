#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""--serialization advanced: messages of Node.js workers in V8's format instead of JSON."""

import signal
import unittest

import harness
import nodeapps
from clients import HERE
from nodeapps import NpmTestCase
from nodejs import LISTENS, SERVER, NodeTestCase, Talk, ask_http, sources
from world import wait_for

ADVANCED = ("--serialization", "advanced")
JSON = ("--serialization", "json")

# This application sends the message of a broadcast of socket.io's adapter, with data that JSON
# can't hold, when it gets a request for /send. It prints the messages that it gets.
TALKS = SERVER + LISTENS + """
    process.on('message', message => {
      if (message.source !== '_sio_adapter' || message.type !== 3) return;
      const {data} = message;
      console.error('heard', process.env.STICKY_SLOT, message.name,
                    data && data.constructor.name, require('util').inspect(data).length);
    });
    const send = (name, data) => process.send(
      {source: '_sio_adapter', uid: 'u' + process.pid, nsp: '/', type: 3, name, data});
    let deep = 'end';
    for (let level = 0; level < 500; level++) deep = [deep];
    server.on('request', request => {
      if (request.url !== '/send') return;
      send('emoji', 'x\\ud83d');
      send('depth', deep);
      send('buffer', Buffer.from('abc'));
      send('floats', new Float32Array(3));
      send('map', new Map([[1, new Set([2])]]));
      send('date', new Date(0));
      send('error', new RangeError('no'));
      send('large', Buffer.alloc(3e6));
      send('plain', 'text');
    });
    """

KINDS = {"emoji": "String", "depth": "Array", "buffer": "Buffer", "floats": "Float32Array",
         "map": "Map", "date": "Date", "error": "RangeError", "large": "Buffer",
         "plain": "String"}

# Each client has an address of its own. The first client sends binary data. Each prints the data
# that it got.
CLIENTS = """
    const { Agent } = require('node:http');
    const { io } = require('socket.io-client');
    const sockets = [];
    let connected = 0;
    for (let number = 1; number <= %d; number++) {
      const socket = io('http://127.0.0.1:3000', {
        agent: new Agent({ localAddress: `127.5.0.${number}` }), transports: ['websocket'],
        forceNew: true });
      socket.on('hello', () => {
        if (++connected === %d) sockets[0].emit('tell', Buffer.from('abc'));
      });
      socket.on('told', value => console.log('told', number, Buffer.isBuffer(value) ?
        `buffer ${value}` : JSON.stringify(value)));
      sockets.push(socket);
    }
    """


class Serving(NodeTestCase):
    def test_the_mode_of_workers(self):
        """The process has the mode as from Node.js's own primary. Programs that it starts do not
        have it in their environment."""
        instance = self.serve_node(self.app(SERVER + LISTENS + """
            console.error('left', process.env.NODE_CHANNEL_SERIALIZATION_MODE);
            """), *ADVANCED)
        self.assertEqual(instance.errors.count("left undefined"), 2)
        for pid in self.pids(instance):
            with open(f"/proc/{pid}/environ", "rb") as file:
                self.assertIn(b"NODE_CHANNEL_SERIALIZATION_MODE=advanced", file.read().split(b"\0"))
        instance.stop()

    def test_sticky_and_reloaded(self):
        instance = self.serve_node(self.app(SERVER + LISTENS + """
            http.createServer((request, response) => response.end(who(request.socket) + '\\n'))
              .listen(4000);
            """), *ADVANCED)
        self.assertEqual(self.assert_steered(instance), {0, 1})
        self.assert_steered(instance, ("127.0.0.1", 4000))
        with self.load("--http", rate=300) as load:
            result = instance.run("reload", "--wait=drained")
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_nobody_lost(load.counts, least=10)
        self.assertEqual(self.generations(instance), [2, 2])
        self.assertEqual(self.assert_steered(instance), {0, 1})
        self.assertEqual(instance.stop(), 0)
        self.assertEqual({line.fields["how"] for line in instance.log_lines("worker_exit")},
                         {"exited with code 0"})

    def test_passed_connections(self):
        """Each connection comes with a message of its own, and a descriptor."""
        instance = self.serve_node(self.app(SERVER + LISTENS), *ADVANCED, "--steering=user",
                                   "-l", ":3000")
        self.assert_slots(instance)
        talk = Talk(self, "127.5.0.1").upgrade()
        self.assertEqual(talk.echo("a")["client"], "127.5.0.1")
        talk.socket.close()
        instance.stop()

    def test_other_servers(self):
        """A UNIX path, UDP, and a refusal: listen() on an address that another process has."""
        instance = self.serve_node(self.app(SERVER + LISTENS + """
            const path = __dirname + '/other.sock';
            http.createServer((request, response) => response.end('other')).listen(path);
            const socket = require('dgram').createSocket('udp4');
            socket.bind(5000, () => console.error('udp is bound'));
            http.createServer(() => {}).on('error', error => console.error('refused', error.code))
              .listen(3000);
            """), *ADVANCED)
        wait_for("all of them", lambda: instance.errors.count("udp is bound") == 2 and
                 instance.errors.count("refused EADDRINUSE") == 2)
        instance.stop()

    def test_a_handler_of_the_stop_signal(self):
        """A message of the preloaded script tells the controller about the handler."""
        instance = self.serve_node(self.app(SERVER + LISTENS + """
            setInterval(() => {}, 1000);
            process.on('SIGTERM', () => { console.error('handled'); process.exit(3); });
            """), *ADVANCED)
        ask_http(HERE)
        instance.stop()
        self.assertEqual(instance.errors.count("handled"), 2)
        self.assertEqual({line.fields["how"] for line in instance.log_lines("worker_exit")},
                         {"exited with code 3"})

    def test_ready_by_message(self):
        for text in ("'ready'", "{cmd: 'ready'}"):
            with self.subTest(text):
                instance = self.serve_node(self.app(SERVER + LISTENS + f"process.send({text});"),
                                           *ADVANCED, "--ready=message")
                self.assertNotIn("message_unheard", instance.errors)
                instance.stop()


class Relayed(NodeTestCase):
    def heard(self, instance, sender):
        """Returns the messages that the other worker has got: name -> class."""
        lines = [line.split() for line in instance.errors.splitlines() if line.startswith("heard")]
        self.assertEqual({int(line[1]) for line in lines}, {1 - sender})
        self.assertEqual([line[2] for line in lines], [name for name in KINDS
                                                       if name in {line[2] for line in lines}])
        return {line[2]: line[3] for line in lines}

    def test_all_that_node_sends_arrives(self):
        instance = self.serve_node(self.app(TALKS), *ADVANCED)
        sender = ask_http(HERE, path="/send")["slot"]
        wait_for("the last one", lambda: " plain " in instance.errors)
        self.assertEqual(self.heard(instance, sender), KINDS)
        for word in ("message_unheard", "message_lost", "binary_broadcast"):
            self.assertNotIn(word, instance.errors)
        instance.stop()

    def test_json_names_the_option(self):
        instance = self.serve_node(self.app(TALKS), *JSON)
        for _ in range(2):
            ask_http(HERE, path="/send")
        wait_for("the last one", lambda: instance.errors.count(" plain ") == 2)
        lines = instance.log_lines("binary_broadcast")
        self.assertEqual([line.fields["hint"] for line in lines],
                         ["--serialization advanced keeps Buffers as they are"])
        instance.stop()

    def check_mixed(self, modes):
        """Workers that are taken over keep their mode, and a new one has the new mode. Messages
        that can be converted arrive."""
        app = self.app(TALKS)
        instance = self.serve_node(app, *modes[0])
        before = self.pids(instance)
        self.kill_controller(instance)
        instance = self.serve_node(app, *modes[1])
        self.assertEqual(self.pids(instance), before)
        self.kill_worker(instance, 1)
        self.wait_generation(instance, 2, 1)
        self.wait_all_ready(instance)
        source = self.sources_of(instance, 0, 1)[0]
        self.assertEqual(ask_http(HERE, source, path="/send")["pid"], before[0])
        wait_for("the last one", lambda: " plain " in instance.errors)
        heard = self.heard(instance, 0)
        self.assertEqual((heard["buffer"], heard["plain"]), ("Object", "String"))
        lines = instance.log_lines("message_lost")
        self.assertEqual(len(lines), 1)
        self.assertIn("another --serialization", lines[0].fields["so"])
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        instance.stop()

    def test_from_json_to_advanced(self):
        self.check_mixed((JSON, ADVANCED))

    def test_from_advanced_to_json(self):
        self.check_mixed((ADVANCED, JSON))


class Unheard(NodeTestCase):
    """Messages to the primary, which runs no code of the application."""

    def test_each_kind_is_told_once(self):
        instance = self.serve_node(self.app(SERVER + LISTENS + """
            for (let i = 0; i < 3; i++) {
              process.send({topic: 'log4js:message', data: i});
              process.send({type: 'prom-client:getMetricsReq', buffer: Buffer.from('a')});
              process.send({data: new Map()});
            }
            """), *ADVANCED)
        wait_for("three kinds", lambda: instance.errors.count("message_unheard") == 3)
        lines = {line.fields["kind"]: line.fields["hint"]
                 for line in instance.log_lines("message_unheard")}
        self.assertIn("disableClustering", lines["topic log4js:message"])
        self.assertIn("registry", lines["type prom-client:getMetricsReq"])
        self.assertIn("Redis", lines["an object without a type"])
        instance.stop()

    def test_a_message_that_is_too_large(self):
        instance = self.serve_node(self.app(SERVER + LISTENS + """
            server.on('request', request => {
              if (request.url !== '/large') return;
              process.send({data: Buffer.alloc(40e6)});
              process.send({type: 'small'});
            });
            """), *ADVANCED, slots=1)
        before = ask_http(HERE, path="/large")["pid"]
        wait_for("the next message", lambda: "type small" in instance.errors)
        self.assertEqual(instance.log_lines("message_too_long")[0].fields["limit_mib"], "16")
        self.assertEqual(ask_http(HERE)["pid"], before)
        instance.stop()

    def test_a_message_with_a_handle(self):
        instance = self.serve_node(self.app(SERVER + LISTENS + """
            const other = require('net').createServer(() => {});
            other.listen({port: 4000, exclusive: true}, () => {
              for (let i = 0; i < 3; i++) process.send({number: i}, other, error => {
                console.error('sent', error);
                if (i === 2) { other.close(); process.send({type: 'afterwards'}); }
              });
            });
            """), *ADVANCED, slots=1)
        wait_for("the next message", lambda: "type afterwards" in instance.errors)
        self.assertEqual(instance.errors.count("sent null"), 3)
        self.assertEqual(instance.errors.count("handle_closed"), 1)
        instance.stop()


class Controller(NodeTestCase):
    """The next controller goes on with the workers in their mode."""

    def check_goes_on(self, instance, before):
        self.assertEqual(self.pids(instance), before)
        self.assertEqual(self.assert_steered(instance), {0, 1})
        sender = ask_http(HERE, path="/send")["slot"]
        wait_for("the last one", lambda: " plain " in instance.errors)
        self.assertIn(f"heard {1 - sender} buffer Buffer", instance.errors)
        result = instance.run("reload", "--wait=drained")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.generations(instance), [2, 2])
        self.assertEqual(instance.stop(), 0)

    def test_takeover(self):
        app = self.app(TALKS)
        instance = self.serve_node(app, *ADVANCED)
        before = self.pids(instance)
        self.kill_controller(instance)
        self.check_goes_on(self.serve_node(app, *ADVANCED), before)

    def test_upgrade(self):
        instance = self.serve_node(self.app(TALKS), *ADVANCED)
        before = self.pids(instance)
        for _ in range(2):
            result = instance.run("upgrade")
            self.assertEqual(result.returncode, 0, result.stderr)
        instance.note_bpf_objects()
        self.check_goes_on(instance, before)

    def test_messages_without_a_controller(self):
        """Messages wait in the socket and in the worker. One may have been read in part."""
        app = self.app(TALKS + """
            server.on('request', request => {
              if (request.url === '/much') for (let i = 0; i < 20; i++)
                send('much', Buffer.alloc(1e6, 0xff));
            });
            """)
        instance = self.serve_node(app, *ADVANCED)
        before = self.pids(instance)
        source = self.sources_of(instance, 0, 1)[0]
        ask_http(HERE, source, path="/much")
        self.kill_controller(instance)
        ask_http(HERE, source, path="/much")
        instance = self.serve_node(app, *ADVANCED)
        self.check_goes_on(instance, before)


@unittest.skipIf(nodeapps.why_not(), nodeapps.why_not())
class Socketio(NpmTestCase):
    """A binary broadcast by @socket.io/cluster-adapter, from one client to the clients of all
    workers."""

    COUNT = 24  # enough for each slot to have some of them

    def told(self, *arguments):
        instance = self.serve_node(nodeapps.SOURCES / "app.js", *arguments, slots=2)
        slots = {where["slot"] for where in instance.where(*sources(self.COUNT))}
        self.assertEqual(slots, {0, 1})
        clients = self.program("node", self.write("clients.js", CLIENTS % (self.COUNT, self.COUNT)),
                               env={"NODE_PATH": nodeapps.MODULES})
        wait_for("all to be told", lambda: clients.output.count("told") == self.COUNT)
        clients.send(signal.SIGKILL)
        clients.wait()
        instance.stop()
        return {line.split(" ", 2)[2] for line in clients.output.splitlines()}

    def test_advanced(self):
        self.assertEqual(self.told(*ADVANCED), {"buffer abc"})

    def test_json(self):
        """This shows the difference: JSON changes binary data."""
        self.assertEqual(self.told(), {"buffer abc", '{"type":"Buffer","data":[97,98,99]}'})


if __name__ == "__main__":
    harness.main()
