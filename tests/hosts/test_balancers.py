#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Real balancers in front of three hosts: each client keeps its host and its worker, and a host that
goes takes along its own clients alone."""

import unittest

import hosts  # it comes first: it says where the others are
import harness
from hosts import CONNECTIONS, SOURCES, HostsTestCase, host_of, say
from world import wait_for


class Kept(HostsTestCase):
    """The check that all balancers have in common."""

    config = "web.yaml"

    def check_keeps(self):
        """Returns the worker of each client."""
        workers, counts = self.serve_all(CONNECTIONS)
        say(f"{counts['connections']} connections of {SOURCES} clients in {counts['seconds']:.1f} s, "
            f"{counts['unsticky']} went astray")
        self.assert_spread(workers)
        self.assert_own(workers)
        return workers

    def check_away(self, before, number):
        """A host is away: its clients are elsewhere, and nobody else has moved."""
        after, _ = self.serve_all()
        own, others = self.moved(before, after, number)
        theirs = sum(host_of(worker) == number for worker in before.values())
        say(f"app{number} is away: {own} of its {theirs} clients moved, {others} of the others")
        self.assertEqual((own, others), (theirs, 0))

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

    def check_balancer(self):
        self.start_hosts(self.config)
        self.haproxy(self.file)
        before = self.check_keeps()
        self.stop_host(2)
        self.runtime.wait(app2="DOWN")
        self.check_away(before, 2)
        self.start_again(2, self.config)
        self.runtime.wait(app2="UP")
        self.check_back(before)

    def test_cable(self):
        """A host that is gone without a word."""
        self.start_hosts(self.config)
        self.haproxy(self.file)
        before, _ = self.serve_all()
        self.network.hosts[2].cut()
        self.runtime.wait(app3="DOWN")
        self.check_away(before, 3)
        self.network.hosts[2].join()
        self.runtime.wait(app3="UP")
        self.check_back(before)

    def test_stop_under_load(self):
        """A host that is stopped while clients come: --stop-delay is longer than HAProxy needs to
        notice, and no connection fails."""
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

    def check_balancer(self):
        self.start_hosts(self.config)
        self.nginx(self.file)
        before = self.check_keeps()
        self.stop_host(2)
        self.check_away(before, 2)
        self.start_again(2, self.config)
        self.wait_for_second_try(before)
        self.check_back(before)

    def wait_for_second_try(self, before):
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
