# SPDX-License-Identifier: MIT
"""How slow this machine is: 1 on an ordinary machine, more under software emulation.

Deadlines and rates of load are scaled by this number, so that tests don't fail on a slow machine.
No check of correctness depends on it.
"""

import hashlib
import math
import os
import subprocess
import time

VARIABLE = "STICKY_TEST_SLOWNESS"
# The time that piece_of_work() may take without scaling: three times as long as on a virtual
# machine with 2 processors (Linux 6.18).
ORDINARY_S = 0.03
TRIES = 5


def piece_of_work():
    """Start programs, and compute a little. This is how the tests spend their time."""
    began = time.perf_counter()
    for _ in range(8):
        subprocess.run(["/bin/true"], check=True)
    digest = b""
    for _ in range(4000):
        digest = hashlib.sha256(digest + b"." * 1000).digest()
    return time.perf_counter() - began


def measure():
    """Returns the lowest of several measurements, as a machine may be busy for a moment. A result
    below 2 counts as an ordinary machine."""
    found = min(piece_of_work() for _ in range(TRIES)) / ORDINARY_S
    return found if found >= 2 else 1.0


def export():
    """Measure once, and set the environment for all programs that are started from now on."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = f"{measure():.1f}"


def slowness():
    """Returns the measured number, or 1 if a test is run by hand."""
    try:
        return max(1.0, float(os.environ.get(VARIABLE, 1)))
    except ValueError:
        return 1.0


def scaled(seconds):
    """Returns a deadline for this machine, in whole seconds. `seconds` is the deadline for an
    ordinary machine."""
    if slowness() == 1:
        return seconds
    return math.ceil(seconds * slowness())
