# SPDX-License-Identifier: MIT
"""An instance of the installed units, as those see it who use systemctl and stickyctl."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import world  # pylint: disable=wrong-import-position

BUILD = pathlib.Path(os.environ["BUILD"])
CLIENTS = BUILD / "tests" / "peers" / "clients"
STICKYCTL = "/usr/local/bin/stickyctl"
WORKER = pathlib.Path("/usr/local/lib/sticky-test/worker")  # where every user reaches it
UNITS = pathlib.Path("/etc/systemd/system")
HERE = ("127.0.0.1", 3000)
TARGET = "127.0.0.1:3000"
DEADLINE_S = 60


def wait_for(what, condition, seconds=DEADLINE_S):
    """Poll until condition() is true, and return its value."""
    return world.wait_for(what, condition, seconds, 0.02)


def install_worker():
    WORKER.parent.mkdir(exist_ok=True)
    shutil.copy(BUILD / "tests" / "peers" / "worker", WORKER)
    WORKER.chmod(0o755)


def is_alive(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


class Manager:
    """The system's systemd."""

    prefix = ()
    config = pathlib.Path("/etc/sticky")
    drop_ins = UNITS

    def run(self, *command, check=False):
        return subprocess.run([*self.prefix, *map(str, command)], capture_output=True, text=True,
                              check=check, timeout=3 * DEADLINE_S)

    def systemctl(self, *words, check=False):
        return self.run("systemctl", *words, check=check)

    def file(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class Load:
    """New connections from many clients, until it is stopped."""

    def __init__(self, rate=1000):
        self.process = subprocess.Popen(
            [CLIENTS, "--target", TARGET, "--sources", "256", "--duration", "120",
             "--rate", str(rate), "--concurrency", "2000"], stdout=subprocess.PIPE, text=True)
        # Before it catches the signal it would end without its counts.
        wait_for("the load", lambda: world.catches(self.process.pid, signal.SIGTERM))

    def stop(self):
        """Returns the counts. It goes on for a moment, to see the effect of the last operation."""
        time.sleep(0.3)
        self.process.send_signal(signal.SIGTERM)
        output = self.process.communicate(timeout=DEADLINE_S)[0]
        return json.loads(output.splitlines()[-1])


class Service:
    """The unit of the instance NAME, with the lines of its configuration file."""

    def __init__(self, name, manager=None, **options):
        self.name = name
        self.manager = manager or Manager()
        self.unit = f"sticky@{name}.service"
        self.options = {"listen": TARGET, "workers": 2, "ready": "notify",
                        "command": [str(WORKER), "--notify"], **options}
        self.path = self.manager.config / f"{name}.yaml"
        self.began = time.time()
        self.configure()

    def configure(self, **options):
        self.options.update(options)
        self.write("".join(f"{key}: {json.dumps(value)}\n" for key, value in self.options.items()))

    def write(self, text):
        self.manager.file(self.path, text)

    def drop_in(self, text):
        """Lines of the section Service for this instance alone."""
        self.manager.file(self.manager.drop_ins / f"{self.unit}.d" / "test.conf",
                          f"[Service]\n{text}\n")
        self.systemctl("daemon-reload")

    def systemctl(self, verb, *words):
        return self.manager.systemctl(verb, *words)

    def do(self, verb, *words):
        """systemctl VERB of the unit. Returns its exit status."""
        return self.systemctl(verb, *words, self.unit).returncode

    def show(self, name):
        return self.systemctl("show", "--property", name, "--value", self.unit).stdout.strip()

    @property
    def state(self):
        return f"{self.show('ActiveState')} ({self.show('SubState')})"

    @property
    def pid(self):
        return int(self.show("MainPID"))

    def stickyctl(self, *words):
        return self.manager.run(STICKYCTL, *words, "-n", self.name)

    def status(self):
        return json.loads(self.stickyctl("status", "--json").stdout)

    def workers(self):
        """The pids of the workers, by their slots."""
        return [worker["pid"] for worker in self.status()["workers"]]

    def processes(self):
        """The pids in the unit's cgroup, and in those below it."""
        path = self.show("ControlGroup")
        if not path:
            return []
        with contextlib.suppress(FileNotFoundError):
            return [pid for file in pathlib.Path(f"/sys/fs/cgroup{path}").rglob("cgroup.procs")
                    for pid in file.read_text().split()]
        return []

    def cgroups(self):
        """The names of the cgroups below the unit's."""
        directory = pathlib.Path(f"/sys/fs/cgroup{self.show('ControlGroup')}")
        return sorted(path.name for path in directory.glob("stickyctl-*"))

    def kill_controller(self, number=signal.SIGKILL):
        """Returns the pid that it had."""
        pid = self.pid
        os.kill(pid, number)
        return pid

    def wait_pause(self):
        """Wait until systemd has seen the end of the controller, and has not begun the next one."""
        wait_for("the pause", lambda: self.show("SubState") == "stop-post")

    def wait_next(self, former):
        """Wait for the controller that comes after another one, and is ready."""
        wait_for(f"a controller after {former}, {self.state}",
                 lambda: self.pid not in (0, former) and self.state == "active (running)")

    def journal(self):
        """What the journal has since this object was made."""
        return subprocess.run(["journalctl", "--no-pager", "--output=cat",
                               f"--since=@{self.began:.6f}"],
                              capture_output=True, text=True, check=True).stdout
