# SPDX-License-Identifier: MIT
"""A page of the library's manual in roff, from comments and declarations of C."""

import re
import textwrap

WIDTH = 72          # of a line that is not filled, on a terminal of 80 columns
TAG_WIDTH_MAX = 20  # a longer name has a line of its own


def comment_text(comment):
    """The text of a comment, without its stars."""
    lines = comment.strip()[2:-2].strip(" ").splitlines()
    return strip_empty([re.sub(r"^\s*\* ?", "", line).rstrip() for line in lines])


def strip_empty(lines):
    while lines and not lines[0]:
        lines = lines[1:]
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines


# ---- Text -------------------------------------------------------------------------------


def escape(line):
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + line if line.startswith((".", "'")) else line


def marked(text):
    """*word* is in italics, `word` in bold."""
    text = re.sub(r"(?<![\w*(/])\*(\w[^*\s]*)\*(?![\w*])", r"\\fI\1\\fR", escape(text))
    return re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text)


def filled(lines):
    wrapped = textwrap.wrap(marked(" ".join(lines)), 95, break_long_words=False,
                            break_on_hyphens=False)
    return ["\\&" + line if line.startswith((".", "'")) else line for line in wrapped]


def literal(lines):
    return [".nf", *map(escape, lines), ".fi"]


def indent_of(line):
    return len(line) - len(line.lstrip())


# A row of a table: a name, and behind two spaces what it means. Names of errors may be alone.
ROW = re.compile(r"( {0,3})(\S+(?: \S+)*)(?:(  +)(\S.*))?$")


def row_at(lines, at):
    """(indent, name, content) of the row of a table that begins here, and where it ends; or None."""
    match = ROW.match(lines[at])
    if not match or not (match[4] or match[1]):
        return None
    indent, end = len(match[1]), at + 1
    column = match.start(4) if match[4] else indent + 1
    while end < len(lines) and lines[end] and indent_of(lines[end]) > indent:
        end += 1
    below = [line[min(column, indent_of(line)):] for line in lines[at + 1:end]]
    return (match[2], [match[4], *below] if match[4] else below), end


def table_at(lines, at):
    rows = []
    while at < len(lines) and lines[at] and (found := row_at(lines, at)):
        rows.append(found[0])
        at = found[1]
    return rows, at


def table(rows):
    width = min(max((len(name) for name, _ in rows), default=0) + 2, TAG_WIDTH_MAX)
    for name, content in rows:
        yield f".TP {width}"
        yield f"\\fB{escape(name)}\\fR".replace("`", "")
        if content and ROW.match(content[0])[4]:
            yield from (".RS", *table(table_at(content, 0)[0]), ".RE")
        else:
            yield from filled(content) if content else ()


def code(lines):
    """A piece of code, without its indent; comments beside it move to the left."""
    return [".RS 4", *literal([re.sub(r" {2,}//", "  //", line[4:]) for line in lines]), ".RE"]


def formatted(lines):
    """Paragraphs are filled, tables are lists of names, and what is indented by four is code."""
    result = list(blocks(lines))
    return result[1:] if result[:1] == [".PP"] else result


def blocks(lines):
    at = 0
    while at < len(lines):
        if not lines[at]:
            at += 1
            continue
        if indent_of(lines[at]) >= 4:
            end = at + 1
            while end < len(lines) and (not lines[end] or indent_of(lines[end]) >= 4):
                end += 1
            yield from (".PP", *code(strip_empty(lines[at:end])))
        elif row_at(lines, at):
            rows, end = table_at(lines, at)
            yield from table(rows)
        else:
            end = at + 1
            while end < len(lines) and lines[end] and not lines[end].startswith(" ") and \
                    not row_at(lines, end):
                end += 1
            yield from (".PP", *filled(lines[at:end]))
        at = end


# ---- Declarations -------------------------------------------------------------------------


def without_comments(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return [line.rstrip().expandtabs() for line in text.splitlines() if line.strip()]


def wrapped(prototype):
    """A prototype, broken behind commas."""
    result, line = [], ""
    for part in re.findall(r"[^,]+,? ?", prototype):
        if line and len(line + part.rstrip()) > WIDTH:
            result.append(line.rstrip())
            line = " " * 8
        line += part
    return [*result, line.rstrip()]


def synopsis(declarations):
    """Declarations without their comments, in lines that fit."""
    lines = without_comments(declarations)
    if lines[0].endswith("{") or lines[0].startswith("#"):
        return [re.sub(r"(\S)  +(\S)", r"\1 \2", line) for line in lines]
    text = " ".join(" ".join(lines).split())
    return [line for each in re.findall(r"[^;]*;", text) for line in wrapped(each.strip())]


def member_name(code):
    return re.search(r"(\w+)(?:\[.*\])?;$" if code.endswith(";") else r"^(\w+)", code)[1]


def members(declaration):
    """(name, comment's lines) of the members of a structure or an enum that have comments."""
    body = declaration[declaration.index("{") + 1:declaration.rindex("}")]
    last, pending, found = None, [], []
    for part in re.findall(r"/\*.*?\*/|(?:(?!/\*).)+", body, re.DOTALL):
        if part.startswith("/*") and last:
            found.append((last, comment_text(part)))
        elif part.startswith("/*"):
            pending = comment_text(part)
        else:
            for line in part.splitlines(keepends=True):
                if line.strip():
                    last = member_name(line.strip())
                    found += [(last, pending)] if pending else []
                    pending = []
                if line.endswith("\n"):
                    last = None
    return found


def constants(declarations):
    """(name, comment's lines) of constants with a comment beside them."""
    return [(match[1], comment_text(match[2])) for match in
            re.finditer(r"^#define (\w+).*?(/\*.*?\*/)", declarations, re.MULTILINE)]


# ---- A page ---------------------------------------------------------------------------------


def head(page, version, names, title):
    return [f'.TH {page} 3 "" "libsticky {version}" "libsticky"', ".ad l", ".nh", ".SH NAME",
            f"{', '.join(names)} \\- {title}"]


class Page:
    def __init__(self, name, title):
        self.name, self.title = name, title
        self.introduction = []
        self.entries = []  # (names, declarations, comment's lines)

    def introduce(self, lines):
        self.introduction += lines

    def add(self, names, declarations, comment):
        self.entries.append((names, declarations, comment))

    @property
    def names(self):
        """The functions and the types; constants are found under these."""
        found = [name for names, _, _ in self.entries for name in names if name.islower()]
        return list(dict.fromkeys([self.name, *found]))

    def lines(self, version):
        lines = [*head(self.name, version, self.names, self.title), ".SH SYNOPSIS", ".nf",
                 ".B #include <sticky.h>"]
        previous = None
        for _, declarations, _ in self.entries:
            kind = self.kind_of(declarations)
            lines += [""] if kind != previous or kind == "type" else []
            lines += map(escape, synopsis(declarations))
            previous = kind
        lines += [".fi", ".SH DESCRIPTION", *formatted(self.introduction)]
        lines += self.constants()
        for names, declarations, comment in self.entries:
            if comment:
                lines += self.entry(names, declarations, comment)
        return [*lines, ".SH SEE ALSO", ".BR sticky (3)"]

    @staticmethod
    def kind_of(declarations):
        if "{" in declarations:
            return "type"
        return "name" if declarations.startswith(("#", "struct")) and "(" not in declarations \
            else "function"

    def constants(self):
        """Those that say beside themselves what they are."""
        rows = [row for _, declarations, comment in self.entries if not comment
                for row in constants(declarations)]
        return [".SS Limits and sizes", *table(rows)] if rows else []

    @staticmethod
    def entry(names, declarations, comment):
        rows = table(members(declarations)) if "{" in declarations else []
        return [f".SS {', '.join(escape(name) for name in names)}", *formatted(comment), *rows]
