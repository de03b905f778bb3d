#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write the manual pages of the library, docs/man/*.3, from the comments of include/sticky.h.

    python3 docs/man.py           write them
    python3 docs/man.py --check   exit status 1 if they differ from what would be written

A page holds the functions whose names begin alike: sticky_group(3), sticky_worker(3). sticky(3) is
the comment at the top of the header. docs/man/aliases has a line "FUNCTION PAGE" for each function;
`make install` makes a link of each, so that man(1) finds the function.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = ROOT / "include" / "sticky.h"
PAGES = ROOT / "docs" / "man"

# page -> its title and the beginnings of the names that it has; the first that fits counts.
GROUPS = {
    "sticky_takeover": ("export and import of a group", (
        "sticky_group_pin", "sticky_group_adopt", "sticky_worker_adopt", "sticky_slot_adopt",
        "sticky_group_finish_adoption")),
    "sticky_proxies": ("connections of proxies", (
        "sticky_dispatchers", "sticky_group_set_proxies", "sticky_group_set_sample",
        "struct sticky_prefix")),
    "sticky_statistics": ("where clients belong, and what has been counted", (
        "sticky_group_where", "sticky_group_slot_of", "sticky_group_statistics",
        "sticky_group_counters", "sticky_group_slot_infos", "struct sticky_where",
        "struct sticky_counters", "struct sticky_slot_info", "sticky_address_parse",
        "sticky_group_seed_id")),
    "sticky_worker": ("workers of a slot", ("sticky_worker",)),
    "sticky_process": ("a process as the worker", ("sticky_process",)),
    "sticky_errors": ("explanations of errors, and the version", (
        "sticky_strerror", "sticky_explain", "sticky_version")),
    "sticky_slot": ("slots of a group", ("sticky_slot", "sticky_group_slots",
                                         "sticky_group_set_slots", "sticky_group_apply")),
    "sticky_group": ("groups of listening sockets", ("sticky_group", "sticky_engine", "sticky_listen",
                                                     "struct sticky_group_options", "sticky_log_fn",
                                                     "sticky_raise_fn", "sticky_restore_fn",
                                                     "sticky_prepare_fn")),
}

COMMENT = re.compile(r"^/\*(?:[^*]|\*(?!/))*\*/\n", re.MULTILINE)


def comment_text(comment):
    """The text of a comment, without its stars."""
    lines = comment.strip()[2:-2].strip(" ").splitlines()
    return [re.sub(r"^\s*\* ?", "", line).rstrip() for line in lines]


def entries(text):
    """(names, declaration, comment's lines) of each documented declaration of the header."""
    at = 0
    while match := COMMENT.search(text, at):
        at = match.end()
        declaration = declaration_at(text, at)
        if declaration:
            yield names_of(declaration), declaration, comment_text(match.group(0))
            at += len(declaration)


def declaration_at(text, start):
    """The declarations up to an empty line: functions share a comment where none is between."""
    end, depth = start, 0
    for line in text[start:].splitlines(keepends=True):
        if not depth and (not line.strip() or line.startswith(("#", "/*"))):
            break
        depth += line.count("{") - line.count("}")
        end += len(line)
    return text[start:end]


def names_of(declaration):
    bare = re.sub(r"/\*.*?\*/", "", declaration, flags=re.DOTALL)
    if match := re.match(r"(struct \w+) \{", bare):
        return [match.group(1)]
    return re.findall(r"\b(sticky_\w+)\(", bare)


def page_of(name):
    for page, (_, beginnings) in GROUPS.items():
        if name.startswith(beginnings):
            return page
    raise SystemExit(f"docs/man.py: no page for {name}")


def escape(line):
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + line if line.startswith((".", "'")) else line


def literal(lines):
    return [".nf", *map(escape, lines), ".fi"]


def formatted(lines):
    """Paragraphs are filled; lines that are indented are an example or a table, and stay."""
    block, is_literal = [], False
    for line in [*lines, ""]:
        kind = bool(re.match(r"\s{2,}|\w+  +\S", line)) if line else is_literal
        if block and (kind != is_literal or not line):
            yield from literal(block) if is_literal else map(escape, block)
            yield ".PP"
            block = []
        is_literal = kind
        if line:
            block.append(line)


def head(page, title):
    version = re.search(r'STICKY_VERSION\s+"(.*)"', HEADER.read_text()).group(1)
    return [f'.TH {page} 3 "" "libsticky {version}" "libsticky"', ".SH NAME",
            f"{page} \\- {title}"]


def write_group(page, title, members):
    lines = [*head(page, title), ".SH SYNOPSIS", ".nf", ".B #include <sticky.h>", ""]
    for names, declaration, _ in members:
        if not names[0].startswith("struct"):
            lines += [*map(escape, declaration.replace("\t", "        ").splitlines())]
    lines += [".fi", ".SH DESCRIPTION"]
    for names, declaration, comment in members:
        lines += [f".SS {', '.join(escape(name) for name in names)}", *formatted(comment)]
        if names[0].startswith("struct"):
            lines += literal(declaration.replace("\t", "        ").splitlines())
    return [*lines, ".SH SEE ALSO", "sticky(3)"]


def write_top(text):
    comment = comment_text(re.search(r"/\*\n.*?\*/", text, re.DOTALL).group(0))
    pages = [f".BR {page} (3):\n{title}\n.br" for page, (title, _) in sorted(GROUPS.items())]
    return [*head("sticky", "sticky sessions in the kernel, for the threads or processes of a program"),
            ".SH SYNOPSIS", ".nf", ".B #include <sticky.h>", "",
            "cc server.c $(pkg\\-config \\-\\-cflags \\-\\-libs libsticky)", ".fi",
            ".SH DESCRIPTION", *formatted(comment), ".SH SEE ALSO", *pages]


def main():
    text = HEADER.read_text()
    members = {page: [] for page in GROUPS}
    aliases = []
    for names, declaration, comment in entries(text):
        if names:
            members[page_of(names[0])].append((names, declaration, comment))
        aliases += [f"{name} {page_of(names[0])}" for name in names
                    if not name.startswith("struct")]
    files = {"sticky.3": write_top(text), "aliases": sorted(aliases)}
    for page, (title, _) in GROUPS.items():
        files[f"{page}.3"] = write_group(page, title, members[page])
    functions = set(re.findall(r"^\s+(sticky_\w+);", (ROOT / "src/lib/libsticky.map").read_text(),
                               re.MULTILINE))
    missing = functions - {alias.split()[0] for alias in aliases}
    if missing:
        raise SystemExit(f"docs/man.py: without a comment: {', '.join(sorted(missing))}")
    stale = [name for name, lines in files.items()
             if not (PAGES / name).exists() or (PAGES / name).read_text() != "\n".join(lines) + "\n"]
    if "--check" in sys.argv[1:]:
        if stale:
            print(f"docs/man differs from sticky.h: make man ({', '.join(stale)})", file=sys.stderr)
        return 1 if stale else 0
    PAGES.mkdir(exist_ok=True)
    for name in stale:
        (PAGES / name).write_text("\n".join(files[name]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
