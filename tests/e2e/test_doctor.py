#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`doctor`: what is available, what is missing, and the remedies."""

import pathlib
import re
import resource
import subprocess

import harness
from harness import needs
from privilege import as_nobody, copy_program, without
from programs import NOT_PERMITTED, STICKYCTL
from world import set_up_network

class Doctor(harness.TestCase):
    """The findings of `doctor`."""

    def look(self, code, **options):
        """Returns the findings: {subject: (verdict, remedy or None)}."""
        result = self.stickyctl("doctor", **options)
        self.assertEqual((result.returncode, result.stderr), (code, ""), result.stdout)
        findings, last = {}, None
        for line in result.stdout.splitlines():
            if line.startswith(" "):  # the remedy of the line before it
                self.assertRegex(line, r"^\s+-> \S")
                findings[last] = (findings[last][0], line.strip())
                continue
            found = re.fullmatch(r"(ok|warning|missing)\s+(\S.*?)\s{2,}(\S.*)|"
                                 r"(ok|warning|missing)\s+(CAP_\w+)\s+(\S.*)", line)
            self.assertTrue(found, line)
            last = found[2] or found[5]
            findings[last] = (found[1] or found[4], None)
        for what, (verdict, remedy) in findings.items():
            self.assertEqual(remedy is None, verdict == "ok", f"{what}: {verdict}, {remedy}")
        return findings

    def test_here(self):
        findings = self.look(0)
        for what in ("kernel", "CAP_BPF", "CAP_NET_BIND_SERVICE", "bpf program", "wake-ups",
                     "bpffs", "descriptors", "somaxconn", "steering", "bind"):
            self.assertIn(what, findings)
        for what in ("kernel", "CAP_BPF", "bpf program", "steering", "bind"):
            self.assertEqual(findings[what][0], "ok", what)
        self.assertNotIn("missing", [verdict for verdict, _ in findings.values()])

    def test_without_bpf(self):
        findings = self.look(1, prefix=without("bpf", "sys_admin"))
        for what in ("CAP_BPF", "bpf program"):
            self.assertEqual(findings[what][0], "missing", what)
        self.assertIn("sudo", findings["CAP_BPF"][1])
        self.assertEqual(findings["steering"][0], "warning")

    def test_with_bpf_alone(self):
        program = copy_program(STICKYCTL, self.dir)
        findings = self.look(0, program=program, prefix=as_nobody("bpf"), cwd="/")
        self.assertEqual((findings["CAP_BPF"][0], findings["steering"][0]), ("ok", "ok"))
        self.assertEqual(findings["CAP_NET_BIND_SERVICE"][0], "warning")

    def test_without_chown(self):
        """With --user the socket of NOTIFY_SOCKET is given to the workers' user."""
        findings = self.look(0, prefix=without("chown"))
        self.assertEqual(findings["CAP_CHOWN"], ("warning", "-> without it --user does not work"))
        result = self.stickyctl("start", "-l", ":3000", "--user", "nobody", "--", "true",
                                prefix=without("chown"))
        self.assert_message(result, "notify.sock", "CAP_CHOWN", code=NOT_PERMITTED)

    @needs("setcap")
    def test_with_bpf_permitted_alone(self):
        """The capability is set by `setcap cap_bpf+p`. With +ep the program could not run where the
        capability is not available, as in most containers."""
        program = copy_program(STICKYCTL, self.dir)
        self.assertEqual(self.run_program("setcap", "cap_bpf+p", program).returncode, 0)
        self.assertEqual(self.look(0, program=program, prefix=as_nobody(), cwd="/")["steering"][0],
                         "ok")
        prefix = [*as_nobody(), "--bounding-set=-all"]
        findings = self.look(1, program=program, prefix=prefix, cwd="/")
        self.assertEqual(findings["steering"][0], "warning")

    def test_small_somaxconn(self):
        path = pathlib.Path("/proc/sys/net/core/somaxconn")
        before = path.read_text()
        self.addCleanup(path.write_text, before)
        path.write_text("128\n")
        self.assertEqual(self.look(0)["somaxconn"][0], "warning")

    def test_few_descriptors(self):
        self.assertEqual(self.look(0, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (64, 64)))["descriptors"][0], "warning")

    def test_loopback_down(self):
        subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
        try:
            self.assertEqual(self.look(0)["wake-ups"][0], "warning")
        finally:
            set_up_network()


if __name__ == "__main__":
    harness.main()
