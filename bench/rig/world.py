# SPDX-License-Identifier: MIT
"""Gives the benchmark its own network and mount namespaces, and a directory."""

import contextlib
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

MARK = "BENCH_NAMESPACE"
MEMORY = "/dev/shm"
NAMESPACES = ("unshare", "--net", "--mount", "--")
# Values that can't be read within the namespaces.
OUTSIDE = {"BENCH_BPF_JIT": "/proc/sys/net/core/bpf_jit_enable"}


def read(path):
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return ""


def run(*command):
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise PermissionError(f"{' '.join(command)}: {done.stderr.strip()}: run it as root, or by "
                              "sudo")


def enter():
    """Run this program again, in namespaces of its own with only loopback. Allow as many
    descriptors as possible: the programs that are started here inherit the limit."""
    if os.environ.get(MARK) != "1":
        run(*NAMESPACES, "true")
        outside = {name: read(path) for name, path in OUTSIDE.items()}
        os.execvpe("unshare", [*NAMESPACES, sys.executable, "-B", *sys.argv],
                   {**os.environ, **outside, MARK: "1"})
    run("ip", "link", "set", "lo", "up")
    run("mount", "-t", "bpf", "bpf", "/sys/fs/bpf")
    # A proxy's connections to its workers all have one address, and so need a port each.
    pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("10000 65535")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def places(wanted):
    """Return how many connections can be open at a time, at most `wanted`."""
    return min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 64)


@contextlib.contextmanager
def directory():
    """Make a directory that programs of any user can enter, and remove it afterwards. It is in
    memory: a disk that writes was seen to stop the load generator for 100 ms."""
    path = tempfile.mkdtemp(prefix="sticky-bench-", dir=MEMORY if os.path.isdir(MEMORY) else None)
    os.chmod(path, 0o755)
    try:
        yield pathlib.Path(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
