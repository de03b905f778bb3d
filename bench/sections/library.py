# SPDX-License-Identifier: MIT
"""Measures the cost of libsticky to a program: opening, hand-overs, look-ups, memory."""

import json
import subprocess

from rig.processes import Failure
from rig.settings import BUILD

SUBJECT = "library"
SLOTS = (8, 1024)
NOT_PERMITTED = 77


def run(settings, figures, say):
    for slots in SLOTS:
        say(f"the library's cost, {slots} slots, {settings.library_rounds} rounds")
        program = [BUILD / "bench" / "library", str(slots), str(settings.library_rounds),
                   str(settings.library_lookups)]
        result = subprocess.run(program, capture_output=True, text=True, check=False)
        if result.returncode == NOT_PERMITTED:
            raise PermissionError(result.stderr.strip())
        if result.returncode:
            raise Failure(f"{program[0]}: {result.stderr.strip()}")
        for name, values in json.loads(result.stdout).items():
            for value in values:
                figures.add(f"library_{name}", name.rpartition("_")[2], SUBJECT, value, slots=slots)
