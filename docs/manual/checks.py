# SPDX-License-Identifier: MIT
"""What is wrong in the manual, and in the commands of README.md and docs/."""

import re

from program import PAGES, ROOT, command_of

OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*)")
COMMAND = re.compile(r"\bstickyctl ([a-z]+)((?:(?!stickyctl)[^|&;`#])*)")
SEE = re.compile(r"\*((?:stickyctl|sticky)[a-z.-]*)\*\(([157])\)")


def check_title(name, source):
    page, section = name.rsplit(".", 1)
    if not source.startswith(f"{page}({section}) "):
        yield f"its first line is not {page}({section})"


def check_commands(program, line):
    """Options of a command, up to the command of the workers."""
    for name, words in COMMAND.findall(line.split(" -- ")[0]):
        if name not in program.commands:
            continue
        known = {each["name"] for each in program.options_of(name)}
        for option in OPTION.findall(words):
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


def check_markdown(program):
    """Commands in README.md and docs/ have no option that is not there."""
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for problem in check_text(program, path.read_text()):
            yield f"{path.relative_to(ROOT)}: {problem}"


def check_text(program, text):
    for line in text.replace("\\\n", "").splitlines():
        yield from check_commands(program, line)


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
            yield f"docs/man/{name}.scd: there is no command {command_of(name)}"


def problems_of(program, sources):
    """All of them. sources: the name of a page -> its source, with all lines written out."""
    yield from check_program(program, sources)
    yield from check_markdown(program)
    for name, source in sources.items():
        for problem in dict.fromkeys(check_source(program, name, source, sources)):
            yield f"docs/man/{name}.scd: {problem}"
