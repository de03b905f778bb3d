# SPDX-License-Identifier: MIT
"""Measures the seccomp filter of workers that bind themselves: nanoseconds a system call, beside a
process without it."""

import json
import subprocess

from rig.processes import Failure
from rig.settings import BUILD

SUBJECT = "filter"
NOT_PERMITTED = 77


def run(settings, figures, say):
    say(f"the filter's cost, {settings.filter_rounds} rounds")
    program = [BUILD / "bench" / "filter", str(settings.filter_rounds), str(settings.filter_calls)]
    result = subprocess.run(program, capture_output=True, text=True, check=False)
    if result.returncode == NOT_PERMITTED:
        raise PermissionError(result.stderr.strip())
    if result.returncode:
        raise Failure(f"{program[0]}: {result.stderr.strip()}")
    for call, measured in json.loads(result.stdout).items():
        for name, values in measured.items():
            for value in values:
                figures.add(f"call_{name}_ns", "ns", SUBJECT, value, call=call)
        for without, with_filter in zip(measured["without"], measured["with"]):
            figures.add("call_net_ns", "ns", SUBJECT, with_filter - without, call=call)
