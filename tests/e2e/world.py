# SPDX-License-Identifier: MIT
"""The namespaces of a test file, and checks of the objects that a test may leave in them."""

import contextlib
import ctypes
import functools
import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from slowness import scaled, slowness  # pylint: disable=wrong-import-position

BPFFS = "/sys/fs/bpf"
DEADLINE_S = scaled(20)  # sanitizers and busy machines are slow
NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
              "--mount-proc", "--"]


def patience(seconds):
    """Returns how long to wait on this machine for something that takes so long on an ordinary one.
    DEADLINE_S is scaled already, and is the upper limit of shorter times."""
    return max(seconds, min(scaled(seconds), DEADLINE_S))


def status_of(pid):
    """Returns the lines of /proc/PID/status by their names."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def catches(pid, number):
    """Has a process a handler for this signal?"""
    return int(status_of(pid)["SigCgt"], 16) >> number - 1 & 1


def wait_for(what, condition, seconds=DEADLINE_S, interval=0.01):
    """Poll until condition() is true. Returns its value; fails at the deadline.

    `what` names the condition. If it is a function, it is called at the deadline to describe the
    last state."""
    seconds = patience(seconds)
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
    # All addresses of this network can be clients on loopback.
    subprocess.run(["ip", "-6", "route", "add", "local", "2001:db8::/32", "dev", "lo"],
                   check=True)


def set_up_bpffs():
    """Mount a BPF file system for the test. All pins in it are the test's, except those of the
    kernel."""
    subprocess.run(["mount", "-t", "bpf", "bpf", BPFFS], check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def pids():
    return {int(entry) for entry in os.listdir("/proc") if entry.isdigit()}


def reap_until_end_of(child):
    """Reap children, as PID 1 must: orphans become its children. Returns the status of the given
    child."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


# ---- Checks after each test -----------------------------------------------------------


def command_line(pid):
    with contextlib.suppress(OSError):
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        text = b" ".join(words).decode(errors="replace").strip()
        state = re.search(r"State:\s*(.*)", pathlib.Path(f"/proc/{pid}/status").read_text())
        return f"{pid} {text} [{state[1] if state else '?'}]"
    return None


def other_processes():
    """Returns the pids of all processes except PID 1 and this one, with their command lines."""
    found = {pid: command_line(pid) for pid in pids() - {1, os.getpid()}}
    return {pid: text for pid, text in found.items() if text}


def keeper_begins():
    """Does a keeper still have the command line of its controller, as between its fork and its
    exec?"""
    starts = [text.split(" ", 1)[1].rpartition(" [")[0] for text in other_processes().values()
              if "/stickyctl start " in text]
    return len(starts) != len(set(starts))


def but_keepers():
    """Returns all processes except PID 1, this one and keepers. A keeper is the small process that
    an instance has beside its controller and its workers."""
    wait_for("the keepers to begin", lambda: not keeper_begins())
    return {pid: text for pid, text in other_processes().items() if "bind-keeper" not in text}


def files_below(directory):
    return sorted(str(path) for path in pathlib.Path(directory).rglob("*"))


def pins():
    """Returns the pins. maps.debug and progs.debug exist from the start."""
    return [path for path in files_below(BPFFS) if not path.endswith(".debug")]


def bpf_objects(pid):
    """Returns the ids of the BPF programs and maps that a process holds: {(kind, id)}."""
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
    """Does the object exist in the kernel, in whatever process? BPF_..._GET_FD_BY_ID of bpf(2)
    tells it."""
    fd = getattr(libbpf(), f"bpf_{kind}_get_fd_by_id")(ctypes.c_uint32(number))
    if fd < 0:
        return False
    os.close(fd)
    return True
