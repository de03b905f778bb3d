#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Takes long.
"""Applications from npm that nobody here wrote, unchanged; and modules that have a part in the
primary, with what docs/migration.md says of them. socket.io is in test_socketio.py, what takes long
to build in matrix_frameworks.py."""

import signal
import struct

import harness
from clients import HERE, LISTEN, http_get
from frameworks import SLOTS, FrameworkTestCase
from harness import needs
from listening import listeners_at
from nodejs import BEGUN_IN, NODE_VERSION, Talk, fields, no_packages, sources
from proxies import FRONT, PROXIED
from world import wait_for

EXPRESS = """
    const app = require('express')();
    app.get('/', (request, response) => response.type('text').send(who(request.socket) + '\\n'));
    """
FASTIFY = """
    const app = require('fastify')();
    app.get('/', async request => who(request.socket) + '\\n');
    app.listen({port: 3000, host: '0.0.0.0'});
    """
# What each of its workers does as it is told to stop.
FASTIFY_CLOSES = """
    process.on('SIGTERM', () => app.close().then(() => {
      console.error('app closed');
      process.exit(0);
    }));
    """
# As its documentation has it for Kubernetes, where beforeShutdown waits for the last probes.
TERMINUS = """
    const hooks = [];
    const hook = name => async () => hooks.push(name);
    require('@godaddy/terminus').createTerminus(require('http').createServer(app), {
      healthChecks: {'/health': async () => 'fine'},
      beforeShutdown: () => new Promise(resolve => setTimeout(resolve, 200)).then(hook('before')),
      onSignal: hook('signal'),
      onShutdown: async () => console.error('hooks: %s shutdown', hooks.join(' ')),
      logger: console.error,
    }).listen(3000);
    """
WS = """
    const { WebSocketServer } = require('ws');
    const server = require('http').createServer((request, response) =>
      response.end(who(request.socket) + '\\n'));
    const sockets = new WebSocketServer({server});
    sockets.on('connection', (socket, request) => {
      socket.on('message', text => socket.send(who(request.socket) + `text=${text} `));
    });
    server.listen(3000);
    """
WS_CLOSES = """
    process.on('SIGTERM', () => {
      for (const socket of sockets.clients) socket.close(1001);
      server.close(() => process.exit(0));
    });
    """

# log4js, as its documentation has it for one process.
LOG4JS = """
    const log4js = require('log4js');
    log4js.configure({
      appenders: {out: {type: 'stdout', layout: {type: 'messagePassThrough'}}},
      categories: {default: {appenders: ['out'], level: 'info'}},
      %s
    });
    require('http').createServer((request, response) => {
      log4js.getLogger().info('served by', process.env.STICKY_SLOT);
      response.end(who(request.socket) + '\\n');
    }).listen(3000);
    """
LOG4JS_CURED = LOG4JS % "disableClustering: true,"

LIMITED = """
    const limits = require('rate-limiter-flexible');
    const limiter = new limits.%s({points: %d, duration: 600, keyPrefix: 'web', timeoutMs: 500});
    require('http').createServer((request, response) => {
      limiter.consume(request.socket.remoteAddress).then(
        () => response.end(who(request.socket) + '\\n'),
        reason => {
          response.statusCode = reason instanceof Error ? 500 : 429;
          response.end(reason instanceof Error ? reason.message : 'too many');
        });
    }).listen(3000);
    """

METRICS = """
    const prometheus = require('prom-client');
    const served = new prometheus.Counter({name: 'served', help: 'requests'});
    require('http').createServer((request, response) => {
      served.inc();
      response.end(who(request.socket) + '\\n');
    }).listen(3000);
    """
# The cluster's way, and that of docs/migration.md and docs/nodejs.md.
METRICS_OF_CLUSTER = METRICS + """
    const registry = new prometheus.AggregatorRegistry();
    require('http').createServer((request, response) => {
      registry.clusterMetrics().then(text => response.end(`<${text}>`));
    }).listen(9100 + Number(process.env.STICKY_SLOT));
    """
METRICS_CURED = METRICS + """
    prometheus.register.setDefaultLabels({slot: process.env.STICKY_SLOT});
    require('http').createServer((request, response) => {
      prometheus.register.metrics().then(text => response.end(text));
    }).listen(9100 + Number(process.env.STICKY_SLOT));
    """

# name -> the application, and options
APPLICATIONS = {
    "express": (EXPRESS + "app.listen(3000);",),
    "fastify": (FASTIFY,),
    "ws": (WS,),
    "log4js": (LOG4JS_CURED,),
    "rate_limiter_flexible": (LIMITED % ("RateLimiterMemory", 100000),),
    "prom_client": (METRICS_CURED, *LISTEN),
}


class WebSocket(Talk):
    """A client of ws: its frames are short ones of text."""

    def begin(self):
        self.send(headers="Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")
        self.until(b"\r\n\r\n")
        return self

    def _read(self, count):
        while len(self.text) < count:
            part = self.socket.recv(4096)
            if not part:
                raise AssertionError(f"the end instead of a frame: {self.text}")
            self.text += part
        part, self.text = self.text[:count], self.text[count:]
        return part

    def frame(self):
        """Read a frame: its kind, and what is in it."""
        kind, length = self._read(2)
        return kind & 15, self._read(length)

    def ask(self, word):
        # What a client sends is masked: here with zeros, which change nothing.
        self.socket.sendall(bytes([0x81, 0x80 | len(word)]) + bytes(4) + word.encode())
        kind, text = self.frame()
        assert kind == 1, (kind, text)
        return fields(text.decode())


class ApplicationTestCase(FrameworkTestCase):
    def skip_old(self):
        if NODE_VERSION < 20 and "fastify" in self._testMethodName:
            self.skipTest("fastify 5 needs Node.js 20")


@harness.tests_of(APPLICATIONS)
class Direct(ApplicationTestCase):
    def check(self, text, *arguments):
        self.skip_old()
        self.check_direct(self.app(text), *arguments)


@harness.tests_of(APPLICATIONS)
class Proxied(ApplicationTestCase):
    @needs("haproxy")
    def check(self, text, *arguments):
        self.skip_old()
        self.check_proxied(self.app(text), *arguments)


class Handlers(ApplicationTestCase):
    """Their own ways to end."""

    def test_express(self):
        """server.close(), as Express's documentation has it."""
        self.check_direct(self.app(EXPRESS + """
            const server = app.listen(3000);
            process.on('SIGTERM', () => server.close(() => console.error('server closed')));
            """), said="server closed")

    def test_terminus(self):
        """Its hooks run in their order: it fails where the server is closed already."""
        self.check_direct(self.app(EXPRESS + TERMINUS), said="hooks: before signal shutdown")

    def test_http_graceful_shutdown(self):
        self.check_direct(self.app(EXPRESS + """
            require('http-graceful-shutdown')(app.listen(3000), {
              onShutdown: async () => console.error('cleaned up')});
            """), said="cleaned up")

    def test_fastify(self):
        self.skip_old()
        self.check_direct(self.app(FASTIFY + FASTIFY_CLOSES), said="app closed")


class Faults(ApplicationTestCase):
    def test_express_5_and_a_taken_port(self):
        """It gives the error of listen() to its callback, and lives on: the reason is told at once,
        and is that of the failed start."""
        blocker = self.program("node", "-e", "require('net').createServer().listen(3000)")
        wait_for("the port to be taken", lambda: listeners_at(3000))
        self.assert_start_fails(self.app(EXPRESS + "app.listen(3000, () => {});"), "listen_failed",
                                "its listen() on :3000 failed: Address already in use",
                                arguments=BEGUN_IN)
        blocker.close()


class WebSockets(ApplicationTestCase):
    def open(self, instance, address=HERE):
        """A WebSocket of each client, at its slot, which sees the client's address."""
        clients = []
        for answer in instance.where(*sources(24)):
            client = WebSocket(self, answer["address"], address).begin()
            said = client.ask("hello")
            self.assertEqual((said["slot"], said["client"], said["text"]),
                             (answer["slot"], answer["address"], "hello"))
            clients.append(client)
        self.assertEqual({client.ask("again")["text"] for client in clients}, {"again"})
        return clients

    def check_closed(self, clients):
        """Each was told that its server goes away."""
        for client in clients:
            kind, text = client.frame()
            self.assertEqual((kind, struct.unpack("!H", text[:2])[0]), (8, 1001))
            client.socket.close()

    def test_reload_with_a_handler(self):
        instance = self.serve_node(self.app(WS + WS_CLOSES), slots=SLOTS)
        clients = self.open(instance)
        result = instance.run("reload", "--wait")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.check_closed(clients)
        clients = self.open(instance)
        self.assertEqual({client.ask("new")["gen"] for client in clients}, {2})
        instance.send(signal.SIGTERM)
        self.check_closed(clients)
        self.assertEqual(instance.wait(), 0)

    def test_reload_without_a_handler(self):
        """They stay until --term-after, and are answered until then."""
        instance = self.serve_node(self.app(WS), "--term-after", "1h", "--hard-shutdown-delay",
                                   "2h", slots=SLOTS)
        clients = self.open(instance)
        result = instance.run("reload", "--wait")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual({client.ask("old")["gen"] for client in clients}, {1})
        self.assertEqual({client.ask("new")["gen"] for client in self.open(instance)}, {2})
        instance.stop("--now")

    @needs("haproxy")
    def test_behind_haproxy(self):
        instance = self.serve_node(self.app(WS + WS_CLOSES), *PROXIED, slots=SLOTS)
        proxy = self.haproxy(mode="tcp", server="send-proxy-v2")
        for client in self.open(instance, FRONT["4"]):
            client.socket.close()
        self.end_proxy(proxy)
        self.stop_soon(instance)


class Log4js(ApplicationTestCase):
    def test_cluster_mode(self):
        """The lines are lost, which is told once."""
        instance = self.serve_node(self.app(LOG4JS % ""))
        self.assert_steered(instance)
        wait_for("the warning", lambda: instance.log_lines("message_unheard"))
        [line] = instance.log_lines("message_unheard")
        self.assertEqual(line.fields["kind"], "topic log4js:message")
        self.assertIn("disableClustering", line.fields["hint"])
        self.stop_soon(instance)
        self.assertNotIn("served by", instance.output + instance.errors)

    def test_cure(self):
        instance = self.serve_node(self.app(LOG4JS_CURED))
        self.assert_steered(instance)
        self.stop_soon(instance)
        self.assertEqual((instance.output + instance.errors).count("served by"), 24)
        self.assertEqual(instance.log_lines("message_unheard"), [])


class RateLimiter(ApplicationTestCase):
    def test_cluster_limiter(self):
        """Each request is refused after its timeout, which is told once."""
        instance = self.serve_node(self.app(LIMITED % ("RateLimiterCluster", 3)))
        for source in sources(4):
            self.assertEqual(http_get(HERE, source)[0], 500)
        [line] = instance.log_lines("message_unheard")
        self.assertEqual(line.fields["kind"], "channel rate_limiter_flexible")
        self.assertIn("RateLimiterMemory", line.fields["hint"])
        self.stop_soon(instance)

    def test_cure(self):
        """A client always comes to the same worker, so that it is limited exactly."""
        instance = self.serve_node(self.app(LIMITED % ("RateLimiterMemory", 3)), slots=SLOTS)
        for source in sources(24):
            self.assertEqual([http_get(HERE, source)[0] for _ in range(5)],
                             [200, 200, 200, 429, 429])
        self.assertEqual(instance.log_lines("message_unheard"), [])
        self.stop_soon(instance)


class Metrics(ApplicationTestCase):
    def scrape(self, slot):
        return http_get(("127.0.0.1", 9100 + slot))[2]

    def test_aggregator_registry(self):
        """In a worker it asks nobody: its answer is empty."""
        instance = self.serve_node(self.app(METRICS_OF_CLUSTER), *LISTEN)
        self.assert_steered(instance)
        self.assertEqual([self.scrape(slot) for slot in range(2)], ["<>", "<>"])
        self.assertEqual(instance.log_lines("message_unheard"), [])
        self.stop_soon(instance)

    def test_cure(self):
        """Each worker is scraped at a port of its own, also after a reload."""
        instance = self.serve_node(self.app(METRICS_CURED), *LISTEN, slots=SLOTS)
        for _ in range(2):
            clients = sources(24)
            slots = [answer["slot"] for answer in instance.where(*clients)]
            self.assert_steered(instance, clients=clients)
            for slot in range(SLOTS):
                self.assertIn(f'served{{slot="{slot}"}} {slots.count(slot)}\n', self.scrape(slot))
            result = instance.run("reload", "--wait=drained")
            self.assertEqual(result.returncode, 0, result.stderr)
        self.stop_soon(instance)


if __name__ == "__main__":
    reason = no_packages("frameworks")
    if reason:
        print(f"1..0 # SKIP {reason}")
    else:
        harness.main()
