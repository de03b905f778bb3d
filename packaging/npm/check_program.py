#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Look at the program for npm: what it needs of the machine, and what was linked into it.

    check_program.py PROGRAM MAP        MAP is what the linker wrote by -Map

Exit status 1: it needs a newer glibc than packaging/npm/floor says, a shared library that is not
glibc's, or contains a library that packaging/npm/libraries does not name.
"""

import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FLOOR = (HERE / "floor").read_text().strip()
OF_GLIBC = re.compile(r"lib(c|pthread)\.so\.\d+|ld-linux-[\w-]+\.so\.\d")


def number(version):
    return tuple(map(int, version.split(".")))


def libraries():
    """The rows of packaging/npm/libraries: archive, Debian package, licence."""
    lines = (HERE / "libraries").read_text().splitlines()
    return [line.split(None, 2) for line in lines if line and not line.startswith("#")]


def symbols(program):
    """The symbols that it takes from glibc: version -> names."""
    text = subprocess.run(["objdump", "-T", program], capture_output=True, text=True,
                          check=True).stdout
    found = {}
    for version, name in re.findall(r"\bGLIBC_([\d.]+)\)?\s+(\w+)$", text, re.MULTILINE):
        found.setdefault(version, []).append(name)
    return found


def shared_libraries(program):
    text = subprocess.run(["objdump", "-p", program], capture_output=True, text=True,
                          check=True).stdout
    return re.findall(r"^\s*NEEDED\s+(\S+)$", text, re.MULTILINE)


def archives(linker_map):
    """The archives that something was taken from, this project's own excepted."""
    paths = re.findall(r"^(\S+\.a)\(\S+\)", linker_map, re.MULTILINE)
    own = {"libcontroller.a", "libsticky.a"}
    return {pathlib.PurePath(path).name for path in paths} - own


def problems(program, linker_map):
    for version, names in symbols(program).items():
        if number(version) > number(FLOOR):
            yield (f"{', '.join(sorted(names))}: needs glibc {version}, the floor is {FLOOR}; "
                   "packaging/npm/old_glibc.c is where older glibcs get it")
    for library in shared_libraries(program):
        if not OF_GLIBC.fullmatch(library):
            yield f"{library}: a shared library that is not a part of glibc"
    for archive in archives(linker_map) - {row[0] for row in libraries()}:
        yield f"{archive}: was linked in, and packaging/npm/libraries does not name it"


def main():
    program, linker_map = sys.argv[1:]
    found = sorted(problems(program, pathlib.Path(linker_map).read_text()))
    for problem in found:
        print(f"{program}: {problem}", file=sys.stderr)
    if found:
        return 1
    lowest = max(symbols(program), key=number)
    print(f"{program}: glibc {lowest} is the lowest that it runs with")
    return 0


if __name__ == "__main__":
    sys.exit(main())
