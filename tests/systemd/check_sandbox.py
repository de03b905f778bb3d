# SPDX-License-Identifier: MIT
"""The rights of the controller and the workers, and drop-ins that change them."""

import pathlib
import re
import subprocess
import textwrap

from case import Case
from service import TARGET, WORKER, Load
from world import status_of

# The capabilities that the controller keeps after its start.
KEPT = {"cap_net_bind_service", "cap_setuid", "cap_setgid", "cap_kill", "cap_bpf",
        "cap_dac_read_search", "cap_sys_ptrace"}


def drop_ins():
    """Returns the drop-ins of docs/systemd.md, for the user nobody."""
    page = pathlib.Path("docs/systemd.md").read_text()
    blocks = re.findall(r"^    \[Service\]\n((?:    .*\n)+)", page, re.MULTILINE)
    return [re.sub(r"\bapp\b", "nobody", textwrap.dedent(block)) for block in blocks]


class Sandbox(Case):
    """The rights of the controller and the workers."""

    def test_controller(self):
        """the controller has the capabilities that it keeps, and none is effective"""
        service = self.service()
        status = status_of(service.pid)
        found = subprocess.run(["capsh", f"--decode={status['CapPrm']}"], check=False,
                               capture_output=True, text=True).stdout.strip()
        if found:
            self.assertEqual(set(found.partition("=")[2].split(",")), KEPT)
        self.assertEqual((int(status["CapEff"], 16), status["NoNewPrivs"]), (0, "1"))

    def test_user(self):
        """user: workers as another user, on port 80, through a crash and a reload"""
        service = self.service(user="nobody", listen=["127.0.0.1:80", TARGET])
        before = service.workers()
        self.assertEqual({status_of(pid)["Uid"].split()[0] for pid in before}, {"65534"})
        self.assertEqual({int(status_of(pid)["CapPrm"], 16) for pid in before}, {0})
        service.wait_next(service.kill_controller())
        self.assertEqual(service.workers(), before)
        load = Load()
        self.assertEqual(service.do("reload"), 0)
        self.assert_nobody_lost(load.stop())
        self.assertFalse(set(before) & set(service.workers()))

    def test_bind(self):
        """a server that binds its address itself, as another user, through a crash"""
        service = self.service(user="nobody", worker="bind",
                               command=[str(WORKER), "--notify", "--bind", TARGET])
        before = service.workers()
        load = Load()
        service.wait_next(service.kill_controller())
        self.assert_nobody_lost(load.stop())
        self.assertEqual(service.workers(), before)
        self.assertEqual(service.do("reload"), 0)
        self.assertFalse(set(before) & set(service.workers()))

    def test_files(self):
        """workers of root can't write to /usr, /etc, /sys, and can to /tmp, /var and the pins"""
        script = pathlib.Path("/usr/local/lib/sticky-test/writes")
        places = "/usr /etc /sys/fs/bpf /sys/fs/cgroup /tmp /var/lib"
        script.write_text(f"#!/bin/sh\nfor place in {places}; do\n"
                          "  mkdir $place/written 2>/dev/null && echo wrote $place\n"
                          f"done\nexec {WORKER} --notify\n")
        script.chmod(0o755)
        service = self.service(workers=1, command=[str(script)])
        for place in ("/tmp", "/var/lib", "/sys/fs/bpf"):
            pathlib.Path(place, "written").rmdir()
        wrote = [line.split()[-1] for line in service.journal().splitlines()
                 if line.startswith("wrote")]
        self.assertEqual(wrote, ["/sys/fs/bpf", "/tmp", "/var/lib"])

    def test_node(self):
        """Node.js, whose compiler needs memory that is writable and executable"""
        if subprocess.run(["sh", "-c", "command -v node"], check=False,
                          capture_output=True).returncode:
            self.skipTest("node: not installed")
        app = pathlib.Path("/usr/local/lib/sticky-test/app.js")
        app.write_text("require('http').createServer((q, s) => s.end(String(process.pid)))"
                       ".listen(3000, '127.0.0.1');\n")
        node = subprocess.run(["node", "-p", "process.execPath"], check=True, text=True,
                              capture_output=True).stdout.strip()
        service = self.service(command=[node, str(app)], ready="auto", user="nobody")
        before = service.workers()
        service.wait_next(service.kill_controller())
        self.assertEqual(service.workers(), before)
        self.assertEqual(service.do("reload"), 0)

    def test_drop_ins(self):
        """each drop-in of docs/systemd.md: it starts, reloads and is taken over"""
        uploads = pathlib.Path("/srv/web/uploads")
        uploads.mkdir(parents=True)
        for text in drop_ins():
            service = self.service(drop_in=text)
            self.assertEqual(service.do("reload"), 0, text)
            before = service.workers()
            service.wait_next(service.kill_controller())
            self.assertEqual(service.workers(), before, text)
            self.clean_up(service)

    def test_drop_in_user(self):
        """drop-in: the controller as another user, with port 80"""
        text = next(text for text in drop_ins() if "User=" in text)
        service = self.service(drop_in=text, listen=["127.0.0.1:80", TARGET])
        self.assertIn("steering kernel", service.show("StatusText"))
        pids = [service.pid, *service.workers()]
        self.assertEqual({status_of(pid)["Uid"].split()[0] for pid in pids}, {"65534"})
        self.assertEqual(service.do("reload"), 0)
        self.assertEqual(service.stickyctl("status").returncode, 0)
        pids = [service.pid, *service.workers()]
        self.assertEqual(service.do("stop"), 0)
        self.assert_stopped(service, pids)
