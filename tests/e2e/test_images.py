#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The recipes of examples/container, followed without Docker. The images run as containers do: the
first process is stickyctl, and signals and health checks reach it."""

import pathlib
import re
import shutil
import signal
import subprocess
import unittest

import harness
from clients import HERE, http_get
from harness import needs
from images import Image
from nodejs import NODE, sources
from privilege import DOCKER, only
from programs import BUILD, Instance, children_of
from world import scaled, wait_for

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "container"
TARBALLS = sorted((BUILD / "npm" / "test").glob("stickyctl-*.tgz"))
ADMIN = ("127.0.0.1", 9180)


def is_alone(program):
    """Does the program need only the C library's shared files? Debian's Node.js needs more."""
    libraries = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return "libnode" not in libraries


class Container(Instance):
    """An instance that is a container's first process. Its parent tells its exit status."""

    def __init__(self, test, image, capabilities):
        last = image.last
        program, _, *arguments = last.entry + last.command
        super().__init__(test, *arguments, program=program, env={**last.env, "PATH": None},
                         prefix=image.first(only(*capabilities)))
        self.image = image
        self.run_dir = image.outside(last.env["STICKYCTL_RUN_DIR"])
        wait_for("its first process", lambda: children_of(self.pid) or not self.runs)
        self.init = next(iter(children_of(self.pid)), None)

    def send(self, number):
        subprocess.run(["kill", f"-{number}", str(self.init)], check=False)

    def check_health(self):
        """Run the image's health check, as Docker does."""
        last = self.image.last
        return self.test.run_program(*self.image.beside(self.init), *last.health,
                                     env={**last.env, "PATH": None})


@needs("node", "npm", "setcap")
@unittest.skipUnless(TARBALLS, "no package for npm: none is made with a sanitizer, or without npm")
@unittest.skipUnless(NODE and re.fullmatch("/usr(/local)?/bin/node", NODE),
                     "Node.js is not where images have it")
class Images(harness.TestCase):
    def build(self, name, capability=None):
        context = self.dir / "context"
        shutil.copytree(EXAMPLE, context)
        shutil.copy(TARBALLS[-1], context)
        image = Image(self, context / name)
        if capability:
            program = next(image.outside("/app/node_modules/stickyctl").glob("linux-*/stickyctl"))
            subprocess.run(["setcap", capability, program], check=True)
        image.seal()
        return image

    def start_container(self, image, *more):
        return Container(self, image, (*DOCKER, *more)).ready()

    def check(self, container, steering):
        status = container.status()
        self.assertEqual((status["pid"], status["steering"]), (1, steering))
        for answer in container.where(*sources(12)):
            text = http_get(HERE, answer["address"])[2]
            self.assertIn(f"worker {answer['slot']}, ", text)
        self.assertEqual(container.check_health().returncode, 0)
        for path in ("/healthz", "/readyz"):
            self.assertEqual(http_get(ADMIN, path=path)[0], 200)
        container.send(signal.SIGTERM)
        self.assertEqual(container.wait(scaled(10)), 0)

    def test_many_stages(self):
        image = self.build("Dockerfile", "cap_bpf+p")
        self.check(self.start_container(image), "classic")
        self.check(self.start_container(image, "bpf"), "kernel")

    @unittest.skipUnless(NODE and is_alone(NODE), "Debian's Node.js has files elsewhere")
    def test_from_scratch(self):
        image = self.build("Dockerfile.scratch")
        names = {path.name for path in image.last.root.iterdir()}
        self.assertFalse(names & {"usr", "etc", "var"}, names)
        self.check(self.start_container(image), "classic")


if __name__ == "__main__":
    harness.main()
