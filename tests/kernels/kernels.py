# SPDX-License-Identifier: MIT
"""The kernels to boot. A name is a rule, as exact versions come to and go from the archive.

    6.1-oldest, 6.1-newest   of the available versions of the series 6.1
    newest                   of all series
    path/to/bzImage          a kernel that the user built, with all drivers built in
"""

import dataclasses
import pathlib
import re

from archive import IMAGE
from modules import REQUIRED, WANTED, Modules
from unavailable import Unavailable

FLAVOURS = ("cloud-amd64", "amd64")  # the second is used if the first lacks a module


@dataclasses.dataclass
class Kernel:
    name: str  # as the user wrote it
    version: str = ""       # the package's version, or the path
    image: pathlib.Path = None
    modules: Modules = None
    problem: str = ""  # why it can't be booted


def choose(packages, name):
    """Returns the package for a name such as 6.1-oldest."""
    found = re.fullmatch(r"(?:(?P<series>\d+\.\d+)-)?(?P<which>oldest|newest)", name)
    if not found:
        raise Unavailable(f"{name} is no name of a kernel: SERIES-oldest, SERIES-newest, newest, "
                          "or a path with a slash")
    series = found["series"]
    matching = [each for each in packages
                if not series or re.match(rf"{re.escape(series)}\D", each.version)]
    if not matching:
        raise Unavailable(f"the archive has no kernel of the series {series}")
    return matching[0 if found["which"] == "oldest" else -1]


def release_of(image):
    """Returns the release that a bzImage names in its header. Its offset is at 0x20e, relative to
    0x200."""
    with open(image, "rb") as file:
        head = file.read(0x8000)
    offset = int.from_bytes(head[0x20e:0x210], "little") + 0x200
    return head[offset:offset + 200].split(b"\0")[0].split(b" ")[0].decode(errors="replace")


def from_path(path):
    image = pathlib.Path(path)
    if not image.is_file():
        raise Unavailable(f"there is no file {path}")
    return Kernel(path, f"{release_of(image)}, built by hand", image)


def parts_of(tree):
    """Returns the image and the modules of an unpacked kernel. Packages from 7.x on have both in
    usr/lib."""
    root = tree / "usr" if (tree / "usr/lib/modules").exists() else tree
    directories = list((root / "lib/modules").iterdir())
    images = [*(tree / "boot").glob("vmlinuz-*"), *directories[0].glob("vmlinuz")]
    if len(directories) != 1 or not images:
        raise Unavailable(f"{tree.name} is not packed as expected: no image, or several releases")
    return images[0], Modules(directories[0])


def from_archive(archive, directory, name):
    lacking = ""
    for flavour in FLAVOURS:
        package = choose(archive.kernels(flavour), name)
        abi = IMAGE.fullmatch(package.name)["abi"]
        tree = directory / "packages" / f"{abi}-{flavour}_{package.version}"
        if not tree.exists():
            archive.extract(package, tree)
        image, modules = parts_of(tree)
        if not modules.missing(REQUIRED + WANTED):
            break
        lacking = ", ".join(modules.missing(REQUIRED))
    if lacking:
        raise Unavailable(f"the kernel has no {lacking}")
    return Kernel(name, f"{package.version} ({flavour})", image, modules)


def find(archive, directory, name):
    """Find a kernel. Returns it ready to boot, or with the reason why it can't be booted."""
    try:
        if "/" in name:
            return from_path(name)
        archive.update()
        return from_archive(archive, directory, name)
    except Unavailable as unavailable:
        return Kernel(name, problem=str(unavailable))
