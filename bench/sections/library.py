# SPDX-License-Identifier: MIT
"""Measures the cost of libsticky to a program: opening, hand-overs, look-ups, memory."""

import json
import subprocess

from rig.processes import Failure
from rig.settings import BUILD

SUBJECT = "library"
FEW, MANY = 8, 1024  # slots
NOT_PERMITTED = 77
MEMORY = ("heap_bytes", "bpf_bytes", "slab_bytes")


def measure(settings, slots):
    """Returns {name: one value for each round}."""
    program = [BUILD / "bench" / "library", str(slots), str(settings.library_rounds),
               str(settings.library_lookups)]
    result = subprocess.run(program, capture_output=True, text=True, check=False)
    if result.returncode == NOT_PERMITTED:
        raise PermissionError(result.stderr.strip())
    if result.returncode:
        raise Failure(f"{program[0]}: {result.stderr.strip()}")
    return json.loads(result.stdout)


def memory_parts(few, many):
    """Returns (the part that does not depend on the number of slots, the bytes for each slot) of
    the memory of a group with FEW slots and one with MANY."""
    each = (many - few) / (MANY - FEW)
    return few - FEW * each, each


def run(settings, figures, say):
    measured = {}
    for slots in (FEW, MANY):
        say(f"the library's cost, {slots} slots, {settings.library_rounds} rounds")
        measured[slots] = measure(settings, slots)
        for name, values in measured[slots].items():
            for value in values:
                figures.add(f"library_{name}", name.rpartition("_")[2], SUBJECT, value, slots=slots)
    for name in MEMORY:
        for few, many in zip(measured[FEW][name], measured[MANY][name]):
            fixed, each = memory_parts(few, many)
            figures.add(f"library_{name}", "bytes", SUBJECT, fixed, part="fixed")
            figures.add(f"library_{name}", "bytes", SUBJECT, each, part="slot")
