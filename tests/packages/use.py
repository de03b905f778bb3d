#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Use the packages debs/1 and debs/2 inside a tree, in a network of its own. packages.py runs this
program.

Each step prints a line "ok STEP" or "FAIL STEP". The program ends at the first step that fails.
"""

import glob
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
import urllib.request

from files import list_files
from load import Load

HERE = pathlib.Path(__file__).resolve().parent
WORKER = ("python3", "-B", HERE / "worker.py")
NOBODY = 65534
DEADLINE_S = 30
MUST_CONNECT = 50  # connections during an upgrade, at the least


# ---- Commands -----------------------------------------------------------------------------


def run(*command, status=0, **options):
    """Run a command that must end with this status. Returns its output."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    print("\n".join([f"$ {' '.join(str(word) for word in command)}", done.stdout]), flush=True)
    assert done.returncode == status, f"exit status {done.returncode}"
    return done.stdout


def install(number):
    return run("dpkg", "-i", *sorted(glob.glob(f"debs/{number}/*.deb")))


def wait_until(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)


class Instance:
    """An instance with two workers. `options` are those of its start. With `prefix` it is another
    user's."""

    def __init__(self, name, port, *options, run_dir="/run/sticky", prefix=()):
        self.name, self.port, self.run_dir, self.prefix = name, port, run_dir, prefix
        self.words = ("-n", name, "--run-dir", run_dir)
        run(*prefix, "stickyctl", "start", *self.words, "-l", f"127.0.0.1:{port}", "-w", 2, "-d",
            "--log-file", f"/srv/{name}.log", *options, "--", *WORKER)
        self.pid = self.status()["pid"]
        self.workers = self.worker_pids()

    def status(self):
        return json.loads(run(*self.prefix, "stickyctl", "status", *self.words, "--json"))

    def worker_pids(self):
        return [worker["pid"] for worker in self.status()["workers"]]

    def program(self):
        return os.readlink(f"/proc/{self.pid}/exe")

    def is_upgraded(self):
        return self.program() == "/usr/bin/stickyctl" and self.worker_pids() == self.workers

    def stop(self):
        run(*self.prefix, "stickyctl", "stop", *self.words)


def build_consumer(compiler, name):
    """Build tests/consumer.c with libsticky-dev and nothing else, shared and static, and run it."""
    compiler = (*compiler, "tests/consumer.c", "-x", "none")
    flags = run("pkg-config", "--cflags", "--libs", "libsticky").split()
    run(*compiler, *flags, "-o", f"/srv/{name}-shared")
    assert "libsticky.so.0" in run("ldd", f"/srv/{name}-shared")
    static = [word.replace("-lsticky", "-l:libsticky.a") for word in
              run("pkg-config", "--static", "--libs", "libsticky").split()]
    run(*compiler, *static, "-o", f"/srv/{name}-static")
    assert "libsticky" not in run("ldd", f"/srv/{name}-static")
    run(f"/srv/{name}-shared")
    run(f"/srv/{name}-static")


def run_example(name, port):
    """Build an example of libsticky-dev, and send it a request. It loads the BPF program."""
    directory = pathlib.Path("/srv") / name
    shutil.copytree(f"/usr/share/doc/libsticky-dev/examples/{name}", directory)
    run("make", "-C", directory, "CC=gcc", "CXX=g++")
    log = directory / "log"
    with open(log, "wb") as output:
        server = subprocess.Popen([directory / "server", f"127.0.0.1:{port}", "2"], stdout=output,
                                  stderr=output, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: "ready\n" in log.read_text() or server.poll() is not None, "ready")
        assert server.poll() is None, log.read_text()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=DEADLINE_S) as answer:
            text = answer.read().decode()
        assert re.match(r"slot=[01] gen=\d+", text), text
        server.terminate()
        assert server.wait(DEADLINE_S) == 0, log.read_text()
    finally:
        server.kill()
        server.wait()
    print(f"{name}: {text}{log.read_text()}", flush=True)


# ---- Steps, in this order -----------------------------------------------------------------


class Steps:
    def __init__(self):
        self.before = None  # all files, before the first step
        self.web = None

    def install(self):
        """apt finds all dependencies of the packages. No program is started or gets privileges."""
        self.before = list_files()
        run("apt-get", "install", "-y", *sorted(glob.glob("./debs/1/*.deb")))
        assert "no instance" in run("stickyctl", "list")
        assert not run("getcap", "/usr/bin/stickyctl")
        assert not os.path.exists("/run/sticky") and not os.path.exists("/var/lib/sticky")
        version = run("stickyctl", "version").split()[1]
        assert run("dpkg-query", "-W", "-f", "${Version}", "stickyctl").startswith(version)

    def library(self):
        """Programs in C and in C++ are built with libsticky-dev, and run."""
        build_consumer(("gcc",), "c")
        build_consumer(("g++", "-x", "c++"), "cpp")
        run_example("threads", 8010)
        run_example("cpp", 8011)

    def serve(self):
        """Each client gets the same worker each time. The kernel chooses it."""
        self.web = Instance("web", 8000)
        assert self.web.status()["steering"] == "kernel"
        with Load(8000) as load:
            wait_until(lambda: load.answers > MUST_CONNECT, "answers")
        assert not load.failures, load.failures

    def start_as_nobody(self):
        """Start an instance as an ordinary user, with the capability that the kernel engine needs,
        and a place where it may pin its maps."""
        os.makedirs("/srv/nobody", exist_ok=True)
        os.chown("/srv/nobody", NOBODY, NOBODY)
        os.chmod("/sys/fs/bpf", 0o1777)
        as_nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                     "--inh-caps=+bpf", "--ambient-caps=+bpf", "env", "-u", "XDG_RUNTIME_DIR",
                     "HOME=/srv/nobody")
        return Instance("api", 8001, "--log-file", "/srv/nobody/log", prefix=as_nobody,
                        run_dir=f"/tmp/sticky-{NOBODY}")

    def upgrade(self):
        """All running controllers become the new program, and no connection fails. A controller
        that can't be upgraded goes on, and is named with the command for its user."""
        api = self.start_as_nobody()
        own = Instance("own", 8002, run_dir="/srv/own")
        config = pathlib.Path("/srv/broken.yaml")
        config.write_text("backlog: 1024\n")
        broken = Instance("broken", 8003, "-c", config)
        config.write_text("blacklog: 1024\n")

        with Load(8000) as load:
            wait_until(lambda: load.answers > MUST_CONNECT, "answers")
            before = load.answers
            said = install(2)
            after = load.answers
        assert not load.failures, load.failures
        assert after - before > MUST_CONNECT, f"{after - before} connections during the upgrade"
        print(f"{after - before} connections during the upgrade, 0 failed")

        assert self.web.is_upgraded() and api.is_upgraded() and own.is_upgraded()
        assert broken.program().endswith("(deleted)"), broken.program()
        remedy = re.search(r"type: (stickyctl upgrade -n broken .*)", said)[1]
        config.write_text("backlog: 1024\n")
        run(*remedy.split())
        assert broken.is_upgraded()
        for instance in (api, own, broken):
            instance.stop()

    def capabilities(self):
        """Capabilities that an administrator gave the program are kept at an upgrade."""
        run("setcap", "cap_bpf,cap_net_bind_service+ep", "/usr/bin/stickyctl")
        install(2)
        assert "cap_bpf" in run("getcap", "/usr/bin/stickyctl")
        assert not os.path.exists("/run/stickyctl.capabilities")

    def purge_while_serving(self):
        """Running instances are named. They serve on, and keep their state."""
        said = run("dpkg", "--purge", "libsticky-dev", "libsticky0", "stickyctl")
        assert re.search(rf"(?m)^web +root +{self.web.pid} ", said)
        remedy = re.search(r"type: (rm -rf .*)", said)[1]
        with Load(8000) as load:
            wait_until(lambda: load.answers > MUST_CONNECT, "answers")
        assert not load.failures, load.failures
        assert os.path.exists("/var/lib/sticky/web/seed")
        os.kill(self.web.pid, signal.SIGTERM)
        wait_until(lambda: not os.path.exists(f"/proc/{self.web.pid}"), "the controller's end")
        run(*remedy.split())

    def remove(self):
        """A removal keeps the state and the configuration for a later installation."""
        install(2)
        Instance("web", 8000).stop()
        os.makedirs("/etc/sticky")
        pathlib.Path("/etc/sticky/web.yaml").write_text("backlog: 1024\n")
        run("dpkg", "--remove", "libsticky-dev", "libsticky0", "stickyctl")
        assert not os.path.exists("/usr/bin/stickyctl")
        assert os.path.exists("/var/lib/sticky/web/seed")
        assert os.path.exists("/etc/logrotate.d/stickyctl")

    def purge(self):
        """A purge leaves only the administrator's files."""
        run("dpkg", "--purge", "stickyctl")
        os.unlink("/etc/sticky/web.yaml")
        os.rmdir("/etc/sticky")
        after = list_files()
        assert after == self.before, (sorted(after - self.before), sorted(self.before - after))


def main():
    steps = Steps()
    run("ip", "link", "set", "lo", "up")
    for step in (steps.install, steps.library, steps.serve, steps.upgrade, steps.capabilities,
                 steps.purge_while_serving, steps.remove, steps.purge):
        try:
            step()
        except Exception:  # pylint: disable=broad-exception-caught # the step failed
            traceback.print_exc(file=sys.stdout)
            print(f"FAIL {step.__name__}", flush=True)
            return 1
        print(f"ok {step.__name__}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
