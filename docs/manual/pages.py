#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write the manual pages of the program, docs/man/*.1, *.5 and *.7, from docs/man/*.scd.

    python3 docs/manual/pages.py           write those whose source has changed, by scdoc(1)
    python3 docs/manual/pages.py --check   exit status 1 if a page is not what its source says, an
                                           option has no text, a command no page, or a page names
                                           what is not there

source.py says how a source is written. The first line of a page has a digest of its source and of
the rest of the page, so that the check needs no scdoc.
"""

import hashlib
import sys

from checks import problems_of
from program import PAGES, Program
from roff import from_scdoc
from source import read_source


def digest(source, page):
    return hashlib.sha256((source + page).encode()).hexdigest()[:16]


def first_line(name, source, page):
    return f'.\\" Written by make man from docs/man/{name}.scd: {digest(source, page)}\n'


def is_current(name, source):
    try:
        first, page = (PAGES / name).read_text().split("\n", 1)
    except (FileNotFoundError, ValueError):
        return False
    return first + "\n" == first_line(name, source, page)


def write_page(name, source):
    try:
        page = from_scdoc(source)
    except ValueError as error:
        raise SystemExit(f"docs/man/{name}.scd: {error}") from error
    (PAGES / name).write_text(first_line(name, source, page) + page)


def main():
    program = Program()
    sources = {path.stem: read_source(program, path.stem) for path in sorted(PAGES.glob("*.scd"))}
    problems = list(problems_of(program, sources))
    stale = [name for name, source in sources.items() if not is_current(name, source)]
    if "--check" in sys.argv[1:]:
        problems += [f"docs/man/{name} is not what {name}.scd says: make man" for name in stale]
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems or "--check" in sys.argv[1:]:
        return 1 if problems else 0
    for name in stale:
        write_page(name, sources[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
