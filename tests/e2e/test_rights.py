#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The controller acts for workers with the rights of the workers' user: for requests of Node.js
workers, and for files at paths that this user can change."""

import errno
import os
import pathlib
import stat

import harness
from clients import HERE, LISTEN
from lifecycle import LifecycleTestCase
from nodejs import NodeTestCase, ask_http
from privilege import NOBODY, copy_program
from passing import TAKER
from programs import WORKER, LogLine
from world import set_sysctl, wait_for

AS_NOBODY = ("--user", "nobody", "--chdir", "/")

# Listens on HERE, and then on one more address or path; prints the result.
ONE_MORE = """
    const net = require('net'), http = require('http'), dgram = require('dgram');
    http.createServer((request, response) => response.end(who(request.socket) + '\\n'))
      .listen(%s, () => {
        const more = %s;
        more.on('error', error => console.log('refused', error.code));
        more.on('listening', () => console.log('listens'));
      });
    """
PATH = "net.createServer().listen('%s')"
TCP = "net.createServer().listen(%d)"
UDP = "dgram.createSocket('udp4').bind(%d)"


class RightsTestCase(NodeTestCase):
    def serve_more(self, more, *arguments, first="3000", user=AS_NOBODY):
        """Start an instance. Returns what its worker prints about its second listen()."""
        self.instance = self.serve_node(self.app(ONE_MORE % (first, more)), *user, *arguments,
                                        slots=1)
        return wait_for("the worker's words", lambda: self.instance.output.splitlines()[-1:])[0]

    def directory(self, name, owner=0, mode=0o755):
        path = self.dir / name
        path.mkdir()
        os.chown(path, owner, owner)
        path.chmod(mode)
        return path


class Paths(RightsTestCase):
    """UNIX paths."""

    def test_a_directory_of_root(self):
        place = self.directory("place")
        self.assertEqual(self.serve_more(PATH % (place / "x.sock")), "refused EACCES")
        self.assertEqual(os.listdir(place), [])
        self.assertEqual(self.instance.stop(), 0)

    def test_a_directory_of_its_own(self):
        place = self.directory("place", NOBODY, 0o700)
        self.assertEqual(self.serve_more(PATH % (place / "x.sock")), "listens")
        status = os.stat(place / "x.sock")
        self.assertTrue(stat.S_ISSOCK(status.st_mode))
        self.assertEqual((status.st_uid, status.st_gid), (NOBODY, NOBODY))
        self.assertEqual(self.instance.stop(), 0)
        self.assertEqual(os.listdir(place), [])

    def test_a_directory_of_one_of_its_groups(self):
        place = self.directory("place", 0, 0o770)
        os.chown(place, 0, 1)
        user = ("--user", "nobody:daemon", "--chdir", "/")
        self.assertEqual(self.serve_more(PATH % (place / "x.sock"), user=user), "listens")
        self.assertEqual(os.stat(place / "x.sock").st_uid, NOBODY)
        self.assertEqual(self.instance.stop(), 0)
        self.assertEqual(os.listdir(place), [])

    def test_a_directory_of_the_group_of_root(self):
        """The groups of the controller are not those of the worker."""
        place = self.directory("place", 0, 0o770)
        self.assertEqual(self.serve_more(PATH % (place / "x.sock")), "refused EACCES")
        self.assertEqual(self.instance.stop(), 0)

    def test_another_directory_takes_its_place(self):
        """A link takes the place of the worker's directory. No file is removed at the link's
        target."""
        place, secret = self.directory("place", NOBODY), self.directory("secret", mode=0o700)
        self.assertEqual(self.serve_more(PATH % (place / "x.sock")), "listens")
        (secret / "x.sock").write_text("kept")
        place.rename(self.dir / "moved")
        place.symlink_to(secret)
        self.assertEqual(self.instance.stop(), 0)
        self.assertEqual((secret / "x.sock").read_text(), "kept")
        self.assertEqual(os.listdir(self.dir / "moved"), [])

    def test_another_file_takes_its_place(self):
        """Only the file that was bound is removed."""
        place = self.directory("place", NOBODY)
        self.assertEqual(self.serve_more(PATH % (place / "x.sock")), "listens")
        (place / "x.sock").unlink()
        (place / "x.sock").write_text("another")
        self.assertEqual(self.instance.stop(), 0)
        self.assertEqual((place / "x.sock").read_text(), "another")

    def test_after_a_takeover(self):
        """The next controller removes the socket's file as well, with the same care."""
        place = self.directory("place", NOBODY)
        self.assertEqual(self.serve_more(PATH % (place / "x.sock")), "listens")
        self.kill_controller(self.instance)
        successor = self.serve_node(self.dir / "server.js", *AS_NOBODY, slots=1)
        self.assertEqual(successor.run("reload", "--wait=drained").returncode, 0)
        self.assertEqual(successor.stop(), 0)
        self.assertEqual(os.listdir(place), [])

    def test_a_worker_of_root(self):
        """Without --user a worker has the rights of the controller."""
        place = self.directory("place", mode=0o700)
        self.assertEqual(self.serve_more(PATH % (place / "x.sock"), user=()), "listens")
        self.assertEqual(self.instance.stop(), 0)
        self.assertEqual(os.listdir(place), [])


class Ports(RightsTestCase):
    """Ports below net.ipv4.ip_unprivileged_port_start."""

    def check(self, more, answer, *arguments, **options):
        self.assertEqual(self.serve_more(more, *arguments, **options), answer)
        self.assertEqual(ask_http(HERE if options.get("first") is None else
                                  ("127.0.0.1", int(options["first"])))["slot"], 0)
        self.assertEqual(self.instance.stop(), 0)

    def test_tcp(self):
        self.check(TCP % 22, "refused EACCES")

    def test_udp(self):
        self.check(UDP % 67, "refused EACCES")

    def test_any_free_port(self):
        self.check(TCP % 0, "listens")

    def test_of_a_worker_of_root(self):
        self.check(TCP % 22, "listens", user=())

    def test_below_another_limit(self):
        set_sysctl("net.ipv4.ip_unprivileged_port_start", 100)
        self.addCleanup(set_sysctl, "net.ipv4.ip_unprivileged_port_start", 1024)
        self.check(TCP % 101, "listens")
        self.check(TCP % 99, "refused EACCES")

    def test_that_the_command_line_names(self):
        self.check(UDP % 80, "listens", "-l", "127.0.0.1:80", first="80")

    def test_another_than_the_command_line_names(self):
        self.check(TCP % 81, "refused EACCES", "-l", "127.0.0.1:80", first="80")

    def test_the_first_port(self):
        """The port would be steered, but the worker asks for it with its own rights."""
        instance = self.assert_start_fails(self.plain("80"), "EACCES", "-l :80",
                                           arguments=AS_NOBODY)
        self.assertFalse(instance.log_lines("listening"))


# Sends a message to the controller that no listen() sends, and then listens.
ASKS = """
    process.on('internalMessage', message => {
      if (message.ack === 7777) console.log('errno', message.errno);
    });
    process.send({cmd: 'NODE_CLUSTER', act: 'queryServer', seq: 7777, index: 0, flags: 0, fd: -1,
                  ...%s});
    require('http').createServer((request, response) => response.end(who(request.socket) + '\\n'))
      .listen(3000);
    """


class Queries(RightsTestCase):
    """Requests that no application sends, but a hostile worker could."""

    def check(self, query, number):
        instance = self.serve_node(self.app(ASKS % query), *AS_NOBODY, slots=1)
        self.assertEqual(instance.output, f"errno {-number}\n")
        self.assertEqual(instance.status()["listeners"], ["[::]:3000"])
        for line in instance.errors.splitlines():
            parsed = LogLine.parse(line)
            self.assertFalse(parsed and "forged" in parsed.fields, line)
        self.assertEqual(instance.stop(), 0)

    def test_a_name_is_not_looked_up(self):
        self.check("{address: 'localhost', port: 4000, addressType: 4}", errno.EINVAL)

    def test_words_do_not_become_fields_of_the_log(self):
        self.check("""{address: '::" forged="1', port: 4000, addressType: 6}""", errno.EINVAL)

    def test_a_relative_path(self):
        self.check("{address: 'x.sock', port: -1, addressType: -1}", errno.EINVAL)

    def test_a_descriptor_of_the_controller(self):
        self.check("{address: '', port: -1, addressType: -1, fd: 9}", errno.EBADF)


class OptionsTestCase(LifecycleTestCase):
    """Paths that the operator named, below a directory that the workers' user can replace."""

    def setUp(self):
        super().setUp()
        self.home = self.directory("home", NOBODY)
        self.place = self.directory("home/place", NOBODY)
        self.secret = self.directory("secret", mode=0o700)
        self.worker = copy_program(WORKER, self.dir)

    directory = RightsTestCase.directory

    def exchange(self):
        """Replace the directory by a link to a directory of root, as a worker can do."""
        self.place.rename(self.home / "moved")
        self.link(self.place, self.secret)

    def link(self, place, target):
        place.symlink_to(target)
        os.chown(place, NOBODY, NOBODY, follow_symlinks=False)

    def serve_one(self, *arguments):
        return self.serve("-w", "1", *LISTEN, *AS_NOBODY, *arguments, "--", self.worker,
                          "--notify")


class SlotListen(OptionsTestCase):
    """--slot-listen."""

    def serve_slot(self, place):
        return self.serve_one("--slot-listen", f"unix:{place}/{{slot}}.sock")

    def test_a_directory_of_root(self):
        instance = self.serve_slot(self.secret)
        self.assertEqual(os.stat(self.secret / "0.sock").st_uid, 0)
        self.assertEqual(instance.stop(), 0)
        self.assertEqual(os.listdir(self.secret), [])

    def test_a_link_of_root(self):
        (self.dir / "link").symlink_to(self.secret)
        instance = self.serve_slot(self.dir / "link")
        self.assertEqual(os.listdir(self.secret), ["0.sock"])
        self.assertEqual(instance.stop(), 0)
        self.assertEqual(os.listdir(self.secret), [])

    def test_a_directory_of_the_workers_user(self):
        instance = self.serve_slot(self.place)
        self.assertEqual(os.stat(self.place / "0.sock").st_uid, NOBODY)
        self.assertEqual(stat.S_IMODE(os.stat(self.place / "0.sock").st_mode), 0o666)
        self.assertEqual(instance.stop(), 0)
        self.assertEqual(os.listdir(self.place), [])

    def test_an_exchange_before_the_end(self):
        instance = self.serve_slot(self.place)
        (self.secret / "0.sock").write_text("kept")
        self.exchange()
        self.assertEqual(instance.stop(), 0)
        self.assertEqual((self.secret / "0.sock").read_text(), "kept")
        self.assertEqual(os.listdir(self.home / "moved"), [])

    def test_an_exchange_before_a_slot_is_added(self):
        instance = self.serve_slot(self.place)
        self.exchange()
        self.assertNotEqual(instance.run("scale", "2").returncode, 0)
        self.assertEqual(os.listdir(self.secret), [])
        self.assertEqual(instance.stop(), 0)


class Config(OptionsTestCase):
    """A configuration file that another user can change: this is logged."""

    def check(self, path, expected):
        path.write_text("workers: 1\n")
        instance = self.serve_one("-c", path)
        self.assertEqual(len(instance.log_lines("config_not_safe", file=path)), expected)
        self.assertEqual(instance.stop(), 0)

    def test_of_root(self):
        self.check(self.secret / "config", 0)

    def test_of_the_workers_user(self):
        self.check(self.place / "config", 1)

    def test_that_a_group_can_write_to(self):
        (self.secret / "config").touch()
        (self.secret / "config").chmod(0o660)
        self.check(self.secret / "config", 1)


class TrustedProxies(OptionsTestCase):
    """--trusted-proxy @FILE, which is read again at a reload."""

    def test_a_fifo(self):
        """The controller does not wait for a process that writes to the FIFO."""
        (self.place / "ranges").write_text("127.0.0.0/8\n")
        instance = self.serve("-w", "1", *LISTEN, *AS_NOBODY, "--behind-proxy", "xff",
                              "--trusted-proxy", f"@{self.place}/ranges", "--",
                              copy_program(TAKER, self.dir))
        (self.place / "ranges").unlink()
        os.mkfifo(self.place / "ranges", 0o666)
        result = instance.run("reload", seconds=15)
        self.assert_message(result, "ranges: not a regular file", code=78)
        self.assertEqual(instance.stop(), 0)


class EnvFile(OptionsTestCase):
    """--env-file, which is read again at a reload."""

    def reload(self, instance):
        """Reload. Returns the exit status, and whether a worker got text that only root may
        read."""
        result = instance.run("reload", "--wait", seconds=15)
        pid = instance.workers()[0]["pid"]
        environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        return result.returncode, b"KEY=secret" in environment

    def serve_file(self, place):
        (place / "env").write_text("KEY=old\n")
        return self.serve_one("--env-file", place / "env")

    def set_secret(self, path, text="KEY=secret\n"):
        path.write_text(text)
        path.chmod(0o600)

    def test_of_root(self):
        instance = self.serve_file(self.secret)
        self.set_secret(self.secret / "env")
        self.assertEqual(self.reload(instance), (0, True))
        self.assertEqual(instance.stop(), 0)

    def test_an_exchange(self):
        instance = self.serve_file(self.place)
        self.set_secret(self.secret / "env")
        self.exchange()
        self.assertEqual(self.reload(instance), (4, False))
        self.assertEqual(instance.stop(), 0)

    def test_a_link(self):
        instance = self.serve_file(self.place)
        self.set_secret(self.secret / "other")
        (self.place / "env").unlink()
        self.link(self.place / "env", self.secret / "other")
        self.assertEqual(self.reload(instance), (4, False))
        self.assertEqual(instance.stop(), 0)

    def test_a_fifo(self):
        """The controller does not wait for a process that writes to the FIFO."""
        instance = self.serve_file(self.place)
        (self.place / "env").unlink()
        os.mkfifo(self.place / "env", 0o666)
        self.assertEqual(self.reload(instance), (4, False))
        self.assertEqual(instance.stop(), 0)


if __name__ == "__main__":
    harness.main()
