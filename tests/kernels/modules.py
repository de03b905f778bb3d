# SPDX-License-Identifier: MIT
"""The modules of a kernel that the guest loads before it starts its root file system."""

import lzma
import pathlib
import re
import subprocess

# Without these modules the guest can't start the tests.
REQUIRED = ("virtio_pci", "virtio_blk", "ext4")
# Tests use these modules. If a module is missing, the tests that need it are skipped with the
# reason.
WANTED = ("tun", "veth", "dummy", "sch_netem", "inet_diag", "tcp_diag", "unix_diag")
# The tests of several hosts use these. All other tests run on a kernel without them, too.
HOSTS = ("bridge", "ip_vs", "ip_vs_sh", "ip_vs_mh")


def plain(name):
    """A module's name as the kernel writes it, from a file name or a word of a list."""
    return re.sub(r"\.ko.*", "", pathlib.PurePath(name).name).replace("-", "_")


class Modules:
    """The modules below `directory`, which is <tree>/lib/modules/<release>."""

    def __init__(self, directory):
        self.directory = directory
        if not (directory / "modules.dep").exists():
            # depmod -b wants the directory above lib/modules.
            subprocess.run(["/sbin/depmod", "-b", directory.parents[2], directory.name],
                           check=True, stderr=subprocess.DEVNULL)
        self.needs = {}
        for line in (directory / "modules.dep").read_text().splitlines():
            path, _, others = line.partition(":")
            self.needs[plain(path)] = (path, [plain(each) for each in others.split()])
        builtin = directory / "modules.builtin"
        self.builtin = {plain(line) for line in builtin.read_text().splitlines()} \
            if builtin.exists() else set()

    def missing(self, names):
        return [name for name in names if name not in self.needs and name not in self.builtin]

    def in_order(self, names):
        """Returns the paths of modules, and of those that they need, in the order of loading."""
        order = []

        def add(name):
            path, others = self.needs[name]
            # modules.dep lists direct dependencies first; the last one depends on none of the
            # others.
            for other in reversed(others):
                if self.needs[other][0] not in order:
                    add(other)
            if path not in order:
                order.append(path)

        for name in names:
            if name in self.needs:
                add(name)
        return order

    def content(self, path):
        """Returns the module uncompressed, as busybox's insmod does not know all compressions."""
        data = (self.directory / path).read_bytes()
        if path.endswith(".xz"):
            return lzma.decompress(data)
        if path.endswith(".zst"):
            return subprocess.run(["zstd", "-dc"], input=data, check=True,
                                  capture_output=True).stdout
        return data
