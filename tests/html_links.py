#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the pages that `make html` writes: each link leads to a page and an anchor that exist,
each page can be reached from index.html, and no page loads anything from elsewhere.

    python3 tests/html_links.py DIRECTORY
"""

import html.parser
import pathlib
import sys
import urllib.parse

LOADS = {("link", "href"), ("img", "src"), ("script", "src"), ("iframe", "src"), ("source", "src"),
         ("video", "src"), ("audio", "src"), ("object", "data"), ("embed", "src")}


class Reader(html.parser.HTMLParser):
    """The anchors and links of a page, and the files that it loads."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loads, self.twice = set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                if value in self.anchors:
                    self.twice.append(value)
                self.anchors.add(value)
            elif (tag, name) in LOADS:
                self.loads.append(value)
            elif tag == "a" and name == "href":
                self.links.append(value)


def local(path, link):
    """Returns (file, anchor) for a link, or None if it leads elsewhere."""
    parts = urllib.parse.urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
    return target, urllib.parse.unquote(parts.fragment)


def check_page(path, pages):
    page = pages[path]
    for name in page.twice:
        yield f"two anchors #{name}"
    for load in page.loads:
        found = local(path, load)
        if not found or not found[0].is_file():
            yield f"it loads {load}"
    for link in page.links:
        found = local(path, link)
        if not found:
            if not link.startswith(("http://", "https://")):
                yield f"what is {link}?"
        elif found[0] not in pages:
            yield f"no such page: {link}"
        elif found[1] and found[1] not in pages[found[0]].anchors:
            yield f"no such anchor: {link}"


def reachable(start, pages):
    seen, rest = set(), [start]
    while rest:
        path = rest.pop()
        if path in seen or path not in pages:
            continue
        seen.add(path)
        rest += [found[0] for link in pages[path].links if (found := local(path, link))]
    return seen


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    pages = {path: Reader(path.read_text()) for path in sorted(root.rglob("*.html"))}
    problems = [f"{path.relative_to(root)}: {problem}" for path in pages
                for problem in dict.fromkeys(check_page(path, pages))]
    problems += [f"{path.relative_to(root)}: no page leads to it"
                 for path in set(pages) - reachable(root / "index.html", pages)]
    problems += [f"style.css loads {word}" for word in ("url(", "@import")
                 if word in (root / "style.css").read_text()]
    for problem in problems:
        print(problem, file=sys.stderr)
    count = sum(len(page.links) for page in pages.values())
    print(f"{len(pages)} pages with {count} links: {len(problems) or 'none'} of them wrong")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
