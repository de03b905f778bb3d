#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The benchmark: its computations, its refusals, and that a short run measures all subjects. The
figures themselves are not checked."""

import html.parser
import json
import os
import pathlib
import re
import shutil
import signal
import sys
import unittest

import harness
from harness import TestCase
from programs import BUILD, NOT_PERMITTED, STICKYCTL, USAGE
from world import slowness, wait_for

BENCH = pathlib.Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))
os.environ.setdefault("BUILD", str(BUILD))

from report.table import number, spread  # pylint: disable=wrong-import-position
from rig.figures import Figures
from rig.load import Latencies, share
from rig.processes import Failure, wait_until
from sections import library, reloading

QUICK = {"ROUNDS": 1, "WARM_UP": 100, "ROUND_S": 0.05, "OPEN_ROUNDS": 1, "HASH_ADDRESSES": 2000,
         "HASH_ROUNDS": 1, "RELOAD_S": 1, "RELOAD_TURNS": 1, "RELOAD_SATURATE_S": 0.2}


class Computing(TestCase):
    def test_figures_are_found_by_what_they_are_of(self):
        figures = Figures()
        for value in (3, 1, 2):
            figures.add("rate", "1/s", "ours", value, slots=1)
        figures.add("rate", "1/s", "ours", 9, slots=2)
        self.assertEqual(figures.median("rate", "ours", slots=1), 2)
        self.assertIsNone(figures.median("rate", "theirs"))
        self.assertEqual([figure.values for figure in figures.find("rate")], [[3, 1, 2], [9]])
        with self.assertRaises(LookupError):
            figures.median("rate", "ours")

    def test_numbers_are_as_short_as_they_mean_something(self):
        for value, text in ((None, "-"), (0, "0"), (1, "1"), (0.0126, "0.01"), (1.0, "1.00"),
                            (15.24, "15.2"), (152.4, "152"), (15243.4, "15,243"),
                            (1000000, "1,000,000")):
            self.assertEqual(number(value), text)
        self.assertEqual(spread([]), "-")
        self.assertEqual(spread([4.0]), "4.00")
        self.assertEqual(spread([1.0, 2.0, 3.0, 4.0, 5.0]), "3.00  (2.00 – 4.00)")

    def test_connections_during_a_reload(self):
        """A connection belongs to a reload if it was open at any time of it."""
        windows = [(10.0, 10.2), (11.0, 11.2)]
        for due, end, phase in ((9.0, 9.9, "between"), (9.9, 10.0, "reload"),
                                (10.1, 10.15, "reload"), (10.2, 10.3, "reload"),
                                (10.21, 10.9, "between"), (10.3, 11.3, "reload"),
                                (9.0, 12.0, "reload"), (11.3, 12.0, "between")):
            self.assertEqual(reloading.phase_of(windows, due, end), phase, (due, end))
        self.assertEqual(reloading.phase_of([], 1, 2), "between")

    def test_turns_of_reloads_are_added(self):
        phases = reloading.Phases()
        phases.add([(5.0, 5.02)], [(5.05, 30, "answered"), (5.0, 10, "answered"),
                                   (5.35, 20, "answered"), (5.36, 99, "reset")])
        phases.add([], [(9.0, 40, "answered")])
        self.assertEqual(phases.timeline, [30, 0, 0, 99, 40])
        self.assertEqual(phases.failed, {"reload": 0, "between": 1})
        self.assertEqual({phase: latencies.total for phase, latencies in
                          phases.latencies.items()}, {"reload": 1, "between": 3})
        self.assertAlmostEqual(phases.reloads[0], 0.02)

    def test_latencies(self):
        latencies = Latencies([(10, 98), (20, 1)])
        latencies.add([(20, 0), (1000, 1)])
        self.assertEqual([latencies.at(share) for share in (0.5, 0.98, 0.99, 0.999, 1)],
                         [10, 10, 20, 1000, 1000])
        self.assertEqual(latencies.total, 100)
        with self.assertRaises(Failure):
            Latencies().at(0.5)

    def test_connections_are_shared_among_generators(self):
        for total in (1, 2, 64, 997):
            parts = [share(total, 2, index) for index in (0, 1)]
            self.assertEqual(sum(parts), total)
            self.assertLessEqual(abs(parts[0] - parts[1]), 1)

    def test_memory_by_its_parts(self):
        self.assertEqual(library.memory_parts(700_000 + 8 * 50, 700_000 + 1024 * 50), (700_000, 50))
        self.assertEqual(library.memory_parts(700_000, 700_000), (700_000, 0))

    def test_what_never_comes(self):
        with self.assertRaisesRegex(Failure, "the moon: not within"):
            wait_until(lambda: False, "the moon", seconds=0.05)


class Page(html.parser.HTMLParser):
    """The parts of an HTML page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.outside = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.outside += [value for name, value in attrs
                         if name in ("src", "href") and not (value or "").startswith("#")]


@unittest.skipIf(slowness() >= 4, "a slow machine, whose figures nobody needs")
class Running(TestCase):
    def bench(self, *sections, seconds=120, **settings):
        return self.run_program(sys.executable, "-B", BENCH / "bench.py", "--quick", *sections,
                                seconds=seconds, env={"BUILD": BUILD, **QUICK, **settings})

    def report(self, *sections):
        path = BUILD / "bench" / f"{'-'.join(['report', *sections])}.html"
        page = Page(path.read_text())
        self.assertEqual(page.outside, [], "the page needs nothing else")
        self.assertNotIn("script", page.tags)
        return page, json.loads(path.with_suffix(".json").read_text())

    def test_the_library_s_memory(self):
        result = self.bench("library", LIBRARY_ROUNDS=2, LIBRARY_LOOKUPS=1000)
        self.assertEqual(result.returncode, 0, result.stderr)
        _, report = self.report("library")
        parts = {(figure["name"], figure["parameters"]["part"]): figure["median"]
                 for figure in report["figures"] if "part" in figure["parameters"]}
        # The limit is the size of a hash's table, 65,536 entries of 2 bytes, in the process and in
        # the kernel.
        # A sanitizer has a heap of its own, which mallinfo2(3) does not see.
        has_own_heap = re.search(rb"__[at]san_init", STICKYCTL.read_bytes())
        for name in ("library_heap_bytes", "library_bpf_bytes")[bool(has_own_heap):]:
            self.assertGreater(parts[name, "fixed"], 2 * 65536)
            self.assertLess(abs(parts[name, "slot"]), 1000)
        self.assertIn(("library_slab_bytes", "slot"), parts)
        self.assertIn("Memory of a group", result.stdout)

    def test_no_such_section(self):
        result = self.bench("nothing")
        self.assertEqual(result.returncode, USAGE)
        self.assertIn("no section nothing", result.stderr)
        self.assertIn("serving", result.stderr)

    def test_settings_that_are_none(self):
        for value in ("many", "0", "-1"):
            result = self.bench("hashing", HASH_ROUNDS=value)
            self.assertEqual(result.returncode, USAGE)
            self.assertIn(f"HASH_ROUNDS={value}", result.stderr)

    def test_hashes(self):
        result = self.bench("hashing")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("Scatter over 10 workers", result.stdout)
        page, report = self.report("hashing")
        if shutil.which("gnuplot"):
            self.assertIn("svg", page.tags)
        moved = {figure["subject"]: figure["median"] for figure in report["figures"]
                 if figure["name"] == "hash_moved" and figure["parameters"]["of"] == 1}
        self.assertAlmostEqual(moved["table"], 50, delta=5)
        self.assertIn("make bench-quick ONLY='hashing'", report["command"])

    def test_everybody_serves(self):
        """Each subject answers all clients. If it is sticky, a client always meets the same
        worker."""
        result = self.bench("serving")
        self.assertEqual(result.returncode, 0, result.stderr)
        _, report = self.report("serving")
        rates = {figure["subject"] for figure in report["figures"]
                 if figure["name"] == "connections_per_second"}
        self.assertGreaterEqual(len(rates) + len(report["missing"]), 13)
        self.assertTrue({"stickyctl, kernel", "libsticky, threads", "stickyctl, user",
                         "plain SO_REUSEPORT", "HAProxy", "nginx"} <= rates, report["missing"])

    def test_reloads(self):
        result = self.bench("reloading")
        self.assertEqual(result.returncode, 0, result.stderr)
        _, report = self.report("reloading")
        failed = [figure["median"] for figure in report["figures"]
                  if figure["name"] == "reload_failed"
                  and figure["subject"] == "stickyctl, kernel"]
        self.assertEqual(failed, [0, 0])

    def test_without_privilege(self):
        program = self.run_program("setpriv", "--bounding-set", "-sys_admin", sys.executable, "-B",
                                   BENCH / "bench.py", "hashing", env={"BUILD": BUILD})
        self.assertEqual(program.returncode, NOT_PERMITTED)
        self.assertIn("sudo", program.stderr)

    def test_a_program_that_is_not_permitted_to_be_measured(self):
        program = self.run_program("setpriv", "--bounding-set", "-sys_admin",
                                   BUILD / "bench" / "program", "1", "1")
        self.assertEqual(program.returncode, NOT_PERMITTED)
        self.assertIn("CAP_SYS_ADMIN", program.stderr)

    def test_ended_by_a_signal(self):
        """The programs that the benchmark has started end with it."""
        program = self.program(sys.executable, "-B", BENCH / "bench.py", "--quick", "scaling",
                               env={"BUILD": BUILD})
        wait_for("it to measure", lambda: "64 slots" in program.errors, 60)
        program.send(signal.SIGTERM)
        program.wait(30)
        self.assertEqual(program.process.returncode, 128 + signal.SIGTERM)


if __name__ == "__main__":
    harness.main()
