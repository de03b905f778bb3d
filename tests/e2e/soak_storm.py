#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A storm, a part of `make soak`. For TIMES seconds (60) operations happen to an instance at
random, under load: reloads, scaling, drains, restarts, upgrades, signals, SIGKILL to workers and to
the controller. Only connections that died with a worker may be lost; the workers themselves count
these. At the end, descriptors, memory and processes are as before. SEED=N repeats a run.

    BUILD=build/asan TIMES=600 tests/e2e/soak_storm.py
"""

import os
import pathlib
import random
import re
import signal
import struct
import subprocess
import time

import harness
import world
from lifecycle import WORKERS
from programs import WORKER
from test_takeover import TakeoverTestCase
from world import wait_for

SECONDS = float(os.environ.get("TIMES") or 60)
SEED = int(os.environ.get("SEED") or time.time())
SLOTS_MAX = 6
RATE = 500
PIDFD = "anon_inode:[pidfd]"
KILL_CONTROLLER_ONE_IN = 12  # operations


class Storm(TakeoverTestCase):
    def setUp(self):
        super().setUp()
        signal.alarm(round(2 * SECONDS) + 300)
        self.chance = random.Random(SEED)
        self.tally = self.dir / "tally"
        self.tally.write_bytes(bytes(16))
        self.counts = {}
        self.background = []
        print(f"# SEED={SEED}", flush=True)

    # ---- Operations --------------------------------------------------------------------

    def command(self, *words, codes=(0,)):
        """Run a command. Only its exit code is checked, as some commands are refused at a bad
        moment."""
        result = subprocess.run([*self.instance.arguments[:1], *map(str, words)],
                                env=self.environment(), timeout=120, capture_output=True, text=True)
        self.assertIn(result.returncode, codes, (words, result.stderr))

    def reload(self):
        self.command("reload")

    def reload_and_wait(self):
        # Code 4: another operation killed a worker of the reload before it was ready.
        self.command("reload", "--wait", codes=(0, 4))

    def reload_in_the_background(self):
        self.background.append(subprocess.Popen(
            [self.instance.arguments[0], "reload", "--wait=drained"], env=self.environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def reload_by_signal(self):
        self.instance.send(self.chance.choice([signal.SIGHUP, signal.SIGUSR2]))

    def scale(self):
        self.command("scale", self.chance.randint(2, SLOTS_MAX))

    def scale_by_signal(self):
        if 2 < len(self.instance.workers()) < SLOTS_MAX:
            self.instance.send(self.chance.choice([signal.SIGTTIN, signal.SIGTTOU]))

    def slot(self):
        return self.chance.randrange(len(self.instance.workers()))

    def drain_and_ready(self):
        slot = self.slot()
        self.command("drain", slot)
        time.sleep(self.chance.uniform(0, 0.05))
        self.command("ready", slot)

    def restart(self):
        self.command("restart", self.slot(), codes=(0, 1))

    def upgrade(self):
        self.command("upgrade", codes=(0, 1))  # refused while a slot is not ready

    def kill_a_worker(self):
        worker = self.chance.choice(self.instance.workers())
        if worker["pid"] and worker["state"] == "ready":
            os.kill(worker["pid"], signal.SIGKILL)
            self.kills += 1

    def stop_a_worker_for_a_moment(self):
        worker = self.chance.choice(self.instance.workers())
        if worker["pid"]:
            try:
                os.kill(worker["pid"], signal.SIGSTOP)
                time.sleep(self.chance.uniform(0, 0.1))
                os.kill(worker["pid"], signal.SIGCONT)
            except ProcessLookupError:
                pass  # it had been asked to end

    def kill_the_controller(self):
        """Kill the controller, but not while a slot is held: its clients wait in sockets that only
        the controller has."""
        self.wait_calm()
        self.kill_controller(self.instance)
        time.sleep(self.chance.uniform(0, 0.1))
        self.instance = self.start_again(self.first, command=self.worker_command).ready()

    # ---- The storm ---------------------------------------------------------------------

    def wait_calm(self):
        self.instance.wait_status("all slots to be ready", lambda status: status["reload"][
            "state"] != "running" and not status["held"] and all(
                worker["state"] == "ready" and not worker["holding"]
                for worker in status["workers"]))

    def operate(self):
        operations = [self.reload, self.reload_and_wait, self.reload_in_the_background,
                      self.reload_by_signal, self.scale, self.scale_by_signal,
                      self.drain_and_ready, self.restart, self.upgrade, self.kill_a_worker,
                      self.stop_a_worker_for_a_moment]
        operation = (self.kill_the_controller
                     if not self.chance.randrange(KILL_CONTROLLER_ONE_IN)
                     else self.chance.choice(operations))
        operation()
        name = operation.__name__
        self.counts[name] = self.counts.get(name, 0) + 1
        time.sleep(self.chance.uniform(0, 0.1))

    def reap_background(self):
        for process in self.background:
            process.wait(120)

    def memory(self):
        text = pathlib.Path(f"/proc/{self.instance.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+) kB", text)[1])

    def test_storm(self):
        self.worker_command = (WORKER, "--notify", "--tally", self.tally)
        self.kills = 0
        self.instance = self.first = self.serve_workers(4, command=self.worker_command)
        before = len(self.kept_files())
        # The load is stopped when the storm is over.
        with self.load("--duration", round(2 * SECONDS) + 300, rate=RATE) as load:
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                self.operate()
            self.command("scale", 4)
            self.wait_calm()
            self.assertTrue(load.program.runs, "there was a load until the end")
        self.reap_background()
        self.wait_drained(self.instance)
        self.check(load.counts, before)
        self.assertEqual(self.instance.stop(), 0)

    def open_files(self):
        """Returns the files that the controller has open, once all control connections are
        closed."""
        self.instance.wait_control_closed()
        return sorted(os.readlink(path) for path in pathlib.Path(
            f"/proc/{self.instance.pid}/fd").iterdir())

    def kept_files(self):
        """Returns the open files without pidfds: a worker that was taken over has one, a child has
        none."""
        return [name for name in self.open_files() if name != PIDFD]

    def check(self, counts, descriptors):
        accepted, closed = struct.unpack("QQ", self.tally.read_bytes())
        lost = counts["connections"] - counts["answered"]
        # Each kill may add one, between accept() and the count.
        died = accepted - closed + self.kills
        print(f"# {self.counts}")
        print(f"# {counts['connections']} connections, {lost} lost; {accepted - closed} died with "
              f"{self.kills} killed workers; memory {self.memory()} kB, "
              f"{len(self.kept_files())} descriptors, before {descriptors}", flush=True)
        self.assertLessEqual(lost, died, counts)
        self.assertEqual(counts["refused"], 0)
        wait_for(lambda: f"{len(self.kept_files())} descriptors, before {descriptors}: "
                         f"{self.open_files()}",
                 lambda: len(self.kept_files()) <= descriptors)
        self.assertLessEqual(self.open_files().count(PIDFD), 4)
        wait_for(lambda: f"4 workers alone: {world.other_processes()}",
                 lambda: sum(text.startswith(f"{pid} {WORKER}") for pid, text in
                             world.other_processes().items()) == 4)


if __name__ == "__main__":
    harness.main()
