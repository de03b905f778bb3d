#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each connection that the controller has accepted leaves it by exactly one exit, or is still in
it. This holds during a stop, without memory, and over takeovers and upgrades."""

import contextlib
import re
import signal
import subprocess
import threading
import unittest

import harness
from clients import HERE, client_socket, read_all
from passing import PROXY, TAKER, PassingTestCase, proxy_v2, request
from programs import STICKYCTL
from test_admin import parse_metrics, total, value
from world import wait_for

PATIENT = ("--max-retries", "600", "--retry-delay", "100ms")

# calloc() fails in the threads of dispatchers while the file $NO_MEMORY exists.
NO_MEMORY = r"""
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

extern void *__libc_calloc(size_t count, size_t size);

void *calloc(size_t count, size_t size)
{
	const char *file = getenv("NO_MEMORY");
	char name[16] = "";

	prctl(PR_GET_NAME, name);
	if (file && !strcmp(name, "dispatcher") && !access(file, F_OK))
		return NULL;
	return __libc_calloc(count, size);
}
"""


class Exits(PassingTestCase):
    def samples(self, instance):
        with instance.control() as connection:
            connection.request("GET", "/v1/metrics")
            return parse_metrics(connection.getresponse().read().decode())

    def difference(self, instance):
        """Returns how many connections have no exit, and are not in the controller, either."""
        samples = self.samples(instance)
        return (total(samples, "controller_accepted_connections_total")
                - total(samples, "controller_connections_total")
                - total(samples, "controller_present_connections"))

    def assert_balanced(self, instance, **exits):
        """Check that no connection is missing, and that these exits were counted so often. The
        check waits, as a connection may be between two places when they are counted."""
        wait_for(lambda: f"{self.difference(instance)} connections have no exit",
                 lambda: self.difference(instance) == 0)
        samples = self.samples(instance)
        self.assertEqual({name: value(samples, "controller_connections_total", exit=name)
                          for name in exits}, exits)

    @contextlib.contextmanager
    def proxied_load(self, names):
        """Connections of a proxy, without a pause, until they are refused or the block ends.

        names  its clients; each has one connection at a time"""
        ends = threading.Event()

        def run(name):
            while not ends.is_set():
                with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                    try:
                        client = client_socket(HERE)
                    except ConnectionRefusedError:
                        return
                    with client:
                        client.sendall(proxy_v2(name) + request())
                        read_all(client)

        running = [threading.Thread(target=run, args=(name,)) for name in names]
        for each in running:
            each.start()
        yield
        ends.set()
        for each in running:
            each.join()

    def test_stop_under_load(self):
        """A connection with half a PROXY header is closed. Connections that wait for a slot without
        a worker are answered. One worker drains, so that the counters can still be read."""
        command = self.taker_script("[ $STICKY_SLOT = 1 ] && [ -e $0.out ] && exit 1")
        instance = self.serve_takers(2, *PROXY, *PATIENT, "--hard-shutdown-delay", "60s",
                                     command=[command])
        keeper = self.open(text=proxy_v2(self.public_of(instance, 0)[0]))
        self.wait_counters(instance, handed=1)
        (self.dir / "taker.sh.out").touch()
        self.kill_worker(instance, 1)
        waiting = [self.open(text=proxy_v2(name) + request())
                   for name in self.public_of(instance, 1, 20)]
        self.wait_held(instance, 20)
        halves = [self.open(text=proxy_v2("203.0.113.9")[:14]) for _ in range(30)]
        self.wait_pending(instance, 30)
        with self.proxied_load(self.public_of(instance, 0, 4)):
            wait_for("a load", lambda: self.counters(instance, "handed")[0] > 300)
            instance.send(signal.SIGTERM)
            instance.wait_status("the stop", lambda status: status["state"] == "stopping")
            for client in halves:
                with contextlib.suppress(ConnectionError):
                    self.assertEqual(client.recv(1), b"")
        self.assert_balanced(instance, no_memory=0, controller_ended=0)
        # Each of the four clients of the load may have a connection without a whole header, too.
        stopped = value(self.samples(instance), "controller_connections_total", exit="stop")
        self.assertIn(stopped, range(30, 35))
        for client in waiting:
            self.assertIn(b"502", read_all(client))
        keeper.close()
        self.assertEqual(instance.wait(), 0)

    @unittest.skipIf(re.search(rb"__[at]san_init", STICKYCTL.read_bytes()),
                     "a sanitizer has a calloc() of its own")
    @harness.needs("cc")
    def test_no_memory(self):
        """A dispatcher that cannot remember a connection closes it, whether its head is complete or
        not, and serves again when there is memory."""
        source, library = self.write("no_memory.c", NO_MEMORY), self.dir / "no_memory.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        file = self.dir / "no-memory"
        instance = self.serve_takers(1, *PROXY, env={"LD_PRELOAD": library, "NO_MEMORY": file})
        text = proxy_v2("203.0.113.9")
        self.asked(text + request())
        file.touch()
        for part in (text + request(), text[:14]):
            for _ in range(10):
                with contextlib.suppress(ConnectionError):
                    self.assertEqual(self.open(text=part).recv(1), b"")
        self.assert_balanced(instance, no_memory=20, worker=1)
        file.unlink()
        self.asked(text + request())
        self.assert_balanced(instance, no_memory=20, worker=2)
        self.assertEqual(self.counters(instance, "no_memory"), (20,))

    def test_answered_in_the_kernel(self):
        """Clients that wait in a holding socket are accepted there and answered, without a
        dispatcher."""
        instance = self.serve_takers(1, *PROXY, "--trusted-proxy", "192.0.2.1",
                                     "--max-retries", "1", "--retry-delay", "10ms")
        self.drain(instance, 0)
        for _ in range(5):
            self.assertIn(b"502", self.ask_raw(request()))
        self.assert_balanced(instance, answered=5)
        samples = self.samples(instance)
        accepted = [value(samples, "controller_accepted_connections_total", source=source)
                    for source in ("holding_socket", "dispatcher")]
        # One in 256 connections of untrusted peers is looked at by a dispatcher.
        self.assertEqual(sum(accepted), 5)
        self.assertGreaterEqual(accepted[0], 4)

    def ask_raw(self, text):
        with self.open(text=text) as client:
            return read_all(client)

    def stranded(self, *arguments):
        """Start an instance that has served one connection, and holds 30. Returns them by what they
        wait for."""
        idle = self.script("idle", f"[ $STICKY_GENERATION = 1 ] && set -- --accept-max 1\n"
                                   f'exec {TAKER} --stay "$@"')
        instance = self.serve_takers(1, *PROXY, *PATIENT, *arguments, command=[idle])
        self.asked(proxy_v2("203.0.113.9") + request())
        clients = [self.open(text=proxy_v2(f"203.0.113.{number}") + request())
                   for number in range(1, 21)]
        heads = [self.open(text=proxy_v2("203.0.113.9")[:14]) for _ in range(10)]
        self.wait_counters(instance, dispatched=31, pending_heads=10)
        self.assert_balanced(instance, worker=1)
        return instance, clients, heads

    def test_upgrade(self):
        """The upgrade keeps the counters and the connections."""
        instance, clients, heads = self.stranded()
        result = instance.run("upgrade")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.wait_counters(instance, dispatched=31, pending_heads=10)
        self.assert_balanced(instance, worker=1, controller_ended=0)
        self.kill_worker(instance, 0)
        for client in clients:
            self.assertIn(b"slot=0", read_all(client))
        for client in heads:
            client.close()
        self.assert_balanced(instance, worker=21, client_gone=10, controller_ended=0)

    def test_takeover(self):
        """Connections that the dead controller held have ended with it. The next controller counts
        them."""
        instance, clients, heads = self.stranded()
        arguments = instance.arguments[instance.arguments.index("start") + 1:]
        self.kill_controller(instance)
        instance = self.start(*arguments).ready()
        self.assert_balanced(instance, worker=1, controller_ended=30)
        for client in heads:
            with contextlib.suppress(ConnectionError):
                self.assertEqual(client.recv(1), b"")
        for client in clients:
            client.close()


if __name__ == "__main__":
    harness.main()
