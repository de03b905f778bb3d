# SPDX-License-Identifier: MIT
"""The table of kernels and suites: on the terminal, and as docs/kernels.md."""

ABOUT = """# What was tried on which kernel

`make test-kernels` wrote this page. It boots each kernel in qemu, by software emulation where KVM
does not work, with 2 processors and Debian's user space, and runs in it `stickyctl doctor` and the
suites of `make test`. The kernels are Debian's packages, the oldest and the newest of a series that
the archive had on that day, or built from source ("built by hand"). A cell is the number of tests
that passed / failed / were skipped. What is not in the table was not tried. On kernels before 5.14 the
engines `classic` and `user` alone are tested, by the tests that tests/kernels/older.py names.
"""


def cells(outcome, suites):
    found = []
    for name in suites:
        suite = outcome.suites.get(name)
        found.append(suite.counts() if suite else "-")
    return found


def columns(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
            for row in rows]


def terminal(outcomes, suites):
    """Print the table, then the reasons of failures and skips."""
    rows = [["kernel", "version", *suites]]
    rows += [[each.kernel, each.version or "-", *cells(each, suites)] for each in outcomes]
    lines = ["passed/failed/skipped", *columns(rows)]
    for each in outcomes:
        notes = [each.problem] if each.problem else []
        notes += [note for suite in each.suites.values() for note in suite.notes]
        if notes:
            lines += ["", f"{each.kernel}:", *(f"  {note}" for note in notes)]
    return "\n".join(lines)


def wake_ups(outcome):
    found = outcome.doctor.get("wake-ups", "")
    if "tried" in found and found.startswith("ok"):
        return "yes"
    return "no" if "not by this kernel" in found else "-"


def markdown(outcomes, suites, date):
    """Write docs/kernels.md."""
    head = ["kernel", "the program loads", "a moved connection wakes its acceptor", *suites]
    rows = [head, ["---"] * len(head)]
    for each in outcomes:
        if each.problem and not each.suites:
            continue
        loads = each.doctor.get("bpf program", "-").split(":")[0]
        rows.append([each.version, {"ok": "yes", "missing": "no"}.get(loads, loads),
                     wake_ups(each), *cells(each, suites)])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    notes = [f"- {each.kernel}: {each.problem}" for each in outcomes if each.problem]
    tail = ["", "Not, or not completely tried:", "", *notes] if notes else []
    return "\n".join([ABOUT, f"Of {date}:", "", *lines, *tail]) + "\n"
