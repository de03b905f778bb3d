#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write the manual pages of the library, docs/man/*.3, from the comments of include/sticky.h.

    python3 docs/man.py                    write them
    python3 docs/man.py --check [HEADER]   exit status 1 if they differ from what would be written

A page holds the functions whose names begin alike: sticky_group(3), sticky_worker(3). sticky(3) is
the comment at the top of the header. The comment at the head of a section of the header is that of
its page. docs/man/aliases has a line "NAME PAGE" for each function and each type; `make install` makes
a link of each, so that man(1) finds the name.

Each comment and each declaration of the header is on a page: where one would be missing, the exit
status is 1, and nothing is written.
"""

import pathlib
import re
import sys

from man_page import Page, comment_text, formatted, head

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "man"

# page -> its title and the beginnings of the names that it has; the first that fits counts.
GROUPS = {
    "sticky_takeover": ("export and import of a group", (
        "sticky_group_pin", "sticky_group_adopt", "sticky_worker_adopt", "sticky_slot_adopt",
        "sticky_group_finish_adoption")),
    "sticky_proxies": ("connections of proxies", (
        "sticky_dispatchers", "sticky_group_set_proxies", "sticky_group_set_sample",
        "sticky_prefix", "STICKY_DISPATCHERS_LIMIT", "STICKY_PROXIES_LIMIT")),
    "sticky_statistics": ("where clients belong, and what has been counted", (
        "sticky_group_where", "sticky_group_slot_of", "sticky_group_table", "sticky_group_statistics",
        "sticky_group_counters", "sticky_group_slot_infos", "sticky_where", "sticky_counters",
        "sticky_slot_info", "sticky_address_parse", "sticky_group_seed_id", "STICKY_BUCKET_COUNT")),
    "sticky_worker": ("workers of a slot", ("sticky_worker",)),
    "sticky_process": ("a process as the worker", ("sticky_process",)),
    "sticky_errors": ("explanations of errors, and the version", (
        "sticky_strerror", "sticky_explain", "sticky_version", "STICKY_EXPLANATION_SIZE",
        "STICKY_VERSION")),
    "sticky_slot": ("slots of a group", ("sticky_slot", "sticky_group_slots",
                                         "sticky_group_set_slots", "sticky_group_apply")),
    "sticky_group": ("groups of listening sockets", (
        "sticky_group", "sticky_engine", "sticky_ability", "sticky_listen", "sticky_log",
        "sticky_raise_fn", "sticky_restore_fn", "sticky_prepare_fn", "STICKY_SEED_SIZE",
        "STICKY_SLOTS_LIMIT", "STICKY_LISTENERS_LIMIT", "STICKY_ADDRESS_TEXT_SIZE")),
}
# What a section of the header is called -> the page that it begins.
SECTIONS = {
    "Behind a proxy": "sticky_proxies",
    "A process as the worker": "sticky_process",
    "Export and import: another process goes on where this one ends": "sticky_takeover",
}
# What the preprocessor alone is told.
GUARDS = re.compile(r"^#ifdef __cplusplus\n.*?^#endif\n|^#ifndef STICKY_H\n#define STICKY_H\n"
                    r"|^#include [^\n]*\n|^#endif\n", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"/\*.*?\*/\n", re.DOTALL)


def fail(message):
    raise SystemExit(f"docs/man.py: {message}")


def chunks(text):
    """(comment, declarations) of all that the header has: declarations that an empty line separates
    from a comment have none, and the other way round."""
    at, comment = 0, ""
    while at < len(text):
        if text[at] == "\n":
            if comment:
                yield comment, ""
            at, comment = at + 1, ""
        elif match := COMMENT.match(text, at):
            at, comment = match.end(), comment + match.group(0)
        else:
            declarations = declarations_at(text, at)
            yield comment, declarations
            at, comment = at + len(declarations), ""
    if comment:
        yield comment, ""


def declarations_at(text, start):
    """The declarations up to an empty line or a comment: functions may share a comment."""
    end, depth = start, 0
    for line in text[start:].splitlines(keepends=True):
        if not depth and (not line.strip() or line.startswith("/*")):
            break
        depth += line.count("{") - line.count("}")
        end += len(line)
    return text[start:end]


def names_of(declarations):
    bare = re.sub(r"/\*.*?\*/", "", declarations, flags=re.DOTALL)
    if match := re.match(r"(?:struct|enum) (\w+) \{", bare):
        return [match.group(1)]
    return re.findall(r"^(?:#define|struct) (\w+)\b", bare, re.MULTILINE) or \
        re.findall(r"\b(sticky_\w+)\(", bare)


def may_be_uncommented(declarations):
    """Constants say beside themselves what they are, and of some types only the name is known."""
    return all(re.match(r"#define |struct \w+;$", line) for line in declarations.splitlines())


def page_of(name):
    for page, (_, beginnings) in GROUPS.items():
        if name.startswith(beginnings):
            return page
    return fail(f"no page for {name}")


def read_header(text, pages):
    """Put all that the header has, behind its first two comments, on the pages. Returns the second
    comment."""
    parts = list(chunks(GUARDS.sub("", text)))
    top = re.fullmatch(r"/\* SPDX.*?\*/\n(.*)", parts[0][0], re.DOTALL)
    for comment, declarations in parts[1:]:
        first = comment.partition("\n")[0]
        if section := re.match(r"/\* ---- (.*?) -+$", first):
            if declarations or section[1] not in SECTIONS:
                fail(f"no page for the section {section[1]}")
            pages[SECTIONS[section[1]]].introduce(comment_text(comment)[1:])
        elif not declarations:
            fail(f"on no page: {comment_text(comment)}")
        elif not comment and not may_be_uncommented(declarations):
            fail(f"without a comment: {declarations}")
        else:
            add(pages, comment, declarations)
    return comment_text(top[1])


def add(pages, comment, declarations):
    """Add declarations to their page; constants without a comment may have a page each."""
    names = names_of(declarations)
    if not names:
        fail(f"what does this declare? {declarations}")
    if comment:
        pages[page_of(names[0])].add(names, declarations, comment_text(comment))
        return
    for name, line in zip(names, declarations.splitlines(), strict=True):
        pages[page_of(name)].add([name], line, [])


def write_top(version, comment):
    see = [f".BR {page} (3):\n{title}\n.br" for page, (title, _) in sorted(GROUPS.items())]
    return [*head("sticky", version, ["sticky"],
                  "sticky sessions in the kernel, for the threads or processes of a program"),
            ".SH SYNOPSIS", ".nf", ".B #include <sticky.h>", "",
            "cc server.c $(pkg\\-config \\-\\-cflags \\-\\-libs libsticky)", ".fi",
            ".SH DESCRIPTION", *formatted(comment), ".SH SEE ALSO", *see]


def make_files(text):
    """What is to be written: name -> its lines."""
    version = re.search(r'STICKY_VERSION\s+"(.*)"', text).group(1)
    pages = {page: Page(page, title) for page, (title, _) in GROUPS.items()}
    files = {"sticky.3": write_top(version, read_header(text, pages))}
    aliases = {name: page for page in pages for name in pages[page].names}
    functions = set(re.findall(r"^\s+(sticky_\w+);", (ROOT / "src/lib/libsticky.map").read_text(),
                               re.MULTILINE))
    if missing := functions - set(aliases):
        fail(f"in no declaration: {', '.join(sorted(missing))}")
    for page, content in pages.items():
        files[f"{page}.3"] = content.lines(version)
    files["aliases"] = sorted(f"{name} {page}" for name, page in aliases.items() if name not in pages)
    return {name: "\n".join(lines) + "\n" for name, lines in files.items()}


def main():
    arguments = sys.argv[1:]
    is_check = arguments[:1] == ["--check"]
    header = pathlib.Path(arguments[1]) if arguments[1:] else ROOT / "include" / "sticky.h"
    files = make_files(header.read_text())
    stale = [name for name, text in files.items()
             if not (PAGES / name).exists() or (PAGES / name).read_text() != text]
    if is_check:
        if stale:
            print(f"docs/man differs from sticky.h: make man ({', '.join(stale)})", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (PAGES / name).write_text(files[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
