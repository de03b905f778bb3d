#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""When a worker counts as ready, and that nobody is served before."""

import os
import selectors
import signal
import socket
import sys
import time

import harness
from clients import HERE, LISTEN, ask, client_socket, read_answer
from listening import listening_sockets
from programs import WORKER
from workers import EARLY, NOTIFY, WorkerTestCase
from world import DEADLINE_S, wait_for

# Sends a datagram, and ends at once.
SEND = """
import socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
    out.sendto(b"READY=1", sys.argv[1])
"""

# Becomes a process whose parent has ended.
ORPHAN = """
import os, time
parent = os.getpid()
if os.fork():
    os._exit(0)
while os.getppid() == parent:
    time.sleep(0.001)
"""


def is_nobody_there():
    return not listening_sockets()


class Ready(WorkerTestCase):
    """When a worker gets clients: not before it is ready."""

    def late_worker(self, *arguments):
        """A worker that begins once the test says go(), however long the test needs."""
        return self.script_worker(f"until [ -e {self.dir}/go ]; do sleep 0.01; done\n"
                                  f"exec $WORKER {' '.join(arguments)}")

    def go(self):
        (self.dir / "go").touch()

    def client_during_start(self, instance):
        """Connect as soon as somebody listens; returns the answer and when it came."""
        wait_for("a listening socket", lambda: not is_nobody_there())
        with client_socket(HERE) as client:
            client.sendall(b"\n")
            instance.wait_status("the client to wait", lambda status: status["held"] == 1)
            self.assertEqual(instance.workers()[0]["state"], "starting")
            self.go()
            answer = read_answer(client)
            return answer, time.time()

    def ready_line(self, instance, slot=0, generation=1):
        lines = instance.log_lines("worker_state", slot=slot, state="ready",
                                   generation=generation)
        self.assertEqual(len(lines), 1, lines)
        return lines[0]

    def assert_not_served_before_ready(self, instance, least_s):
        answer, when = self.client_during_start(instance)
        self.assertEqual(answer["gen"], 1)
        line = self.ready_line(instance)
        self.assertGreaterEqual(when, line.time, "nobody is served before READY")
        self.assertGreaterEqual(int(line.fields["after_ms"]), least_s * 1000 * EARLY)
        self.assertEqual(instance.status()["held"], 0)

    def test_notify(self):
        instance = self.start("-w", "1", *LISTEN, "--ready", "notify", "--",
                              self.late_worker("--notify-delay", "600"))
        self.assert_not_served_before_ready(instance, 0.6)

    def test_auto_believes_a_worker_that_speaks(self):
        # It speaks before min-uptime is over, but not of its readiness.
        # On a busy machine a program may need some 100 ms to begin, hence such a min-uptime.
        instance = self.start("-w", "1", *LISTEN, "--min-uptime", "1s", "--", WORKER,
                              "--status", "warming up", "--notify-delay", "2500")
        self.assert_not_served_before_ready(instance, 2.5)

    def test_auto_does_not_wait_for_min_uptime_after_ready(self):
        instance = self.serve("-w", "1", *LISTEN, "--min-uptime", "60s", "--", WORKER,
                              "--notify-delay", "50")
        self.assertLess(int(self.ready_line(instance).fields["after_ms"]), 20_000)

    def test_auto_waits_for_min_uptime_where_nothing_is_said(self):
        # Long enough for a client to be seen waiting on a busy machine.
        instance = self.start("-w", "1", *LISTEN, "--min-uptime", "1500ms", "--", WORKER)
        self.assert_not_served_before_ready(instance, 1.5)

    def test_auto_remembers_that_workers_speak(self):
        # The second life is silent for longer than min-uptime, and is given the time.
        command = self.script_worker('[ $STICKY_GENERATION = 1 ] && exec $WORKER --notify\n'
                                     'exec $WORKER --notify-delay 900')
        # The first life must speak before that is over, on a busy machine too.
        instance = self.serve("-w", "1", *LISTEN, "--min-uptime", "500ms", "--", command)
        self.kill_worker(instance)
        self.wait_generation(instance, 2)
        line = self.ready_line(instance, generation=2)
        self.assertGreaterEqual(int(line.fields["after_ms"]), 900 * EARLY)

    def test_auto_gives_a_slow_worker_time_once_another_has_spoken(self):
        # At the first start nobody knows that workers speak until one does.
        # Slot 0 must speak before min-uptime is over, on a busy machine too.
        command = self.script_worker('[ $STICKY_SLOT = 0 ] && exec $WORKER --notify-delay 200\n'
                                     'exec $WORKER --notify-delay 1500')
        instance = self.serve("-w", "2", *LISTEN, "--min-uptime", "1s", "--", command)
        self.assertEqual([worker["generation"] for worker in instance.workers()], [1, 1])
        after_ms = int(self.ready_line(instance, 1).fields["after_ms"])
        self.assertGreaterEqual(after_ms, 1500 * EARLY)

    def test_started(self):
        instance = self.serve("-w", "1", *LISTEN, "--ready", "started", "--min-uptime", "60s",
                              "--", WORKER)
        self.assertLess(int(self.ready_line(instance).fields["after_ms"]), 20_000)
        self.assertEqual(ask(HERE)["slot"], 0)

    def test_timeout_at_the_first_start(self):
        instance = self.start("-w", "2", *LISTEN, "--ready", "notify", "--ready-timeout",
                              "300ms", "--", WORKER)
        self.assertEqual(instance.wait(), 1)
        self.assert_message(instance.result(), "slot ", "--ready-timeout", code=1)

    def test_timeout_of_one_slot(self):
        command = self.script_worker('[ $STICKY_SLOT = 0 ] && exec $WORKER --notify\n'
                                     'exec $WORKER')
        instance = self.start("-w", "2", *LISTEN, "--ready", "notify", "--ready-timeout",
                              "200ms", "--", command)
        instance.ready(slots=[0])
        status = instance.wait_status("a restart of slot 1", lambda status: status[
            "workers"][1]["restarts"] >= 1)
        self.assertIn("--ready-timeout", status["workers"][1]["last_exit"]["text"])
        self.assertEqual((status["workers"][0]["restarts"], status["workers"][0]["state"]),
                         (0, "ready"))

    def send_notification(self, instance, *datagrams):
        """From a process that is no worker: ourselves."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(str(instance.directory / "notify.sock"))
            for datagram in datagrams:
                sender.send(datagram)

    def start_silent(self, *command):
        instance = self.start("-w", "1", *LISTEN, "--ready", "notify", "--", *command)
        instance.wait_status("a starting worker", lambda status: status["workers"][0]["pid"])
        return instance

    def assert_still_starting(self, instance):
        # Each status is a turn of the loop after the datagrams came.
        for _ in range(3):
            worker = instance.workers()[0]
            self.assertEqual((worker["state"], worker["status"]), ("starting", ""))
        self.assertEqual(instance.log_lines("worker_state", state="ready"), [])

    def assert_refused(self, instance, why, **fields):
        """The log says so once."""
        line, = instance.log_lines("message_ignored", **fields)
        self.assertEqual((line.level, line.fields["what"]), ("warn", "READY=1"))
        self.assertIn(why, line.fields["why"])
        self.assertIn("process group", line.fields["hint"])
        return line

    def test_an_outsider_is_not_believed(self):
        instance = self.start_silent(WORKER)
        self.send_notification(instance, b"READY=1", b"READY=1\nSTATUS=forged\n")
        self.assert_still_starting(instance)
        line = self.assert_refused(instance, "no descendant of a worker", pid=os.getpid())
        self.assertNotIn("slot", line.fields)

    def test_one_that_has_ended_is_not_believed(self):
        """Nothing tells any more whose process it was."""
        instance = self.start_silent(WORKER)
        instance.send(signal.SIGSTOP)
        self.run_program(sys.executable, "-c", SEND, instance.directory / "notify.sock")
        instance.send(signal.SIGCONT)
        self.assert_still_starting(instance)
        self.assert_refused(instance, "had ended before")

    def test_who_left_the_group_is_not_believed(self):
        notify = f"{sys.executable} {self.write('notify.py', NOTIFY)} READY=1"
        command = self.script_worker(
            f"setsid sh -c '{notify} {self.dir}/first; {notify} {self.dir}/sent' &\nexec $WORKER")
        instance = self.start_silent(command)
        wait_for("the notification", (self.dir / "sent").exists)
        self.assert_still_starting(instance)
        line = self.assert_refused(instance, "has left the worker's process group", slot=0)
        self.assertIn("notify.py READY=1", line.fields["command"])

    def test_an_orphan_in_the_group_is_not_believed(self):
        orphan = self.write("orphan.py", ORPHAN + NOTIFY)
        command = self.script_worker(
            f"{sys.executable} {orphan} READY=1 {self.dir}/sent\nexec $WORKER")
        instance = self.start_silent(command)
        wait_for("the notification", (self.dir / "sent").exists)
        self.assert_still_starting(instance)
        self.assert_refused(instance, "its parent has ended", slot=0)

    def test_a_child_in_the_group_is_believed(self):
        notify = self.write("notify.py", NOTIFY)
        command = self.script_worker(
            f"{sys.executable} {notify} READY=1 {self.dir}/sent &\nexec $WORKER")
        self.start_silent(command).ready()

    def test_garbage_on_the_notify_socket(self):
        instance = self.start_silent(self.late_worker("--notify"))
        self.send_notification(instance, b"", b"\0" * 100, b"READY", b"READY=2", b"ready=1",
                               b"=\n=\n", b"X" * 5000, b"READY=1" + b"\n" * 4096,
                               *(os.urandom(64) for _ in range(50)))
        self.assert_still_starting(instance)
        self.go()
        instance.ready()

    def test_descriptors_that_are_sent_along_are_closed(self):
        # systemd-notify waits for that after BARRIER=1.
        instance = self.start_silent(WORKER)
        read_end, write_end = os.pipe()
        with open(read_end, "rb") as reader:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.connect(str(instance.directory / "notify.sock"))
                socket.send_fds(sender, [b"BARRIER=1"], [write_end] * 3)
            os.close(write_end)
            selector = selectors.DefaultSelector()
            with selector:
                selector.register(reader, selectors.EVENT_READ)
                self.assertTrue(selector.select(DEADLINE_S), "the end of the pipe")

    def test_status_words(self):
        notify = self.write("notify.py", NOTIFY)
        command = self.script_worker(
            f"{sys.executable} {notify} 'STATUS=first words' {self.dir}/sent\n"
            f"until [ -e {self.dir}/go ]; do sleep 0.01; done\n"
            "exec $WORKER --status 'second words' --notify")
        instance = self.start("-w", "1", *LISTEN, "--", command)

        def wait_words(words):
            instance.wait_status(words, lambda status: status["workers"][0]["status"] == words)

        wait_words("first words")
        (self.dir / "go").touch()
        wait_words("second words")
        instance.ready()
        self.assertEqual(instance.workers()[0]["status"], "second words")


    def test_status_words_that_are_no_utf8(self):
        # Nor is a long text that is cut in the middle of a character.
        for words in (b"caf\xe9 \xff\xfe", "x{}".format("\u00e4" * 200).encode()):
            with self.subTest(words=words[:20]):
                instance = self.serve("-w", "2", *LISTEN, "--", WORKER, "--notify", "--status",
                                      os.fsdecode(words))
                self.assertEqual(len(instance.workers()), 2)
                self.assertEqual(instance.workers()[0]["status"][0], chr(words[0]))
                self.assertEqual(instance.run("status").returncode, 0)
                instance.terminate()


if __name__ == "__main__":
    harness.main()
