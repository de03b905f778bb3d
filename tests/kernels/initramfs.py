# SPDX-License-Identifier: MIT
"""The first file system of a guest: busybox, init, modules, and the settings of the tests."""

import pathlib
import shutil
import stat

from modules import HOSTS, REQUIRED, WANTED
from unavailable import Unavailable

HERE = pathlib.Path(__file__).resolve().parent


def entry(name, mode, data=b"", number=0):
    """Returns one entry of a cpio archive of the format newc."""
    path = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
    padded = head + b"\0" * (-len(head) % 4) + data
    return padded + b"\0" * (-len(data) % 4)


def busybox():
    found = shutil.which("busybox", path="/bin:/usr/bin")
    if not found:
        raise Unavailable("busybox is not installed")
    return pathlib.Path(found).read_bytes()


def make(path, kernel, settings):
    """Make the archive. settings are shell variables for guest.sh."""
    entries = [(name, stat.S_IFDIR | 0o755, b"")
               for name in ("bin", "dev", "proc", "sys", "root", "modules")]
    entries += [("bin/busybox", stat.S_IFREG | 0o755, busybox()),
                ("init", stat.S_IFREG | 0o755, (HERE / "init.sh").read_bytes()),
                ("settings", stat.S_IFREG | 0o644, settings.encode())]
    order = kernel.modules.in_order(REQUIRED + WANTED + HOSTS) if kernel.modules else []
    for number, module in enumerate(order):
        # The number gives the order of loading, the name is for messages.
        name = f"modules/{number:03}-{pathlib.PurePath(module).name.split('.ko')[0]}.ko"
        entries.append((name, stat.S_IFREG | 0o644, kernel.modules.content(module)))
    archive = b"".join(entry(name, mode, data, number + 1)
                       for number, (name, mode, data) in enumerate(entries))
    path.write_bytes(archive + entry("TRAILER!!!", 0))
