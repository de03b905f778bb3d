#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The package of `make npm`, used as its users do: it is installed without a network into an empty
project, and started by npx, by a script of package.json, and directly."""

import atexit
import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

import harness
from harness import needs
from nodeapps import MODULES, SOURCES, Crowd
from nodejs import PACKAGES, WHO, NodeTestCase, no_packages
from privilege import NOBODY, as_nobody
from programs import BUILD, FAILED, STICKYCTL, environment
from world import other_processes, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLOOR = (ROOT / "packaging/npm/floor").read_text().strip()
TARBALLS = sorted((BUILD / "npm" / "test").glob("stickyctl-*.tgz"))
START = "stickyctl start -w 2 -- node server.js"
EXPRESS = """
    const app = require('express')();
    app.get('/', (request, response) => response.type('text').send(who(request.socket) + '\\n'));
    app.listen(3000);
    """


def npm_variables(directory):
    return {"npm_config_cache": directory / "cache", "npm_config_update_notifier": "false"}


@functools.cache
def installed():
    """Returns a project with the package. It is installed once, as npm takes long."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sticky-e2e-npm-", dir="/tmp"))
    atexit.register(shutil.rmtree, directory)
    project = directory / "project"
    project.mkdir()
    (project / "package.json").write_text(json.dumps(
        {"name": "project", "version": "1.0.0", "scripts": {"start": f"exec {START}"}}))
    subprocess.run(["npm", "install", "--offline", "--no-audit", "--no-fund", TARBALLS[-1]],
                   cwd=project, env=environment(**npm_variables(directory)), check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return project


@needs("node", "npm", "npx")
@unittest.skipUnless(TARBALLS, "no package for npm: none is made with a sanitizer, or without npm")
class PackageTestCase(NodeTestCase):
    """A project that has only this package."""

    def setUp(self):
        super().setUp()
        self.project = self.dir / "project"
        shutil.copytree(installed(), self.project, symlinks=True)
        self.package = self.project / "node_modules/stickyctl"
        self.bin = self.project / "node_modules/.bin/stickyctl"

    def environment(self, **variables):
        return super().environment(**{**npm_variables(self.dir), **variables})

    def write_server(self, modules, text):
        """Write the application, and put its modules where other users can read them. Returns the
        environment for it."""
        target = self.dir / "modules"
        if not target.exists():
            target.mkdir()
            self.mount("--bind", modules, target)
        (self.project / "server.js").write_text(text)
        return {"NODE_PATH": target}

    def give_to_nobody(self):
        """Give nobody the directories that stickyctl and npm write to."""
        for path in (self.run_dir, self.state_dir, self.dir / "cache"):
            path.mkdir(exist_ok=True)
            for each in (path, *path.rglob("*")):
                os.chown(each, NOBODY, NOBODY)

    def assert_serves(self, instance):
        """Check that each client has its worker, also over a reload."""
        self.assert_slots(instance)
        result = instance.run("reload", "--wait")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_slots(instance)


@unittest.skipIf(no_packages("frameworks"), no_packages("frameworks"))
class Express(PackageTestCase):
    def serve_express(self, command, prefix=()):
        """Start the application by a command line that names all arguments."""
        env = self.write_server(PACKAGES / "frameworks/node_modules", WHO + EXPRESS)
        return self.serve(prefix=prefix, program=self.script("command", f"exec {command}"), env=env,
                          cwd=self.project)

    def test_npx_as_nobody(self):
        """At SIGTERM npx ends at once, and signals only the shell in between. stickyctl stops all
        the same."""
        self.give_to_nobody()
        instance = self.serve_express(f"npx {START}", as_nobody())
        self.assertNotEqual(instance.status()["pid"], instance.pid)
        self.assert_serves(instance)
        instance.send(signal.SIGTERM)
        self.assertEqual(instance.wait(), -signal.SIGTERM)
        wait_for("stickyctl to stop", lambda: not other_processes())
        self.assertIn(" stopped ", instance.errors)

    def test_with_exec(self):
        """No shell is in between: npm and npx pass the signal on, and wait for the end of
        stickyctl."""
        for command in ("npm start", f"npx -c 'exec {START}'"):
            with self.subTest(command):
                instance = self.serve_express(command)
                self.assert_slots(instance)
                self.assertEqual(instance.terminate(), 0)


@unittest.skipIf(no_packages("socketio"), no_packages("socketio"))
class Socketio(PackageTestCase):
    def test_bin_as_root(self):
        """The process that is started by npm's link becomes stickyctl itself."""
        env = self.write_server(MODULES, (SOURCES / "app.js").read_text())
        instance = self.serve(*START.split()[2:], program=self.bin, cwd=self.project, env=env)
        self.assertEqual(instance.status()["pid"], instance.pid)
        crowd = Crowd(self, transports=["polling", "websocket"], clients=20, rounds=5)
        for client in crowd.finished():
            self.assertEqual((client["errors"], client["rounds"]), ([], 5))
        crowd.stop()
        self.assertEqual(instance.terminate(), 0)


class Package(PackageTestCase):
    def run_bin(self, **programs):
        """Run the program on a machine whose programs print this."""
        tools = self.dir / "tools"
        tools.mkdir(exist_ok=True)
        for name, text in programs.items():
            self.script(f"tools/{name}", text)
        return self.run_program(self.bin, "version",
                                env={"PATH": f"{tools}:{os.environ['PATH']}"})

    def test_version(self):
        described = json.loads((self.package / "package.json").read_text())
        result = self.run_bin()
        self.assertEqual(result.stdout, f"stickyctl {described['version']}\n")
        self.assertNotIn("scripts", described)

    def test_licences(self):
        """The notice of each library is there, and the pages name the oldest supported glibc."""
        rows = [line.split() for line in
                (ROOT / "packaging/npm/libraries").read_text().splitlines() if line[:1] not in "#"]
        for _, package, *_ in rows:
            if package != "libzstd-dev":
                self.assertTrue([*self.package.glob(f"licenses/{package}.copyright")], package)
        for page in (self.package / "README.md", ROOT / "docs/nodejs.md"):
            self.assertIn(f"glibc {FLOOR} ", page.read_text())

    @needs("objdump")
    def test_what_the_build_refuses(self):
        """The program for this machine needs shared libraries and a newer glibc. A library was
        linked in that the list does not name."""
        linker_map = self.write("map", "/usr/lib/libreadline.a(readline.o)\n")
        result = self.run_program(ROOT / "packaging/npm/check_program.py", STICKYCTL, linker_map)
        self.assertEqual(result.returncode, 1)
        for words in (f"the floor is {FLOOR}", "libevent_core", "libreadline.a: was linked in"):
            self.assertIn(words, result.stderr)

    def test_an_unknown_processor(self):
        result = self.run_bin(uname="echo riscv64")
        self.assert_message(result, "riscv64", code=FAILED)

    def test_a_processor_without_program(self):
        shutil.rmtree(next(self.package.glob("linux-*")))
        self.assert_message(self.run_bin(), "no program for", code=FAILED)

    def test_an_old_glibc(self):
        for version in ("2.17", "2.26", "1.99"):
            result = self.run_bin(getconf=f"echo glibc {version}")
            self.assert_message(result, "node:22-slim", f"glibc {FLOOR}", f"glibc {version}",
                                code=FAILED)
        for version in (FLOOR, "2.41", "3.0", "2.31.9000"):
            self.assertEqual(self.run_bin(getconf=f"echo glibc {version}").returncode, 0)

    @needs("busybox", "chroot")
    def test_musl(self):
        """A system like Alpine Linux: busybox, and no glibc."""
        tree = self.dir / "alpine"
        shutil.copytree(self.package, tree / "app")
        (tree / "bin").mkdir()
        shutil.copy(shutil.which("busybox"), tree / "bin")
        for name in ("sh", "uname", "readlink"):
            (tree / "bin" / name).symlink_to("busybox")
        (tree / "dev").mkdir()
        (tree / "lib").mkdir()
        (tree / "lib/ld-musl-x86_64.so.1").touch()
        result = self.run_program("chroot", tree, "/bin/sh", "/app/bin/stickyctl", "version",
                                  env={"PATH": "/bin:/usr/bin:/usr/sbin"})
        self.assert_message(result, "musl", f"glibc {FLOOR} or newer", code=FAILED)


if __name__ == "__main__":
    harness.main()
