#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Takes long.
"""Workers that live, and accept none of the connections that wait for them."""

import os
import signal
import sys
import time

import harness
import world
from clients import HERE, ask
from lifecycle import LifecycleTestCase
from nodejs import LISTENS, SERVER, NodeTestCase, Talk, ask_http
from passing import USER, XFF, PassingTestCase, forwarded, request
from privilege import copy_program
from programs import WORKER
from world import scaled, wait_for

# Short enough for a test, long enough for a busy machine.
TIMEOUT_MS = scaled(800)
HANG = ("--hang-timeout", f"{TIMEOUT_MS}ms")
QUIET_MS = 3 * TIMEOUT_MS  # by then it would have been noticed

# Serves as tests/peers/worker does, one connection after the other; SIGUSR1 spoils its first life.
SPOILT = """
import os, signal, socket, sys, time
listener = socket.socket(fileno=3)
slot, generation = (os.environ["STICKY_" + name] for name in ("SLOT", "GENERATION"))
def spoil(*unused):
    if generation == "1":
        os.write(1, b"spoilt\\n")  # print() may be at work at this moment
        exec(sys.argv[1], globals())
signal.signal(signal.SIGUSR1, spoil)
print("serves", flush=True)
while True:
    client, _ = listener.accept()
    with client:
        client.recv(100)
        client.sendall(f"slot={slot} gen={generation} pid={os.getpid()}\\n".encode())
"""


class HangTestCase(LifecycleTestCase):

    def serve_hang(self, slots=1, *arguments, **options):
        return self.serve_workers(slots, *HANG, *arguments, **options)

    def serve_spoilt(self, how, *arguments, slots=1):
        """`how` is what SIGUSR1 does."""
        script = self.write("worker.py", SPOILT)
        instance = self.serve("-w", slots, "-l", "127.0.0.1:3000", "--ready", "started", *HANG,
                              *arguments, "--", sys.executable, script, how)
        wait_for("the workers to serve", lambda: instance.output.count("serves") == slots)
        return instance

    def spoil(self, instance, slot=0):
        pid = self.pids(instance)[slot]
        os.kill(pid, signal.SIGUSR1)
        wait_for("the worker to be spoilt", lambda: "spoilt" in instance.output)
        return pid

    def stop_worker(self, instance, slot=0):
        pid = self.pids(instance)[slot]
        os.kill(pid, signal.SIGSTOP)
        wait_for("it to be stopped", lambda: "[T" in (world.command_line(pid) or ""))
        return pid

    def wait_hung(self, instance, slot=0):
        worker = instance.wait_status("a hung worker", lambda status: status["workers"][slot][
            "hung_ms"])["workers"][slot]
        self.assertEqual(worker["state"], "hung")
        self.assertGreaterEqual(worker["hung_ms"], TIMEOUT_MS)
        return worker

    def wait_event(self, instance, name):
        return wait_for(f"the event {name}", lambda: self.events(instance, name))[0]

    def assert_quiet(self, instance, generation=1):
        """Nothing was noticed, and nobody was replaced."""
        self.assertEqual(self.events(instance, "worker_hung"), [])
        self.assertEqual(set(self.generations(instance)), {generation})
        self.assertEqual({worker["hung_ms"] for worker in instance.workers()}, {0})

    def wait_uptime(self, instance, more_ms):
        begun = instance.status()["uptime_ms"]
        instance.wait_status("a while",
                             lambda status: status["uptime_ms"] - begun > more_ms)

    def assert_answered(self, clients, generation):
        answers = self.collect(clients)
        wanted = f"gen={generation} ".encode()
        self.assertEqual(sum(wanted in (answer or b"") for answer, _ in answers), len(clients),
                         answers)


class Stopped(HangTestCase):
    """SIGSTOP."""

    def test_report(self):
        instance = self.serve_hang()
        pid = self.stop_worker(instance)
        clients = self.connect(self.sources_of(instance, 0, 20))
        self.wait_hung(instance)
        event = self.wait_event(instance, "worker_hung")
        self.assertEqual((event["slot"], event["state"], event["pid"], event["waiting"]),
                         (0, "hung", pid, 20))
        self.assertIn("is stopped", event["how"])
        self.assertIn("kill -CONT", event["hint"])
        self.assertIn("clients wait", event["so"])
        self.assertIn(" hung ", instance.run("status").stdout)
        line, = instance.log_lines("worker_hung")
        self.assertEqual(line.level, "warn")
        os.kill(pid, signal.SIGCONT)
        self.assert_answered(clients, 1)
        self.assertEqual(self.wait_event(instance, "worker_recovered")["state"], "ready")
        self.assertEqual(instance.workers()[0]["state"], "ready")
        self.assertEqual(len(self.events(instance, "worker_hung")), 1)
        self.assertEqual(self.pids(instance), [pid])

    def test_spill(self):
        instance = self.serve_hang(2, "--on-hang", "spill")
        pid = self.stop_worker(instance)
        source, other = self.sources_of(instance, 0, 2)
        clients = self.connect([source])
        self.wait_hung(instance)
        self.assertIn("other slots", self.wait_event(instance, "worker_hung")["so"])
        wait_for("the slot's clients to go elsewhere",
                 lambda: instance.where(other)["slot"] == 1)
        self.assertEqual(ask(HERE, other)["slot"], 1)
        self.wait_uptime(instance, QUIET_MS)
        self.assertEqual(instance.workers()[0]["state"], "hung", "it stays so")
        os.kill(pid, signal.SIGCONT)
        self.assert_answered(clients, 1)
        self.wait_event(instance, "worker_recovered")
        wait_for("the slot's clients to be back", lambda: instance.where(other)["slot"] == 0)
        self.assertEqual(ask(HERE, other)["slot"], 0)
        self.assertEqual(self.generations(instance), [1, 1])

    def test_spill_ends_with_the_worker(self):
        """Its successor gets the slot's clients; so does the holding socket before."""
        instance = self.serve_hang(2, "--on-hang", "spill")
        pid = self.stop_worker(instance)
        source, = self.sources_of(instance, 0, 1)
        clients = self.connect([source])
        wait_for("the slot's clients to go elsewhere",
                 lambda: instance.where(source)["slot"] == 1)
        os.kill(pid, signal.SIGKILL)
        self.assert_answered(clients, 2)
        self.assertEqual(ask(HERE, source)["slot"], 0)

    def test_restart(self):
        instance = self.serve_hang(1, "--on-hang", "restart")
        pid = self.stop_worker(instance)
        clients = self.connect(self.sources_of(instance, 0, 20))
        self.assert_answered(clients, 2)
        worker = self.wait_generation(instance, 2)
        self.assertIn("accepted none", worker["last_exit"]["text"])
        self.assertIn("--hang-timeout", worker["last_exit"]["text"])
        self.assertIn("killed", self.wait_event(instance, "worker_hung")["so"])
        self.wait_gone(pid)

    def test_with_another_user(self):
        command = (copy_program(WORKER, self.dir), "--notify")
        instance = self.serve_hang(1, "--user", "nobody", command=command)
        pid = self.stop_worker(instance)
        clients = self.connect(["127.9.0.1"])
        self.assertIn("is stopped", self.wait_event(instance, "worker_hung")["how"])
        os.kill(pid, signal.SIGCONT)
        self.assert_answered(clients, 1)

    def test_off(self):
        instance = self.serve_workers(1, "--hang-timeout", "0")
        pid = self.stop_worker(instance)
        clients = self.connect(["127.9.0.1"])
        self.wait_uptime(instance, QUIET_MS)
        self.assert_quiet(instance)
        os.kill(pid, signal.SIGCONT)
        self.assert_answered(clients, 1)

    def test_a_reload_replaces_it(self):
        """The hang ends with the worker's time in the slot."""
        instance = self.serve_hang(1, "--hard-shutdown-delay", "200ms")
        self.stop_worker(instance)
        clients = self.connect(self.sources_of(instance, 0, 5))
        self.wait_hung(instance)
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assert_answered(clients, 2)
        self.assertEqual(instance.workers()[0]["hung_ms"], 0)

    def test_after_a_takeover(self):
        instance = self.serve_hang()
        self.kill_controller(instance)
        successor = self.serve_hang()
        pid = self.stop_worker(successor)
        clients = self.connect(["127.9.0.1"])
        self.wait_hung(successor)
        os.kill(pid, signal.SIGCONT)
        self.assert_answered(clients, 1)
        self.wait_event(successor, "worker_recovered")

    def test_a_stop_does_not_wait_for_it(self):
        """It is asked to stop at once, though clients wait in its queue."""
        instance = self.serve_hang(command=(WORKER, "--notify", "--no-accept"))
        clients = self.connect(["127.9.0.1"])
        self.wait_hung(instance)
        began = time.monotonic()
        self.assertEqual(instance.stop(), 0)
        # Less than --hang-timeout, which a worker that is not hung yet would have.
        self.assertLess(time.monotonic() - began, TIMEOUT_MS / 1000)
        self.assertEqual(len(clients), 1)

    def test_a_stop_ends(self):
        instance = self.serve_hang(1, "--hard-shutdown-delay", "200ms")
        self.stop_worker(instance)
        self.connect(["127.9.0.1"])
        self.wait_hung(instance)
        self.assertEqual(instance.stop(), 4)


class Passed(PassingTestCase, HangTestCase):
    """Connections that the controller accepts, and passes on."""

    def check(self, how, text):
        instance = self.serve_takers(1, *how, *HANG)
        pid = self.stop_worker(instance)
        clients = self.connect(["127.9.0.1", "127.9.0.2"], text)
        self.wait_hung(instance)
        event = self.wait_event(instance, "worker_hung")
        self.assertIn("is stopped", event["how"])
        self.assertEqual(event["waiting"], 2)
        os.kill(pid, signal.SIGCONT)
        self.assert_answered(clients, 1)
        self.wait_event(instance, "worker_recovered")

    def test_user(self):
        self.check(USER, request())

    def test_proxy(self):
        self.check(XFF, forwarded("203.0.113.9"))


class Spoilt(HangTestCase):
    """What a worker can do to itself."""

    def test_endless_loop(self):
        instance = self.serve_spoilt("while True: pass")
        self.spoil(instance)
        self.connect(["127.9.0.1"])
        event = self.wait_event(instance, "worker_hung")
        self.assertIn("computes all the time", event["how"])
        self.assertIn("endless loop", event["hint"])

    def test_endless_sleep(self):
        instance = self.serve_spoilt("while True: time.sleep(1)")
        self.spoil(instance)
        self.connect(["127.9.0.1"])
        event = self.wait_event(instance, "worker_hung")
        self.assertIn("waits for something else", event["how"])
        self.assertIn("gdb", event["hint"])

    def check_closed(self, instance, old):
        clients = self.connect([f"127.9.0.{number}" for number in range(1, 21)])
        self.assert_answered(clients, 2)
        event = self.wait_event(instance, "worker_hung")
        self.assertIn("closed its listening socket", event["how"])
        self.assertIn("next worker", event["so"])
        self.wait_gone(old)
        self.assertEqual(self.events(instance, "socket_kept"), [])

    def check_closed_by_python(self, *arguments):
        instance = self.serve_spoilt("os.close(listener.detach())\nwhile True: time.sleep(1)",
                                     "--max-retries", "200", *arguments)
        self.check_closed(instance, self.spoil(instance))

    def test_closed_socket(self):
        self.check_closed_by_python()

    def test_closed_socket_without_a_timeout(self):
        self.check_closed_by_python("--hang-timeout", "0")

    def test_closed_socket_with_another_user(self):
        worker = copy_program(WORKER, self.dir)
        command = self.script("worker.sh", f"[ $STICKY_GENERATION = 1 ] || exec {worker}\n"
                              "sleep 0.3; exec 3<&-; echo spoilt; exec sleep 1000")
        instance = self.serve("-w", 1, "-l", "127.0.0.1:3000", "--ready", "started", *HANG,
                              "--user", "nobody", "--max-retries", "200", "--", command)
        wait_for("the worker to be spoilt", lambda: "spoilt" in instance.output)
        self.check_closed(instance, self.pids(instance)[0])

    def test_listen_0(self):
        """Its queue would hold one connection: the limit is put right. Where bind() is answered,
        listen() is, too, and changes nothing."""
        instance = self.serve_spoilt("listener.listen(0)", "--worker", "activation")
        self.spoil(instance)
        ask(HERE, "127.9.0.1")
        event = self.wait_event(instance, "socket_restored")
        self.assertIn("listen()", event["what"])
        pid = self.stop_worker(instance)
        clients = self.connect([f"127.9.0.{number}" for number in range(1, 41)])
        instance.wait_status("40 to wait", lambda status: status["workers"][0]["queue"] == 40)
        os.kill(pid, signal.SIGCONT)
        self.assert_answered(clients, 1)
        self.assertEqual(len(self.events(instance, "socket_restored")), 1)

    def test_ip_minttl(self):
        """It would hear no client that is not its neighbour."""
        instance = self.serve_spoilt("listener.setsockopt(socket.IPPROTO_IP, 21, 255)")
        self.spoil(instance)
        self.assertIn("IP_MINTTL", self.wait_event(instance, "socket_restored")["what"])
        self.assertEqual(ask(HERE, "127.9.0.1")["gen"], 1)

    def check_noticed_while_idle(self, *arguments):
        """No connection arrives, which would wake the controller."""
        instance = self.serve_spoilt("listener.setsockopt(socket.IPPROTO_IP, 21, 255)", *arguments)
        self.wait_uptime(instance, scaled(1000))  # it is idle by then
        self.spoil(instance)
        began = time.monotonic()
        wait_for("it to be put right", lambda: instance.log_lines("socket_restored"))
        self.assertLess(time.monotonic() - began, scaled(5))

    def test_idle_with_a_long_timeout(self):
        self.check_noticed_while_idle("--hang-timeout", "60s")

    def test_idle_without_a_timeout(self):
        self.check_noticed_while_idle("--hang-timeout", "0")

    def test_bound_to_a_device(self):
        """It can't be undone without CAP_NET_RAW: the next worker gets another socket."""
        instance = self.serve_spoilt("listener.setsockopt(socket.SOL_SOCKET, "
                                     "socket.SO_BINDTODEVICE, b'lo')", "--max-retries", "200")
        old = self.spoil(instance)
        event = self.wait_event(instance, "worker_hung")
        self.assertIn("SO_BINDTODEVICE", event["hint"])
        self.assertIn("next worker", event["so"])
        self.wait_gone(old)
        self.assert_answered(self.connect(["127.9.0.1"]), 2)
        self.assertEqual(len(self.events(instance, "worker_hung")), 1)

    def test_bound_to_the_device_of_all(self):
        """--bind-device: workers are not to blame for it."""
        instance = self.serve_hang(1, "--bind-device", "lo")
        self.wait_uptime(instance, max(QUIET_MS, scaled(4000)))
        self.assert_quiet(instance)
        self.kill_controller(instance)
        successor = self.serve_hang()  # whose own sockets would have no device
        self.wait_uptime(successor, max(QUIET_MS, scaled(4000)))
        self.assert_quiet(successor)


class Harmless(HangTestCase):
    """Workers that are well."""

    def test_idle(self):
        instance = self.serve_hang(4)
        self.wait_uptime(instance, QUIET_MS)
        self.assert_quiet(instance)

    def test_slow(self):
        """One that accepts, however slowly, with a queue all the time."""
        pause = TIMEOUT_MS // 2
        instance = self.serve_hang(command=(WORKER, "--notify", "--accept-pause", pause))
        clients = self.connect([f"127.9.0.{number}" for number in range(1, 13)])
        self.assert_answered(clients, 1)
        self.assert_quiet(instance)

    def test_busy(self):
        """As many come as are accepted: the queue is never empty, and never shorter."""
        instance = self.serve_hang(command=(WORKER, "--notify", "--accept-pause", "20"))
        counts = self.clients("--target", "127.0.0.1:3000", "--sources", 64, "--concurrency", 16,
                              "--duration", QUIET_MS / 1000)
        self.assert_nobody_lost(counts, least=20)
        self.assert_quiet(instance)

    def test_one_that_goes_on_in_a_descendant(self):
        """It has closed its own descriptor, and a program that it started serves."""
        # LISTEN_PID must be that of the program.
        command = self.script("worker.sh", f"""
            setsid sh -c 'LISTEN_PID=$$ exec {WORKER} --accept-pause 300' &
            exec sleep 1000 3<&-""")
        self.addCleanup(self.kill_everybody)
        instance = self.serve("-w", 1, "-l", "127.0.0.1:3000", "--ready", "started", *HANG,
                              "--", command)
        clients = self.connect([f"127.9.0.{number}" for number in range(1, 16)])
        self.assert_answered(clients, 1)
        self.assert_quiet(instance)


class Node(NodeTestCase, HangTestCase):
    """Node.js applications that close their server."""

    CLOSES = SERVER + """
        server.on('request', request => {
          if (request.url === '/close') {
            server.close();
            %s
          }
        });
        """ + LISTENS

    def test_close_with_a_request_open(self):
        """The usual way out of an uncaughtException: the request ends, new ones go elsewhere."""
        instance = self.serve_node(self.app(self.CLOSES % ""), *HANG, "--max-retries", "200",
                                   slots=1)
        busy = Talk(self).send("/slow")
        busy.until(b"begun\n")
        Talk(self).send("/close").until(b"client=")
        self.assertEqual(ask_http(HERE)["gen"], 2)
        self.assertIn("closed its listening socket",
                      self.wait_event(instance, "worker_hung")["how"])
        self.write("go", "")
        self.assertIn("gen=1", busy.until(b"client="))

    def test_it_stays_hung_while_another_one_opens_a_port(self):
        """Its sockets are watched anew: it is not reported again, and its clients do not come
        back for another --hang-timeout."""
        opens = """
            server.on('request', request => {
              if (request.url === '/open') require('http').createServer().listen(3001);
            });
            """
        instance = self.serve_node(self.app(SERVER + opens + LISTENS), *HANG, "--on-hang", "spill")
        (first, other), (second,) = (self.sources_of(instance, slot, count)
                                     for slot, count in ((0, 2), (1, 1)))
        pid = self.stop_worker(instance)
        waiting = Talk(self, first).send()
        self.wait_hung(instance)
        wait_for("the slot's clients to go elsewhere",
                 lambda: instance.where(other)["slot"] == 1)
        Talk(self, second).send("/open").until(b"client=")
        status = instance.wait_status("the port", lambda status: len(status["listeners"]) == 2)
        self.assertEqual(status["workers"][0]["state"], "hung")
        self.assertEqual(instance.where(other)["slot"], 1)
        self.wait_uptime(instance, QUIET_MS)
        self.assertEqual(len(self.events(instance, "worker_hung")), 1)
        os.kill(pid, signal.SIGCONT)
        waiting.until(b"client=")
        self.wait_event(instance, "worker_recovered")
        self.assertEqual(len(self.events(instance, "worker_recovered")), 1)

    def test_close_and_listen_again(self):
        instance = self.serve_node(
            self.app(self.CLOSES % "setTimeout(() => server.listen(3000), 400);"), *HANG, slots=1)
        busy = Talk(self).send("/slow")
        busy.until(b"begun\n")
        Talk(self).send("/close").until(b"client=")
        self.assertEqual(ask_http(HERE)["gen"], 1)
        self.wait_uptime(instance, QUIET_MS)
        self.assert_quiet(instance)
        self.write("go", "")
        self.assertIn("gen=1", busy.until(b"client="))


if __name__ == "__main__":
    harness.main()
