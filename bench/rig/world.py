# SPDX-License-Identifier: MIT
"""A world of the benchmark's own: network and mount namespaces, and a directory."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

MARK = "BENCH_NAMESPACE"


def enter():
    """The program again, in namespaces of its own: loopback and nothing else."""
    if os.environ.get(MARK) != "1":
        os.execvpe("unshare", ["unshare", "--net", "--mount", "--", sys.executable, "-B", *sys.argv],
                   {**os.environ, MARK: "1"})
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=True)
    # A proxy's own connections to its workers need a port each, for a minute.
    pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("10000 65535")


@contextlib.contextmanager
def directory():
    """Of everybody who runs here, whatever their user; removed afterwards."""
    path = tempfile.mkdtemp(prefix="sticky-bench-")
    os.chmod(path, 0o755)
    try:
        yield pathlib.Path(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
