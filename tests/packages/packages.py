#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build the Debian packages in a clean tree of files of each release, and use them in another one.

    BUILD=build tests/packages/packages.py stickyctl-0.1.0 12 13

The argument is the name of the source archive, which `make dist` has written. The same commit is in
$BUILD/distros/source.tar. Logs, trees and packages are kept in $BUILD/packages/12 and so on.

One line is printed for each step. The last line is always "N passed, N failed, N skipped".
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "distros"))

# pylint: disable=wrong-import-position
from release import Release, show_tail  # noqa: E402
from results import Counts, Step  # noqa: E402

BUILD = pathlib.Path(os.environ.get("BUILD", HERE.parent.parent / "build")).resolve()
SOURCE = BUILD / "distros" / "source.tar"
STATUS_SKIPPED = 77
PACKAGES = ("stickyctl", "libsticky0", "libsticky-dev")
INSTALL = "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq " \
    "--no-install-recommends"

# (column, command, is it alone in its network?): the steps in which the packages are built. The
# packages of the next version differ only in their changelog.
BUILD_STEPS = (
    ("dist", "make dist && cmp build/*.tar.gz ../made-by-git.tar.gz", False),
    ("deb", "make deb", False),
    ("next", "cd build/deb && mkdir 1 2 && cp *-1_*.deb 1 && cd stickyctl-*/ && "
     "sed -i '1s/-1)/-2)/' debian/changelog && dpkg-buildpackage -us -uc -b -nc && "
     "mv ../*-2_*.deb ../2", False),
)
# The next steps do not need the results of these.
CHECK_STEPS = (
    ("lintian", f"{INSTALL} lintian && lintian --allow-root --fail-on error,warning "
     "build/deb/*-1_*.changes", False),
    ("sbom", "make sbom && python3 -m json.tool build/*.spdx.json", False),
)
# The steps in which the packages are used. Their dependencies and the tools of use.py are installed
# beforehand.
TOOLS = "g++ gcc iproute2 libc6-dev libcap2-bin make pkgconf python3"
USE_STEPS = (
    ("tools", f"{INSTALL} {TOOLS} && {INSTALL} $(apt-get -s install ./debs/1/*.deb | "
     f"sed -n 's/^Inst \\([^ ]*\\).*/\\1/p' | grep -vxE '{'|'.join(PACKAGES)}')", False),
)
STEP = re.compile(r"^(ok|FAIL) (.*)$", re.MULTILINE)


def make_tree(number, purpose):
    """Make a tree. Returns the release. If no tree can be made, its cells say so. The archive from
    which all trees of a release are made is built once."""
    directory = BUILD / "packages" / number / purpose
    release = Release(number, directory, SOURCE)
    directory.mkdir(parents=True, exist_ok=True)
    for other in (BUILD / "distros" / number, directory.parent / "build"):
        if (other / "base.tar").exists() and not (directory / "base.tar").exists():
            os.link(other / "base.tar", directory / "base.tar")
    status = release.make_tree()
    if status == 0:
        return release
    release.cells["tree"] = Step(skipped=1) if status == STATUS_SKIPPED else Step(failed=1)
    return release


def copy_packages(builder, user):
    for number in ("1", "2"):
        target = user.directory / "tree" / "srv" / "stickyctl" / "debs" / number
        target.mkdir(parents=True)
        for package in PACKAGES:
            for path in (builder.directory / "tree/srv/stickyctl/build/deb" / number) \
                    .glob(f"{package}_*.deb"):
                shutil.copy(path, target)


def use(release):
    """Run use.py in the tree. It prints a line with the result of each of its steps."""
    passed, text = release.run("use", "python3 -B tests/packages/use.py", True)
    for word, step in STEP.findall(text):
        release.cells[step] = Step(passed=1) if word == "ok" else Step(failed=1)
    if not passed:
        show_tail(text)
        if not any(step.failed for step in release.cells.values()):
            release.cells["use"] = Step(failed=1)


def try_release(number, archive):
    """Build and use the packages of a release. Returns {step: its result}."""
    builder = make_tree(number, "build")
    if builder.cells:
        return builder.cells
    shutil.copy(archive, builder.directory / "tree" / "srv" / "made-by-git.tar.gz")
    if not builder.run_steps(BUILD_STEPS):
        return builder.cells
    for step in CHECK_STEPS:
        builder.run_steps([step])
    user = make_tree(number, "use")
    if not user.cells:
        copy_packages(builder, user)
        if user.run_steps(USE_STEPS):
            use(user)
    return {**builder.cells, **user.cells}


def check_archive(archive):
    """Check that the same commit gives the same archive, whatever the time and the umask are."""
    before = archive.read_bytes()
    archive.unlink()
    subprocess.run(["make", "-s", "dist", f"BUILD={BUILD}"], check=True, umask=0o002)
    return Step(passed=1) if archive.read_bytes() == before else Step(failed=1)


def main():
    archive = BUILD / f"{sys.argv[1]}.tar.gz"
    total = Counts()

    def tell(name, cells):
        for step, result in cells.items():
            print(f"{name}: {step}: {result}", flush=True)
            total.add(result)

    try:
        tell("this machine", {"dist twice": check_archive(archive)})
        for number in sys.argv[2:]:
            tell(f"Debian {number}", try_release(number, archive))
    finally:
        print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
