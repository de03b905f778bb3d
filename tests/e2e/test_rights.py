#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a Node.js worker asks the controller for is done with the rights of the worker's user."""

import os
import stat

import harness
from clients import HERE, LISTEN
from nodejs import NodeTestCase, ask_http
from privilege import NOBODY
from world import set_sysctl, wait_for

AS_NOBODY = ("--user", "nobody", "--chdir", "/")

# Listens on HERE, and then on one thing more; says what came of that.
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
        """An instance whose worker has said what came of its second listen()."""
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
        """A link in the place of the worker's directory: nothing is removed where it leads to."""
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
        """It is steered, and asked for by the worker all the same."""
        instance = self.assert_start_fails(self.plain("80"), "EACCES", "-l :80",
                                           arguments=AS_NOBODY)
        self.assertFalse(instance.log_lines("listening"))


if __name__ == "__main__":
    harness.main()
