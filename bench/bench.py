#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make bench: measures everything side by side, in one run; make bench-quick: the same, shorter.

    BUILD=build bench/bench.py [--quick] [SECTION...]

Writes BUILD/bench/report.json and report.html; if only some sections are measured,
report-SECTION.html. bench/README.md says what each figure is. bench/rig/settings.py says how much
is measured, and how to set that.

Exit codes: 0 measured; 1 failed; 2 usage; 77 not permitted.
"""

import argparse
import importlib
import json
import os
import pathlib
import signal
import sys
import time

from report import environment, page, tables, text
from rig import world
from rig.figures import Figures
from rig.processes import ENDING, Failure
from rig.settings import BUILD, DEFAULTS, BadSetting, Settings

SECTIONS = ("program", "library", "filter", "serving", "hashing", "reloading", "scaling")
FAILED, USAGE, NOT_PERMITTED = 1, 2, 77


def parse():
    parser = argparse.ArgumentParser(description="measure stickyctl beside others")
    parser.add_argument("--quick", action="store_true", help="in under 3 minutes")
    parser.add_argument("sections", nargs="*", metavar="SECTION",
                        help=f"of {', '.join(SECTIONS)}; all of them where none is named")
    options = parser.parse_args()
    for name in options.sections:
        if name not in SECTIONS:
            parser.error(f"no section {name}: there are {', '.join(SECTIONS)}")
    return options


class Progress:
    """Tells the user what is being measured."""

    def __init__(self):
        self.began = time.monotonic()

    def say(self, text):
        print(f"{time.monotonic() - self.began:6.0f} s  {text}", file=sys.stderr, flush=True)


def measure(sections, settings, figures):
    """Measure sections. If one fails, the others are measured nevertheless."""
    progress = Progress()
    for name in sections:
        progress.say(name)
        section = importlib.import_module(f"sections.{name}")
        try:
            section.run(settings, figures, progress.say)
        except Failure as error:
            figures.fail(name, str(error))
    progress.say("done")


def packages():
    """Return the contents of bench/node/package.json, for the report."""
    return json.loads((pathlib.Path(__file__).parent / "node" / "package.json").read_text())


def command(options):
    """Return the command that measures the same again."""
    sections = f" ONLY='{' '.join(options.sections)}'" if options.sections else ""
    own = "".join(f" {name.upper()}={os.environ[name.upper()]}" for name in DEFAULTS
                  if os.environ.get(name.upper()))
    return f"make bench{'-quick' if options.quick else ''}{sections}{own}"


def say_what_was_measured(options, settings, figures, where):
    text.print_report([*tables.ratio_tables(figures), *tables.other_tables(figures)], figures)
    path = BUILD / "bench" / f"{'-'.join(['report', *options.sections])}.html"
    path.parent.mkdir(exist_ok=True)
    page.write(path, figures, settings, where, command(options))
    print(f"\nThe report: {path}; every value: {path.with_suffix('.json')}")


def end_by_signal(number, _):
    """Exit, so that the programs that were started are ended."""
    sys.exit(128 + number)


def run(options):
    settings = Settings(options.quick)
    world.enter()
    for number in ENDING:
        signal.signal(number, end_by_signal)
    where = environment.describe(packages())
    figures = Figures()
    measure(options.sections or SECTIONS, settings, figures)
    say_what_was_measured(options, settings, figures, where)
    return FAILED if figures.failures else 0


def main():
    options = parse()
    try:
        return run(options)
    except BadSetting as error:
        print(f"bench: {error}", file=sys.stderr)
        return USAGE
    except PermissionError as error:
        print(f"bench: not permitted: {error}", file=sys.stderr)
        return NOT_PERMITTED
    except Failure as error:
        print(f"bench: {error}", file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
