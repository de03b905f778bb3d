#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that each file of the project that README.md and docs/ name exists, and that each link
leads to a page and an anchor.

A file is named with a folder (tests/kernel/test_open.c, src/engine/wake.c, supervise/worker_exit.c)
or by a link. The exit status is 1 if a name or a link is wrong.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "bench" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = {path.name for base in (ROOT, ROOT / "src", ROOT / "tests") for path in base.iterdir()
           if path.is_dir() and not path.name.startswith(".") and path.name != "build"}
NAMED = re.compile(r"(?<![\w/.-])((?:[\w-]+/)+[\w-]+\.(?:c|h|py|sh|js|md|json))\b")
LINK = re.compile(r"\]\(([^)#\s]+)?(?:#([^)\s]+))?\)")


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")
            for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def check_links(page, text):
    for target, anchor in LINK.findall(text):
        if "://" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists():
            yield f"no such file: {target}"
        elif anchor and path.suffix == ".md" and anchor not in anchors(path.read_text()):
            yield f"{path.name} has no heading for #{anchor}"


def check_names(page, text):
    for name in NAMED.findall(text):
        if name.split("/")[0] in FOLDERS and not any(
                (base / name).exists() for base in (page.parent, ROOT, ROOT / "src", ROOT / "tests")):
            yield f"no such file: {name}"


def main():
    problems = 0
    for page in PAGES:
        text = page.read_text()
        for problem in sorted({*check_links(page, text), *check_names(page, text)}):
            print(f"{page.relative_to(ROOT)}: {problem}", file=sys.stderr)
            problems += 1
    print(f"{len(PAGES)} pages: {'every file and link is there' if not problems else problems}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
