#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Messages that the workers of an application send to each other, and to their primary."""

import json

import harness
from clients import HERE
from nodejs import LISTENS, SERVER, NodeTestCase, ask_http, sources
from world import wait_for

# The message that a worker sends after a request for /send. A worker that gets it prints a line.
TALKS = SERVER + LISTENS + """
    process.on('message', message => {
      if (message.source !== '_sio_adapter' || message.type !== 3) return;
      console.error('heard %s %s', process.env.STICKY_SLOT, JSON.stringify(message).length,
                    message.name);
    });
    const send = (name, data) => process.send(
      {source: '_sio_adapter', uid: 'u' + process.pid, nsp: '/', type: 3, name, data});
    let deep = 'end';
    for (let level = 0; level < 2500; level++) deep = [deep];
    server.on('request', request => {
      if (request.url !== '/send') return;
      send('emoji', 'x\\ud83d');
      send('number', 1e19);
      send('depth', deep);
      send('plain', 'text');
    });
    """


class Relayed(NodeTestCase):
    def test_all_that_node_sends_arrives(self):
        instance = self.serve_node(self.app(TALKS), slots=2)
        sender = ask_http(HERE, path="/send")["slot"]
        for name in ("emoji", "number", "depth", "plain"):
            wait_for(name, lambda name=name: f"{name}\n" in instance.errors.replace("\r", ""))
        lines = [line.split() for line in instance.errors.splitlines() if line.startswith("heard")]
        self.assertEqual([line[3] for line in lines], ["emoji", "number", "depth", "plain"])
        self.assertEqual({int(line[1]) for line in lines}, {1 - sender})
        self.assertEqual(int(lines[2][2]) > 5000, True)
        self.assertNotIn("message_unheard", instance.errors)
        instance.stop()


    def test_binary_data_is_told_once(self):
        instance = self.serve_node(self.app(TALKS + """
            server.on('request', request => {
              if (request.url === '/binary') for (let i = 0; i < 3; i++)
                send('binary', {part: Buffer.from('abc')});
            });
            """), slots=2)
        ask_http(HERE, path="/send")
        wait_for("the last one", lambda: "plain\n" in instance.errors)
        self.assertNotIn("binary_broadcast", instance.errors)
        ask_http(HERE, path="/binary")
        wait_for("all of them", lambda: instance.errors.count("binary\n") == 3)
        self.assertEqual(instance.errors.count("binary_broadcast"), 1)
        instance.stop()


class Unheard(NodeTestCase):
    """Messages to the primary, which runs no code of the application."""

    def test_each_kind_is_told_once(self):
        instance = self.serve_node(self.app(SERVER + LISTENS + """
            for (let i = 0; i < 3; i++) {
              process.send({topic: 'log4js:message', data: i});
              process.send({channel: 'rate_limiter_flexible', id: i});
              process.send({data: i});
            }
            """), slots=2)
        wait_for("three kinds", lambda: instance.errors.count("message_unheard") == 3)
        lines = {line.fields["kind"]: line.fields["hint"]
                 for line in instance.log_lines("message_unheard")}
        self.assertIn("disableClustering", lines["topic log4js:message"])
        self.assertIn("RateLimiterMemory", lines["channel rate_limiter_flexible"])
        self.assertIn("Redis", lines["an object without a type"])
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        self.assertEqual(instance.errors.count("message_unheard"), 3)
        instance.stop()

    def test_what_is_known_is_not_told(self):
        instance = self.serve_node(self.app(SERVER + LISTENS + """
            process.send('ready'); process.send({cmd: 'ready'});
            """), slots=1)
        ask_http(HERE)
        self.assertNotIn("message_unheard", instance.errors)
        instance.stop()

    def test_a_message_that_is_too_large(self):
        """The message is lost, which is logged. The worker lives, and its next message arrives."""
        instance = self.serve_node(self.app(SERVER + LISTENS + """
            server.on('request', request => {
              if (request.url !== '/large') return;
              process.send({data: 'x'.repeat(40e6)});
              process.send({type: 'small'});
            });
            """), slots=1)
        before = ask_http(HERE, path="/large")["pid"]
        wait_for("the next message", lambda: "type small" in instance.errors)
        line = instance.log_lines("message_too_long")[0]
        self.assertEqual(line.fields["limit_mib"], "16")
        self.assertEqual(ask_http(HERE)["pid"], before)
        instance.stop()

    def test_a_message_with_a_handle(self):
        """The message is acknowledged: the channel is not blocked, and the stop is not delayed."""
        instance = self.serve_node(self.app(SERVER + LISTENS + """
            const net = require('net');
            const other = net.createServer(() => {});
            other.listen({port: 4000, exclusive: true}, () => {
              for (let i = 0; i < 3; i++) process.send({number: i}, other, error => {
                console.error('sent', error);
                if (i === 2) { other.close(); process.send({type: 'afterwards'}); }
              });
            });
            """), slots=1)
        wait_for("the next message", lambda: "type afterwards" in instance.errors)
        self.assertEqual(instance.errors.count("sent null"), 3)
        self.assertEqual(instance.errors.count("handle_closed"), 1)
        self.assertEqual(self.open_fds(instance.process.pid) < 100, True)
        instance.stop()
        self.assertEqual([line.fields["how"] for line in instance.log_lines("worker_exit")],
                         ["exited with code 0"])


if __name__ == "__main__":
    harness.main()
