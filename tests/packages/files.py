# SPDX-License-Identifier: MIT
"""Lists all files of a tree, except those that dpkg, apt and this test write themselves."""

import os

LEFT_OUT = ("/dev", "/proc", "/srv", "/sys/kernel", "/sys/fs/cgroup", "/sys/devices", "/sys/bus",
            "/sys/class", "/sys/module", "/sys/block", "/sys/firmware", "/sys/power", "/var/cache",
            "/var/lib/apt", "/var/log/apt", "/var/lib/dpkg/triggers", "/var/lib/dpkg/updates",
            "/root/.cache")
# The tools write these files, whatever is installed.
TOOLS = ("/var/log/dpkg.log", "/var/lib/dpkg/lock", "/var/lib/dpkg/lock-frontend",
         "/var/lib/dpkg/status-old", "/var/lib/dpkg/diversions-old", "/var/log/alternatives.log",
         "/run/lock")


def list_files():
    found = set()
    for directory, names, files in os.walk("/"):
        names[:] = [name for name in names if os.path.join(directory, name) not in LEFT_OUT]
        found.update(os.path.join(directory, name) for name in (*names, *files))
    return found - set(TOOLS)
