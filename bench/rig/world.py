# SPDX-License-Identifier: MIT
"""A world of the benchmark's own: network and mount namespaces, and a directory."""

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
# What is not seen from within.
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
    """The program again, in namespaces of its own: loopback and nothing else. With all descriptors
    that we may have: whatever is started here inherits that."""
    if os.environ.get(MARK) != "1":
        run(*NAMESPACES, "true")
        outside = {name: read(path) for name, path in OUTSIDE.items()}
        os.execvpe("unshare", [*NAMESPACES, sys.executable, "-B", *sys.argv],
                   {**os.environ, **outside, MARK: "1"})
    run("ip", "link", "set", "lo", "up")
    run("mount", "-t", "bpf", "bpf", "/sys/fs/bpf")
    # A proxy's connections to its workers have one address, and a port each.
    pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("10000 65535")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def places(wanted):
    """How many connections can be open at a time, of so many."""
    return min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 64)


@contextlib.contextmanager
def directory():
    """Of everybody who runs here, whatever their user; removed afterwards. In memory: a disk that
    writes was seen to stop the load generator for 100 ms."""
    path = tempfile.mkdtemp(prefix="sticky-bench-", dir=MEMORY if os.path.isdir(MEMORY) else None)
    os.chmod(path, 0o755)
    try:
        yield pathlib.Path(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
