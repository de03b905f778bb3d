#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does each file of src/ include only what src/LAYERS allows its folder?

    python3 tests/layers.py [DIRECTORY]

DIRECTORY is the root of the sources (default: the one that this file is in). One line is printed
for each mistake:

- an include that is not allowed, one by "..", and one of a folder that LAYERS does not know;
- a circle of folders in LAYERS itself;
- in a folder that has levels, an include of a higher level, and a file that is in no level.

The exit status is then 1.
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
PUBLIC = "sticky.h"
GENERATED = "sticky.skel.h"  # bpftool makes this file from bpf/sticky.bpf.c


def read_layers(path):
    """folder -> the set of folders that it may include, from the top down; and
    folder -> level -> the set of its files, from the top down."""
    layers, levels = {}, {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        name, colon, words = text.partition(":")
        folder, slash, level = name.partition("/")
        if not colon or (not slash and folder in layers):
            raise SystemExit(f"{path}:{number}: not 'FOLDER: FOLDER ...', or a second time")
        if slash:
            levels.setdefault(folder, {}).setdefault(level, set()).update(words.split())
        else:
            layers[folder] = set(words.split())
    return layers, levels


def upward(layers):
    """Finds folders that may include one that stands above them. Without these there is no
    circle."""
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


def climbing(root, folder, levels):
    """Within one folder: finds files that include a header of a higher level, or are in no
    level."""
    height = {file: -place for place, files in enumerate(levels.values()) for file in files}
    paths = sorted((root / "src" / folder).glob("*.[ch]"))
    for file in sorted(set(height) - {path.stem for path in paths}):
        yield f"src/LAYERS: there is no src/{folder}/{file}.c or .h"
    for path in paths:
        where = path.relative_to(root)
        if path.stem not in height:
            yield f"{where}: it is in no level of {folder}"
            continue
        for name in INCLUDE.findall(path.read_text()):
            target, _, file = name.partition("/")
            if target == folder and height.get(pathlib.Path(file).stem, 0) > height[path.stem]:
                yield f'{where}: "{name}" is of a higher level'


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    layers, levels = read_layers(root / "src" / "LAYERS")
    faults = [*upward(layers), *forbidden(root, layers)]
    for folder in levels:
        faults += climbing(root, folder, levels[folder])
    print("\n".join(faults) or f"{len(layers)} folders: every include goes down")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
