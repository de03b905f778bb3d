# SPDX-License-Identifier: MIT
"""Measures our hash beside those of the modules that we replace: time, scatter, and which clients
are moved when a worker is added. bench/hash.c is in C; bench/hash.js runs the modules' own code."""

import json
import os
import pathlib
import shutil
import subprocess

from rig.processes import Failure
from rig.settings import BUILD

PROGRAM = BUILD / "bench" / "hash"
SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "hash.js"
NODE_MODULES = BUILD / "bench" / "node" / "node_modules"
MODULES = ("sticky-cluster", "sticky-listen", "string-hash")

OURS = "sticky, C"
IN_C = {"sticky": OURS, "djb2": "djb2, C", "djb2_bytes": "djb2 of bytes, C",
        "int31": "int31 of bytes, C"}
# The modules in Node.js split an address's text at the dots; sticky-session 1.1.2 hashed its bytes.
IN_NODE = {("original", "djb2"): "djb2, Node.js", ("original", "int31"): "int31 of text, Node.js",
           ("warm", "djb2"): "djb2, Node.js warm",
           ("warm", "int31"): "int31 of text, Node.js warm"}
# The number of workers is often a power of two. djb2 modulo such a number depends on few bits.
ALSO_WORKERS = 32
PLACINGS = ("table", "modulo", "rendezvous", "maglev")


# ---- Measuring ----------------------------------------------------------------------


def run_json(command, settings, workers, **options):
    """Run a program, and return the JSON object that it prints."""
    result = subprocess.run(
        [*command, "--addresses", str(settings.hash_addresses), "--workers", str(workers),
         "--rounds", str(settings.hash_rounds)],
        capture_output=True, text=True, check=False, **options)
    if result.returncode:
        raise Failure(f"{command[-1]}: exit code {result.returncode}\n{result.stderr}")
    return json.loads(result.stdout)


def add_scatter(figures, subject, chi_squares, ratios, **parameters):
    for value in chi_squares:
        figures.add("hash_chi_square", "", subject, value, **parameters)
    # If a worker has no client in a round, there is no ratio, not even of the other rounds.
    for value in () if None in ratios else ratios:
        figures.add("hash_max_min", "", subject, value, **parameters)


def add_moves(figures, moves):
    for placing in PLACINGS:
        for moved, ratio in zip(moves[placing]["moved"], moves[placing]["max_min"]):
            figures.add("hash_moved", "%", placing, 100 * moved, of=moves["of"])
            if None not in moves[placing]["max_min"]:
                figures.add("hash_moved_max_min", "", placing, ratio, of=moves["of"])


def add_scatters(figures, results):
    for name, subject in IN_C.items():
        for kind, scatter in results["scatter"].items():
            of_set = scatter["hashes"][name]
            add_scatter(figures, subject, of_set["chi_square"], of_set["max_min"], set=kind,
                        addresses=scatter["addresses"], workers=results["workers"])


def measure_c(settings, figures):
    results = run_json([PROGRAM], settings, settings.hash_workers)
    for name, subject in IN_C.items():
        for value in results["ms"][name]:
            figures.add("hash_ms", "ms", subject, value, addresses=results["addresses"],
                        workers=results["workers"])
    add_scatters(figures, results)
    for moves in results["moved"]:
        add_moves(figures, moves)
    if settings.hash_workers != ALSO_WORKERS:
        add_scatters(figures, run_json([PROGRAM], settings, ALSO_WORKERS))
    return results


def chi_square(counts):
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 / expected for count in counts)


def max_min(counts):
    return max(counts) / min(counts) if min(counts) else None


def why_not_node():
    if not shutil.which("node"):
        return "node is not installed"
    missing = [name for name in MODULES if not (NODE_MODULES / name).is_dir()]
    return f"npm did not install {', '.join(missing)}" if missing else None


def measure_node(settings, figures):
    results = run_json(["node", SCRIPT], settings, settings.hash_workers,
                       env={**os.environ, "NODE_PATH": str(NODE_MODULES)})
    sizes = {"addresses": results["addresses"], "workers": results["workers"]}
    for (way, name), subject in IN_NODE.items():
        rounds = results[way][name]
        for measured in rounds:
            figures.add("hash_ms", "ms", subject, measured["ms"], **sizes)
        counts = [measured["counts"] for measured in rounds]
        if None not in counts:
            add_scatter(figures, subject, [chi_square(of_round) for of_round in counts],
                        [max_min(of_round) for of_round in counts], set="random", **sizes)
    return results


def run(settings, figures, say):
    say(f"hashes, {settings.hash_rounds} rounds")
    in_c = measure_c(settings, figures)
    why = why_not_node()
    if why:
        for subject in IN_NODE.values():
            figures.leave_out(subject, why)
        return
    in_node = measure_node(settings, figures)
    # Both programs must have the same addresses and the same hash, so the counts must be the same.
    if in_c["scatter"]["random"]["hashes"]["djb2"]["counts"] != \
            in_node["warm"]["djb2"][0]["counts"]:
        raise Failure("djb2 in C and string-hash scatter the same addresses differently")
