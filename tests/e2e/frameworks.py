# SPDX-License-Identifier: MIT
"""The common part of the tests of applications from other projects: checks that each must pass."""

from nodeapps import NpmTestCase
from nodejs import PACKAGES, ask_http, sources
from proxies import FRONT, PROXIED, ProxyTestCase

COUNT = 500  # clients
SLOTS = 4    # the number that ProxyTestCase.assert_each_on_its_own() expects
DIRECT = {"4": ("127.0.0.1", 3000)}


class FrameworkTestCase(NpmTestCase, ProxyTestCase):
    modules = PACKAGES / "frameworks" / "node_modules"

    def check_direct(self, app, *arguments, said="", **options):
        """Check that the application starts, that `where` names each client's worker, that reloads
        under load lose nothing, and that it stops soon. said: the text that each worker prints at
        its end."""
        instance = self.serve_node(app, *arguments, slots=SLOTS, **options)
        self.assert_steered(instance)
        self.assert_each_on_its_own(instance, DIRECT, COUNT)
        with self.load("--http", rate=200) as load:
            for _ in range(2):
                result = instance.run("reload", "--wait=drained", seconds=60)
                self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_nobody_lost(load.counts, least=20)
        self.assertEqual(self.generations(instance), SLOTS * [3])
        self.assert_counters(instance, answered_502=0)
        self.stop_soon(instance)
        self.assertEqual(len(self.how(instance)), 3 * SLOTS)
        if said:
            self.assertEqual(instance.errors.count(said), 3 * SLOTS, instance.errors)

    def check_proxied(self, app, *arguments, **options):
        """Check the application behind HAProxy, with PROXY v2: `where` names each client's worker,
        the application sees the client's address, and reloads lose nothing."""
        instance = self.serve_node(app, *PROXIED, *arguments, slots=SLOTS, **options)
        proxy = self.haproxy("option http-server-close", server="send-proxy-v2")
        self.assert_each_on_its_own(instance, {"4": FRONT["4"]}, COUNT)
        for wanted in instance.where(*sources(24)):
            answer = ask_http(FRONT["4"], wanted["address"])
            self.assertEqual((answer["slot"], answer["client"]),
                             (wanted["slot"], wanted["address"]))
        with self.load("--http", rate=200, target=FRONT["4"]) as load:
            result = instance.run("reload", "--wait=drained", seconds=60)
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_nobody_lost(load.counts, least=20)
        self.assertEqual(instance.status()["counters"]["bad_proxy_header"], 0)
        self.end_proxy(proxy)
        self.stop_soon(instance)
