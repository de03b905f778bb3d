#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stickiness: 4,096 clients have an address each, and make several connections each. Every client
is always served by the same slot, the one that `where` names."""

import ipaddress
import json
import random

import harness
from clients import ask
from listening import listening_sockets
from programs import WORKER
from world import scaled, wait_for

SOURCES = 4096
CONNECTIONS = 3
MANY_CONNECTIONS = 10
SLOTS = 8
V4, V6, BOTH = "127.0.0.1:3000", "[::1]:3000", ":3000"


def v4_source(index):
    """The addresses of tests/peers/clients --family 4."""
    return str(ipaddress.IPv4Address("127.1.0.1") + index)


def v6_source(index):
    """The addresses of tests/peers/clients --family 6: a /64 each."""
    return str(ipaddress.IPv6Address((0x20010db8 << 96) | (index << 64) | 1))


def read_map(path):
    """Returns address -> slot, from a file that clients --map wrote."""
    return {address: int(slot) for address, slot in
            (line.split() for line in path.read_text().splitlines())}


class Steering(harness.TestCase):
    COMMAND = (WORKER, "--notify")

    def serve_workers(self, *arguments, slots=SLOTS, **options):
        return self.serve("-w", slots, *arguments, "--", *self.COMMAND, **options)

    def expect(self, instance, source_of):
        """Write the slots that `where` names for every client to a file for clients --expect."""
        addresses = [source_of(index) for index in range(SOURCES)]
        answers = instance.where(*addresses)
        return self.write("expected", "".join(
            f"{address} {answer['slot']}\n" for address, answer in zip(addresses, answers)))

    def run_clients(self, target, *arguments, family="4", connections=CONNECTIONS):
        """Connect with all clients, and check that they are answered, and sticky. Returns their map
        and the counts."""
        path = self.dir / "map"
        counts = self.clients("--target", target, "--family", family, "--sources", SOURCES,
                              "--connections", connections, "--map", path,
                              "--deadline", scaled(30), *arguments)
        self.assertEqual((counts["connections"], counts["answered"], counts["unsticky"],
                          counts["backward"]),
                         (SOURCES * connections, SOURCES * connections, 0, 0), counts)
        return read_map(path), counts

    def assert_spread(self, found):
        """Check that every slot has its share: 512 clients of 4,096, within five sigma."""
        share = SOURCES / SLOTS
        for slot in range(SLOTS):
            count = list(found.values()).count(slot)
            self.assertLess(abs(count - share), 5 * (share * (1 - 1 / SLOTS)) ** 0.5,
                            f"slot {slot} has {count} clients")

    def assert_sticky(self, instance, target, family, source_of, connections=CONNECTIONS):
        expected = self.expect(instance, source_of)
        found, counts = self.run_clients(target, "--expect", expected, family=family,
                                         connections=connections)
        self.assertEqual(counts["mismatched"], 0, counts)
        self.assertEqual(len(found), SOURCES)
        self.assert_spread(found)
        return found, counts

    def test_v4(self):
        instance = self.serve_workers("-l", V4)
        _, counts = self.assert_sticky(instance, V4, "4", v4_source, MANY_CONNECTIONS)
        status = instance.status()
        # The program counts placements. These are connections, unless SYN cookies are used.
        steered = {str(worker["slot"]): worker["steered"] for worker in status["workers"]}
        for slot, count in counts["per_slot"].items():
            self.assertGreaterEqual(steered[slot], count)
        self.assertEqual(sum(steered.values()), status["counters"]["steered"])
        self.assertEqual({name: status["counters"][name] for name in ("empty_slot", "dropped")},
                         {"empty_slot": 0, "dropped": 0})

    def test_v6(self):
        self.assert_sticky(self.serve_workers("-l", V6), V6, "6", v6_source)

    def test_dual_stack(self):
        instance = self.serve_workers("-l", BOTH)
        v4, _ = self.assert_sticky(instance, V4, "4", v4_source)
        self.assert_sticky(instance, V6, "6", v6_source)
        # IPv4 over an IPv6 socket is IPv4 on the wire, and the same client.
        mapped, _ = self.run_clients(V4, family="mapped", connections=1)
        self.assertEqual(mapped, v4)

    def test_v4_clients_of_both_kinds_of_sockets_agree(self):
        first, _ = self.stop_after(self.serve_workers("-l", V4), V4)
        second, _ = self.stop_after(self.serve_workers("-l", BOTH), V4)
        self.assertEqual(first, second)

    def stop_after(self, instance, target, *arguments):
        result = self.run_clients(target, *arguments, connections=1)
        self.assertEqual(instance.terminate(), 0)
        return result

    def test_two_listeners(self):
        instance = self.serve_workers("-l", V4, "-l", "127.0.0.1:3001")
        first, _ = self.assert_sticky(instance, V4, "4", v4_source)
        second, _ = self.run_clients("127.0.0.1:3001")
        self.assertEqual(first, second, "a client has one slot, wherever it connects")
        for port, descriptor in ((3000, 3), (3001, 4)):
            answer = ask(("127.0.0.1", port), "127.1.0.9")
            self.assertEqual((answer["fd"], answer["slot"]), (descriptor, first["127.1.0.9"]))

    def test_listeners_of_both_families(self):
        instance = self.serve_workers("-l", V4, "-l", V6)
        self.assert_sticky(instance, V6, "6", v6_source)
        self.assertEqual(ask(("127.0.0.1", 3000), "127.1.0.9")["slot"],
                         instance.where("127.1.0.9")["slot"])

    def test_where_of_the_command_line(self):
        instance = self.serve_workers("-l", BOTH)
        pids = [worker["pid"] for worker in instance.workers()]
        indices = random.Random(4).sample(range(SOURCES), 100)
        for source_of, host in ((v4_source, "127.0.0.1"), (v6_source, "::1")):
            for index in indices:
                source = source_of(index)
                where = json.loads(instance.run("where", source, "--json").stdout)
                answer = ask((host, 3000), source)
                self.assertEqual((where["slot"], where["pid"]),
                                 (answer["slot"], answer["pid"]), source)
                self.assertEqual(where["pid"], pids[where["slot"]])

    def test_the_same_after_a_restart(self):
        first, _ = self.stop_after(self.serve_workers("-l", V4), V4)
        again, _ = self.stop_after(self.serve_workers("-l", V4), V4)
        self.assertEqual(first, again)

    def test_the_same_after_the_controller_was_killed(self):
        instance = self.serve_workers("-l", V4)
        first, _ = self.run_clients(V4, connections=1)
        instance.kill()
        wait_for("the workers to be gone", lambda: not listening_sockets())
        again, _ = self.stop_after(self.serve_workers("-l", V4), V4)
        self.assertEqual(first, again)

    def test_another_seed_is_another_map(self):
        first, _ = self.stop_after(self.serve_workers("-l", V4), V4)
        instance = self.serve_workers("-l", V4, "--state-dir", self.dir / "other")
        other, _ = self.stop_after(instance, V4)
        moved = sum(first[address] != other[address] for address in first)
        # By chance an eighth of the clients stay where they were: 3,584 move, sigma 21.
        self.assertLess(abs(moved - SOURCES * 7 / 8), 5 * 21.2, moved)

    def test_one_slot_more_moves_clients_to_it_alone(self):
        seven, _ = self.stop_after(self.serve_workers("-l", V4, slots=7), V4)
        eight, _ = self.stop_after(self.serve_workers("-l", V4, slots=8), V4)
        moved = [address for address in seven if seven[address] != eight[address]]
        self.assertEqual({eight[address] for address in moved}, {7})
        self.assertLess(abs(len(moved) - SOURCES / 8), 5 * 21.2, len(moved))

    def assert_together(self, found, prefix):
        """Check that clients of a network share a slot, and that the networks don't all share
        one."""
        networks = {}
        for address, slot in found.items():
            network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
            networks.setdefault(network, set()).add(slot)
        self.assertGreater(len(networks), 15)
        self.assertEqual({len(slots) for slots in networks.values()}, {1}, networks)
        self.assertGreater(len(set.union(*networks.values())), 2)

    def test_v4_prefix(self):
        instance = self.serve_workers("-l", V4, "--v4-prefix", "24")
        self.assertEqual(instance.where("127.1.3.77")["key"], "127.1.3.0/24")
        found, _ = self.run_clients(V4, "--expect", self.expect(instance, v4_source),
                                    connections=1)
        self.assert_together(found, 24)

    def test_v6_prefix(self):
        instance = self.serve_workers("-l", V6, "--v6-prefix", "56")
        self.assertEqual(instance.where("2001:db8:1:2ff::1")["key"], "2001:db8:1:200::/56")
        found, _ = self.run_clients(V6, family="6", connections=1)
        self.assert_together(found, 56)

    def test_hosts_of_a_v6_network_are_one_client(self):
        instance = self.serve_workers("-l", V6)
        for network in range(20):
            slots = {ask(("::1", 3000), f"2001:db8:7:{network:x}::{host:x}")["slot"]
                     for host in (1, 2, 0xffff)}
            self.assertEqual(slots, {instance.where(f"2001:db8:7:{network:x}::5")["slot"]})


if __name__ == "__main__":
    harness.main()
