# SPDX-License-Identifier: MIT
"""Measures the BPF program: its size, and nanoseconds a run, as the kernel counts them
(BPF_ENABLE_STATS). The cost of an empty program, attached to sockets of the same kind and driven in
the same way, is subtracted."""

import json
import subprocess

from rig.processes import Failure
from rig.settings import BUILD

SUBJECT = "program"
NOT_PERMITTED = 77
SIZES = {"verified_instructions": "instructions_verified", "xlated_bytes": "bytes_of_bpf",
         "jited_bytes": "bytes_of_machine_code"}


def add_case(figures, case):
    parameters = {name: case[name] for name in
                  ("driven_by", "clients", "slots", "v4_prefix", "v6_prefix", "trusted_proxies")}
    for name in ("empty_ns", "sticky_ns", "net_ns"):
        for value in case[name]:
            figures.add(f"program_{name}", "ns", SUBJECT, value, **parameters)


def run(settings, figures, say):
    say(f"the program's cost, {settings.cost_rounds} rounds")
    program = [BUILD / "bench" / "program", str(settings.cost_rounds), str(settings.cost_runs)]
    result = subprocess.run(program, capture_output=True, text=True, check=False)
    if result.returncode == NOT_PERMITTED:
        raise PermissionError(result.stderr.strip())
    if result.returncode:
        raise Failure(f"{program[0]}: {result.stderr.strip()}")
    measured = json.loads(result.stdout)
    for name, figure in SIZES.items():
        figures.add(figure, "", SUBJECT, measured["program"][name])
    for case in measured["cost"]:
        add_case(figures, case)
