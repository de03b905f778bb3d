#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`stickyctl clients`: which clients have the most open connections."""

import json

import harness
from clients import HERE, client_socket
from passing import TAKER, XFF, PassingTestCase
from privilege import forbid_netlink
from programs import FAILED, NOT_RUNNING, USAGE, WORKER
from world import wait_for


class Clients(PassingTestCase):
    def open_from(self, source, count, address=HERE):
        for _ in range(count):
            self.addCleanup(client_socket(address, source).close)

    def document(self, instance, *arguments):
        result = instance.run("clients", "--json", *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return json.loads(result.stdout)

    def lines(self, instance, *arguments):
        result = instance.run("clients", *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        lines = result.stdout.splitlines()
        self.assertLessEqual(max(map(len, lines)), 80, result.stdout)
        return lines

    def wait_connections(self, instance, count):
        wait_for("the connections",
                 lambda: self.document(instance)["connections"] == count)

    def test_who_has_the_most(self):
        """Clients are listed by key, the largest first, with shares of the slot and of all clients.
        The list can be limited to one slot."""
        instance = self.serve_workers(2, "-l", "[::]:3001")
        other_service = self.serve("-l", "127.0.0.2:3000", "-w", 1, "--", WORKER, name="other")
        first, second = self.sources_of(instance, 0, 2)
        other = self.sources_of(instance, 1, 1)[0]
        self.assertEqual(self.lines(instance), ["default: 0 open connections of 0 clients"])
        self.open_from(first, 6)
        self.open_from(second, 2)
        self.open_from(other, 1)
        for last in (1, 2, 3):  # addresses of one key, at the other listener
            self.open_from(f"2001:db8:0:7::{last}", 1, ("::1", 3001))
        self.open_from(other, 2, ("127.0.0.2", 3000))  # the same port, but of another service
        self.wait_connections(instance, 12)
        self.wait_connections(other_service, 2)
        found = self.document(instance)
        self.assertEqual((found["keys"], found["complete"], found["of_proxies"]), (4, True, 0))
        top = found["clients"][0]
        in_slot = 8 + 3 * (instance.where("2001:db8:0:7::1")["slot"] == 0)
        self.assertEqual((top["key"], top["slot"], top["connections"], top["proxy"]),
                         (f"{first}/32", 0, 6, False))
        self.assertEqual(top["share"], 0.5)
        self.assertAlmostEqual(top["share_of_slot"], 6 / in_slot, 5)
        self.assertEqual([(client["key"], client["connections"]) for client in found["clients"]][1],
                         ("2001:db8:0:7::/64", 3))
        lines = self.lines(instance, "--limit", "2")
        self.assertEqual(lines[0], "default: 12 open connections of 4 clients")
        self.assertRegex(lines[3], rf"^{first}/32 +0 +6 +\S+% +50\.00%$")
        self.assertEqual(lines[-1], "and 2 more: --limit")
        slot = self.document(instance, "--slot", "0")
        self.assertEqual((slot["of_slot"], slot["connections"]), (in_slot, 12))
        self.assertEqual({client["slot"] for client in slot["clients"]}, {0})

    def test_behind_a_proxy(self):
        """The list says that it shows proxies, and not their clients."""
        instance = self.serve_takers(1, *XFF, "--trusted-proxy", "127.0.0.0/24", command=[TAKER])
        self.open_from("127.0.0.1", 3)
        self.open_from("127.0.5.5", 1)
        self.wait_connections(instance, 4)
        proxy, direct = self.document(instance)["clients"]
        self.assertEqual((proxy["key"], proxy["slot"], proxy["proxy"], proxy["share_of_slot"]),
                         ("127.0.0.1/32", None, True, None))
        self.assertEqual((direct["slot"], direct["proxy"], direct["share_of_slot"]), (0, False, 1))
        text = "\n".join(self.lines(instance))
        self.assertRegex(text, r"127\.0\.0\.1/32 +proxy +3 +- +75\.00%")
        self.assertIn("behind a proxy (xff): 3 of the connections", text)

    def test_wrong_questions(self):
        self.assertEqual(self.stickyctl("clients").returncode, NOT_RUNNING)
        self.assert_message(self.stickyctl("clients", "--slot", "x"), "not a slot", code=USAGE)
        self.assert_message(self.stickyctl("clients", "--limit", "0"), "1 to 1000", code=USAGE)
        instance = self.serve_workers(2)
        self.assert_message(instance.run("clients", "--slot", "2"), "the slots are 0 to 1",
                            code=USAGE)
        with instance.control() as control:
            for query in ("slot=-1", "slot=", "limit=0", "limit=1001", "limit=x"):
                code, answer = control.ask(f"/v1/clients?{query}")
                self.assertEqual((code, list(answer)), (400, ["error"]), query)

    def test_without_the_list_of_the_kernel(self):
        """A seccomp filter refuses netlink sockets: the command says what is missing."""
        instance = self.serve_workers(1, preexec_fn=forbid_netlink)
        self.assert_message(instance.run("clients"), "sock_diag", "seccomp", code=FAILED)


if __name__ == "__main__":
    harness.main()
