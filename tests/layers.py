#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does each file of src/ include only what src/LAYERS allows its folder?

    python3 tests/layers.py [DIRECTORY]

DIRECTORY is the root of the sources (default: the one that this file is in). An include that is
not allowed, one by "..", one of a folder that LAYERS does not know, and a circle of folders in
LAYERS itself are named, one a line; the exit status is then 1.
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
PUBLIC = "sticky.h"
GENERATED = "sticky.skel.h"  # what bpftool makes of bpf/sticky.bpf.c


def read_layers(path):
    """folder -> the set of folders that it may include, from the top down."""
    layers = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.partition("#")[0].strip()
        if text:
            folder, colon, allowed = text.partition(":")
            if not colon or folder in layers:
                raise SystemExit(f"{path}:{number}: not 'FOLDER: FOLDER ...', or a second time")
            layers[folder] = set(allowed.split())
    return layers


def upward(layers):
    """A folder may include only what stands below it: so there is no circle."""
    folders = list(layers)
    for place, folder in enumerate(folders):
        for name in sorted(layers[folder] & set(folders[:place])):
            yield f"src/LAYERS: {folder} may not include {name}, which stands above it"


def forbidden(root, layers):
    for path in sorted((root / "src").glob("*/*.[ch]")):
        folder = path.parent.name
        allowed = layers.get(folder)
        where = path.relative_to(root)
        if allowed is None:
            yield f"{where}: src/LAYERS does not know the folder {folder}"
            continue
        for name in INCLUDE.findall(path.read_text()):
            target = name.split("/")[0]
            if name in (PUBLIC, GENERATED) or target == folder and "/" in name:
                continue
            if target not in allowed or "/" not in name or ".." in name:
                yield f'{where}: {folder} may not include "{name}"'


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    layers = read_layers(root / "src" / "LAYERS")
    faults = [*upward(layers), *forbidden(root, layers)]
    print("\n".join(faults) or f"{len(layers)} folders: every include goes down")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
