#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Takes long.
"""socket.io as its users run it: an unchanged application, and clients of socket.io-client from
many addresses, with each of its transports."""

import unittest

import harness
import nodeapps
from clients import HERE, http_get
from listening import listeners_at, listening_sockets
from nodeapps import SOURCES, Crowd, NpmTestCase
from nodejs import BEGUN_IN
from world import wait_for

CLIENTS = 100
ROUNDS = 10
SLOTS = 4
LIMIT_S = 60  # for all round trips
APPLICATION = SOURCES / "app.js"
WAYS = {"polling": (["polling"],), "polling_then_websocket": (["polling", "websocket"],),
        "websocket": (["websocket"],)}
BEHIND = 8080  # where proxies listen

UNKNOWN = "Session ID unknown"


class SocketioTestCase(NpmTestCase):
    def crowd(self, transports, **options):
        return Crowd(self, transports=transports, **{"clients": CLIENTS, "rounds": ROUNDS,
                                                     **options})

    def assert_undisturbed(self, clients, rounds=None):
        """Check that each client had one connection, made all round trips, and had no error."""
        rounds = ROUNDS if rounds is None else rounds
        bad = [client for client in clients if client["errors"] or client["connects"] != 1
               or client["rounds"] < rounds]
        self.assertEqual(bad[:3], [], f"{len(bad)} of {len(clients)}")

    def check_sessions(self, instance, transports, **options):
        """Check sessions that are not disturbed. Each is at its worker, and a message of one client
        reaches all."""
        crowd = self.crowd(transports, **options)
        clients = crowd.finished(LIMIT_S)
        self.assertEqual(len(clients), crowd.count)
        self.assert_undisturbed(clients)
        self.assertEqual({client["transport"] for client in clients}, {transports[-1]})
        self.assertEqual({client["address"]: client["worker"] for client in clients},
                         self.pid_of(instance, clients))
        self.assertEqual({client["worker"] for client in clients}, set(self.pids(instance)))
        crowd.tell()
        clients = crowd.wait("all to be told", lambda client: client["told"])
        self.assertEqual([client["told"] for client in clients], crowd.count * [1])
        self.assert_undisturbed(clients)
        crowd.stop()


@harness.tests_of(WAYS)
class Sessions(SocketioTestCase):
    def check(self, transports):
        instance = self.serve_node(APPLICATION, slots=SLOTS)
        self.check_sessions(instance, transports)
        self.assertEqual([worker["restarts"] for worker in instance.workers()], SLOTS * [0])
        self.stop_soon(instance)


class Naive(SocketioTestCase):
    def test_nodes_cluster_loses_sessions(self):
        """Node's own primary gives each connection of a client to the next worker."""
        self.program("node", SOURCES / "primary.js", SLOTS,
                     env={"NODE_PATH": nodeapps.MODULES})
        wait_for("the application to listen", listening_sockets)
        clients = self.crowd(["polling"], once=True).finished(LIMIT_S)
        lost = [client for client in clients if any(UNKNOWN in error
                                                    for error in client["errors"])]
        self.assertGreater(len(lost), len(clients) / 2)


class DocumentedClusterExample(SocketioTestCase):
    """The example of socket.io's documentation, which has a primary of its own, unchanged."""

    TEXT = """
const cluster = require('cluster');
const http = require('http');
const { Server } = require('socket.io');
const { setupMaster, setupWorker } = require('@socket.io/sticky');
const { createAdapter, setupPrimary } = require('@socket.io/cluster-adapter');
if (cluster.isMaster) {
  const httpServer = http.createServer();
  setupMaster(httpServer, { loadBalancingMethod: 'least-connection' });
  setupPrimary();
  httpServer.listen(3000);
  for (let i = 0; i < 4; i++) cluster.fork();
} else {
  const httpServer = http.createServer();
  const io = new Server(httpServer);
  io.adapter(createAdapter());
  setupWorker(io);
}
"""

    def test_the_message_names_the_guide(self):
        self.assert_start_fails(self.app(self.TEXT), "has not called listen()", "@socket.io/sticky",
                                "docs/migration.md", arguments=BEGUN_IN, slots=1)


@harness.tests_of(WAYS)
class Reloaded(SocketioTestCase):
    """A rolling reload while clients send messages."""

    def check(self, transports):
        instance = self.serve_node(APPLICATION, "--term-after", "500ms",
                                   "--hard-shutdown-delay", "4s", slots=SLOTS)
        crowd = self.crowd(transports, idle=250)
        self.assert_undisturbed(crowd.finished(LIMIT_S))
        result = instance.run("reload", "--wait=drained", seconds=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.wait_all_ready(instance, 2)
        clients = crowd.report()
        pids, before = self.pid_of(instance, clients), {
            client["address"]: client["rounds"] for client in clients}
        clients = crowd.wait("all to talk to the new workers", lambda client: (
            client["worker"] == pids[client["address"]]
            and client["rounds"] > before[client["address"]] + 1))
        often = [client for client in clients if client["connects"] > 2]
        self.assertEqual(often[:3], [], f"{len(often)} of {len(clients)} reconnected twice")
        crowd.stop()


@harness.tests_of(WAYS)
class Killed(SocketioTestCase):
    """SIGKILL to a worker: the clients of other workers notice nothing."""

    def check(self, transports):
        instance = self.serve_node(APPLICATION, slots=SLOTS)
        crowd = self.crowd(transports, idle=250)
        clients = crowd.finished(LIMIT_S)
        self.assert_undisturbed(clients)
        victim = self.kill_worker(instance, 1)
        self.wait_generation(instance, 2, 1)
        before = {client["address"]: client["rounds"] for client in clients}
        theirs = {client["address"] for client in clients if client["worker"] == victim}
        pids = self.pid_of(instance, clients)
        clients = crowd.wait("all to talk again", lambda client: (
            client["worker"] == pids[client["address"]]
            and client["rounds"] > before[client["address"]] + 3))
        self.assert_undisturbed([client for client in clients
                                 if client["address"] not in theirs])
        self.assertEqual({client["connects"] for client in clients
                          if client["address"] in theirs}, {2})
        crowd.stop()


class Asked(SocketioTestCase):
    """Requests of one worker to all others by way of the controller: fetchSockets() of the
    adapter."""

    def serve_some(self):
        instance = self.serve_node(APPLICATION, "--term-after", "500ms",
                                   "--hard-shutdown-delay", "4s", slots=SLOTS)
        crowd = self.crowd(["websocket"], clients=20, rounds=1)
        crowd.finished(LIMIT_S)
        self.assert_counted(instance, 20)
        return instance, crowd

    def assert_counted(self, instance, count):
        """Check that every worker counts so many clients."""
        sources = [self.sources_of(instance, slot, 1)[0] for slot in range(SLOTS)]
        self.assertEqual([http_get(HERE, source)[2] for source in sources],
                         SLOTS * [str(count)])

    def test_after_a_death(self):
        """No worker waits for the answer of the dead one."""
        instance, crowd = self.serve_some()
        self.kill_worker(instance, 1)
        self.wait_generation(instance, 2, 1)
        crowd.wait("all to be back", lambda client: client["worker"] in self.pids(instance))
        self.assert_counted(instance, 20)

    def test_after_a_reload(self):
        instance, crowd = self.serve_some()
        result = instance.run("reload", "--wait=drained", seconds=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        crowd.wait("all to be back", lambda client: client["worker"] in self.pids(instance))
        self.assert_counted(instance, 20)

    def test_after_a_takeover(self):
        """The next controller does not know the worker that asks yet."""
        instance, _ = self.serve_some()
        self.kill_controller(instance)
        instance = self.serve_node(APPLICATION, "--term-after", "500ms",
                                   "--hard-shutdown-delay", "4s", slots=SLOTS)
        self.assert_counted(instance, 20)


class Redis(SocketioTestCase):
    """With @socket.io/redis-adapter, a worker's message reaches the clients of all workers by
    Redis."""

    @unittest.skipIf(nodeapps.why_not("redis-server"), nodeapps.why_not("redis-server"))
    def test_sessions(self):
        self.program("redis-server", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                     cwd=self.dir)
        wait_for("Redis to listen", listening_sockets)
        instance = self.serve_node(SOURCES / "app-redis.js", slots=SLOTS)
        self.check_sessions(instance, ["polling"])
        result = instance.run("reload", "--wait=drained")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.check_sessions(instance, ["polling", "websocket"], network="127.20")
        self.stop_soon(instance)


class Proxied(SocketioTestCase):
    """All transports, one after the other, each with clients of its own."""

    def check_behind(self, how, *proxy):
        instance = self.serve_node(
            APPLICATION, "--behind-proxy", how, "--trusted-proxy", "127.0.0.1/32", slots=SLOTS)
        self.program(*proxy)
        wait_for("the proxy to listen", lambda: listeners_at(BEHIND))
        for number, (name, (transports,)) in enumerate(WAYS.items()):
            with self.subTest(name):
                self.check_sessions(instance, transports, port=BEHIND,
                                    network=f"127.{20 + number}")
        self.assertEqual([worker["restarts"] for worker in instance.workers()], SLOTS * [0])

    def check_behind_nginx(self, keepalive, connection):
        temporary = "".join(f"{kind}_temp_path {self.dir}/{kind};\n" for kind in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = self.write("nginx.conf", f"""
            daemon off;
            master_process off;
            pid {self.dir}/nginx.pid;
            events {{ worker_connections 8192; }}
            http {{
              access_log off;
              {temporary}
              map $http_upgrade $connection_upgrade {{ default upgrade; "" {connection}; }}
              upstream application {{ server 127.0.0.1:3000; {keepalive} }}
              server {{
                listen 127.0.0.1:{BEHIND};
                location / {{
                  proxy_pass http://application;
                  proxy_http_version 1.1;
                  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                  proxy_set_header Host $host;
                  proxy_set_header Upgrade $http_upgrade;
                  proxy_set_header Connection $connection_upgrade;
                }}
              }}
            }}
            """)
        self.check_behind("xff", "nginx", "-e", "stderr", "-c", config)

    @unittest.skipIf(nodeapps.why_not("nginx"), nodeapps.why_not("nginx"))
    def test_nginx(self):
        self.check_behind_nginx("", "close")

    @unittest.skipIf(nodeapps.why_not("nginx"), nodeapps.why_not("nginx"))
    def test_nginx_that_keeps_connections(self):
        """If the connections were not closed, nginx would send one client's requests behind
        another's."""
        self.check_behind_nginx("keepalive 32;", '""')

    @unittest.skipIf(nodeapps.why_not("haproxy"), nodeapps.why_not("haproxy"))
    def test_haproxy(self):
        config = self.write("haproxy.cfg", f"""
            defaults
              mode tcp
              timeout connect 5s
              timeout client 60s
              timeout server 60s
            listen chat
              bind 127.0.0.1:{BEHIND}
              server application 127.0.0.1:3000 send-proxy-v2
            """.replace("            ", ""))
        self.check_behind("proxy", "haproxy", "-db", "-f", config)


if __name__ == "__main__":
    if nodeapps.why_not():
        print(f"1..0 # SKIP {nodeapps.why_not()}")
    else:
        harness.main()
