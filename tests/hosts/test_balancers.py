#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Real balancers in front of three hosts: each client keeps its host and its worker. If a host
goes, only its own clients move."""

import re
import unittest

import hosts  # this import comes first: it adds the directories of the others to sys.path
import harness
from hosts import CONNECTIONS, SOURCES, HostsTestCase, host_of, say
from world import wait_for

# A client that keeps its connection.
TALK = """
import socket, sys, time
client = socket.socket()
client.bind((sys.argv[1], 0))
client.connect((sys.argv[2], int(sys.argv[3])))
client.sendall(b"who\\n")
print(client.recv(1000).decode(), flush=True)
time.sleep(60)
"""


class Kept(HostsTestCase):
    """The check that all balancers have in common."""

    config = "web.yaml"

    def check_balancer(self):
        """Check that each client keeps its worker while a host goes and comes back."""
        self.start_hosts(self.config)
        self.start_balancer()
        before = self.check_keeps()
        self.stop_host(2)
        self.wait_away()
        self.check_away(before, 2)
        self.start_again(2, self.config)
        self.wait_back(before)
        self.check_back(before)

    def start_balancer(self):
        """Start the balancer with the example `file`."""
        raise NotImplementedError

    def wait_away(self):
        """Wait until the balancer has noticed that the second host is away."""

    def wait_back(self, before):
        """Wait until the balancer has noticed that the second host is back."""
        raise NotImplementedError

    def check_keeps(self):
        """Check that all clients keep their workers. Returns the worker of each client."""
        workers, counts = self.serve_all(CONNECTIONS)
        say(f"{counts['connections']} connections of {SOURCES} clients in {counts['seconds']:.1f} s, "
            f"{counts['unsticky']} went astray")
        self.assert_spread(workers)
        self.assert_own(workers)
        return workers

    def check_away(self, before, number):
        """Check that the clients of a host that is away are elsewhere, and that no other client has
        moved."""
        after, _ = self.serve_all()
        own, others = self.moved(before, after, number)
        theirs = sum(host_of(worker) == number for worker in before.values())
        say(f"app{number} is away: {own} of its {theirs} clients moved, {others} of the others")
        self.assertEqual((own, others), (theirs, 0))

    def check_that_others_move(self, before):
        after, _ = self.serve_all()
        _, others = self.moved(before, after, 2)
        say(f"without a ring: app2 is away, and {others} clients of the others moved")
        self.assertGreater(others, SOURCES / 10)

    def check_back(self, before):
        after, _ = self.serve_all()
        moved = sum(before[address] != after[address] for address in before)
        say(f"it is back: {moved} clients are not where they were")
        self.assertEqual(moved, 0)


@harness.needs("haproxy")
class HAProxy(Kept):
    file = "haproxy.cfg"

    def test_keeps(self):
        self.check_balancer()

    def start_balancer(self):
        self.haproxy(self.file)

    def wait_away(self):
        self.runtime.wait(app2="DOWN")

    def wait_back(self, before):
        self.runtime.wait(app2="UP")

    def test_cable(self):
        """A host disappears without closing its connections."""
        self.start_hosts(self.config)
        self.haproxy(self.file)
        before, _ = self.serve_all()
        self.network.hosts[2].cut()
        self.runtime.wait(app3="DOWN")
        self.check_away(before, 3)
        self.network.hosts[2].join()
        self.runtime.wait(app3="UP")
        self.check_back(before)

    def test_without_consistent(self):
        """The naive way: the hash table contains only the hosts that are up. So clients of the
        others move, too."""
        self.start_hosts(self.config)
        self.haproxy(self.file, ("hash-type consistent sdbm avalanche", "hash-type map-based"))
        before, _ = self.serve_all()
        self.stop_host(2)
        self.runtime.wait(app2="DOWN")
        self.check_that_others_move(before)

    def test_which_host(self):
        """HAProxy's runtime API tells which host a connection went to. On that host, `where` tells
        the worker."""
        self.start_hosts(self.config)
        self.haproxy(self.file)
        for address in ("10.100.0.7", "10.100.1.7", "10.100.2.7"):
            talk = self.program(*self.network.clients.prefix, harness.sys.executable, "-c", TALK,
                                address, *map(str, hosts.SERVICE))
            wait_for("an answer", lambda talk=talk: "slot=" in talk.output)
            worker = int(re.search(r"slot=(\d+)", talk.output)[1])
            sessions = [line for line in self.runtime.ask("show sess").splitlines()
                        if f"src={address}:" in line]
            self.assertEqual(len(sessions), 1, sessions)
            self.assertIn(f" srv=app{host_of(worker)} ", sessions[0])
            where = self.instances[host_of(worker) - 1].where(address)
            self.assertEqual(where["slot"], worker % hosts.WORKERS)
            talk.close()

    def test_stop_under_load(self):
        """A host is stopped while clients connect. --stop-delay is longer than HAProxy needs to
        notice it, so that no connection fails."""
        self.start_hosts(self.config)
        self.haproxy(self.file)
        with self.loading() as load:
            self.stop_host(1)
            self.start_again(1, self.config)
            self.runtime.wait(app1="UP")
        self.assert_none_failed(load.counts)


@unittest.skipUnless(hosts.shutil.which("nginx", path="/usr/sbin:/usr/bin"), "nginx: not installed")
class Nginx(Kept):
    file = "nginx-stream.conf"

    def test_keeps(self):
        self.check_balancer()

    def start_balancer(self):
        self.nginx(self.file)

    def test_cable(self):
        """No message says that the host is gone: nginx waits for its answer, and then tries another
        one."""
        self.start_hosts(self.config)
        self.nginx(self.file)
        before, _ = self.serve_all()
        self.network.hosts[2].cut()
        self.check_away(before, 3)

    def test_taken_out(self):
        """A server is marked `down`, or its line is removed. The clients of the others stay."""
        line = "server 10.0.1.2:3000 max_fails=1 fail_timeout=1s;"
        self.start_hosts(self.config)
        nginx = self.nginx(self.file)
        before, _ = self.serve_all()
        for new in (line.replace(";", " down;"), ""):
            nginx.close()
            nginx = self.nginx(self.file, (line, new))
            self.check_away(before, 2)

    def test_stop_under_load(self):
        """A host is stopped while clients connect. Connections that it refuses go to another
        one."""
        self.start_hosts(self.config)
        self.nginx(self.file)
        with self.loading() as load:
            self.stop_host(1)
            self.start_again(1, self.config)
        self.assert_none_failed(load.counts)

    def wait_back(self, before):
        """nginx tries a host again a second after it has failed."""
        address = next(address for address, worker in before.items() if host_of(worker) == 2)
        words = (*self.network.clients.prefix, hosts.CLIENTS, "--target", "%s:%d" % hosts.SERVICE,
                 "--from", address, "--sources", "1")

        def is_back():
            result = self.run_program(*words)
            slots = harness.json.loads(result.stdout.splitlines()[-1])["per_slot"]
            return {int(slot) for slot in slots} == {before[address]}

        wait_for("nginx to try the host again", is_back, 20, 0.2)


if __name__ == "__main__":
    harness.main()
