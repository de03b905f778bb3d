#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make bench-guard: does any code need more instructions than bench/guard.json says?

    BUILD=build/guard python3 -B bench/guard.py
    BUILD=build/guard python3 -B bench/guard.py --update       write the file anew
    python3 -B bench/guard.py --self-test                      test the comparison itself

Instructions are counted and not time, so that a busy machine gives the same result as an idle one:

    native   a call of each case of bench/guard.c, counted by callgrind
    object   the BPF program in its object file
    kernel   the BPF program as this kernel verifies and translates it; needs CAP_BPF

A count that grew by more than 2 %, and by more than 2, fails. If the file was made with another
compiler, libc or kernel, 25 % is allowed. Native code of another architecture is not compared.

Variables of the environment: BUILD; CC and BPF_CLANG, whose versions are compared; SUDO, by which
the BPF program is loaded.
"""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import platform
import re
import shutil
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("BUILD", HERE.parent / "build" / "guard")).resolve()
FILE = HERE / "guard.json"
GUARD = BUILD / "bench" / "guard"
OBJECT = BUILD / "bpf" / "sticky.bpf.o"

TOLERANCE = 0.02
WIDE = 0.25
SLACK = 2  # instructions: a small case must not fail for one more
UPDATE = "make bench-guard-update"
STATUS_NOT_PERMITTED = 77

# For each kind, the entries of the file's "made_with" that its figures depend on.
DEPENDS = {
    "native": ("architecture", "compiler", "libc"),
    "object": ("bpf_compiler",),
    "kernel": ("architecture", "bpf_compiler", "kernel"),
}


# ---- Counting ---------------------------------------------------------------------------

# Only the instructions of the case's calls are counted: the number of those of a program's start
# varies from run to run.
INSIDE = "repeat_case*"

# How often a case is run, in two runs of the program. The difference of the two counts is divided
# by the difference of the two numbers. 16 clients take turns.
TIMES = (32, 64)
TIMES_OF = {"table_fill_1024": (0, 1)}  # 10 seconds a call

# libc chooses its string functions by the processor. valgrind shows libc one of few processors,
# depending on the machine: with AVX2 and without, the counts of parsers differed by 10 %. So libc
# is told to ignore all that it could choose by. It then uses the SSE2 functions, which every x86-64
# has. The sizes of caches did not matter in tests. Other architectures ignore these names.
ENVIRONMENT = {
    "PATH": os.defpath,
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX_Fast_Unaligned_Load,-BMI2,-ERMS,-FSRM,"
                      "-Fast_Rep_String,-Fast_Unaligned_Copy,-Fast_Unaligned_Load,"
                      "-Prefer_PMINUB_for_stringop,-SSE4_1,-SSE4_2,-SSSE3",
}


class Failure(Exception):
    """The reason why nothing can be compared."""


def count_run(case, times):
    """Count the instructions of `times` calls."""
    command = [shutil.which("valgrind"), "--tool=callgrind", f"--toggle-collect={INSIDE}",
               "--callgrind-out-file=/dev/null", GUARD, case, str(times)]
    # The working directory must not have a .valgrindrc.
    done = subprocess.run(command, env=ENVIRONMENT, cwd="/", stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found:
        raise Failure(f"{case}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return int(found[1])


def count_case(case):
    """Count the instructions of one call."""
    few, many = TIMES_OF.get(case, TIMES)
    count = (count_run(case, many) - count_run(case, few)) / (many - few)
    if count <= 0:
        raise Failure(f"{case}: callgrind counted nothing within {INSIDE}")
    return int(count) if count.is_integer() else round(count, 2)


def count_native():
    if not shutil.which("valgrind"):
        raise Failure("valgrind is not installed: apt-get install valgrind, or make deps-bench")
    cases = subprocess.run([GUARD, "--list"], check=True, stdout=subprocess.PIPE,
                           text=True).stdout.split()
    # The longest case comes first, so that the others run beside it.
    order = sorted(cases, key=lambda case: case not in TIMES_OF)
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        counts = dict(zip(order, pool.map(count_case, order)))
    return {case: counts[case] for case in cases}


def count_object():
    """Count the object file's instructions, of 8 bytes each: elf(5), 64 bits, any byte order."""
    data = OBJECT.read_bytes()
    order = "<" if data[5] == 1 else ">"
    offset, = struct.unpack_from(order + "Q", data, 0x28)
    size, count = struct.unpack_from(order + "HH", data, 0x3a)
    code = 0
    for at in range(offset, offset + size * count, size):
        flags, = struct.unpack_from(order + "Q", data, at + 8)
        length, = struct.unpack_from(order + "Q", data, at + 32)
        code += length if flags & 4 else 0  # SHF_EXECINSTR
    return {"bpf_instructions": code // 8}


def count_kernel():
    """Ask the kernel for its counts. Returns None, after a message, if this is not permitted."""
    try:
        done = subprocess.run([*os.environ.get("SUDO", "").split(), GUARD, "--program"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as error:
        print(f"guard: what the kernel makes of the BPF program is not compared: {error}")
        return None
    if done.returncode == STATUS_NOT_PERMITTED:
        print(f"{done.stderr.strip()}: what the kernel makes of it is not compared")
        return None
    if done.returncode:
        raise Failure(f"guard --program: {done.stderr.strip()}")
    program = json.loads(done.stdout)
    return {"bpf_" + name: program[name] for name in ("verified_instructions", "xlated_bytes")}


def first_line_of_version(command):
    done = subprocess.run([*command.split(), "--version"], check=True, stdout=subprocess.PIPE,
                          text=True)
    return done.stdout.splitlines()[0]


def count_all():
    """Count everything. Returns the contents of the file."""
    if not GUARD.exists():
        raise Failure(f"{GUARD} is not built: make bench-guard builds and runs it")
    figures = {"native": count_native(), "object": count_object(), "kernel": count_kernel()}
    return {
        "figures": {kind: counts for kind, counts in figures.items() if counts is not None},
        "made_with": {
            "architecture": platform.machine(),
            "bpf_compiler": first_line_of_version(os.environ.get("BPF_CLANG", "clang")),
            "compiler": first_line_of_version(os.environ.get("CC", "gcc")),
            "kernel": platform.release(),
            "libc": os.confstr("CS_GNU_LIBC_VERSION"),
        },
    }


# ---- The comparison: pure ---------------------------------------------------------------

@dataclasses.dataclass
class Row:
    """A figure; None: not counted, or not in the file."""
    name: str
    now: float
    then: float
    tolerance: float  # a fraction of the count; None: not compared
    verdict: str
    is_failure: bool = False

    @property
    def change(self):
        return (self.now - self.then) / self.then if self.now and self.then else None


def differences(now, then):
    """Return the entries of "made_with" that differ."""
    return [tool for tool in now["made_with"]
            if now["made_with"][tool] != then["made_with"].get(tool)]


def tolerance_of(kind, different):
    if kind == "native" and "architecture" in different:
        return None
    return WIDE if set(DEPENDS[kind]) & set(different) else TOLERANCE


def judge(now, then, tolerance):
    """Return the verdict, and whether it is a failure."""
    if then is None:
        return f"not in the file: {UPDATE}", True
    if now is None:
        return f"in the file alone: {UPDATE}", True
    if tolerance is None:
        return "not compared", False
    allowed = max(then * tolerance, SLACK)
    if now - then > allowed:
        return "WORSE", True
    if then - now > allowed:
        return f"better than the file: {UPDATE}", False
    return "same" if now == then else "within", False


def compare(now, then):
    """Return the rows of the kinds that were counted."""
    different = differences(now, then)
    rows = []
    for kind, counts in now["figures"].items():
        former = then["figures"].get(kind, {})
        tolerance = tolerance_of(kind, different)
        for name in [*counts, *(name for name in former if name not in counts)]:
            now_and_then = counts.get(name), former.get(name)
            rows.append(Row(name, *now_and_then, tolerance, *judge(*now_and_then, tolerance)))
    return rows


def merge(now, then):
    """Return the new contents of the file. Figures that were not counted stay as they are."""
    if "kernel" in now["figures"] or "kernel" not in then.get("figures", {}):
        return now
    return {"figures": {**now["figures"], "kernel": then["figures"]["kernel"]},
            "made_with": {**now["made_with"], "kernel": then["made_with"]["kernel"]}}


# ---- Output -----------------------------------------------------------------------------

def percent(part):
    return f"{part * 100:.0f} %"


def summarize(rows):
    """Return the last line of the output."""
    failed = [row.name for row in rows if row.is_failure]
    if failed:
        return f"guard: {len(failed)} of {len(rows)} figures failed: {', '.join(failed)}"
    tolerances = [row.tolerance for row in rows]
    said = [f"{tolerances.count(WIDE)} within {percent(WIDE)}"] if WIDE in tolerances else []
    said += [f"{tolerances.count(None)} not compared"] if None in tolerances else []
    said += [f"{'the others' if said else 'all'} within {percent(TOLERANCE)}"]
    return f"guard: {len(rows)} figures, {', '.join(said)}"


def print_differences(now, then):
    for tool in differences(now, then):
        for kind in now["figures"]:
            if tool not in DEPENDS[kind]:
                continue
            tolerance = tolerance_of(kind, [tool])
            print(f"guard: {kind}: {tool} is {now['made_with'][tool]}, was "
                  f"{then['made_with'].get(tool)}:",
                  "not compared" if tolerance is None else f"{percent(tolerance)} allowed")


def format_count(count):
    return "-" if count is None else f"{count:,}"


def print_rows(rows):
    print(f"  {'case':26} {'now':>13} {'in the file':>13} {'change':>9}  verdict")
    for row in rows:
        change = "-" if row.change is None else f"{row.change * 100:+.1f} %"
        print(f"  {row.name:26} {format_count(row.now):>13} {format_count(row.then):>13} "
              f"{change:>9}  {row.verdict}")


# ---- Test of the comparison ---------------------------------------------------------------

def made_up(native, **made_with):
    tools = dict(architecture="x", bpf_compiler="x", compiler="x", kernel="x", libc="x")
    return {"figures": {"native": native, "kernel": {"k": 1000}},
            "made_with": {**tools, **made_with}}


def verdicts(now, then):
    return [(row.verdict.split(":")[0], row.is_failure) for row in compare(now, then)
            if row.name != "k"]


def self_test():
    file = made_up({"a": 1000})
    tries = [
        ("the same", {"a": 1000}, {}, [("same", False)]),
        ("grown by less", {"a": 1020}, {}, [("within", False)]),
        ("grown", {"a": 1021}, {}, [("WORSE", True)]),
        ("shrunk", {"a": 979}, {}, [("better than the file", False)]),
        ("another compiler", {"a": 1250}, {"compiler": "y"}, [("within", False)]),
        ("too much for that", {"a": 1251}, {"compiler": "y"}, [("WORSE", True)]),
        ("a kernel that has no part", {"a": 1021}, {"kernel": "y"}, [("WORSE", True)]),
        ("another architecture", {"a": 9999}, {"architecture": "y"}, [("not compared", False)]),
        ("a new case", {"a": 1000, "b": 1}, {}, [("same", False), ("not in the file", True)]),
        ("a case that is gone", {}, {}, [("in the file alone", True)]),
    ]
    for what, native, tools, wanted in tries:
        seen = verdicts(made_up(native, **tools), file)
        if seen != wanted:
            raise Failure(f"self-test: {what}: {seen} in the place of {wanted}")
    small = verdicts(made_up({"a": 12}), made_up({"a": 10}))
    if small != [("within", False)]:
        raise Failure(f"self-test: two instructions of ten: {small}")
    unloaded = made_up({"a": 1000})
    del unloaded["figures"]["kernel"]
    if any(row.is_failure for row in compare(unloaded, file)) or merge(unloaded, file) != file:
        raise Failure("self-test: a program that may not be loaded")


def update(now):
    then = json.loads(FILE.read_text()) if FILE.exists() else {}
    FILE.write_text(json.dumps(merge(now, then), indent=1, sort_keys=True) + "\n")
    print(f"guard: {FILE.name} is written")


def check(now):
    if not FILE.exists():
        raise Failure(f"there is no {FILE.name}: {UPDATE}")
    then = json.loads(FILE.read_text())
    rows = compare(now, then)
    print_differences(now, then)
    print_rows(rows)
    print(summarize(rows))
    return 1 if any(row.is_failure for row in rows) else 0


def main(arguments):
    try:
        if arguments == ["--self-test"]:
            return self_test()
        if arguments == ["--update"]:
            return update(count_all())
        if arguments:
            raise Failure("usage: guard.py [--update | --self-test]")
        return check(count_all())
    except Failure as failure:
        print(f"guard: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
