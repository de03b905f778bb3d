# SPDX-License-Identifier: MIT
"""What the end-to-end tests share: namespaces, instances, clients, TAP.

A test file ends with `harness.main()`, and is run by tests/run.py as PID 1 of fresh
network, mount and PID namespaces; run by hand it makes them itself:

    BUILD=build tests/e2e/test_start.py [Class[.test] ...]

Every test gets a directory of its own under /tmp with `run` and `state` in it, where
stickyctl puts its files, and must leave nothing behind: no process, no listening
socket, no file in the run directory, no BPF program, map or pin, no word of a
sanitizer. That is checked after each test, and a test that leaves something fails.

Nothing here sleeps and hopes: wait_for() polls a condition up to a deadline.
"""

import contextlib
import ctypes
import datetime
import errno
import functools
import http.client
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import unittest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("BUILD", HERE.parent.parent / "build")).resolve()
STICKYCTL = BUILD / "stickyctl"
WORKER = BUILD / "tests" / "peers" / "worker"
CLIENTS = BUILD / "tests" / "peers" / "clients"

BPFFS = "/sys/fs/bpf"
NOBODY = 65534
DEADLINE_S = 20  # for what takes milliseconds: sanitizers and busy machines are slow
TEST_LIMIT_S = 90
SHOWN_BYTES = 6000  # of each output of a test that failed

SANITIZER = re.compile(r"ERROR: AddressSanitizer|LeakSanitizer|runtime error:")
NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
              "--mount-proc", "--"]

# Of the caller's environment, what would steer stickyctl or its workers.
NOT_INHERITED = re.compile(r"(STICKYCTL_|SUDO_|LISTEN_|XDG_|PYTHON).*|"
                           r"NOTIFY_SOCKET|JOURNAL_STREAM|WATCHDOG_\w+|PORT|NGINX")


def wait_for(what, condition, seconds=DEADLINE_S, interval=0.01):
    """Poll until condition() is true and return what it gave; fail at the deadline.

    `what` names it; a function is called at the deadline, to say what was seen last.
    """
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still waiting: "
                                 f"{what() if callable(what) else what}")
        time.sleep(interval)


# ---- The namespaces -------------------------------------------------------------------


def set_sysctl(name, value):
    pathlib.Path("/proc/sys", *name.split(".")).write_text(f"{value}\n")


def set_up_network():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    set_sysctl("net.ipv6.ip_nonlocal_bind", 1)
    # Clients of all of this network can be had on loopback.
    subprocess.run(["ip", "-6", "route", "add", "local", "2001:db8::/32", "dev", "lo"],
                   check=True)


def set_up_bpffs():
    """A file system for pins of our own: what is pinned, but for the kernel's, is ours."""
    subprocess.run(["mount", "-t", "bpf", "bpf", BPFFS], check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def pids():
    return {int(entry) for entry in os.listdir("/proc") if entry.isdigit()}


def reap_until_end_of(child):
    """PID 1's duty: orphans come to us. Returns the child's status."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


class SockFilter(ctypes.Structure):
    """linux/filter.h"""
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte),
                ("k", ctypes.c_uint)]


class SockFprog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(SockFilter))]


SOCKET_SYSCALL = {"x86_64": 41, "aarch64": 198, "riscv64": 198}


def forbid_ipv6():
    """For Popen's preexec_fn: a machine without IPv6, where socket(AF_INET6) fails."""
    load, equal, give = 0x20, 0x15, 0x06  # LD|W|ABS, JMP|JEQ|K, RET|K
    program = (SockFilter * 6)(
        (load, 0, 0, 0), (equal, 0, 3, SOCKET_SYSCALL[os.uname().machine]),  # the number
        (load, 0, 0, 16), (equal, 0, 1, socket.AF_INET6),  # the first argument
        (give, 0, 0, 0x00050000 | errno.EAFNOSUPPORT), (give, 0, 0, 0x7fff0000))
    argument = SockFprog(len(program), program)
    if ctypes.CDLL(None).prctl(22, 2, ctypes.byref(argument), 0, 0):  # PR_SET_SECCOMP
        raise OSError("seccomp")


# ---- What is looked for after each test -----------------------------------------------


def command_line(pid):
    with contextlib.suppress(OSError):
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        text = b" ".join(words).decode(errors="replace").strip()
        state = re.search(r"State:\s*(.*)", pathlib.Path(f"/proc/{pid}/status").read_text())
        return f"{pid} {text} [{state[1] if state else '?'}]"
    return None


def other_processes():
    """All but PID 1 and ourselves."""
    found = {pid: command_line(pid) for pid in pids() - {1, os.getpid()}}
    return {pid: text for pid, text in found.items() if text}


def listening_sockets():
    """Local addresses and ports in hexadecimal, as /proc/net/tcp has them."""
    found = []
    for table in ("tcp", "tcp6"):
        path = pathlib.Path("/proc/net", table)
        if path.exists():
            rows = [line.split() for line in path.read_text().splitlines()[1:]]
            found += [row[1] for row in rows if row[3] == "0A"]
    return found


def files_below(directory):
    return sorted(str(path) for path in pathlib.Path(directory).rglob("*"))


def pins():
    """What is pinned; maps.debug and progs.debug are there from the start."""
    return [path for path in files_below(BPFFS) if not path.endswith(".debug")]


def bpf_objects(pid):
    """The ids of the BPF programs and maps that a process holds: {(kind, id)}."""
    found = set()
    with contextlib.suppress(OSError):
        for entry in os.listdir(f"/proc/{pid}/fdinfo"):
            with contextlib.suppress(OSError):
                text = pathlib.Path(f"/proc/{pid}/fdinfo/{entry}").read_text()
                found.update((kind, int(number)) for kind, number in
                             re.findall(r"^(prog|map)_id:\s*(\d+)", text, re.MULTILINE))
    return found


@functools.cache
def libbpf():
    return ctypes.CDLL("libbpf.so.1")


def bpf_object_exists(kind, number):
    """Is the object in the kernel, whoever keeps it? By bpf(2)'s ..._GET_FD_BY_ID."""
    fd = getattr(libbpf(), f"bpf_{kind}_get_fd_by_id")(ctypes.c_uint32(number))
    if fd < 0:
        return False
    os.close(fd)
    return True


# ---- The control socket ---------------------------------------------------------------


def connect_unix(path, timeout=DEADLINE_S):
    """A stream socket. A full queue is waited for, which a Python timeout would not do."""
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
        """Returns the HTTP status and the answer's JSON."""
        self.request(method, target)
        answer = self.getresponse()
        return answer.status, json.loads(answer.read())


# ---- Programs -------------------------------------------------------------------------


def environment(**variables):
    """Ours, without what would steer stickyctl; None as a value removes a variable."""
    result = {name: value for name, value in os.environ.items()
              if not NOT_INHERITED.fullmatch(name)}
    result["PATH"] = result.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    result.update(variables)
    return {name: str(value) for name, value in result.items() if value is not None}


class Program:
    """A program that a test started, its output in files."""

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
        """The exit status; negative: the signal that ended it."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"after {seconds} s still runs: "
                                 f"{shlex.join(self.arguments)}") from None

    def result(self):
        """Of a program that ended, as run_program() gives it."""
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
    """`stickyctl start` with arguments. ready() waits until it serves."""

    def __init__(self, test, *arguments, name="default", run_dir=None, env=None, prefix=(),
                 program=STICKYCTL, **options):
        self.name = name
        self.run_dir = pathlib.Path(run_dir or test.run_dir)
        self.bpf_objects = set()
        selection = ["-n", name] if name != "default" else []
        super().__init__(test, [*prefix, program, "start", *selection, *arguments],
                         env=test.environment(**(env or {})), **options)

    @property
    def directory(self):
        return self.run_dir / self.name

    @property
    def control_path(self):
        return self.directory / "control.sock"

    def control(self):
        """A connection to the control socket, closed by the caller: use `with closing`."""
        return contextlib.closing(ControlConnection(self.control_path))

    def status(self):
        with self.control() as connection:
            code, status = connection.ask("/v1/status")
        assert code == 200, (code, status)
        return status

    def workers(self):
        return self.status()["workers"]

    def where(self, *addresses):
        """Where the clients go, as the control socket tells it: a list, or one answer."""
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
        """Wait until condition(status) is true; returns that status."""
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
        """Wait until all workers, or those of some slots, are ready. Returns ourselves."""
        def all_ready(status):
            return all(worker["state"] == "ready" for worker in status["workers"]
                       if slots is None or worker["slot"] in slots)

        self.wait_status("workers to be ready", all_ready, seconds)
        self.note_bpf_objects()
        return self

    def note_bpf_objects(self):
        # What it inherited from an open test is none of ours: the harness holds none.
        self.bpf_objects |= bpf_objects(self.pid)

    def descriptors(self):
        """How many it has open, once all control connections are closed."""
        def connections():
            return sum(line.endswith(f" {self.control_path}") for line in
                       pathlib.Path("/proc/net/unix").read_text().splitlines())

        wait_for("the control connections to be closed", lambda: connections() == 1)
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def wait_descriptors(self, wanted):
        """It has as many as before; the last clients' may be closed a moment later."""
        wait_for(lambda: f"{self.descriptors()} descriptors, not {wanted}",
                 lambda: self.descriptors() == wanted, 5)

    def run(self, *arguments, **options):
        """A command of stickyctl for this instance."""
        selection = ["-n", self.name] if self.name != "default" else []
        return self.test.stickyctl(arguments[0], *selection, *arguments[1:], **options)

    def stop(self, *arguments, seconds=DEADLINE_S):
        """`stickyctl stop`; returns the controller's exit status."""
        self.note_bpf_objects()
        result = self.run("stop", *arguments, seconds=seconds)
        status = self.wait(1)  # `stop` returns when it is gone
        assert result.returncode == status, (result, status)
        return status

    def terminate(self, seconds=DEADLINE_S):
        """SIGTERM; returns the controller's exit status."""
        self.note_bpf_objects()
        self.send(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self):
        """SIGKILL: it cleans nothing up. Its workers are killed too, else they'd serve on."""
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
        """Its log's lines of an event whose fields have these values."""
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


# ---- Clients --------------------------------------------------------------------------


def client_socket(address, source=None):
    """A connected socket. Its close is a reset, so that no port stays in TIME_WAIT."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    client = socket.socket(family)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.settimeout(DEADLINE_S)
    try:
        if source:
            client.bind((source, 0))
        client.connect(address)
    except OSError:
        client.close()
        raise
    return client


def read_all(client):
    """What comes until the end of the connection."""
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def read_answer(client):
    """The line of tests/peers/worker.c as a dictionary, numbers as int."""
    text = read_all(client).decode()
    pairs = dict(word.split("=", 1) for word in text.split())
    return {name: int(value) if value.isdigit() else value for name, value in pairs.items()}


def ask(address, source=None):
    """One connection to a worker: its answer."""
    with client_socket(address, source) as client:
        client.sendall(b"\n")
        return read_answer(client)


def http_get(address, source=None, path="/", **headers):
    """One request on a connection of its own: status, headers, body."""
    connection = http.client.HTTPConnection(address[0], address[1], timeout=DEADLINE_S)
    connection.sock = client_socket(address, source)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Connection": "close", **headers})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def is_refused(address, source=None):
    try:
        client_socket(address, source).close()
    except ConnectionRefusedError:
        return True
    return False


# ---- Tests ----------------------------------------------------------------------------


def as_nobody(*capabilities):
    """A prefix of a command: as user nobody, with these capabilities and no others."""
    wanted = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
            f"--inh-caps={wanted}", f"--ambient-caps={wanted}"]


def without(*capabilities):
    """A prefix of a command: as root without these capabilities."""
    unwanted = ",".join(f"-{name}" for name in capabilities)
    return ["setpriv", f"--inh-caps={unwanted}", f"--bounding-set={unwanted}"]


def copy_program(source, directory):
    """A copy that other users can run, wherever the build directory is."""
    target = pathlib.Path(directory) / pathlib.Path(source).name
    shutil.copy(source, target)
    target.chmod(0o755)
    return target


class TestCase(unittest.TestCase):
    """A test with a directory of its own, which must leave nothing behind."""

    maxDiff = 4000

    def setUp(self):
        self.programs = []
        self.diagnostics = []
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sticky-e2e-", dir="/tmp"))
        self.dir.chmod(0o755)
        self.run_dir = self.dir / "run"
        self.state_dir = self.dir / "state"
        # Cleanups run last to first: what the test started ends before it is checked.
        self.addCleanup(shutil.rmtree, self.dir)
        self.addCleanup(self._keep_diagnostics)
        self.addCleanup(self._check_sanitizers)
        self.addCleanup(self._check_leftovers)

    # What tests use.

    def environment(self, **variables):
        return environment(**{"STICKYCTL_RUN_DIR": self.run_dir,
                              "STICKYCTL_STATE_DIR": self.state_dir, **variables})

    def start(self, *arguments, **options):
        """`stickyctl start`, which may not be ready, or fail."""
        return Instance(self, *arguments, **options)

    def serve(self, *arguments, **options):
        """`stickyctl start` until all its workers are ready."""
        return self.start(*arguments, **options).ready()

    def program(self, *arguments, env=None, **options):
        return Program(self, arguments, env=self.environment(**(env or {})), **options)

    def run_program(self, *arguments, seconds=DEADLINE_S, **options):
        """Run a program to its end: returncode, stdout, stderr."""
        program = self.program(*arguments, **options)
        program.wait(seconds)
        return program.result()

    def stickyctl(self, *arguments, prefix=(), program=STICKYCTL, **options):
        return self.run_program(*prefix, program, *arguments, **options)

    def clients(self, *arguments):
        """Run tests/peers/clients; returns its counts."""
        result = self.run_program(CLIENTS, *arguments, seconds=60)
        lines = result.stdout.splitlines()
        self.assertTrue(lines and lines[-1].startswith("{"), result)
        return json.loads(lines[-1])

    def write(self, name, text, mode=0o644):
        """A file in the test's directory."""
        path = self.dir / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def script(self, name, text):
        """A shell script that other users can run too."""
        return self.write(name, f"#!/bin/sh\n{text}\n", 0o755)

    def mount(self, *arguments):
        """In our own mount namespace, until the end of the test."""
        subprocess.run(["mount", *map(str, arguments)], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(arguments[-1])], check=True)

    def assert_message(self, result, *words, code):
        """An error as the house wants it: a code, one to three lines that say these words."""
        lines = [line for line in result.stderr.splitlines() if not LogLine.parse(line)]
        text = "\n".join(lines)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertTrue(1 <= len(lines) <= 3, f"one to three lines: {result.stderr}")
        self.assertTrue(lines[0].startswith("stickyctl"), lines[0])
        for word in words:
            self.assertIn(word, text)

    # What every test is checked for.

    def _check_leftovers(self):
        found = []
        try:
            wait_for("no process", lambda: not other_processes(), 5)
        except AssertionError:
            processes = other_processes()
            found.append(f"processes: {', '.join(processes.values())}")
            for pid in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            wait_for("no process", lambda: not other_processes())
        if listening_sockets():
            found.append(f"listening sockets: {listening_sockets()}")
        if files_below(self.run_dir):
            found.append(f"files: {files_below(self.run_dir)}")
        temporary = [path for path in files_below(self.state_dir) if "/.seed" in path]
        if temporary:
            found.append(f"files: {temporary}")
        if pins():
            found.append(f"pins: {pins()}")
        found += self._remaining_bpf_objects()
        self.assertFalse(found, "left behind: " + "; ".join(found))

    def _remaining_bpf_objects(self):
        # By id: other tests on this machine have programs of the same name. The kernel
        # frees them a grace period after the last descriptor and socket.
        objects = set().union(*(program.bpf_objects for program in self.programs
                                if isinstance(program, Instance)))
        with contextlib.suppress(AssertionError):
            wait_for("no BPF object", lambda: not any(
                bpf_object_exists(*each) for each in objects), 5)
        return [f"BPF {kind} {number}" for kind, number in sorted(objects)
                if bpf_object_exists(kind, number)]

    def _check_sanitizers(self):
        for program in self.programs:
            for text in (program.errors, program.output):
                found = SANITIZER.search(text)
                self.assertIsNone(found, f"a sanitizer's report: {program.arguments}")

    def _keep_diagnostics(self):
        for program in self.programs:
            self.diagnostics += program.describe()


class Alarm:
    """A test that hangs is ended, with a trace of where it was."""

    def __enter__(self):
        signal.signal(signal.SIGALRM, self._ring)
        signal.alarm(TEST_LIMIT_S)

    def __exit__(self, *exception):
        signal.alarm(0)

    @staticmethod
    def _ring(number, frame):
        raise TimeoutError(f"the test took longer than {TEST_LIMIT_S} s")


# ---- TAP ------------------------------------------------------------------------------


class TapResult(unittest.TestResult):
    """One line for each test, diagnostics behind it."""

    def __init__(self, stream):
        super().__init__()
        self.stream = stream
        self.count = 0

    def say(self, text):
        self.stream.write(text + "\n")
        self.stream.flush()

    def startTest(self, test):
        super().startTest(test)
        self.count += 1
        self.problems = []
        self.skip_reason = None
        self.began = time.monotonic()

    def _note(self, error):
        self.problems.append("".join(traceback.format_exception(*error)))

    def addError(self, test, error):
        super().addError(test, error)
        self._note(error)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._note(error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            self.problems.append(f"in {subtest._subDescription()}")
            self._note(error)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.skip_reason = reason

    def stopTest(self, test):
        super().stopTest(test)
        name = test.id().removeprefix("__main__.")
        seconds = time.monotonic() - self.began
        if self.problems:
            self.say(f"not ok {self.count} - {name}")
            diagnostics = getattr(test, "diagnostics", [])
            for line in "\n".join(self.problems + diagnostics).splitlines():
                self.say(f"# {line}")
        elif self.skip_reason:
            self.say(f"ok {self.count} - {name} # SKIP {self.skip_reason}")
        else:
            self.say(f"ok {self.count} - {name}")
        if os.environ.get("TIMES"):
            self.say(f"# {seconds:.1f} s")


class TapRunner:
    def run(self, suite):
        result = TapResult(sys.stdout)
        tests = list(flatten(suite))
        result.say(f"1..{len(tests)}")
        for test in tests:
            with Alarm():
                test(result)
        return result


def flatten(suite):
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from flatten(each)
        else:
            yield each


def run_tests():
    sys.stdout.reconfigure(errors="backslashreplace")  # programs print what they like
    set_up_network()
    set_up_bpffs()
    program = unittest.main(module="__main__", testRunner=TapRunner(), exit=False)
    return 0 if program.result.wasSuccessful() else 1


def main():
    """Run the tests of the file that calls, in namespaces of their own."""
    if os.getpid() != 1:
        os.execvp(NAMESPACES[0], [*NAMESPACES, sys.executable, "-B", *sys.argv])
    child = os.fork()
    if child:
        status = reap_until_end_of(child)
        sys.exit(status if status >= 0 else 128 - status)
    # PID 1 ignores signals that it has no handler for; what it starts does not.
    sys.exit(run_tests())
