# SPDX-License-Identifier: MIT
"""What the tests of the lifecycle share: load, and what it must have seen."""

import contextlib
import json
import os
import selectors
import signal
import time

import world
from clients import HERE, LISTEN, client_socket, read_all
from programs import CLIENTS, WORKER
from workers import WorkerTestCase
from world import DEADLINE_S, scaled, slowness, wait_for

PARTLY = 4  # of the exit codes in README.md

# Serves, says when it is ready, closes its listening sockets at SIGTERM and finishes what is
# open. It speaks, so --min-uptime is only what tells a crash from an end: short, so that
# nobody waits for a restart.
WORKERS = (*LISTEN, "--ready", "notify", "--min-uptime", "5ms")
if slowness() > 1:
    # A worker of a slow machine needs longer to start than a client would wait by default.
    WORKERS += ("--max-retries", str(scaled(20)))


class Load:
    """New connections from many clients, all the time, until it is stopped."""

    def __init__(self, test, *arguments, sources=256, rate=2000, target=HERE, prefix=()):
        self.program = test.program(
            *prefix, CLIENTS, "--target", "{}:{}".format(*target), "--sources", sources,
            "--duration", scaled(120), "--rate", max(1, round(rate / slowness())),
            "--concurrency", "2000", *arguments)

    def stop(self):
        """Returns its counts."""
        # A while more: what happened last must be seen too.
        time.sleep(0.1)
        self.program.send(signal.SIGTERM)
        self.program.wait(DEADLINE_S)
        return json.loads(self.program.output.splitlines()[-1])


class Line:
    """One connection on which a client stays: a line, an answer, as often as it likes."""

    def __init__(self, test, source=None, address=HERE):
        self.socket = client_socket(address, source)
        test.addCleanup(self.socket.close)

    def send(self, text="+"):
        self.socket.sendall(f"{text}\n".encode())

    def read(self):
        """One line of answer as a dictionary; None at the end of the connection."""
        text = b""
        while not text.endswith(b"\n"):
            part = self.socket.recv(4096)
            if not part:
                return None
            text += part
        pairs = dict(word.split("=", 1) for word in text.decode().split())
        return {name: int(value) if value.isdigit() else value
                for name, value in pairs.items()}

    def ask(self, text="+"):
        self.send(text)
        return self.read()

    def is_cut(self):
        try:
            return not self.socket.recv(1)
        except ConnectionError:
            return True


class LifecycleTestCase(WorkerTestCase):
    """Instances whose workers come and go while they are used."""

    def serve_workers(self, slots, *arguments, command=(WORKER, "--notify"), **options):
        return self.serve("-w", slots, *WORKERS, *arguments, "--", *command, **options)

    def switchable_worker(self, text):
        """A worker whose behaviour is the file `mode` in the test's directory, by its name:
        a shell script of `case` branches; without one that fits it is a good worker."""
        self.mode_path = self.dir / "mode"
        self.mode("good")
        return self.script_worker(
            f'case $(cat {self.mode_path}) in\n{text}\nesac\nexec $WORKER --notify')

    def mode(self, name):
        """What workers that start from now on do."""
        temporary = self.dir / "mode.new"
        temporary.write_text(name)
        temporary.rename(self.mode_path)

    @contextlib.contextmanager
    def load(self, *arguments, **options):
        """Load while the block runs. It has `counts` afterwards."""
        load = Load(self, *arguments, **options)
        yield load
        load.counts = load.stop()

    def assert_nobody_lost(self, counts, least=100):
        """Every connection was answered, by its slot, and none by an older life."""
        self.assertGreater(counts["connections"], least / slowness())
        self.assertEqual((counts["answered"], counts["unsticky"], counts["backward"]),
                         (counts["connections"], 0, 0), counts)

    def assert_counters(self, instance, **wanted):
        """The kernel's counters; by default nothing met an empty slot, nothing was dropped."""
        counters = instance.status()["counters"]
        wanted = {"empty_slot": 0, "dropped": 0, **wanted}
        self.assertEqual({name: counters[name] for name in wanted}, wanted)

    def pids(self, instance):
        return [worker["pid"] for worker in instance.workers()]

    def generations(self, instance):
        return [worker["generation"] for worker in instance.workers()]

    def events(self, instance, name=None, **fields):
        """The instance's journal, as `events --json` tells it."""
        result = instance.run("events", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        return [event for event in map(json.loads, result.stdout.splitlines())
                if (name is None or event["event"] == name)
                and all(event.get(key) == value for key, value in fields.items())]

    def wait_reload(self, instance, state="idle"):
        return instance.wait_status(
            f"the reload to be {state}",
            lambda status: status["reload"]["state"] == state)

    def wait_all_ready(self, instance, generation=None):
        """Every slot has a ready worker, of that generation, and no former one is left."""
        return instance.wait_status(
            f"all to be ready in generation {generation}",
            lambda status: all(
                worker["state"] == "ready" and generation in (None, worker["generation"])
                for worker in status["workers"]))

    def wait_drained(self, instance):
        return instance.wait_status("former lives to end", lambda status: not any(
            worker["draining"] for worker in status["workers"]))

    def connect(self, sources, request=b"\n"):
        """A connection from each, the request sent: it waits to be accepted."""
        clients = []
        for source in sources:
            client = client_socket(HERE, source)
            self.addCleanup(client.close)
            client.sendall(request)
            clients.append(client)
        return clients

    def collect(self, clients, seconds=DEADLINE_S):
        """What each client gets until the end: [(bytes or None where it broke, when)], in
        the order of `clients`. The time is time.monotonic()."""
        results = {}
        with selectors.DefaultSelector() as selector:
            for client in clients:
                selector.register(client, selectors.EVENT_READ)
            deadline = time.monotonic() + seconds
            while selector.get_map() and time.monotonic() < deadline:
                for key, _ in selector.select(0.2):
                    when = time.monotonic()
                    selector.unregister(key.fileobj)
                    try:
                        results[key.fileobj] = (read_all(key.fileobj), when)
                    except ConnectionError:
                        results[key.fileobj] = (None, when)
        return [results.get(client, (None, time.monotonic())) for client in clients]

    def kill_controller(self, instance):
        """SIGKILL to the controller alone: its workers serve on."""
        instance.note_bpf_objects()
        instance.process.kill()
        instance.process.wait()

    def kill_everybody(self):
        """Whatever a controller left that nobody took over."""
        for pid in world.other_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def wait_gone(self, pid):
        wait_for(f"process {pid} to be gone", lambda: not world.command_line(pid))
