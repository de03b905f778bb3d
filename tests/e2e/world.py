# SPDX-License-Identifier: MIT
"""The namespaces of a test file, and what can be left behind in them."""

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
DEADLINE_S = scaled(20)  # for what takes milliseconds: sanitizers and busy machines are slow
NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
              "--mount-proc", "--"]


def patience(seconds):
    """How long to wait on this machine for what has so long on an ordinary one. DEADLINE_S is
    that already, so shorter times grow up to it."""
    return max(seconds, min(scaled(seconds), DEADLINE_S))


def wait_for(what, condition, seconds=DEADLINE_S, interval=0.01):
    """Poll until condition() is true and return what it gave; fail at the deadline.

    `what` names it; a function is called at the deadline, to say what was seen last.
    """
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


def is_keeper(pid):
    """Is it the small process that an instance has beside its controller and its workers?"""
    return "bind-keeper" in (command_line(pid) or "")


def but_keepers():
    """All but PID 1, ourselves and keepers."""
    return {pid: text for pid, text in other_processes().items() if "bind-keeper" not in text}


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
