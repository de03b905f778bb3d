# SPDX-License-Identifier: MIT
"""The common part of the tests of the lifecycle: load, and checks of its results."""

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
from world import DEADLINE_S, catches, scaled, slowness, wait_for

PARTLY = 4  # an exit code of README.md

# This worker serves, and reports when it is ready. At SIGTERM it closes its listening sockets, and
# serves the connections that it has accepted. As it sends READY=1, --min-uptime only distinguishes
# a crash from a normal end. It is short, so that no test waits for a restart.
WORKERS = (*LISTEN, "--ready", "notify", "--min-uptime", "5ms")
if slowness() > 1:
    # A worker on a slow machine needs longer to start than a client waits by default.
    WORKERS += ("--max-retries", str(scaled(20)))


class Load:
    """New connections from many clients, without a pause, until it is stopped."""

    def __init__(self, test, *arguments, sources=256, rate=2000, target=HERE, prefix=()):
        self.program = test.program(
            *prefix, CLIENTS, "--target", "{}:{}".format(*target), "--sources", sources,
            "--duration", scaled(120), "--rate", max(1, round(rate / slowness())),
            "--concurrency", "2000", *arguments)

    def stop(self):
        """Stop the load. Returns its counts."""
        # Before it catches the signal it would end without its counts.
        wait_for("the load to catch SIGTERM", lambda: catches(self.program.pid, signal.SIGTERM))
        # The load goes on for a moment, so that it also sees the effect of the last operation.
        time.sleep(0.1)
        self.program.send(signal.SIGTERM)
        self.program.wait(DEADLINE_S)
        return json.loads(self.program.output.splitlines()[-1])


class Line:
    """One connection of a client. It sends lines, and reads the answer to each."""

    def __init__(self, test, source=None, address=HERE):
        self.socket = client_socket(address, source)
        test.addCleanup(self.socket.close)

    def send(self, text="+"):
        self.socket.sendall(f"{text}\n".encode())

    def read(self):
        """Read one answer as a dictionary. Returns None at the end of the connection."""
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
    """Instances whose workers start and stop while clients use them."""

    COMMAND = (WORKER, "--notify")

    def serve_workers(self, slots, *arguments, command=None, **options):
        return self.serve("-w", slots, *WORKERS, *arguments, "--", *(command or self.COMMAND),
                          **options)

    def switchable_worker(self, text):
        """Write a worker whose behaviour depends on the content of the file `mode` in the test's
        directory. The behaviours are branches of a `case` in a shell script. If no branch matches,
        the worker is a good one."""
        self.mode_path = self.dir / "mode"
        self.mode("good")
        return self.script_worker(
            f'case $(cat {self.mode_path}) in\n{text}\nesac\nexec $WORKER --notify')

    def mode(self, name):
        """Set the behaviour of workers that are started from now on."""
        temporary = self.dir / "mode.new"
        temporary.write_text(name)
        temporary.rename(self.mode_path)

    @contextlib.contextmanager
    def load(self, *arguments, **options):
        """Run a load during the block. It has `counts` afterwards."""
        load = Load(self, *arguments, **options)
        yield load
        load.counts = load.stop()

    def assert_nobody_lost(self, counts, least=100):
        """Check that every connection was answered by its slot, and none by an older worker."""
        self.assertGreater(counts["connections"], least / slowness())
        self.assertEqual((counts["answered"], counts["unsticky"], counts["backward"]),
                         (counts["connections"], 0, 0), counts)

    def assert_counters(self, instance, **wanted):
        """Check the kernel's counters. By default no connection found an empty slot, and none was
        dropped."""
        counters = instance.status()["counters"]
        wanted = {"empty_slot": 0, "dropped": 0, **wanted}
        self.assertEqual({name: counters[name] for name in wanted}, wanted)

    def pids(self, instance):
        return [worker["pid"] for worker in instance.workers()]

    def generations(self, instance):
        return [worker["generation"] for worker in instance.workers()]

    def events(self, instance, name=None, **fields):
        """The instance's journal, as `events --json` prints it."""
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
        """Wait until every slot has a ready worker of that generation, and no previous worker is
        left."""
        return instance.wait_status(
            f"all to be ready in generation {generation}",
            lambda status: all(
                worker["state"] == "ready" and generation in (None, worker["generation"])
                for worker in status["workers"]))

    def wait_drained(self, instance):
        return instance.wait_status("former lives to end", lambda status: not any(
            worker["draining"] for worker in status["workers"]))

    def connect(self, sources, request=b"\n"):
        """Connect from each source, and send a request. Nobody waits for the connections to be
        accepted."""
        clients = []
        for source in sources:
            client = client_socket(HERE, source)
            self.addCleanup(client.close)
            client.sendall(request)
            clients.append(client)
        return clients

    def collect(self, clients, seconds=DEADLINE_S):
        """Read until the end of each connection. Returns [(bytes, or None after an error, time)] in
        the order of `clients`. The time is that of time.monotonic()."""
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
        """Send SIGKILL to the controller alone: its workers serve on."""
        instance.note_bpf_objects()
        instance.process.kill()
        instance.process.wait()

    def kill_everybody(self):
        """Kill the processes of a controller that were not taken over."""
        for pid in world.other_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def wait_gone(self, pid):
        wait_for(f"process {pid} to be gone", lambda: not world.command_line(pid))
