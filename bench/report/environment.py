# SPDX-License-Identifier: MIT
"""What machine and which versions the figures are of."""

import os
import pathlib
import platform
import subprocess
import time

from rig.settings import CPUS
from rig.ways import find_program

# How each says its version.
VERSIONS = {
    "gcc": ("gcc", "--version"), "clang": ("clang", "--version"), "node": ("node", "--version"),
    "nginx": ("nginx", "-v"), "haproxy": ("haproxy", "-v"),
    "gunicorn": ("gunicorn", "--version"), "python": ("python3", "--version"),
}
VULNERABILITIES = pathlib.Path("/sys/devices/system/cpu/vulnerabilities")


def read(path):
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return ""


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


def npm_versions(packages):
    """Of those that bench/node/package.json names."""
    return packages.get("dependencies", {})


def describe(packages):
    return {
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": processor(),
        "processors": CPUS,
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**6,
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "not told",
        "bpf_jit": {"0": "off", "1": "on", "2": "on, debugging"}.get(
            read("/proc/sys/net/core/bpf_jit_enable"), "not told"),
        "load_before": read("/proc/loadavg").split(" ")[0],
        "versions": {name: version_of(*how) for name, how in VERSIONS.items()},
        "npm": npm_versions(packages),
        "mitigations": mitigations(),
    }
