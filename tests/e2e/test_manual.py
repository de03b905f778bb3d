#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The examples of the manual are compiled against the installed library, and run: whole programs and
pieces of code of docs/library.md, and the pieces in the comments of sticky.h.

A piece becomes a program by what is put around it, tests/examples/piece_*.c: CODE there is the piece.
"""

import re
import socket

import harness
import world
from listening import listening_sockets
from test_examples import REQUEST, ROOT, ExampleTestCase
from world import wait_for

# Beginning of a piece -> the test that runs it.
PIECES = {
    "struct sticky_group_options options": "thread",
    "struct sticky_process *process;": "process",
    "sticky_group_adopt(": "adopt",
    "#include <linux/capability.h>": "privilege",
}
ADDRESS = ("127.0.0.1", 8080)


def guide():
    """The blocks of code of docs/library.md."""
    text = (ROOT / "docs" / "library.md").read_text()
    return re.findall(r"^```c\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def header():
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


def is_whole(code):
    return "int main(" in code


def pieces(name):
    """The pieces that a test runs."""
    return [code for code in [*guide(), *header()]
            if not is_whole(code) and any(code.startswith(begin) and test == name
                                          for begin, test in PIECES.items())]


class Manual(ExampleTestCase):
    def build_code(self, name, code):
        return self.compile(self.dir / name, self.write(f"{name}.c", code))

    def programs_of(self, name):
        """Each piece of the manual for this test, as a program."""
        found = pieces(name)
        self.assertTrue(found)
        around = (ROOT / "tests" / "examples" / f"piece_{name}.c").read_text()
        for number, code in enumerate(found):
            self.assertEqual(around.count("CODE;\n"), 1)
            yield self.build_code(f"{name}{number}", around.replace("CODE;\n", f"{code}\n"))

    def run_code(self, program, *arguments):
        return self.program(program, *arguments, env={"LD_LIBRARY_PATH": self.library})

    def connect_from(self, host):
        return socket.create_connection(ADDRESS, timeout=world.DEADLINE_S, source_address=(host, 0))

    def assert_says(self, program, text):
        self.assertEqual(program.wait(), 0, program.errors)
        self.assertEqual((program.output, program.errors), (text, ""))

    def test_each_piece_has_a_test(self):
        for code in [*guide(), *header()]:
            self.assertTrue(is_whole(code) or code.startswith(tuple(PIECES)), code)
        self.assertEqual([len(pieces(name)) for name in ("thread", "process", "adopt", "privilege")],
                         [1, 2, 1, 1])
        text = (ROOT / "docs" / "library.md").read_text()
        self.assertEqual(re.findall(r"^    .*;$", re.sub(r"^```c\n.*?^```$", "", text,
                                                         flags=re.DOTALL | re.MULTILINE),
                                    re.MULTILINE), [], "code that is in no block")

    def test_programs_of_the_guide(self):
        programs = [code for code in guide() if is_whole(code)]
        self.assertTrue(programs)
        for number, code in enumerate(programs):
            result = self.run_program(self.build_code(f"program{number}", code),
                                      env={"LD_LIBRARY_PATH": self.library})
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(sorted(result.stdout.splitlines()),
                             ["slot 0 has a client", "slot 1 has a client"])

    def test_a_thread(self):
        for built in self.programs_of("thread"):
            program = self.run_code(built)
            wait_for("it listens", lambda: listening_sockets() or not program.runs)
            # One of these addresses belongs to the slot.
            clients = [self.connect_from(f"127.0.0.{number}") for number in range(1, 65)]
            self.assert_says(program, "accepted\n")
            for client in clients:
                client.close()

    def test_a_process(self):
        for number, built in enumerate(self.programs_of("process")):
            instance = self.serve("-l", ":".join(map(str, ADDRESS)), "-w", 1, "--", built,
                                  name=f"process{number}", env={"LD_LIBRARY_PATH": self.library})
            with self.connect_from("127.0.0.1") as client:
                client.sendall(REQUEST)
                self.assertEqual(client.recv(100), b"slot 0 serves 127.0.0.1\n")
            result = self.stickyctl("stop", "-n", instance.name)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(instance.wait(), 0)

    def test_an_import(self):
        for built in self.programs_of("adopt"):
            pins = self.pins()
            program = self.run_code(built, pins)
            wait_for("it is imported", lambda: "imported\n" in program.output or not program.runs)
            with self.connect_from("127.0.0.1"):
                self.assert_says(program, "imported\naccepted\n")
            self.assertEqual(list(pins.iterdir()), [])

    def test_privileges(self):
        for built in self.programs_of("privilege"):
            self.assert_says(self.run_code(built), "refused\nopened\nlowered\n")


if __name__ == "__main__":
    harness.main()
