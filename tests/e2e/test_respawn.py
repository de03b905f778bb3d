#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How workers are restarted, and what happens to connections that wait meanwhile."""

import os
import selectors
import signal
import sys
import time

import harness
from clients import HERE, LISTEN, ask, client_socket, read_answer
from lifecycle import Load
from programs import WORKER
from workers import EARLY, NOTIFY, WorkerTestCase
from world import DEADLINE_S, but_keepers, other_processes, wait_for

class Respawn(WorkerTestCase):
    """A worker that ends is restarted, and affects no other worker."""

    def gaps(self, instance, slot):
        """Returns the seconds from each end of a worker in a slot to the start of the next one."""
        ends = instance.log_lines("worker_exit", slot=slot)
        begins = instance.log_lines("worker_state", slot=slot, state="starting")[1:]
        return [begin.time - end.time for end, begin in zip(ends, begins)]

    def test_growing_delay(self):
        command = self.script_worker('[ $STICKY_SLOT = 1 ] && exit 7\nexec $WORKER --notify')
        instance = self.start("-w", "2", *LISTEN, "--", command).ready(slots=[0])
        steady = instance.workers()[0]
        source = self.sources_of(instance, 0, 1)[0]
        answers = set()

        def seen_enough(status):
            answer = ask(HERE, source)
            answers.add((answer["slot"], answer["pid"]))
            return status["workers"][1]["restarts"] >= 4

        instance.wait_status("four restarts of slot 1", seen_enough)
        status = instance.wait_status("a waiting slot", lambda status: status["workers"][1][
            "state"] == "waiting")
        worker = status["workers"][1]
        self.assertIsNone(worker["pid"])
        self.assertEqual((worker["last_exit"]["code"], worker["last_exit"]["signal"]),
                         (7, None))
        self.assertIn("7", worker["last_exit"]["text"])
        self.assertLessEqual(worker["restart_in_ms"], 1600)
        for gap, delay in zip(self.gaps(instance, 1), (0.1, 0.2, 0.4, 0.8)):
            self.assertGreaterEqual(gap, delay * EARLY)
        # The crash loop of one slot does not affect the other.
        self.assertEqual(answers, {(0, steady["pid"])})
        self.assertEqual((status["workers"][0]["restarts"], status["workers"][0]["generation"]),
                         (0, 1))
        self.assertEqual(instance.terminate(), 0)

    def test_the_delay_begins_anew_after_a_long_life(self):
        instance = self.serve("-w", "1", *LISTEN, "--min-uptime", "20ms", "--ready", "notify",
                              "--", WORKER, "--notify")
        for generation in range(2, 9):
            instance.wait_status("min-uptime to pass", lambda status: status["workers"][0][
                "uptime_ms"] >= 25)
            self.kill_worker(instance)
            self.wait_generation(instance, generation)
        gaps = self.gaps(instance, 0)
        self.assertEqual(len(gaps), 7)
        # With exact doubling, the seventh gap would be 6.4 s.
        self.assertTrue(all(0.1 * EARLY <= gap < 3 for gap in gaps), gaps)

    def test_last_exit_tells_the_signal(self):
        instance = self.serve("-w", "1", *LISTEN, "--", WORKER, "--notify")
        self.kill_worker(instance)
        worker = self.wait_generation(instance, 2)
        self.assertEqual((worker["restarts"], worker["last_exit"]["code"],
                          worker["last_exit"]["signal"]), (1, None, "SIGKILL"))

    def test_the_rest_of_the_group_goes_with_the_leader(self):
        instance = self.serve("-w", "1", *LISTEN, "--", WORKER, "--notify", "--fork-child")
        self.assertEqual(len(but_keepers()), 3)
        former = self.kill_worker(instance)
        self.wait_generation(instance, 2)
        self.assertEqual(len(but_keepers()), 3)
        self.assertNotIn(former, [os.getpgid(pid) for pid in other_processes()])

    def test_a_worker_that_shut_its_socket_is_replaced(self):
        spoil = self.write("spoil.py", "import socket\n"
                           "socket.socket(fileno=3).shutdown(socket.SHUT_RD)\n" + NOTIFY +
                           "import time\ntime.sleep(600)\n")
        command = self.script_worker(
            f'[ $STICKY_SLOT$STICKY_GENERATION = 11 ] && exec {sys.executable} {spoil} READY=1 '
            '/dev/null\nexec $WORKER --notify')
        instance = self.start("-w", "2", *LISTEN, "--", command)
        self.wait_generation(instance, 2, slot=1)
        self.assertEqual(len(instance.log_lines("slot_refused", slot=1)), 1)
        self.assertEqual(ask(HERE, self.sources_of(instance, 1, 1)[0])["gen"], 2)

    def test_fifty_crashes_leave_no_descriptor(self):
        slots, rounds = 10, 5
        instance = self.serve("-w", slots, *LISTEN, "-l", "127.0.0.1:3001", "--min-uptime",
                              "5ms", "--ready", "notify", "--", WORKER, "--notify", "--stdout",
                              "hello")
        before = instance.descriptors()
        for generation in range(2, rounds + 2):
            for worker in instance.workers():
                os.kill(worker["pid"], signal.SIGKILL)
            instance.wait_status(f"all in generation {generation}", lambda status: all(
                (worker["state"], worker["generation"]) == ("ready", generation)
                for worker in status["workers"]))
        status = instance.status()
        self.assertEqual(sum(worker["restarts"] for worker in status["workers"]),
                         slots * rounds)
        instance.wait_descriptors(before)
        self.assertEqual(instance.output.count("hello\n"), slots * (rounds + 1))

    def test_a_crash_storm_under_load_loses_nobody(self):
        # At SIGTERM the workers finish the connections that they have accepted. Connections in
        # their queues move.
        instance = self.serve("-w", "4", *LISTEN, "--min-uptime", "5ms", "--ready", "notify",
                              "--", WORKER, "--notify")
        load = Load(self, "--concurrency", "32", sources=400)
        for _ in range(3):
            for slot, worker in enumerate(instance.workers()):
                os.kill(worker["pid"], signal.SIGTERM)
                self.wait_generation(instance, worker["generation"] + 1, slot)
        counts = load.stop()
        self.assertGreater(counts["connections"], 100)
        self.assertEqual((counts["answered"], counts["unsticky"], counts["backward"]),
                         (counts["connections"], 0, 0), counts)


class Queue(WorkerTestCase):
    """Connections that a dying worker has not accepted."""

    COUNT = 200

    def connect_all(self, sources):
        """Open a connection from each source, and send the request. It is established, and
        therefore in a queue."""
        clients = [client_socket(HERE, source) for source in sources]
        for client in clients:
            self.addCleanup(client.close)
            client.sendall(b"\n")
        return clients

    def collect(self, clients):
        """Returns each client's answer and when it came; the answer is None if it was lost."""
        results = []
        with selectors.DefaultSelector() as selector:
            for client in clients:
                selector.register(client, selectors.EVENT_READ)
            deadline = time.monotonic() + DEADLINE_S
            while selector.get_map() and time.monotonic() < deadline:
                for key, _ in selector.select(1):
                    selector.unregister(key.fileobj)
                    try:
                        answer = read_answer(key.fileobj)
                    except ConnectionError:
                        answer = None
                    results.append((answer or None, time.time()))
        return results + [(None, time.time())] * (len(clients) - len(results))

    def check_all_moved(self, script, last_generation):
        """Check connections that are queued at generation 1, which is killed. The last generation
        must answer all."""
        instance = self.serve("-w", "2", *LISTEN, "--", self.script_worker(script))
        sources = self.sources_of(instance, 0, self.COUNT)
        clients = self.connect_all(sources)
        instance.wait_status("all to be queued", lambda status: status["workers"][0][
            "queue"] == self.COUNT)
        self.assertEqual(instance.status()["held"], 0, "queued at the worker, not held")
        self.kill_worker(instance, 0)
        status = instance.wait_status("all to be held", lambda status: status[
            "held"] == self.COUNT)
        self.assertIn(status["workers"][0]["state"], ("waiting", "starting"))
        # The other slot serves meanwhile.
        self.assertEqual(ask(HERE, self.sources_of(instance, 1, 1)[0])["slot"], 1)
        results = self.collect(clients)
        ready = instance.log_lines("worker_state", slot=0, state="ready",
                                   generation=last_generation)
        self.assertEqual(len(ready), 1)
        self.assertEqual(sum(answer is None for answer, _ in results), 0, "nobody is lost")
        self.assertEqual({(answer["slot"], answer["gen"]) for answer, _ in results},
                         {(0, last_generation)})
        self.assertGreaterEqual(min(when for _, when in results), ready[0].time,
                                "nobody is served before READY")
        self.assertEqual(sorted(answer["peer"] for answer, _ in results), sorted(sources))
        status = instance.status()
        self.assertEqual((status["held"], status["counters"]["dropped"]), (0, 0))
        self.assertGreaterEqual(status["counters"]["migrated"], self.COUNT)

    def test_the_next_life_answers_all(self):
        self.check_all_moved(
            '[ $STICKY_SLOT$STICKY_GENERATION = 01 ] && exec $WORKER --notify --no-accept\n'
            '[ $STICKY_SLOT = 0 ] && exec $WORKER --notify-delay 500\n'
            'exec $WORKER --notify', 2)

    def test_the_next_life_that_gets_ready_answers_all(self):
        # The second worker dies before it is ready, the third one when it has the queue.
        self.check_all_moved(
            'case $STICKY_SLOT$STICKY_GENERATION in\n'
            '01) exec $WORKER --notify --no-accept;;\n'
            '02) exec $WORKER --exit-after 100;;\n'
            '03) exec $WORKER --notify --no-accept --exit-after 300;;\n'
            'esac\nexec $WORKER --notify', 4)

    def test_connections_that_came_while_the_slot_was_empty(self):
        command = self.script_worker(
            '[ $STICKY_SLOT$STICKY_GENERATION = 02 ] && exec $WORKER --notify-delay 500\n'
            'exec $WORKER --notify')
        instance = self.serve("-w", "2", *LISTEN, "--", command)
        sources = self.sources_of(instance, 0, self.COUNT)
        self.kill_worker(instance, 0)
        instance.wait_status("an empty slot", lambda status: status["workers"][0]["holding"])
        clients = self.connect_all(sources)
        instance.wait_status("all to be held", lambda status: status["held"] == self.COUNT)
        results = self.collect(clients)
        self.assertEqual({answer and answer["gen"] for answer, _ in results}, {2})

    def test_a_plain_close_loses_them(self):
        """The same with plain SO_REUSEPORT. This shows that the tests above can fail."""
        server = self.write("server.py", PLAIN_SERVER)
        sources = [f"127.3.0.{number}" for number in range(1, 201)]

        def start(generation, accepts):
            program = self.program(sys.executable, server, str(generation), str(accepts))
            wait_for("the server to listen", lambda: program.output)
            return program

        dying, staying = start(1, 0), start(1, 0)
        clients = self.connect_all(sources)
        dying.process.kill()
        dying.wait()
        start(2, 1)
        staying.send(signal.SIGUSR1)  # accept
        results = self.collect(clients)
        lost = sum(answer is None for answer, _ in results)
        self.assertGreater(lost, self.COUNT / 8, "half of them, by the kernel's hash")
        self.assertLess(lost, self.COUNT)


# A server like many: it uses SO_REUSEPORT, and does not care for its queue.
PLAIN_SERVER = """
import os, signal, socket, sys
generation, accepts = sys.argv[1], int(sys.argv[2])
listener = socket.socket()
for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
    listener.setsockopt(socket.SOL_SOCKET, option, 1)
listener.bind(("127.0.0.1", 3000))
listener.listen(1024)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
print("listening", flush=True)
if not accepts:
    signal.sigwait({signal.SIGUSR1})
while True:
    client, _ = listener.accept()
    client.recv(100)
    client.sendall(f"slot=0 gen={generation} pid={os.getpid()}\\n".encode())
    client.close()
"""


if __name__ == "__main__":
    harness.main()
