#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write README.md, docs/ and the manual as pages of HTML, with links and navigation between them.

    python3 docs/site/make.py DIRECTORY

The pages need nothing from elsewhere: one style sheet, no script. What they link to beside pages
(sources, examples) is there as a page, too.
"""

import html
import pathlib
import posixpath
import re
import shutil
import sys

from manual_page import read_manual
from markdown_page import ROOT, read_markdown
from source_page import read_source

STYLE = ROOT / "docs" / "site" / "style.css"

# The navigation: titles, and the pages below each, as patterns of files.
SECTIONS = (
    ("", ("README.md",)),
    ("Quick start", ("docs/quickstart/nodejs.md", "docs/quickstart/python.md",
                     "docs/quickstart/ruby.md", "docs/quickstart/go.md", "docs/quickstart/*.md")),
    ("Running it", ("docs/operating.md", "docs/cli.md", "docs/logs.md", "docs/systemd.md",
                    "docs/monitoring.md", "docs/containers.md", "docs/security.md")),
    ("Workers and proxies", ("docs/nodejs.md", "docs/migration.md", "docs/servers.md",
                             "docs/proxy.md", "docs/library.md")),
    ("How it works", ("docs/design.md", "docs/kernel.md", "docs/kernels.md", "docs/development.md",
                      "bench/README.md")),
    ("More", ("docs/*.md",)),
    ("Manual", ("docs/man/stickyctl.1", "docs/man/*.7", "docs/man/*.5", "docs/man/*.1",
                "docs/man/*.3")),
)
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="stylesheet" href="{style}">
</head>
<body>
<header>
<a class="name" href="{home}">stickyctl</a> <a class="contents" href="#pages">Pages</a>
</header>
<main>
{body}
</main>
<nav id="pages" aria-label="Pages">
{navigation}
</nav>
</body>
</html>
"""
MANUAL = re.compile(r"\.[1357]$")


def target_of(name):
    """The file of a page, below the directory."""
    if name == "README.md":
        return "index.html"
    if name.endswith(".md"):
        return name.removesuffix(".md") + ".html"
    return f"{name}.html" if MANUAL.search(name) else f"source/{name}.html"


def relative(name, start):
    return posixpath.relpath(target_of(name), posixpath.dirname(target_of(start)) or ".")


class Site:
    """The pages that are to be written: those of the navigation, and what they link to."""

    def __init__(self):
        self.sections = []
        self.pages = {}  # name -> (title, body)
        for title, patterns in SECTIONS:
            names = [name for pattern in patterns for name in self.find(pattern)]
            self.sections.append((title, [name for name in dict.fromkeys(names)
                                          if name not in self.pages]))
            self.pages |= {name: self.read(name) for name in self.sections[-1][1]}
        followed = set()
        while left := [name for name in self.pages if name not in followed]:
            for name in left:  # more are found meanwhile
                self.follow(name)
            followed.update(left)

    @staticmethod
    def find(pattern):
        return sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern))

    @staticmethod
    def read(name):
        if name.endswith(".md"):
            return read_markdown(name)
        return read_manual(name) if MANUAL.search(name) else read_source(name)

    def follow(self, name):
        """Turn the links of a page, which are those of the files, into links between pages."""
        title, body = self.pages[name]
        self.pages[name] = title, re.sub(
            r'<a href="([^":#]+)(#[^"]*)?">(.*?)</a>', lambda link: self.link(name, *link.groups()),
            body, flags=re.DOTALL)

    def link(self, start, file, place, shown):
        """A link to a file. Where its text is the name of the file, no more than its stem stays."""
        # Those of the manual are written from the root of the tree.
        base = "" if MANUAL.search(start) else posixpath.dirname(start)
        name = posixpath.normpath(posixpath.join(base, file))
        if name not in self.pages:
            self.pages[name] = self.read(name)
        if re.fullmatch(r"[\w./-]+\.md", shown):
            shown = posixpath.basename(shown.removesuffix("/README.md").removesuffix(".md"))
        return f'<a href="{relative(name, start)}{place or ""}">{shown}</a>'

    def navigation(self, current):
        """The sections are closed but for that of the page, or the first ones."""
        lines = []
        for number, (title, names) in enumerate(self.sections):
            items = [self.item(name, current, title) for name in names]
            is_open = current in names or (current == "README.md" and number < 4)
            if names and title:
                mark = " open" if is_open else ""
                lines += [f"<details{mark}><summary>{title}</summary>", "<ul>", *items,
                          "</ul></details>"]
            elif names:
                lines += ["<ul>", *items, "</ul>"]
        return "\n".join(lines)

    def item(self, name, current, section):
        """A title is shown up to its colon, or, where that is the section, from there on."""
        mark = ' aria-current="page"' if name == current else ""
        before, _, after = self.pages[name][0].partition(": ")
        title = after[:1].upper() + after[1:] if before == section else before
        title = "Overview" if name == "README.md" else title
        return f'<li><a href="{relative(name, current)}"{mark}>{html.escape(title)}</a></li>'

    def write(self, directory):
        for name, (title, body) in self.pages.items():
            path = directory / target_of(name)
            depth = target_of(name).count("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(PAGE.format(
                title=html.escape(title if name == "README.md" else f"{title} - stickyctl"),
                style="../" * depth + "style.css", home=relative("README.md", name), body=body,
                navigation=self.navigation(name)))
        shutil.copy(STYLE, directory / "style.css")


def main():
    directory = pathlib.Path(sys.argv[1])
    site = Site()
    shutil.rmtree(directory, ignore_errors=True)
    site.write(directory)


if __name__ == "__main__":
    main()
