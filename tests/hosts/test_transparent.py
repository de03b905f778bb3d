#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proxies that connect with the client's own address: the kernel sends each client to its worker,
without the PROXY protocol."""

import hosts  # this import comes first: it adds the directories of the others to sys.path
import harness
from hosts import CONNECTIONS, PORT, HostsTestCase
from programs import WORKER
from test_balancers import HAProxy, Nginx

DIRECT = "web-direct.yaml"


class Kernel:
    """The instances see the clients' addresses themselves: none of them passes a connection."""

    config = DIRECT

    def check_by_kernel(self):
        self.rules("transparent.sh")
        self.check_balancer()
        for instance in self.instances:
            counters = instance.status()["counters"]
            self.assertGreater(counters["steered"], 0)
            self.assertEqual((counters["dispatched"], counters["handed"]), (0, 0))


@harness.needs("haproxy", "nft")
class TransparentHAProxy(Kernel, HAProxy):
    file = "haproxy-transparent.cfg"

    test_cable = test_stop_under_load = test_which_host = None
    test_without_consistent = None

    def test_keeps(self):
        self.check_by_kernel()


@harness.needs("nginx", "nft")
class TransparentNginx(Kernel, Nginx):
    file = "nginx-transparent.conf"

    test_cable = test_taken_out = test_stop_under_load = None

    def test_keeps(self):
        self.check_by_kernel()


@harness.needs("haproxy", "nginx", "nft")
class SameHost(HostsTestCase):
    """The proxy is on the host of the workers."""

    hosts = 0

    def check(self, start):
        self.rules("same-host.sh")
        instance = self.serve("-l", f"127.0.0.1:{PORT}", "-w", 2, "--ready", "notify", "--",
                              WORKER, "--notify")
        start()
        workers, counts = self.serve_all(CONNECTIONS)
        hosts.say(f"{counts['connections']} connections in {counts['seconds']:.1f} s, "
                  f"{counts['unsticky']} went astray")
        expected = {answer["address"]: answer["slot"] for answer in instance.where(*workers)}
        self.assertEqual(workers, expected)
        self.assertEqual(instance.status()["counters"]["handed"], 0)

    def test_haproxy(self):
        self.check(lambda: self.balance("haproxy", "-db", "-f",
                                        self.example("haproxy-same-host.cfg")))

    def test_nginx(self):
        self.check(lambda: self.nginx("nginx-same-host.conf"))

    def test_without_the_rules(self):
        """The naive way: the worker's answer is sent to the client, which does not know the
        connection."""
        self.serve("-l", f"127.0.0.1:{PORT}", "-w", 2, "--ready", "notify", "--", WORKER, "--notify")
        self.nginx("nginx-same-host.conf")
        result = self.run_program(*self.load_words("--sources", 10, "--deadline", 3))
        counts = harness.json.loads(result.stdout.splitlines()[-1])
        self.assertEqual(counts["answered"], 0)


del HAProxy, Nginx  # or their own tests would run here, too

if __name__ == "__main__":
    harness.main()
