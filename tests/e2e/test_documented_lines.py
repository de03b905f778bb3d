#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The lines `stickyctl start ... -- PROGRAM` of README.md, docs/servers.md and docs/nodejs.md: each
whose program is installed starts as it is there, serves a request, and stops.

A line is in a block of code, or between backticks in a table. Beside it the test puts the
application that the line names. A line that no application is known for is a failure: add one to
APPLICATIONS, or say in ELSEWHERE why it is not run here.
"""

import pathlib
import re
import shlex
import shutil
import unittest

import harness
from clients import client_socket, http_get
from test_examples import ROOT

PAGES = ("README.md", "docs/servers.md", "docs/nodejs.md")
LINE = re.compile(r"^    (stickyctl start .*)$|^\|.*`(stickyctl start [^`]* -- [^`]*)`.*\|$",
                  re.MULTILINE)
# Lines that are not run here: how a command begins -> why.
ELSEWHERE = {
    "node worker.js": "sticky-listen: tests/e2e/test_node_modules.py runs such workers",
    "--worker=node:sticky-cluster": "sticky-cluster: tests/e2e/test_node_modules.py runs such "
                                    "workers",
    "httpd": "httpd reads the configuration of the host",
    "php-fpm": "php-fpm reads the configuration of the host, and speaks FastCGI",
    "uwsgi": "uWSGI may miss the signal to stop in the first moments after its start",
}

# ---- The applications ---------------------------------------------------------------------

NODE = """
    require('http').createServer((request, response) => response.end('hello'))
      .listen(process.env.PORT || 3000);
    """
JAVA = """
    import com.sun.net.httpserver.HttpServer;
    import java.net.InetSocketAddress;

    public class App {
        public static void main(String[] words) throws Exception {
            int port = Integer.parseInt(System.getenv("PORT"));
            HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
            server.createContext("/", exchange -> {
                exchange.sendResponseHeaders(200, 5);
                exchange.getResponseBody().write("hello".getBytes());
                exchange.close();
            });
            server.start();
        }
    }
    """
WSGI = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
RUBY = """
require 'socket'
server = TCPServer.new('0.0.0.0', ENV['PORT'].to_i)
trap('TERM') { exit }
loop do
  client = server.accept
  while (line = client.gets) && line != "\\r\\n" do end
  client.write "HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nConnection: close\\r\\n\\r\\nhello"
  client.close
end
"""
# For any program that binds an address itself.
SERVER = "exec python3 -m http.server -b 0.0.0.0 8080"
NGINX = """
events {}
http { access_log off; server { listen 80; location / { return 200 "hello"; } } }
"""


def java(test):
    test.write("App.java", JAVA)
    for words in (("javac", "App.java"), ("jar", "cfe", "app.jar", "App", "-C", ".", ".")):
        result = test.run_program(*words, cwd=test.dir, seconds=120)
        test.assertEqual(result.returncode, 0, result.stderr)


def php(test):
    for directory in (test.dir, test.dir / "public"):
        directory.mkdir(exist_ok=True)
        (directory / "index.php").write_text("<?php echo 'hello';")


def nginx(test):
    # The line names no file: nginx reads its own.
    test.mount("--bind", test.write("nginx.conf", NGINX), "/etc/nginx/nginx.conf")


def files(**texts):
    """An application that consists of these files, whose dots are written as _."""
    def write(test):
        for name, text in texts.items():
            test.write(name.replace("_", "."), text)
    return write


def programs(*names):
    def write(test):
        for name in names:
            test.script(name, SERVER)
    return write


def nothing(_):
    pass


# How a command begins -> what makes its application, and the programs that this needs.
APPLICATIONS = {
    "node server.js": (files(server_js=NODE), "node"),
    "java -jar app.jar": (java, "java", "javac", "jar"),
    "php -S": (php, "php"),
    "gunicorn app:application": (files(app_py=WSGI), "gunicorn"),
    "nginx": (nginx, "nginx"),
    "python3 -m http.server": (nothing, "python3"),
    "ruby server.rb": (files(server_rb=RUBY), "ruby"),
    "./server": (programs("server"), "python3"),
    "./run.sh": (programs("run.sh"), "python3"),
    "redis-server": (nothing, "redis-server"),
}

# ---- The lines ------------------------------------------------------------------------------


def lines_of(text):
    """The words of each line, of its options and of its command."""
    for match in LINE.finditer(text):
        words = shlex.split(match[1] or match[2], comments=True)[2:]
        if "--" in words:
            end = words.index("--")
            yield words[:end], words[end + 1:]


def known(table, *texts):
    """The value of the first key that one of the texts is, or begins with; or None."""
    return next((value for key, value in table.items()
                 if any(text == key or text.startswith(key + " ") for text in texts)), None)


def port_of(options, command):
    """Where the line's server is to be asked."""
    for option, address in zip(options, options[1:]):
        if option == "-l":
            return int(address.rpartition(":")[2])
    return 3000 if command[0] == "node" else 8080


class Lines(harness.TestCase):

    def script(self, name, text):
        return self.write(name, f"#!/bin/sh\n{text}\n", 0o755)

    def ask(self, command, port):
        if command[0] == "redis-server":
            with client_socket(("127.0.0.1", port)) as client:
                client.sendall(b"PING\r\n")
                self.assertEqual(client.recv(100), b"+PONG\r\n")
            return
        self.assertEqual(http_get(("127.0.0.1", port))[0], 200)

    def check(self, make, options, command):
        make(self)
        instance = self.serve(*options, "--", *command, cwd=self.dir)
        self.ask(command, port_of(options, command))
        self.assertEqual(instance.stop(), 0)


class Reading(unittest.TestCase):
    """How the pages are read."""

    def test_lines(self):
        text = ("    stickyctl start -l :3000 -- node a.js   # a comment\n"
                "| a | `stickyctl start -w 2 -- b --c 'd e'` (f) |\n"
                "stickyctl start -- no line\n    stickyctl start -w 4\n")
        self.assertEqual(list(lines_of(text)), [(["-l", ":3000"], ["node", "a.js"]),
                                                (["-w", "2"], ["b", "--c", "d e"])])

    def test_each_page_has_lines(self):
        for page in PAGES:
            self.assertTrue(list(lines_of((ROOT / page).read_text())), page)


def test_of(options, command):
    line = " ".join(command)
    elsewhere = known(ELSEWHERE, line, *options)
    application = known(APPLICATIONS, line)

    def test(self):
        if elsewhere:
            self.skipTest(elsewhere)
        self.assertTrue(application, f"no application is known for: {line}")
        path = harness.environment()["PATH"]
        missing = [name for name in application[1:] if not shutil.which(name, path=path)]
        if missing:
            self.skipTest(f"{line}: {', '.join(missing)}: not installed")
        self.check(application[0], options, command)
    test.__doc__ = f"{' '.join(options)} -- {line}"
    return test


for each in PAGES:
    for number, words in enumerate(lines_of((ROOT / each).read_text()), 1):
        page = pathlib.Path(each).stem.lower()
        setattr(Lines, f"test_{page}_{number:02}", test_of(*words))

if __name__ == "__main__":
    harness.main()
