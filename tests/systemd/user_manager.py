# SPDX-License-Identifier: MIT
"""systemd --user."""

import os
import pathlib
import pwd

from service import UNITS, Manager


class UserManager(Manager):
    """`systemd --user` of a user, which runs as a service of the system's systemd."""

    def __init__(self, name):
        user = pwd.getpwnam(name)
        self.uid = user.pw_uid
        self.home = pathlib.Path("/tmp") / f"home-{name}"
        self.config = self.home / ".config" / "sticky"
        self.drop_ins = self.home / ".config" / "systemd" / "user"
        self.unit = f"manager-of-{name}.service"
        runtime = f"/run/user/{self.uid}"
        variables = (f"HOME={self.home}", f"XDG_RUNTIME_DIR={runtime}", f"USER={name}")
        self.prefix = ("setpriv", f"--reuid={self.uid}", f"--regid={user.pw_gid}",
                       "--clear-groups", "env", "-i", "PATH=/usr/bin:/bin", *variables)
        for directory in (self.home, pathlib.Path(runtime)):
            directory.mkdir(parents=True, exist_ok=True)
            os.chown(directory, self.uid, user.pw_gid)
        self.gid = user.pw_gid
        (UNITS / self.unit).write_text(
            f"[Service]\nUser={name}\nDelegate=yes\nType=notify\n"
            f"Environment={' '.join(variables)}\n"
            "ExecStart=/lib/systemd/systemd --user --unit=basic.target\n"
            "KillMode=mixed\nTimeoutStopSec=20\n")

    def start(self):
        Manager().systemctl("daemon-reload", check=True)
        Manager().systemctl("start", self.unit, check=True)

    def stop(self):
        Manager().systemctl("stop", self.unit, check=True)

    def systemctl(self, *words, check=False):
        return self.run("systemctl", "--user", *words, check=check)

    def file(self, path, text):
        super().file(path, text)
        for each in (path, *path.relative_to(self.home).parents):
            os.chown(self.home / each, self.uid, self.gid)
