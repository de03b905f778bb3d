# SPDX-License-Identifier: MIT
"""Starts the programs of a benchmark, and measures the CPU time and memory that they use."""

import atexit
import contextlib
import os
import pathlib
import signal
import subprocess
import time

START_S = 15
STOP_S = 10
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGESIZE")


class Failure(Exception):
    """Something could not be measured. The text says what, and what was printed."""


def read_proc(pid, name):
    """Read a file of /proc/PID; "" if the process is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def cpu_seconds(pid):
    """Return the user and system time of a process: with all its threads, ended ones too, but
    without its children. If all threads still live, it is the scheduler's count of nanoseconds."""
    fields = read_proc(pid, "stat").rpartition(")")[2].split()
    if not fields:
        return 0
    ticks = (int(fields[11]) + int(fields[12])) / TICKS
    exact = 0
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in os.listdir(f"/proc/{pid}/task"):
            exact += int((read_proc(f"{pid}/task/{task}", "schedstat") or "0").split()[0])
    return max(exact / 1e9, ticks)


def cpu_of(pids):
    return sum(map(cpu_seconds, pids))


def is_running(pid):
    """Return True unless the process has ended, perhaps without being waited for."""
    return read_proc(pid, "stat").rpartition(")")[2].split()[:1] not in ([], ["Z"])


def children(pid):
    """Return the running processes that a process has started itself."""
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, read_proc(f"{pid}/task/{task}", "children").split())
    return found


def family(pid):
    """Return a process and all its descendants."""
    return [pid, *(each for child in children(pid) for each in family(child))]


def memory_bytes(pid):
    """Return the resident memory, private and shared."""
    fields = read_proc(pid, "statm").split()
    return int(fields[1]) * PAGE if fields else 0


def wake_ups(pid):
    """Return how often the process's threads went to sleep and were woken."""
    count = 0
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for line in read_proc(f"{pid}/task/{task}", "status").splitlines():
                if line.startswith("voluntary_ctxt_switches:"):
                    count += int(line.split()[1])
    return count


def wait_until(condition, what, seconds=START_S, pause_s=0.02):
    """Wait until a condition is true, and return its value. A Failure names `what`."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(pause_s)
    return result


def is_listening(port):
    """Return whether a socket listens at a port, by the kernel's table."""
    wanted = f":{port:04X}"
    rows = [line.split() for file in ("tcp", "tcp6") for line in
            pathlib.Path("/proc/net", file).read_text().splitlines()[1:]]
    return any(row[1].endswith(wanted) and row[3] == "0A" for row in rows)


# ---- Starting and ending ---------------------------------------------------------------

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
started = []  # all programs of this run: those that still run at its end are ended


@contextlib.contextmanager
def uninterrupted():
    """Delay signals that end this program until a process that is started in the block is noted."""
    came = []
    former = {number: signal.signal(number, lambda each, _: came.append(each))
              for number in ENDING}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        if came:
            os.kill(os.getpid(), came[0])


def spawn(arguments, **options):
    with uninterrupted():
        process = subprocess.Popen([str(each) for each in arguments], **options)
        started.append(process)
    return process


def end(process):
    """End a process by SIGTERM, and by SIGKILL if that takes too long."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@atexit.register
def end_all():
    for process in reversed(started):
        end(process)


class Programs:
    """The programs of one way to serve, with their output in a directory. stop() ends them."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.running = []

    def start(self, *arguments, **options):
        log = self.directory / f"log{len(self.running)}"
        with open(log, "wb") as output:
            process = spawn(arguments, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                            **options)
        self.running.append(process)
        return process

    def printed(self):
        """Return the output of each program."""
        return [path.read_text(errors="replace") for path in sorted(self.directory.glob("log*"))]

    def last_words(self, lines=12):
        return "\n".join("\n".join(text.splitlines()[-lines:]) for text in self.printed())

    def wait_for_port(self, process, port):
        def look():
            if process.poll() is not None:
                raise Failure(f"{process.args[0]} ended with status {process.returncode}\n"
                              f"{self.last_words()}")
            return is_listening(port)

        wait_until(look, f"{process.args[0]} to listen on port {port}")

    def stop(self):
        for process in reversed(self.running):
            end(process)
        self.running = []
