# SPDX-License-Identifier: MIT
"""Debian's archive, read with an apt state of its own: the machine's apt state is not changed.

The mirrors are those of the machine's own apt sources. Kernels are taken from more releases than
the machine has in its sources. Therefore a list of sources is written that names all of them.
"""

import dataclasses
import functools
import os
import pathlib
import platform
import re
import subprocess
import time

from unavailable import Unavailable

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# The releases from which kernels are taken, on the main mirror and on the security mirror.
MAIN = ("bookworm", "bookworm-backports", "trixie", "trixie-backports", "sid", "experimental")
SECURITY = ("bullseye-security", "bookworm-security", "trixie-security")
LISTS_KEPT_S = 24 * 3600  # package lists are fetched anew when they are older
FETCH_LIMIT_S = 600

# A signed kernel: linux-image-<ABI>-cloud-amd64, or without "cloud".
IMAGE = re.compile(r"linux-image-(?P<abi>\d+\.\d+\.\d+\S*?)-(?P<flavour>cloud-amd64|amd64)")


@dataclasses.dataclass(frozen=True)
class Package:
    name: str
    version: str
    depends: str = ""


def codename():
    """The release of Debian that this machine runs."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    return release.get("VERSION_CODENAME", "")


def mirrors():
    """The URIs of the machine's main and security mirrors. A mirror that it does not have is
    None."""
    try:
        listed = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)",
             "Created-By: Packages"], check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"apt-get cannot list this machine's sources: {error}") from error
    found = {}
    for line in listed.splitlines():
        uri, release, component = line.split()
        if component == "main":
            found.setdefault(release, uri)
    main = found.get(codename())
    if not main:
        raise Unavailable("this machine's apt sources name no mirror of Debian")
    return main, found.get(f"{codename()}-security")


@functools.cache
def later(version, other):
    """Is a version later than another one, as dpkg compares them?"""
    return subprocess.run(["dpkg", "--compare-versions", version, "gt", other],
                          check=False).returncode == 0


def by_version(package, other):
    """For functools.cmp_to_key()."""
    if package.version == other.version:
        return (package.name > other.name) - (package.name < other.name)
    return 1 if later(package.version, other.version) else -1


class Archive:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory) / "apt"
        self.sources = self.directory / "sources.list"

    # The files that apt needs.

    def _options(self):
        at = self.directory
        options = {"Dir::Etc::SourceList": self.sources, "Dir::Etc::SourceParts": "/dev/null",
                   "Dir::State": at / "state", "Dir::State::status": at / "status",
                   "Dir::Cache": at / "cache", "APT::Architecture": "amd64",
                   "APT::Architectures": "amd64", "APT::Sandbox::User": "root",
                   "Acquire::Languages": "none", "Acquire::http::Timeout": "20"}
        return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]

    def _apt(self, program, *arguments, **options):
        try:
            return subprocess.run([program, *self._options(), *arguments], check=False,
                                  capture_output=True, text=True, timeout=FETCH_LIMIT_S, **options)
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{program} did not end within {FETCH_LIMIT_S} s") from error

    def _write_sources(self):
        main, security = mirrors()
        lines = [f"deb [signed-by={KEYRING}] {main} {release} main" for release in MAIN]
        if security:
            lines += [f"deb [signed-by={KEYRING}] {security} {release} main"
                      for release in SECURITY]
        text = "\n".join(lines) + "\n"
        for part in ("state/lists/partial", "cache/archives/partial"):
            (self.directory / part).mkdir(parents=True, exist_ok=True)
        (self.directory / "status").touch()
        changed = not self.sources.exists() or self.sources.read_text() != text
        self.sources.write_text(text)
        return changed

    def update(self):
        """Fetch the package lists if they are missing or old."""
        changed = self._write_sources()
        stamp = self.directory / "updated"
        if not changed and stamp.exists() and \
                time.time() - stamp.stat().st_mtime < LISTS_KEPT_S:
            return
        # If a mirror does not have a release any more, apt reports an error. The other releases are
        # usable.
        result = self._apt("apt-get", "update")
        if not any((self.directory / "state/lists").glob("*_Packages*")):
            reason = (result.stderr.strip().splitlines() or ["no package lists"])[-1]
            raise Unavailable(f"Debian's package lists cannot be had: {reason}")
        stamp.touch()

    # Packages.

    def _show(self, *names):
        """Show all versions of packages."""
        found = set()
        for paragraph in self._apt("apt-cache", "show", *names).stdout.split("\n\n"):
            fields = dict(re.findall(r"^(Package|Version|Depends): (.*)$", paragraph,
                                     re.MULTILINE))
            if "Version" in fields:
                found.add(Package(fields["Package"], fields["Version"],
                                  fields.get("Depends", "")))
        return found

    def kernels(self, flavour):
        """The packages of signed kernels, oldest first. Release candidates are left out."""
        names = self._apt("apt-cache", "pkgnames", "linux-image-").stdout.split()
        names = [name for name in names
                 if (found := IMAGE.fullmatch(name)) and found["flavour"] == flavour]
        if not names:
            return []
        packages = [each for each in self._show(*names) if "~rc" not in each.version]
        return sorted(packages, key=functools.cmp_to_key(by_version))

    def parts(self, package):
        """Returns the package and those into which it is split: -binary, -modules and -base."""
        abi = IMAGE.fullmatch(package.name)["abi"]
        wanted = re.findall(rf"linux-(?:base|binary|modules)-{re.escape(abi)}-[\w-]+",
                            package.depends)
        return [package.name, *wanted]

    def extract(self, package, tree):
        """Download a kernel and unpack it."""
        temporary = tree.with_name(tree.name + ".new")
        subprocess.run(["rm", "-rf", temporary], check=True)
        temporary.mkdir(parents=True)
        for name in self.parts(package):
            result = self._apt("apt-get", "download", f"{name}={package.version}",
                               cwd=temporary)
            files = list(temporary.glob("*.deb"))
            if result.returncode or not files:
                reason = (result.stderr.strip().splitlines() or ["nothing was fetched"])[-1]
                raise Unavailable(f"{name} {package.version} cannot be downloaded: {reason}")
            for file in files:
                subprocess.run(["dpkg", "-x", file, temporary], check=True)
                file.unlink()
        os.rename(temporary, tree)
