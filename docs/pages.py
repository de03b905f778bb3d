#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write the manual pages of the program, docs/man/*.1, *.5 and *.7, from docs/man/*.scd.

    python3 docs/pages.py           write those whose source has changed, by scdoc(1)
    python3 docs/pages.py --check   exit status 1 if a page is not what its source says, if an option
                                    has no text, a command no page, or a page names what is not there

The sources are scdoc(5), with lines that stand for text which is the same in several pages, or is
that of the program's own tables (`stickyctl describe`):

    @options            the options of the page's command
    @keys               the keys of the configuration file
    @exit 3             an exit status, and what it means everywhere
    @exit 4: TEXT       one, and what it means here
    @environment        the variables that every command reads

The first line of a page has a digest of its source and of the rest of the page, so that the check
needs no scdoc. BUILD is the directory of stickyctl, STICKYCTL_PAGES that of the sources (docs/man).
"""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = pathlib.Path(os.environ.get("STICKYCTL_PAGES", ROOT / "docs" / "man"))
STICKYCTL = pathlib.Path(os.environ.get("BUILD", ROOT / "build")) / "stickyctl"

EXITS = {
    0: "Done.",
    1: "It has failed. The message on stderr says why.",
    2: "The command line, or a variable of the environment, has a mistake.",
    3: "No instance of this name is running. The message names those that are.",
    4: "A time limit has passed, or only a part was done.",
    5: "An instance of this name is running already.",
    77: "Not permitted.",
    78: "The configuration file has a mistake.",
}
ENVIRONMENT = """*STICKYCTL_NAME*
	The instance, as by *--name*.

*STICKYCTL_RUN_DIR*
	The directory of the control sockets, as by *--run-dir*.
"""
CHANGES = {
    "reload": "A reload applies a change.",
    "takeover": "A takeover or an upgrade applies a change.",
    "start": "A change needs a stop and a start.",
}
HELP = [{"name": "help", "letter": "?", "argument": None, "is_optional": False,
         "text": "Show this help"},
        {"name": "usage", "letter": None, "argument": None, "is_optional": False,
         "text": "Show the options alone"}]
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*)")
SEE = re.compile(r"\*((?:stickyctl|sticky)[a-z.-]*)\*\(([157])\)")


class Program:
    """What `stickyctl describe` says."""

    def __init__(self, description):
        self.version = description["version"]
        self.commands = {each["name"]: each for each in description["commands"]}
        self.options = description["options"]
        self.shared = [each for each in self.options if each["group"] == "Every command:"]

    def options_of(self, name):
        """All that the command accepts."""
        command = self.commands[name]
        shared = [*self.shared, *HELP]
        if name in ("start", "check"):
            shared += [each for each in self.options if each not in self.shared]
        own = [each for each in command["options"]]
        return own + [each for each in shared if each["name"] not in {one["name"] for one in own}]

    def all_names(self):
        return {option["name"] for name in self.commands for option in self.options_of(name)}


# ---- scdoc -------------------------------------------------------------------------------


def escape(text):
    return re.sub(r"([\\*_])", r"\\\1", text)


def marked(text):
    """Options in bold, in the text of the tables."""
    return re.sub(r"(?<![\w-])(--[a-z][a-z0-9-]*(?:=[a-z]+)?)", r"*\1*", escape(text))


def sentence(text):
    """The default, which is in the last brackets, in words of its own."""
    default = re.search(r" \(((?:[^()]|\([^()]*\))+)\)$", text)
    if not default:
        return marked(text) + "."
    whose = re.match(r"([a-z ]+): (.+)", default[1])  # "root: /run/sticky; else ..."
    words = f"for {whose[1]}: {whose[2]}" if whose else f": {default[1]}"
    return f"{marked(text[:default.start()])}. Default{'' if words[0] == ':' else ' '}{marked(words)}."


def value_of(option):
    if not option["argument"]:
        return ""
    value = f"_{escape(option['argument'])}_"
    return f"[={value}]" if option["is_optional"] else f"={value}"


def write_option(option):
    letter = f"*-{option['letter']}*, " if option["letter"] else ""
    return [f"{letter}*--{option['name']}*{value_of(option)}", "\t" + sentence(option["text"]), ""]


def write_options(options):
    """The entries, below the titles of groups where there are some."""
    group = None
    for option in options:
        if option.get("group", group) != group and not option["group"].startswith("Every"):
            group = option["group"]
            yield from [f"## {group.rstrip(':')}", ""]
        yield from write_option(option)


def options_of_page(program, command):
    options = program.options_of(command)
    if command == "check":  # its own; the others are those of start(1)
        own = {each["name"] for each in program.commands[command]["options"]}
        options = [each for each in options if each["name"] in own or each in program.shared]
    plain = [each for each in options if each in program.shared or "group" not in each]
    return [*write_options(plain), *write_options([each for each in options if each not in plain])]


def value_of_key(option):
    if option["choices"]:
        return "|".join(f"*{escape(word)}*" for word in option["choices"].split())
    value = f"_{escape(option['argument'])}_"
    return f"{value} or [{value}, ...]" if option["is_list"] else value


def write_keys(program):
    group = None
    for option in program.options:
        if option["name"] == "config":
            continue
        if option["group"] != group and option not in program.shared:
            group = option["group"]
            yield from [f"## {group.rstrip(':')}", ""]
        yield from [f"*{escape(option['spelt'])}:* {value_of_key(option)}",
                    f"\t{sentence(option['text'])} {CHANGES[option['changes_at']]}", ""]


def write_exit(line):
    code, _, text = line.removeprefix("@exit ").partition(": ")
    return [f"*{code}*", f"\t{text or EXITS[int(code)]}", ""]


def expand(program, name, line):
    """The lines that a line of a source stands for."""
    if line == "@options":
        return options_of_page(program, command_of(name))
    if line == "@keys":
        return write_keys(program)
    if line == "@environment":
        return ENVIRONMENT.splitlines()
    if line.startswith("@exit "):
        return write_exit(line)
    if line.startswith("@"):
        raise SystemExit(f"docs/man/{name}.scd: what is {line}?")
    return [line]


def command_of(name):
    """The command of a page, or None."""
    match = re.fullmatch(r"stickyctl-(\w+)\.1", name)
    return match[1] if match else None


def read_source(program, name):
    """The source of a page, with all lines written out."""
    title, *lines = (PAGES / f"{name}.scd").read_text().splitlines()
    head = f'{title} "stickyctl {program.version}" "stickyctl"'
    whole = [each for line in lines for each in expand(program, name, line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join([head, *whole]) + "\n")


# ---- The pages ----------------------------------------------------------------------------


def digest(source, page):
    return hashlib.sha256((source + page).encode()).hexdigest()[:16]


def first_line(name, source, page):
    return f'.\\" Written by make man from docs/man/{name}.scd: {digest(source, page)}\n'


def is_current(name, source):
    try:
        first, page = (PAGES / name).read_text().split("\n", 1)
    except (FileNotFoundError, ValueError):
        return False
    return first + "\n" == first_line(name, source, page)


# scdoc writes its entries as indented paragraphs, and those of lists by moving to the left.
ENTRY = re.compile(r"^(?:\.P\n)?(\\f.*)\n\.RS 4\n((?:(?!\.R[SE]\b).*\n)+?)(?:\.P\n)?\.RE\n", re.MULTILINE)
ITEM = re.compile(r"^\.RS 4\n\.ie n .*\n.*\n.*\n.*\n\.IP (\S+) 4\n.*\n((?:(?!\.R[SE]\b).*\n)+?)\.RE\n",
                  re.MULTILINE)
EMPTY = re.compile(r"^(\.(?:SH|SS|TH|RS|P)\b.*\n)\.P\n|^\.P\n(?=\.(?:SH|SS|RE|P|TP|IP)\b)", re.MULTILINE)
NEEDLESS = re.compile(r'^\.\\" (?:Generated by|Complete documentation|Begin).*\n', re.MULTILINE)


def tidy(page):
    """What scdoc writes, without a date and its own version, with the macros for entries and lists
    that other readers know, too. Readers copy options and examples, so that their hyphens are to be
    minus signs, and words stay whole."""
    page = ENTRY.sub(r".TP 4\n\1\n\2.P\n", NEEDLESS.sub("", page))
    page = ITEM.sub(r".IP \1 4\n\2.P\n", page)
    while EMPTY.search(page):
        page = EMPTY.sub(r"\1", page)
    page = page.replace(' "1970-01-01" ', ' "" ', 1).replace("\n.nh\n", "\n.nr HY 0\n.nh\n", 1)
    lines, is_literal = [], False
    for line in page.removesuffix(".P\n").splitlines():
        is_literal = (is_literal or line == ".nf") and line != ".fi"
        if line or is_literal:
            lines.append(line if line.startswith(".") else with_minus(line, is_literal))
    return "".join(line + "\n" for line in lines)


def with_minus(line, is_literal):
    """Escape the hyphens of options, of bold words and of examples; those of ordinary words stay."""
    if is_literal:
        return re.sub(r"(?<!\\)-", r"\\-", line)
    line = re.sub(r"\\fB.*?\\fR", lambda bold: re.sub(r"(?<!\\)-", r"\\-", bold[0]), line)
    return re.sub(r"(?<![A-Za-z0-9\\])-", r"\\-", line)


def write_page(name, source):
    result = subprocess.run(["scdoc"], input=source, text=True, capture_output=True, check=False,
                            env=os.environ | {"SOURCE_DATE_EPOCH": "0"})
    if result.returncode:
        raise SystemExit(f"docs/man/{name}.scd: {result.stderr.strip()}")
    page = tidy(result.stdout)
    (PAGES / name).write_text(first_line(name, source, page) + page)


# ---- What a source may name ------------------------------------------------------------------


def check_title(name, source):
    page, section = name.rsplit(".", 1)
    if not source.startswith(f"{page}({section}) "):
        yield f"its first line is not {page}({section})"


def check_commands(program, line):
    """Options of a command, up to the command of the workers."""
    for name, words in re.findall(r"\bstickyctl ([a-z]+)(.*)", line.split(" -- ")[0]):
        if name not in program.commands:
            continue
        known = {each["name"] for each in program.options_of(name)}
        for option in OPTION.findall(re.split(r"stickyctl|[|&;]", words)[0]):
            if option not in known:
                yield f"stickyctl {name} has no option --{option}"


def check_source(program, name, source, names):
    yield from check_title(name, source)
    for option in OPTION.findall(re.sub(r" -- .*", "", source)):
        if option not in program.all_names():
            yield f"there is no option --{option}"
    for example in re.findall(r"^```\n(.*?)^```$", source, re.MULTILINE | re.DOTALL):
        for line in example.splitlines():
            yield from check_commands(program, line)
    for page, section in SEE.findall(source):
        if f"{page}.{section}" not in names:
            yield f"there is no page {page}({section})"
    command = command_of(name)
    if command and "@options" not in (PAGES / f"{name}.scd").read_text().splitlines():
        yield "it does not list the options of its command: @options"


def check_program(program, names):
    """Each option has its text, each command its page, and each page its command."""
    for option in [*program.options, *(one for each in program.commands.values()
                                       for one in each["options"])]:
        if not option["text"].strip():
            yield f"--{option['name']} has no text"
    for command in program.commands:
        if f"stickyctl-{command}.1" not in names:
            yield f"the command {command} has no page stickyctl-{command}.1.scd"
    for name in names:
        if command_of(name) and command_of(name) not in program.commands:
            yield f"{name}.scd: there is no command {command_of(name)}"


def main():
    program = Program(json.loads(subprocess.run([STICKYCTL, "describe"], check=True,
                                                capture_output=True).stdout))
    names = sorted(path.stem for path in PAGES.glob("*.scd"))
    sources = {name: read_source(program, name) for name in names}
    problems = [*check_program(program, names),
                *(f"{name}.scd: {problem}" for name in names
                  for problem in dict.fromkeys(check_source(program, name, sources[name], names)))]
    stale = [name for name in names if not is_current(name, sources[name])]
    if "--check" in sys.argv[1:]:
        problems += [f"{name} is not what {name}.scd says: make man" for name in stale]
    for problem in problems:
        print(f"docs/man: {problem}", file=sys.stderr)
    if problems or "--check" in sys.argv[1:]:
        return 1 if problems else 0
    for name in stale:
        write_page(name, sources[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
