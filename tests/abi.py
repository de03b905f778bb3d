#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is the interface of the built library the one in the committed list, src/lib/libsticky.abi?

    BUILD=build CC=gcc python3 tests/abi.py            compare
    BUILD=build CC=gcc python3 tests/abi.py --update   write the list anew

The list has the soname, each exported symbol with its version, the size of each public structure with
the offset and size of each member, and each declaration of include/sticky.h without its comments. A
function or a member at the end of a sized structure may be added; another change of the list breaks
programs that were built before, and needs a new soname. The list is that of a 64-bit machine.

The static library must have the same symbols and no others, and the header must declare each of them.
Each error that the header names must have its text in src/lib/errors.c.
"""

import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build"))
CC = os.environ.get("CC", "gcc").split()
LIST = ROOT / "src" / "lib" / "libsticky.abi"
HEADER = ROOT / "include" / "sticky.h"
ERRORS = ROOT / "src" / "lib" / "errors.c"
SHARED = BUILD / "libsticky.so.0"
STATIC = BUILD / "static" / "libsticky.a"


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def soname():
    return re.search(r"Library soname: \[(.*)\]", output("readelf", "-dW", SHARED)).group(1)


def shared_symbols():
    """The symbols of the shared library, NAME@@VERSION. The symbols of the versions are left
    out."""
    for line in output("readelf", "--dyn-syms", "-W", SHARED).splitlines():
        words = line.split()
        if len(words) >= 8 and words[0].rstrip(":").isdigit() and words[6] not in ("UND", "ABS"):
            yield words[7]


def static_symbols():
    lines = output("nm", "-g", "--defined-only", STATIC).splitlines()
    return sorted(words[2] for line in lines if len(words := line.split()) == 3)


def declarations():
    """The declarations of the header, one a line, without comments and white space."""
    text = HEADER.read_text()
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    constants = re.findall(r"^#define (STICKY_\w+)[ \t]+(\S.*?)\s*$", text, re.MULTILINE)
    text = re.sub(r"^#.*$|^extern \"C\" \{$|^\}$", "", text, flags=re.MULTILINE)
    for name, value in constants:
        if not name.startswith("STICKY_VERSION"):
            yield f"#define {name} {value}"
    depth, start = 0, 0
    for place, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == ";" and not depth:
            yield " ".join(text[start:place + 1].split())
            start = place + 1


def functions(lines):
    for line in lines:
        match = re.match(r"(?!typedef)[\w *]*?\b(sticky_\w+)\(", line)
        if match:
            yield match.group(1)


def layout_program(lines):
    """A C program that prints the sizes of the structures and of their members."""
    yield "#include <sticky.h>\n#include <stdio.h>\nint main(void)\n{"
    for line in lines:
        match = re.match(r"struct (\w+) \{(.*)\};", line)
        if not match:
            continue
        name, members = match.groups()
        yield f'printf("struct {name}: %zu bytes\\n", sizeof(struct {name}));'
        for member in members.split(";"):
            if not member.strip():
                continue
            member = re.search(r"(\w+)(\[.*\])?\s*$", member.strip()).group(1)
            yield (f'printf("struct {name}.{member}: offset %zu, size %zu\\n", '
                   f"offsetof(struct {name}, {member}), sizeof(((struct {name} *)0)->{member}));")
    yield "return 0;\n}"


def layouts(lines):
    with tempfile.TemporaryDirectory() as directory:
        source, program = f"{directory}/layout.c", f"{directory}/layout"
        pathlib.Path(source).write_text("\n".join(layout_program(lines)))
        output(*CC, f"-I{HEADER.parent}", "-o", program, source)
        return output(program).splitlines()


def faults(symbols, lines):
    names = {symbol.partition("@")[0] for symbol in symbols}
    declared = set(functions(lines))
    for name in sorted(names - declared):
        yield f"{SHARED.name} exports {name}, which sticky.h does not declare"
    for name in sorted(declared - names):
        yield f"sticky.h declares {name}, which {SHARED.name} does not export"
    explained = set(re.findall(r"\{(E[A-Z0-9]+),", ERRORS.read_text()))
    for name in sorted(set(re.findall(r"-(E[A-Z0-9]+)\b", HEADER.read_text())) - explained):
        yield f"sticky.h names -{name}, which sticky_strerror() does not explain"
    for name in sorted(set(static_symbols()) ^ names):
        yield f"only one of {SHARED.name} and {STATIC.name} has {name}"


def main():
    lines = list(declarations())
    symbols = sorted(shared_symbols())
    now = ["# The public interface: `make check-abi` compares it, tests/abi.py --update writes it.",
           f"soname {soname()}", *[f"symbol {symbol}" for symbol in symbols], *layouts(lines), *lines]
    problems = list(faults(symbols, lines))
    if "--update" in sys.argv[1:]:
        LIST.write_text("\n".join(now) + "\n")
    before = LIST.read_text().splitlines()
    difference = list(difflib.unified_diff(before, now, str(LIST.relative_to(ROOT)), "built", lineterm=""))
    print("\n".join(problems + difference) or
          f"{len(symbols)} functions, {len(now)} lines: the interface is the one in the list")
    return 1 if problems or difference else 0


if __name__ == "__main__":
    sys.exit(main())
