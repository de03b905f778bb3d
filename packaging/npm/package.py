#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make the package for npm.

    package.py DIRECTORY VERSION CPU=PROGRAM:ROOT ...

CPU is what Node.js calls it: x64, arm64. ROOT is the tree of files from which the program's
libraries came: "/" for this machine. The result is DIRECTORY/stickyctl-VERSION.tgz.
"""

import contextlib
import gzip
import json
import pathlib
import shutil
import subprocess
import sys

from check_program import FLOOR, HERE, libraries

COMMON_LICENSES = pathlib.Path("/usr/share/common-licenses")
DESCRIPTION = ("Sticky sessions in the kernel: each client's connections go to the same worker, "
               "without a balancer process")
KEYWORDS = ["sticky", "session", "cluster", "socket.io", "websocket", "load-balancer", "bpf",
            "reuseport", "systemd"]


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def copy(source, target, mode=0o644):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def licence():
    """An SPDX expression. What a compiler adds to each program is left out, as everywhere."""
    others = {row[2] for row in libraries() if row[0] not in ("libgcc.a", "libc_nonshared.a")}
    return " AND ".join(["MIT", *sorted(others - {"MIT"})])


def description(version, cpus):
    return {
        "name": "stickyctl", "version": version, "description": DESCRIPTION, "keywords": KEYWORDS,
        "license": licence(), "bin": {"stickyctl": "bin/stickyctl"},
        "os": ["linux"], "cpu": cpus, "libc": ["glibc"], "engines": {"node": ">=18"},
        # Yarn keeps packages as archives, and from those nothing can be run.
        "preferUnplugged": True,
        "files": ["bin", "licenses", *(f"linux-{cpu}" for cpu in cpus)],
    }


def source_of(root, package):
    """The source package and its version, as Debian names them: "elfutils 0.188-2.1"."""
    with contextlib.suppress(OSError), gzip.open(
            root / "usr/share/doc" / package / "changelog.Debian.gz", "rt") as changelog:
        return changelog.readline().partition(")")[0].replace("(", "")
    form = "${source:Package} ${source:Version}"
    return subprocess.run(["dpkg-query", "-W", "-f", form, package], capture_output=True,
                          text=True, check=True).stdout


def packages(root):
    """The Debian packages from which something is in the program, and their licences."""
    for _, pattern, licence_of_it in libraries():
        for directory in sorted((root / "usr/share/doc").glob(pattern)):
            if (directory / "copyright").exists():
                yield directory, licence_of_it


def add_licences(target, roots):
    """The copyright files of what is linked in, the texts that they refer to, and its sources."""
    lines = {}
    for cpu, root in roots.items():
        for directory, licence_of_it in packages(root):
            copy(directory / "copyright", target / f"{directory.name}.copyright")
            lines[f"linux-{cpu}  {source_of(root, directory.name)}  {licence_of_it}"] = None
    for name in ("GPL-2", "GPL-3", "LGPL-2.1", "LGPL-3"):
        copy(COMMON_LICENSES / name, target / name)
    text = (HERE / "licences.md").read_text()
    write(target / "README.md", text + "".join(f"    {line}\n" for line in lines))


def stage(package, version, programs, roots):
    """Everything that is in the package."""
    shutil.rmtree(package, ignore_errors=True)
    write(package / "package.json", json.dumps(description(version, [*programs]), indent=2) + "\n")
    for source, name, mode in (("stickyctl.sh", "bin/stickyctl", 0o755),
                               ("README.md", "README.md", 0o644)):
        write(package / name, (HERE / source).read_text().replace("@FLOOR@", FLOOR), mode)
    copy(HERE.parent.parent / "LICENSE", package / "LICENSE")
    for cpu, program in programs.items():
        copy(program, package / f"linux-{cpu}" / "stickyctl", 0o755)
    add_licences(package / "licenses", roots)


def pack(package, directory):
    """Make the archive; that of a former version goes."""
    for former in directory.glob("stickyctl-*.tgz"):
        former.unlink()
    result = subprocess.run(
        ["npm", "pack", "--offline", "--cache", directory / "cache", "--loglevel=error",
         "--pack-destination", directory.resolve()],
        cwd=package, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"npm pack: {result.stderr}")
    shutil.rmtree(directory / "cache", ignore_errors=True)
    return directory / result.stdout.split()[-1]


def main():
    directory, version = pathlib.Path(sys.argv[1]), sys.argv[2]
    programs, roots = {}, {}
    for word in sys.argv[3:]:
        cpu, _, where = word.partition("=")
        program, _, root = where.rpartition(":")
        programs[cpu], roots[cpu] = pathlib.Path(program), pathlib.Path(root)
    stage(directory / "package", version, programs, roots)
    archive = pack(directory / "package", directory)
    print(f"{archive}: {archive.stat().st_size // 1024} KiB, {', '.join(programs)}")


if __name__ == "__main__":
    main()
