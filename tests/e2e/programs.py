# SPDX-License-Identifier: MIT
"""The programs that a test starts, most of all `stickyctl start`."""

import contextlib
import datetime
import http.client
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import struct
import subprocess

from world import DEADLINE_S, bpf_objects, patience, wait_for

BUILD = pathlib.Path(os.environ.get(
    "BUILD", pathlib.Path(__file__).parents[2] / "build")).resolve()
STICKYCTL = BUILD / "stickyctl"
WORKER = BUILD / "tests" / "peers" / "worker"
CLIENTS = BUILD / "tests" / "peers" / "clients"
DELAY = BUILD / "tests" / "peers" / "delay"

# The exit codes of README.md.
FAILED, USAGE, NOT_RUNNING, ALREADY_RUNNING, NOT_PERMITTED = 1, 2, 3, 5, 77

SHOWN_BYTES = 6000  # how much of each output is shown after a failed test

# Variables of the caller's environment that would affect stickyctl or its workers.
NOT_INHERITED = re.compile(r"(STICKYCTL_|SUDO_|LISTEN_|XDG_|PYTHON).*|"
                           r"NOTIFY_SOCKET|JOURNAL_STREAM|WATCHDOG_\w+|PORT|NGINX")


# ---- The control socket ---------------------------------------------------------------


def connect_unix(path, timeout=DEADLINE_S):
    """Connect to a stream socket. If its queue is full, the call waits, which it would not do with
    a timeout of Python."""
    client = socket.socket(socket.AF_UNIX)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", timeout, 0))
    try:
        client.connect(str(path))
    except OSError:
        client.close()
        raise
    client.settimeout(timeout)
    return client


class ControlConnection(http.client.HTTPConnection):
    """HTTP over an instance's control socket."""

    def __init__(self, path, timeout=DEADLINE_S):
        super().__init__("stickyctl", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = connect_unix(self.path, self.timeout)

    def ask(self, target, method="GET"):
        """Send a request. Returns the HTTP status and the JSON of the answer."""
        self.request(method, target)
        answer = self.getresponse()
        return answer.status, json.loads(answer.read())


# ---- Programs -------------------------------------------------------------------------


def environment(**variables):
    """The test's environment, without variables that would affect stickyctl. A value of None
    removes a variable."""
    result = {name: value for name, value in os.environ.items()
              if not NOT_INHERITED.fullmatch(name)}
    result["PATH"] = result.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    result.update(variables)
    return {name: str(value) for name, value in result.items() if value is not None}


class Program:
    """A program that a test has started. Its output goes to files."""

    def __init__(self, test, arguments, *, env=None, stdout=None, stderr=None, **options):
        self.test = test
        self.arguments = [str(argument) for argument in arguments]
        number = len(test.programs)
        self.stdout_path = test.dir / f"out{number}"
        self.stderr_path = test.dir / f"err{number}"
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.process = subprocess.Popen(
                self.arguments, env=env, stdin=subprocess.DEVNULL,
                stdout=out if stdout is None else stdout,
                stderr=err if stderr is None else stderr, **options)
        self.pid = self.process.pid
        test.programs.append(self)
        test.addCleanup(self.close)

    @property
    def output(self):
        return self.stdout_path.read_text(errors="replace")

    @property
    def errors(self):
        return self.stderr_path.read_text(errors="replace")

    @property
    def runs(self):
        return self.process.poll() is None

    def send(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=DEADLINE_S):
        """Wait for the exit status. A negative one is the signal that ended the program."""
        seconds = patience(seconds)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"after {seconds} s still runs: "
                                 f"{shlex.join(self.arguments)}") from None

    def result(self):
        """The result of a program that has ended, in the form of run_program()."""
        return subprocess.CompletedProcess(self.arguments, self.process.returncode, self.output,
                                           self.errors)

    def close(self):
        if self.runs:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def describe(self):
        status = self.process.poll()
        lines = [f"{shlex.join(self.arguments)}: "
                 f"{'runs' if status is None else f'status {status}'}"]
        for name, text in (("stdout", self.output), ("stderr", self.errors)):
            shown = text if len(text) <= SHOWN_BYTES else "[...]" + text[-SHOWN_BYTES:]
            lines += [f"  {name} | {line}" for line in shown.splitlines()]
        return lines


class Instance(Program):
    """`stickyctl start` with arguments. ready() waits until the instance serves."""

    def __init__(self, test, *arguments, name="default", run_dir=None, env=None, prefix=(),
                 program=STICKYCTL, **options):
        self.name = name
        self.run_dir = pathlib.Path(run_dir or test.run_dir)
        self.bpf_objects = set()
        self.selection = [*(["-n", name] if name != "default" else []),
                          *(["--run-dir", run_dir] if run_dir else [])]
        super().__init__(test, [*prefix, program, "start", *self.selection, *arguments],
                         env=test.environment(**(env or {})), **options)

    @property
    def directory(self):
        return self.run_dir / self.name

    @property
    def control_path(self):
        return self.directory / "control.sock"

    def control(self):
        """Open a connection to the control socket. The caller must close it: use `with closing`."""
        return contextlib.closing(ControlConnection(self.control_path))

    def status(self):
        with self.control() as connection:
            code, status = connection.ask("/v1/status")
        assert code == 200, (code, status)
        return status

    def workers(self):
        return self.status()["workers"]

    def where(self, *addresses):
        """Ask the control socket to which slots clients go. Returns a list, or one answer."""
        answers = []
        with self.control() as connection:
            for address in addresses:
                code, answer = connection.ask(f"/v1/where?address={address}")
                assert code == 200, (address, code, answer)
                answers.append(answer)
        return answers if len(addresses) > 1 else answers[0]

    def try_status(self):
        try:
            return self.status()
        except (FileNotFoundError, ConnectionError, http.client.HTTPException):
            return None

    def wait_status(self, what, condition, seconds=DEADLINE_S):
        """Wait until condition(status) is true. Returns that status."""
        last = None

        def look():
            nonlocal last
            status = self.try_status()
            if not status and not self.runs:
                raise AssertionError(f"it ended (status {self.process.returncode}) "
                                     f"while waiting: {what}")
            last = status or last
            return status if status and condition(status) else None

        return wait_for(lambda: f"{what}; last status {json.dumps(last)}", look, seconds)

    def ready(self, slots=None, seconds=DEADLINE_S):
        """Wait until all workers, or those of some slots, are ready. Returns the instance."""
        def all_ready(status):
            return all(worker["state"] == "ready" for worker in status["workers"]
                       if slots is None or worker["slot"] in slots)

        self.wait_status("workers to be ready", all_ready, seconds)
        self.note_bpf_objects()
        return self

    def note_bpf_objects(self):
        # Descriptors that are inherited from the test do not count: the harness has none open.
        self.bpf_objects |= bpf_objects(self.pid)

    def wait_control_closed(self):
        """Wait until all control connections are closed."""
        def connections():
            return sum(line.endswith(f" {self.control_path}") for line in
                       pathlib.Path("/proc/net/unix").read_text().splitlines())

        wait_for("the control connections to be closed", lambda: connections() == 1)

    def descriptors(self):
        """The number of open descriptors, once all control connections are closed."""
        self.wait_control_closed()
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def wait_descriptors(self, limit):
        """Wait until no more descriptors are open than before. There may be fewer, as some are
        closed a moment after a start."""
        wait_for(lambda: f"{self.descriptors()} descriptors, not {limit}",
                 lambda: self.descriptors() <= limit, 5)

    def run(self, *arguments, **options):
        """Run a command of stickyctl for this instance."""
        return self.test.stickyctl(arguments[0], *self.selection, *arguments[1:], **options)

    def stop(self, *arguments, seconds=DEADLINE_S):
        """Run `stickyctl stop`. Returns the controller's exit status."""
        self.note_bpf_objects()
        result = self.run("stop", *arguments, seconds=seconds)
        status = self.wait(1)  # `stop` returns after the process has ended
        assert result.returncode == status, (result, status)
        return status

    def terminate(self, seconds=DEADLINE_S):
        """Send SIGTERM. Returns the controller's exit status."""
        self.note_bpf_objects()
        self.send(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self):
        """Send SIGKILL, after which the controller can't clean up. Its workers would serve on, and
        are killed, too."""
        self.note_bpf_objects()
        orphans = children_of(self.pid)
        self.process.kill()
        self.process.wait()
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def close(self):
        if self.runs:
            self.note_bpf_objects()
            self.send(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(DEADLINE_S)
        super().close()

    def log_lines(self, event, **fields):
        """Returns the lines of the instance's log for an event whose fields have these values."""
        found = []
        for line in self.errors.splitlines():
            parsed = LogLine.parse(line)
            if parsed and parsed.event == event and all(
                    parsed.fields.get(name) == str(value) for name, value in fields.items()):
                found.append(parsed)
        return found


class LogLine:
    """One line of the controller's log."""

    PATTERN = re.compile(r"(\S+Z) (error|warn|info|debug)\s+(\w+)(?: (.*))?")
    FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|(\S*))')

    def __init__(self, time_text, level, event, detail):
        self.time = datetime.datetime.fromisoformat(time_text[:-1] + "+00:00").timestamp()
        self.level = level
        self.event = event
        self.fields = {name: quoted or plain
                       for name, quoted, plain in self.FIELD.findall(detail or "")}

    @classmethod
    def parse(cls, line):
        found = cls.PATTERN.fullmatch(line)
        return cls(*found.groups()) if found else None


def children_of(pid):
    with contextlib.suppress(OSError):
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in text.split()]
    return []
