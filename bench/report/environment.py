# SPDX-License-Identifier: MIT
"""Describes the machine and the versions that the figures are of."""

import os
import pathlib
import platform
import resource
import subprocess
import time

from rig.settings import CPUS, STICKYCTL
from rig.ways import find_program
from rig.world import read

# The command by which each program prints its version.
VERSIONS = {
    "gcc": ("gcc", "--version"), "clang": ("clang", "--version"), "node": ("node", "--version"),
    "nginx": ("nginx", "-v"), "haproxy": ("haproxy", "-v"),
    "gunicorn": ("gunicorn", "--version"), "python": ("python3", "--version"),
    "gnuplot": ("gnuplot", "--version"),
}
VULNERABILITIES = pathlib.Path("/sys/devices/system/cpu/vulnerabilities")
ROOT = pathlib.Path(__file__).resolve().parents[2]
JIT = {"0": "off", "1": "on", "2": "on, debugging"}


def version_of(program, option):
    found = find_program(program)
    if not found:
        return "not installed"
    result = subprocess.run([found, option], capture_output=True, text=True, check=False)
    lines = (result.stdout + result.stderr).strip().splitlines()
    return lines[0] if lines else "?"


def processor():
    for line in read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def mitigations():
    if not VULNERABILITIES.is_dir():
        return {}
    return {path.name: read(path) for path in sorted(VULNERABILITIES.iterdir())
            if read(path) != "Not affected"}


def commit():
    """Return the commit of the sources, if they are in a git repository."""
    result = subprocess.run(["git", "-C", str(ROOT), "-c", f"safe.directory={ROOT}", "describe",
                             "--always", "--dirty"], capture_output=True, text=True, check=False)
    return result.stdout.strip() or "an unknown commit"


def is_virtual():
    return " hypervisor" in read("/proc/cpuinfo")


def describe(packages):
    """Describe the machine and the versions. packages: the contents of bench/node/package.json."""
    return {
        "stickyctl": f"{version_of(STICKYCTL, 'version')}, {commit()}",
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": processor(),
        "processors": CPUS,
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**6,
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "not told",
        "virtual": "yes" if is_virtual() else "no",
        "clock": read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "bpf_jit": JIT.get(os.environ.get("BENCH_BPF_JIT"), "not told"),
        "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "somaxconn": read("/proc/sys/net/core/somaxconn"),
        "load_before": read("/proc/loadavg").split(" ")[0],
        "versions": {name: version_of(*how) for name, how in VERSIONS.items()},
        "npm": packages.get("dependencies", {}),
        "mitigations": mitigations(),
    }
