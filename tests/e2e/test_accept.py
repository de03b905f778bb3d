#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Connections that can't be accepted, as there is no descriptor for them (EMFILE). They wait in the
kernel. Meanwhile the listening socket is always readable, and the loop that watches it must not
spin."""

import contextlib
import json
import signal

import harness
from clients import HERE, LISTEN, ask, client_socket, http_get
from descriptor_limits import few_descriptors
from descriptor_shortage import REFUSED, SOURCES, DescriptorShortageTestCase
from lifecycle import PARTLY
from world import wait_for


class Control(DescriptorShortageTestCase):
    """Clients of the control socket that can't be accepted."""

    def test_commands_wait(self):
        instance = self.serve_workers(2)
        descriptors, before = instance.descriptors(), self.pids(instance)
        with few_descriptors(instance.pid, 0):
            commands = [self.program(instance.arguments[0], *words) for words in (
                ("status",), ("where", "127.0.0.1"), ("reload", "--wait"))]
            wait_for("a refusal", lambda: REFUSED in instance.errors)
            self.assert_calm(instance)
            self.assert_served(instance, before)
            self.assertTrue(all(command.runs for command in commands))
        for command in commands:
            self.assertEqual(command.wait(), 0, command.errors)
        self.check_after(instance, descriptors)

    def test_it_is_said_that_nobody_answers(self):
        instance = self.serve_workers(1)
        with few_descriptors(instance.pid, 0):
            result = instance.run("status")
            self.assert_message(result, "did not answer within 10 s", code=PARTLY)
            instance.send(signal.SIGTERM)
            self.assertEqual(instance.wait(), 0)

    def test_followers(self):
        """There are more followers than descriptors. Those that were accepted get events at once,
        the others when they can be accepted."""
        instance = self.serve_workers(1)
        descriptors, free, count = instance.descriptors(), 3, 6
        with few_descriptors(instance.pid, free):
            followers = [self.program(instance.arguments[0], "events", "--follow", "--json")
                         for _ in range(count)]
            wait_for("some to be told", lambda: sum(
                '"started"' in follower.output for follower in followers) == free)
            wait_for("a refusal", lambda: REFUSED in instance.errors)
            self.assert_calm(instance)
            instance.send(signal.SIGHUP)
            wait_for("the failure to be told", lambda: sum(
                "reload_ended" in follower.output for follower in followers) == free)
            told = [json.loads(line) for follower in followers
                    for line in follower.output.splitlines() if "reload_ended" in line]
            for event in told:
                self.assertIn(REFUSED, event["error"])
            self.assertEqual(ask(HERE)["slot"], 0)
        wait_for("all to be told", lambda: all(
            "reload_ended" in follower.output for follower in followers))
        for follower in followers:
            follower.send(signal.SIGTERM)
            follower.wait()
        self.check_after(instance, descriptors)


class Demo(DescriptorShortageTestCase):
    """The workers of the demo are threads: they have no descriptors of their own."""

    def test_clients(self):
        instance = self.serve("-w", "2", *LISTEN)
        descriptors = instance.descriptors()
        with contextlib.ExitStack() as stack:
            with few_descriptors(instance.pid, 0):
                clients = [stack.enter_context(client_socket(HERE, source))
                           for source in SOURCES[:8]]
                for client in clients:
                    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                wait_for("a refusal", lambda: REFUSED in instance.errors)
                self.assert_calm(instance)
            for answer, _ in self.collect(clients):
                self.assertTrue(answer and answer.startswith(b"HTTP/1.0 200 "), answer)
        instance.wait_descriptors(descriptors)

    def test_reload(self):
        instance = self.serve("-w", "2", *LISTEN)
        descriptors, generations = instance.descriptors(), self.generations(instance)
        with few_descriptors(instance.pid, 1):
            result = instance.run("reload", "--wait")
            self.assertEqual(result.returncode, PARTLY, result.stderr)
            self.assertIn(REFUSED, result.stderr)
            self.assertEqual(self.generations(instance), generations)
            self.assertEqual(http_get(HERE)[0], 200)
        self.check_after(instance, descriptors)


if __name__ == "__main__":
    harness.main()
