# SPDX-License-Identifier: MIT
"""The guest's disks: Debian with the packages that the tests need, and the tree of built files."""

import hashlib
import pathlib
import shutil
import subprocess

from archive import KEYRING, codename, mirrors
from unavailable import Unavailable

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
FREE_KIB = 400 * 1024  # room for what the tests write
# The files of the build directory that the tests need. Objects and other builds are left out.
BUILT = ("stickyctl", "libsticky.a", "libsticky.so", "libsticky.so.0", "debug/libsticky.so.0", "bpf",
         "tests", "bench")
NOT_RUN = ("*.o", "*.d", "*.corpus")


def last_line(text):
    return (text.strip().splitlines() or ["no message"])[-1]


def make_ext4(directory, image):
    """Make an ext4 image of a directory, with some free space."""
    used = int(subprocess.run(["du", "-sk", directory], check=True, capture_output=True,
                              text=True).stdout.split()[0])
    files = sum(1 for _ in directory.rglob("*"))
    temporary = image.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    # These features are off, as an older kernel's ext4 can't mount them, or as they are not needed.
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-O", "^has_journal,^metadata_csum",
                    "-N", str(files + 20000), "-d", directory, temporary,
                    f"{used + used // 8 + FREE_KIB}k"],
                   check=True, stdout=subprocess.DEVNULL)
    temporary.rename(image)


def root_image(directory, packages):
    """Make Debian's root file system with these packages. It is kept until the list of packages
    changes."""
    release = codename()
    wanted = hashlib.sha256(f"required {release} {' '.join(packages)}".encode()).hexdigest()
    image, stamp = directory / "root.ext4", directory / "root.packages"
    if image.exists() and stamp.exists() and stamp.read_text() == wanted:
        return image
    print(f"making a root file system of {len(packages)} packages", flush=True)
    main, security = mirrors()
    lines = [f"deb [signed-by={KEYRING}] {main} {release} main"]
    if security:
        lines.append(f"deb [signed-by={KEYRING}] {security} {release}-security main")
    root = directory / "root"
    shutil.rmtree(root, ignore_errors=True)
    command = ["mmdebstrap", "--quiet", "--variant=required", f"--include={','.join(packages)}",
               release, root, *lines]
    log = directory / "root.log"
    with open(log, "w", encoding="utf-8") as output:
        result = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=output,
                                stderr=subprocess.STDOUT)
    if result.returncode:
        shutil.rmtree(root, ignore_errors=True)
        raise Unavailable("the guest's root file system cannot be made: mmdebstrap says "
                          f"\"{last_line(log.read_text(errors='replace'))}\"")
    make_ext4(root, image)
    shutil.rmtree(root)
    stamp.write_text(wanted)
    return image


def source_files():
    """The files of the source tree that are under version control."""
    listed = subprocess.run(["git", "-c", f"safe.directory={SOURCE}", "-C", SOURCE, "ls-files", "-z",
                             "--cached", "--others", "--exclude-standard"],
                            check=False, capture_output=True)
    names = listed.stdout.decode().split("\0") if listed.returncode == 0 else \
        [str(path.relative_to(SOURCE)) for part in ("tests", "bench", "examples", "docs", "include")
         for path in (SOURCE / part).rglob("*")]
    return [name for name in names if name and (SOURCE / name).is_file()]


def tree_image(directory, build):
    """Make an image of the source tree and the built files, which is /srv in the guest."""
    staged = directory / "tree"
    shutil.rmtree(staged, ignore_errors=True)
    for name in source_files():
        target = staged / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(SOURCE / name, target)
    for name in BUILT:
        built, target = build / name, staged / "build" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if built.is_dir():
            shutil.copytree(built, target, symlinks=True,
                            ignore=shutil.ignore_patterns(*NOT_RUN))
        elif built.exists():
            shutil.copy2(built, target, follow_symlinks=False)
    image = directory / "tree.ext4"
    make_ext4(staged, image)
    shutil.rmtree(staged)
    return image
