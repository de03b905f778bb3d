#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""500 clients of socket.io on two hosts, which Redis joins: each broadcast reaches each client
once, and the loss of a host affects only its own clients."""

import time

import hosts  # this import comes first: it adds the directories of the others to sys.path
import harness
import nodeapps
from hosts import HostsTestCase, say
from network import BALANCER, SERVICE
from nodeapps import MODULES, SOURCES, Crowd
from world import wait_for

CLIENTS = 500
TELLS = 20
LIMIT_S = 60
LOST_S = 60  # the keepalive of examples/hosts/haproxy.cfg takes 25 s
ADAPTERS = {"redis_adapter": ("redis",), "redis_streams_adapter": ("streams",)}


class ChatTestCase(HostsTestCase):
    """Instances of an application of socket.io."""

    hosts = 2

    def start_redis(self):
        redis = self.program("redis-server", "--bind", BALANCER, "--protected-mode", "no", "--save", "",
                     "--appendonly", "no", cwd=self.dir)
        wait_for("Redis to listen", lambda: hosts.listeners_at(6379))
        return redis

    def start_chat(self, app, *arguments, **variables):
        self.instances = [self.start_host(
            number, listen=f"{hosts.address_of(number)}:3000", ready="auto",
            arguments=("--trusted-proxy", BALANCER, *arguments),
            command=["node", SOURCES / app],
            env={"NODE_PATH": MODULES, "REDIS_URL": f"redis://{BALANCER}", **variables})
            for number in range(1, self.hosts + 1)]
        for instance in self.instances:
            instance.ready()
        self.haproxy()

    def crowd(self, **options):
        return Crowd(self, prefix=self.network.clients.prefix, url="http://%s:%d" % SERVICE,
                     network="10.100", **options)


@harness.needs("haproxy", "redis-server", "node")
@harness.tests_of(ADAPTERS)
class Broadcasts(ChatTestCase):
    def check(self, adapter):
        self.start_redis()
        self.start_chat("app-redis.js", ADAPTER=adapter)
        crowd = self.crowd(clients=CLIENTS, transports=["websocket"], rounds=2, idle=500)
        before = crowd.finished(LIMIT_S)
        self.assertEqual([client["errors"] for client in before if client["errors"]][:3], [])
        self.check_told(crowd, 0)
        self.network.hosts[1].cut()
        self.runtime.wait(app2="DOWN")
        self.check_lost(crowd, before)
        self.check_told(crowd, TELLS)

    def check_told(self, crowd, before):
        for _ in range(TELLS):
            crowd.tell()
            before += 1
            crowd.wait("all to be told", lambda client, wanted=before: client["told"] >= wanted)
        told = [client["told"] for client in crowd.report()]
        say(f"{TELLS} broadcasts to {len(told)} clients: {sum(told) - len(told) * (before - TELLS)} "
            "arrived")
        self.assertEqual(set(told), {before})

    def check_lost(self, crowd, before):
        theirs = {client["address"] for client in before
                  if client["worker"] in self.pids(self.instances[1])}
        stay = self.pids(self.instances[0])
        after = crowd.wait("all to be on the first host", lambda client: client["worker"] in stay,
                           LOST_S)
        again = {client["address"] for client in after if client["connects"] > 1}
        say(f"app2 is lost: {len(again & theirs)} of its {len(theirs)} clients connected again, "
            f"{len(again - theirs)} of the others")
        self.assertEqual(again, theirs)


@harness.needs("haproxy", "redis-server", "node")
@harness.tests_of(ADAPTERS)
class RedisAway(ChatTestCase):
    """Redis ends, and is started again. Clients stay connected, and get broadcasts again."""

    def check(self, adapter):
        redis = self.start_redis()
        self.start_chat("app-redis.js", ADAPTER=adapter)
        crowd = self.crowd(clients=40, transports=["websocket"], rounds=2, idle=500)
        before = crowd.finished(LIMIT_S)
        redis.close()
        crowd.tell()
        began = time.monotonic()
        same = {client["address"] for client in before if client["worker"] == before[0]["worker"]}
        crowd.wait("the clients of the same worker to be told", lambda client: client["told"] or
                   client["address"] not in same, LIMIT_S)
        say(f"{adapter}: without Redis, the clients of the same worker were told after "
            f"{time.monotonic() - began:.1f} s")
        self.start_redis()
        told = {client["address"]: client["told"] for client in crowd.report()}

        def all_told():
            crowd.tell()
            return all(client["told"] > told[client["address"]] + 1 for client in crowd.report())

        wait_for("all to be told", all_told, LIMIT_S, 0.5)
        self.assertEqual({client["connects"] for client in crowd.report()}, {1})


if __name__ == "__main__":
    if nodeapps.why_not():
        print(f"1..0 # SKIP {nodeapps.why_not()}")
    else:
        harness.main()
