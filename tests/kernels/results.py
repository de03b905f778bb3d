# SPDX-License-Identifier: MIT
"""The results that a guest has written for its suites."""

import dataclasses
import re
import subprocess

COUNTS = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped")
FINDING = re.compile(r"(ok|warning|missing)\s+(\S.*?)\s{2,}(\S.*)")
STEERS_FROM = (5, 14)  # the first version in which connections move with their slot


@dataclasses.dataclass
class Suite:
    """The result of one suite."""
    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: int = 0
    notes: list = dataclasses.field(default_factory=list)  # about failures and skips

    def counts(self):
        return f"{self.passed}/{self.failed}/{self.skipped}"


@dataclasses.dataclass
class Outcome:
    """The result of one kernel."""
    kernel: str
    version: str
    release: str = ""
    problem: str = ""  # why results are missing
    unavailable: bool = False
    suites: dict = dataclasses.field(default_factory=dict)
    doctor: dict = dataclasses.field(default_factory=dict)  # subject of each check: its result

    @property
    def failed(self):
        return sum(suite.failed for suite in self.suites.values()) + \
            bool(self.problem and not self.unavailable)


def supported(release):
    """Does stickyctl support steering on this kernel? `release` is that of uname -r."""
    found = re.match(r"(\d+)\.(\d+)", release)
    return bool(found) and (int(found[1]), int(found[2])) >= STEERS_FROM


def unpack(directory):
    """Unpack the tar archive that the guest has written to its disk."""
    subprocess.run(["tar", "-C", directory, "--strip-components=1", "-xf", directory / "disk"],
                   check=False, stderr=subprocess.DEVNULL)
    (directory / "disk").unlink(missing_ok=True)
    (directory / "initramfs").unlink(missing_ok=True)


def doctor_findings(text):
    return {found[2]: f"{found[1]}: {found[3]}"
            for line in text.splitlines() if (found := FINDING.match(line))}


def judge_doctor(text, status, release):
    """The check passes if the doctor's report fits what is known about this kernel."""
    suite = Suite("doctor")
    findings = doctor_findings(text)
    version = ".".join(release.split(".")[:2])
    if supported(release):
        good = status == "0" and findings.get("steering", "").startswith("ok")
        wanted = "status 0 and \"ok steering\""
    else:
        sentence = f"Linux 5.14 or later is needed; this is {version}"
        good = status not in ("", "0") and sentence in text
        wanted = f"a failing status and \"{sentence}\""
    suite.passed, suite.failed = (1, 0) if good else (0, 1)
    if not good:
        suite.notes.append(f"doctor: wanted {wanted}; status {status or 'unknown'}")
        suite.notes += [f"  | {line}" for line in text.splitlines()
                        if not line.startswith("ok ")]
    return suite


def judge_bench(text, status):
    """The benchmark passes if it has measured everything. Its report is shown."""
    good = status == "0"
    return Suite("bench", passed=int(good), failed=int(not good),
                 notes=[line.rstrip() for line in text.splitlines() if line.strip()])


def notes_of(text):
    """The lines of tests/run.py about failures and skips."""
    notes, name = [], ""
    for line in text.splitlines():
        found = re.match(r"(ok|FAIL|skip)\s+(\S+/\S+)", line)
        if found:
            name = found[2]
            if found[1] == "FAIL":
                notes.append(line.strip())
        elif re.match(r"\s+skipped: ", line):
            notes.append(f"{name}: {line.strip()}")
        elif re.match(r"\s+\|\s+not ok", line) and "# SKIP" not in line:
            notes.append(f"  {line.strip()}")
        elif line.startswith(("AGAIN", "FLAKY")):
            notes.append(line)
    return notes


def judge_suite(name, text):
    lines = text.strip().splitlines()
    found = COUNTS.fullmatch(lines[-1]) if lines else None
    suite = Suite(name)
    if found:
        suite.passed, suite.failed, suite.skipped = map(int, found.groups())
    else:
        # The suite did not end: the tests of its files so far are counted, plus one failure.
        for line in lines:
            if re.match(r"(ok|FAIL|skip)\s+\S+/\S+", line):
                for number, word in re.findall(r"(\d+) (passed|failed|skipped)", line):
                    setattr(suite, word, getattr(suite, word) + int(number))
        suite.failed += 1
        suite.notes.append(f"{name} did not end; its last line: "
                           f"{lines[-1] if lines else 'none'}")
    suite.notes += notes_of(text)
    return suite


def read(directory, name):
    path = directory / name
    return path.read_text(errors="replace").strip() if path.exists() else ""


def collect(outcome, directory, suites):
    """Fill an outcome from the files of a results directory."""
    outcome.release = read(directory, "release")
    for name in suites:
        status = read(directory, f"{name}.status")
        text = read(directory, f"{name}.log")
        if not status and not text:
            continue  # the guest did not run this suite; outcome.problem says why
        if name == "doctor":
            suite = judge_doctor(text, status, outcome.release)
            outcome.doctor = doctor_findings(text)
        elif name == "bench":
            suite = judge_bench(text, status)
        else:
            suite = judge_suite(name, text)
        suite.seconds = int(read(directory, f"{name}.seconds") or 0)
        outcome.suites[name] = suite
