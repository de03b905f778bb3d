# SPDX-License-Identifier: MIT
"""The program that the manual is about: what `stickyctl describe` says of commands and options.

BUILD is the directory of stickyctl, STICKYCTL_PAGES that of the sources of the pages (docs/man).
"""

import json
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = pathlib.Path(os.environ.get("STICKYCTL_PAGES", ROOT / "docs" / "man"))
STICKYCTL = pathlib.Path(os.environ.get("BUILD", ROOT / "build")) / "stickyctl"

HELP = [{"name": "help", "letter": "?", "argument": None, "is_optional": False,
         "text": "Show this help"},
        {"name": "usage", "letter": None, "argument": None, "is_optional": False,
         "text": "Show the options alone"}]


class Program:
    """All commands and options."""

    def __init__(self):
        description = json.loads(subprocess.run([STICKYCTL, "describe"], check=True,
                                                capture_output=True).stdout)
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


def command_of(name):
    """The command of a page, or None."""
    match = re.fullmatch(r"stickyctl-(\w+)\.1", name)
    return match[1] if match else None
