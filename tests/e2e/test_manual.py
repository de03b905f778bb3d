#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The examples of the manual: whole programs in docs/library.md are compiled against the installed
library, and run; pieces of code in the comments of sticky.h are compiled."""

import re

import harness
from test_examples import ROOT, ExampleTestCase, sanitizer

PIECE = """
#include <poll.h>
#include <sticky.h>
void serve(int fd, struct sockaddr_storage *client);
void example(struct sticky_group_options options, struct sticky_group *group, uint32_t slot,
	     uint64_t generation, struct sticky_worker *worker, const char *directory, int fd,
	     const int *fds)
{
{
%s
}
(void)options, (void)group, (void)slot, (void)generation, (void)worker, (void)directory, (void)fd,
(void)fds;
}
"""


def programs():
    """The whole programs of docs/library.md."""
    text = (ROOT / "docs" / "library.md").read_text()
    return [code for code in re.findall(r"^```c\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
            if "int main(" in code]


def pieces():
    """The pieces of code in the comments of sticky.h: indented by four, and ending in a semicolon
    somewhere."""
    lines = (ROOT / "include" / "sticky.h").read_text().splitlines()
    piece = []
    for line in [*lines, ""]:
        if line.startswith(" *     "):
            piece.append(line[7:])
            continue
        if any(";" in each and "sticky_" in each and "(" in each for each in piece):
            yield "\n".join(piece)
        piece = []


class Manual(ExampleTestCase):
    def compile(self, name, code, *arguments):
        source = self.write(f"{name}.c", code)
        result = self.run_program(
            "gcc", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", *sanitizer().split(), source,
            f"-I{self.tree}/opt/sticky/include", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_programs_of_the_guide_run(self):
        self.assertTrue(programs())
        for number, code in enumerate(programs()):
            program = self.dir / f"program{number}"
            self.compile(program.name, code, "-o", program, f"-L{self.library}", "-lsticky",
                         "-lpthread")
            result = self.run_program(program, env={"LD_LIBRARY_PATH": self.library})
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(sorted(result.stdout.splitlines()),
                             ["slot 0 has a client", "slot 1 has a client"])

    def test_pieces_of_the_header_are_valid(self):
        found = list(pieces())
        self.assertEqual(len(found), 3)
        for number, code in enumerate(found):
            self.compile(f"piece{number}", PIECE % code, "-fsyntax-only", "-Wno-unused")


if __name__ == "__main__":
    harness.main()
