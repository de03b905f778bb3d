# SPDX-License-Identifier: MIT
"""The sources of the pages: scdoc(5), with lines that stand for text which is the same in several
pages, or is that of the program's own tables.

    @options            the options of the page's command
    @keys               the keys of the configuration file
    @exit 3             an exit status, and what it means everywhere
    @exit 4: TEXT       one, and what it means here
    @environment        the variables that every command reads
"""

import re

from program import PAGES, command_of

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
    words = f" for {whose[1]}: {whose[2]}" if whose else f": {default[1]}"
    return f"{marked(text[:default.start()])}. Default{marked(words)}."


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


def read_source(program, name):
    """The source of a page, with all lines written out."""
    title, *lines = (PAGES / f"{name}.scd").read_text().splitlines()
    head = f'{title} "stickyctl {program.version}" "stickyctl"'
    whole = [each for line in lines for each in expand(program, name, line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join([head, *whole]) + "\n")
