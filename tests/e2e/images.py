# SPDX-License-Identifier: MIT
"""Images of containers, made from a Dockerfile by mounts and chroot(2) alone. This machine's own
files take the place of any image in FROM; `scratch` is an empty tree."""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess

SCRATCH = "scratch"
CONTAINER = ("unshare", "--pid", "--mount", "--fork", "--kill-child", "--propagation", "private",
             "--", "sh", "-c", 'mount -t proc proc "$0/proc"; exec "$@"')


def mount(*arguments):
    """Mount until the end of the image: its directory is a mount that is then detached with all
    mounts below it."""
    subprocess.run(["mount", *map(str, arguments)], check=True)


def instructions(text):
    """Returns (word, rest) of each instruction."""
    joined = text.replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in joined.splitlines()
            if line and not line.startswith("#")]


class Stage:
    """The present state of an image: a tree of files, and its settings."""

    def __init__(self, test, directory, base):
        self.test = test
        self.root = directory / "root"
        self.directory = "/"
        self.user = "0"
        self.env = {}
        self.health, self.entry, self.command = [], [], []
        self.root.mkdir(parents=True)
        if base != SCRATCH:
            self._lay_over_this_machine(directory)
        for name in ("proc", "dev", "sys", "tmp"):
            self.path(name).mkdir(exist_ok=True)

    def _lay_over_this_machine(self, directory):
        upper, work = directory / "upper", directory / "work"
        upper.mkdir()
        work.mkdir()
        try:
            mount("-t", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", "image",
                  self.root)
        except subprocess.CalledProcessError:
            self.test.skipTest("no overlayfs")
        mount("--rbind", "/dev", self.root / "dev")
        mount("-t", "proc", "proc", self.root / "proc")

    def path(self, name):
        return self.root / os.path.join(self.directory, name).lstrip("/")

    def workdir(self, rest):
        self.directory = os.path.join(self.directory, rest)
        self.path(".").mkdir(parents=True, exist_ok=True)

    def copy(self, source, words):
        *names, target = words
        found = [path for name in names for path in source.glob(name.lstrip("/") or ".")]
        assert found, names
        if len(found) == 1 and found[0].is_dir():
            self.path(target).mkdir(parents=True, exist_ok=True)
            found = found[0].iterdir()
        for path in found:
            subprocess.run(["cp", "-a", path, self.path(target)], check=True)

    def run(self, command):
        result = self.test.run_program(
            "chroot", self.root, "sh", "-c", f"cd {self.directory} && {command}", seconds=60)
        assert result.returncode == 0, result

    def set_env(self, rest):
        self.env.update(word.split("=", 1) for word in shlex.split(rest))


class Image:
    """The last stage of a Dockerfile."""

    def __init__(self, test, dockerfile):
        self.stages = {}
        self.context = dockerfile.parent
        place = test.dir / f"image-{dockerfile.name}"
        place.mkdir()
        test.mount("-t", "tmpfs", "none", place)
        for word, rest in instructions(dockerfile.read_text()):
            if word == "FROM":
                base, _, name = re.fullmatch(r"(\S+)( AS (\S+))?", rest).groups()
                self.last = Stage(test, place / str(len(self.stages)), base)
                self.stages[name or ""] = self.last
            else:
                self._follow(word, rest)

    def _follow(self, word, rest):
        last = self.last
        if word == "COPY":
            words = rest.split()
            found = re.fullmatch("--from=(.*)", words[0])
            source = self.stages[found[1]].root if found else self.context
            last.copy(source, words[1:] if found else words)
        elif word == "HEALTHCHECK":
            last.health = json.loads(rest.partition(" CMD ")[2])
        elif word in ("ENTRYPOINT", "CMD"):
            setattr(last, {"ENTRYPOINT": "entry", "CMD": "command"}[word], json.loads(rest))
        elif word == "USER":
            last.user = rest
        elif word != "EXPOSE":
            {"WORKDIR": last.workdir, "RUN": last.run, "ENV": last.set_env}[word](rest)

    def seal(self):
        """Make the image read-only, as `docker run --read-only --tmpfs /tmp` does."""
        last = self.last
        mount("--rbind", last.root, last.root)
        mount("-o", "remount,bind,ro", last.root)
        mount("-t", "tmpfs", "-o", "mode=1777", "none", last.root / "tmp")
        if not (last.root / "dev/null").exists():
            mount("--rbind", "/dev", last.root / "dev")

    def _enter(self):
        """The beginning of a command line that runs a program of the image."""
        last = self.last
        return ["env", f"PATH={last.env['PATH']}", shutil.which("unshare"), f"--root={last.root}",
                f"--wd={last.directory}", f"--setgid={last.user}", f"--setuid={last.user}"]

    def first(self, capabilities):
        """The beginning of a command line that runs a program as a container's first process."""
        return [*CONTAINER, self.last.root, *capabilities, *self._enter()]

    def beside(self, pid):
        """The beginning of a command line that runs a program in the container of this process."""
        return ["nsenter", f"--target={pid}", "--pid", "--mount", "--", *self._enter()]

    def outside(self, path):
        """Returns the path at which the test sees a file of the container."""
        return self.last.root / pathlib.Path(path).relative_to("/")
