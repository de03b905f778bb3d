#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Print what is linked into the program and the libraries that were built, as SPDX 2.3 (JSON).

    packaging/sbom.py VERSION BUILD

What is loaded is what the dynamic linker finds; what is contained is libbpf.a; what is compiled in
from headers alone is uthash. Versions are those of the installed Debian packages. The time in it is
that of the last commit, or SOURCE_DATE_EPOCH.
"""

import datetime
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.parse

PROGRAMS = {"stickyctl": "stickyctl", "libsticky": "libsticky.so.0"}
CONTAINED = ("libbpf-dev", "STATIC_LINK", "It is linked in from libbpf.a, with hidden symbols.")
HEADERS = ("uthash-dev", "BUILD_DEPENDENCY_OF", "Its headers are compiled in.")
# By source package: what its libraries are under; of several to choose from, that which was chosen.
LICENCES = {
    "elfutils": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "glibc": "LGPL-2.1-or-later",
    "jansson": "MIT",
    "libbpf": "BSD-2-Clause",
    "libcap-ng": "LGPL-2.1-or-later",
    "libevent": "BSD-3-Clause",
    "libyaml": "MIT",
    "ncurses": "X11-distribute-modifications-variant",
    "uthash": "BSD-1-Clause",
    "zlib": "Zlib",
}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def loaded(program):
    """The files that the dynamic linker loads because the program itself names them."""
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", program)))
    found = re.findall(r"^\s*(\S+) => (\S+) |^\s*(/\S+) \(", run("ldd", program), re.MULTILINE)
    return [path or alone for name, path, alone in found
            if (name or os.path.basename(alone)) in needed]


def owner_of(path):
    """The package of a file. dpkg knows it by its name below /usr, or by that above it, and also
    tells of diversions."""
    real = os.path.realpath(path)
    for name in (path, real, real.removeprefix("/usr"), "/usr" + path):
        done = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True, check=False)
        owner = re.search(r"^(?!diversion |local )([^:,\s]+)", done.stdout, re.MULTILINE)
        if owner:
            return owner[1]
    sys.exit(f"packaging/sbom.py: no package has {path}")


def licence_of(source):
    if source not in LICENCES:
        sys.exit(f"packaging/sbom.py: name the licence of {source} in LICENCES")
    return LICENCES[source]


@functools.cache
def describe(package):
    fields = run("dpkg-query", "-W", "-f",
                 "${Version}\\t${Architecture}\\t${source:Package}\\n", package)
    version, architecture, source = fields.splitlines()[0].split("\t")
    return {
        "SPDXID": f"SPDXRef-{package}",
        "name": package,
        "versionInfo": version,
        "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": licence_of(source),
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "sourceInfo": f"built from the Debian source package {source}",
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": f"pkg:deb/debian/{package}@"
                                f"{urllib.parse.quote(version, safe='')}?arch={architecture}",
        }],
    }


def describe_own(name, path, version):
    return {
        "SPDXID": f"SPDXRef-{name}",
        "name": name,
        "versionInfo": version,
        "packageFileName": path.name,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "checksums": [{"algorithm": "SHA256",
                       "checksumValue": hashlib.sha256(path.read_bytes()).hexdigest()}],
        "licenseConcluded": "MIT AND BSD-2-Clause",
        "licenseDeclared": "MIT",
        "copyrightText": "Copyright (c) 2026 The stickyctl authors",
    }


def relation(element, kind, related, comment=None):
    said = {"spdxElementId": f"SPDXRef-{element}", "relationshipType": kind,
            "relatedSpdxElement": f"SPDXRef-{related}"}
    return {**said, "comment": comment} if comment else said


def relations_of(name, path):
    yield relation("DOCUMENT", "DESCRIBES", name)
    for package in sorted({owner_of(file) for file in loaded(path)}):
        yield relation(name, "DYNAMIC_LINK", package)
    package, kind, comment = CONTAINED
    yield relation(name, kind, package, comment)
    package, kind, comment = HEADERS
    yield relation(package, kind, name, comment)


def created():
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    if not seconds:
        seconds = run("git", "log", "-1", "--format=%ct") if os.path.exists(".git") \
            else os.stat("Makefile").st_mtime
    return datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc) \
        .strftime("%Y-%m-%dT%H:%M:%SZ")


def main():
    version, build = sys.argv[1], pathlib.Path(sys.argv[2])
    own = {name: build / file for name, file in PROGRAMS.items()}
    relations = [each for name, path in own.items() for each in relations_of(name, path)]
    named = {each[end].removeprefix("SPDXRef-") for each in relations
             for end in ("spdxElementId", "relatedSpdxElement")}
    packages = [describe_own(name, path, version) for name, path in own.items()] + \
        [describe(package) for package in sorted(named - own.keys() - {"DOCUMENT"})]
    number = hashlib.sha256(json.dumps([packages, relations]).encode()).hexdigest()[:16]
    print(json.dumps({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"stickyctl-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/stickyctl-{version}-{number}",
        "creationInfo": {"created": created(), "creators": ["Tool: packaging/sbom.py"]},
        "packages": packages,
        "relationships": relations,
    }, indent=2))


if __name__ == "__main__":
    main()
