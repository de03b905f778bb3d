#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A private address for each slot, which always leads to that slot, over reloads, crashes and
takeovers."""

import os
import shutil
import signal
import socket
import stat

import harness
import world
from clients import HERE, client_socket, http_get, read_answer
from descriptor_limits import few_descriptors
from lifecycle import WORKERS
from programs import BUILD, FAILED, NOT_PERMITTED, USAGE, WORKER
from test_takeover import TakeoverTestCase
from world import wait_for

TAKER = BUILD / "tests" / "peers" / "taker"


class SlotListenTestCase(TakeoverTestCase):
    def setUp(self):
        super().setUp()
        self.sockets = self.dir / "sockets"
        self.sockets.mkdir()
        self.form = f"unix:{self.sockets}/{{slot}}.sock"

    def path(self, slot):
        return self.sockets / f"{slot}.sock"

    def private(self, slot):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(world.DEADLINE_S)
        client.connect(str(self.path(slot)))
        return client

    def ask_slot(self, slot):
        return self.ask_line(self.private(slot))

    def ask_line(self, client):
        client.sendall(b"\n")
        client.shutdown(socket.SHUT_WR)
        return read_answer(client)

    def serve_slots(self, slots, *arguments, form=None, **options):
        return self.serve_workers(slots, "--slot-listen", form or self.form, *arguments, **options)


class SlotListen(SlotListenTestCase):
    def test_each_slot_has_its_own(self):
        instance = self.serve_slots(3)
        for slot in range(3):
            self.assertEqual(self.ask_slot(slot)["slot"], slot)
        self.assertEqual([worker["slot_listen"] for worker in instance.workers()],
                         [f"unix:{self.path(slot)}" for slot in range(3)])
        # A proxy of another user can connect: the permissions of the directory decide.
        self.assertEqual(stat.S_IMODE(self.path(0).stat().st_mode), 0o666)
        self.assertEqual(instance.stop(), 0)
        self.assertEqual(list(self.sockets.iterdir()), [])

    def test_tcp(self):
        instance = self.serve_slots(3, form="127.0.0.1:900{slot}")
        for slot in range(3):
            with client_socket(("127.0.0.1", 9000 + slot)) as client:
                self.assertEqual(self.ask_line(client)["slot"], slot)
        self.assertEqual(instance.stop(), 0)

    def test_ipv6(self):
        instance = self.serve_slots(2, form="[::1]:900{slot}")
        with client_socket(("::1", 9001)) as client:
            self.assertEqual(self.ask_line(client)["slot"], 1)
        self.assertEqual(instance.stop(), 0)

    def test_the_worker_is_told_by_name(self):
        worker = self.script_worker('echo "names=$LISTEN_FDNAMES count=$LISTEN_FDS"\n'
                                    'exec $WORKER --notify')
        instance = self.serve_slots(1, "-l", "127.0.0.1:3001", command=(worker,))
        wait_for("the worker's words", lambda: "count=" in instance.output)
        self.assertIn("names=listen0:listen1:slot count=3", instance.output)
        self.assertEqual(instance.stop(), 0)

    def test_reloads_lose_nobody(self):
        """Clients use the private address, one after the other, while workers are replaced."""
        instance = self.serve_slots(2)
        generations = set()
        for _ in range(5):
            reload = self.program(*instance.arguments[:1], "reload", "--wait")
            while reload.runs:
                answer = self.ask_slot(1)
                self.assertEqual(answer["slot"], 1)
                generations.add(answer["gen"])
            self.assertEqual(reload.wait(), 0)
            generations.add(self.ask_slot(1)["gen"])
        self.assertGreater(len(generations), 3)
        self.assertEqual(instance.stop(), 0)

    def test_a_crash_keeps_who_waits(self):
        instance = self.serve_slots(2)
        victim = instance.workers()[0]["pid"]
        os.kill(victim, signal.SIGSTOP)
        client = self.private(0)
        client.sendall(b"\n")
        os.kill(victim, signal.SIGKILL)
        answer = read_answer(client)
        self.assertEqual((answer["slot"], answer["gen"]), (0, 2))
        self.assertEqual(instance.stop(), 0)

    def test_scale(self):
        instance = self.serve_slots(1)
        self.assertEqual(instance.run("scale", "3").returncode, 0)
        self.wait_all_ready(instance)
        self.assertEqual(self.ask_slot(2)["slot"], 2)
        self.assertEqual(instance.run("scale", "1").returncode, 0)
        wait_for("their files to be gone", lambda: len(list(self.sockets.iterdir())) == 1)
        # If a socket can't be made, nothing changes.
        self.path(2).write_text("somebody's")
        result = instance.run("scale", "3")
        self.assertEqual(result.returncode, FAILED, result.stderr)
        self.assertEqual(len(instance.workers()), 1)
        self.assertIn("slot_listen_failed", instance.errors)
        self.assertEqual(sorted(path.name for path in self.sockets.iterdir()), ["0.sock", "2.sock"])
        self.path(2).unlink()
        self.assertEqual(instance.run("scale", "3").returncode, 0)
        self.wait_all_ready(instance)
        self.assertEqual(instance.stop(), 0)

    def test_failed_scale_without_descriptors(self):
        """The library refuses the slots. The files of their sockets are removed."""
        instance = self.serve_slots(1)
        with few_descriptors(instance.pid, 75):
            result = instance.run("scale", "30")
            self.assertEqual(result.returncode, FAILED, result.stderr)
        self.assertEqual([path.name for path in self.sockets.iterdir()], ["0.sock"])
        self.assertEqual(instance.run("scale", "3").returncode, 0)
        self.wait_all_ready(instance)
        self.assertEqual(instance.stop(), 0)

    def test_takeover(self):
        instance = self.serve_slots(2)
        before = self.pids(instance)
        inodes = [self.path(slot).stat().st_ino for slot in range(2)]
        self.kill_controller(instance)
        self.assertEqual(self.ask_slot(1)["pid"], before[1])
        successor = self.start_again(instance, "--slot-listen", self.form).ready()
        self.assertEqual(self.pids(successor), before)
        self.assertEqual([self.path(slot).stat().st_ino for slot in range(2)], inodes)
        self.kill_worker(successor, 1)
        self.wait_generation(successor, 2, slot=1)
        self.assertEqual(self.ask_slot(1)["gen"], 2)
        # A worker that leaves its slot still accepts from the slot's private socket.
        self.assertEqual(successor.run("reload", "--wait=drained").returncode, 0)
        self.assertEqual(self.ask_slot(0)["gen"], 2)
        self.assertEqual(successor.stop(), 0)
        self.assertEqual(list(self.sockets.iterdir()), [])

    def test_takeover_without_the_worker(self):
        """The socket ended with its worker. Its file does not hinder a new one."""
        instance = self.serve_slots(2)
        before = self.pids(instance)
        self.kill_controller(instance)
        os.kill(before[0], signal.SIGKILL)
        self.wait_gone(before[0])
        successor = self.start_again(instance, "--slot-listen", self.form).ready()
        self.assertEqual(self.ask_slot(0)["gen"], 2)
        self.assertEqual(self.pids(successor)[1], before[1])
        self.assertEqual(successor.stop(), 0)

    def test_beside_passed_connections(self):
        """One worker uses all of them: its listening socket, its private one, its channel."""
        instance = self.serve("-w", "2", *WORKERS, "--slot-listen", self.form, "--behind-proxy",
                              "xff", "--", TAKER)
        self.assertEqual(self.ask_slot(1)["slot"], 1)
        code, _, answer = http_get(HERE, **{"X-Forwarded-For": "203.0.113.9",
                                            "Connection": "close"})
        self.assertEqual(code, 200)
        self.assertIn("client=203.0.113.9", answer)
        self.assertIn(f"slot={instance.where('203.0.113.9')['slot']} ", answer)
        self.assertEqual(instance.stop(), 0)


class Mistakes(SlotListenTestCase):
    def check(self, form, *words, code):
        result = self.stickyctl("start", "-w", "2", *WORKERS, "--slot-listen", form, "--", WORKER,
                                "--notify")
        self.assert_message(result, "--slot-listen", *words, code=code)

    def test_without_a_slot_in_it(self):
        self.check(f"unix:{self.sockets}/app.sock", "{slot}", code=USAGE)

    def test_no_address(self):
        self.check("{slot}", "HOST:PORT", code=USAGE)
        self.check("127.0.0.1:99999{slot}", "HOST:PORT", code=USAGE)
        self.check("unix:relative/{slot}", "unix:/run", code=USAGE)

    def test_no_directory(self):
        self.check(f"unix:{self.dir}/none/{{slot}}.sock", "make its directory", code=FAILED)

    def test_a_file_in_its_place(self):
        self.path(1).write_text("precious")
        self.check(self.form, "1.sock", "no socket", code=FAILED)
        self.assertEqual(self.path(1).read_text(), "precious")
        # Files that were made before the failure are removed.
        self.assertFalse(self.path(0).exists())

    def test_somebody_listens_there(self):
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(self.path(0)))
            other.listen()
            self.check(self.form, "0.sock", "in use", "another process listens", code=FAILED)
            self.assertTrue(self.path(0).exists())

    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 9001)):
            self.check("127.0.0.1:900{slot}", "127.0.0.1:9001", "in use", code=FAILED)

    def test_a_directory_that_is_not_ours(self):
        if os.getuid():
            self.skipTest("needs root, to be somebody else")
        self.sockets.chmod(0o700)
        result = self.stickyctl(
            "start", "-w", "1", *WORKERS, "--slot-listen", self.form, "--", WORKER,
            prefix=("setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=+bpf",
                    "--ambient-caps=+bpf"),
            env={"STICKYCTL_RUN_DIR": "/tmp/sticky-e2e-nobody", "HOME": "/tmp",
                 "STICKYCTL_STATE_DIR": "/tmp/sticky-e2e-nobody"})
        self.addCleanup(shutil.rmtree, "/tmp/sticky-e2e-nobody", ignore_errors=True)
        self.assert_message(result, "may not write", code=NOT_PERMITTED)


if __name__ == "__main__":
    harness.main()
