#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Unchanged applications of Node.js, and the addresses on which they listen."""

import contextlib
import http.client
import json
import os
import pwd
import signal
import socket
import ssl
import subprocess
import unittest

import harness
from clients import HERE, LISTEN, client_socket, http_get, is_refused, read_all
from harness import tests_of
from nodejs import (BEGUN_IN, BLOCKS, LISTENS, NODE_VERSION, SERVER, NodeTestCase, ask_http,
                    fields, sources)
from programs import CLIENTS, FAILED
from world import DEADLINE_S, scaled, wait_for

V6_SOURCES = [f"2001:db8:0:{number:x}::1" for number in range(1, 17)]
OTHER = ("127.0.0.1", 4000)  # an address that no -l names


@tests_of({
    "port": ("3000", ()),
    "port_and_host": ("{port: 3000, host: '127.0.0.1'}", ()),
    "v4_any": ("3000, '0.0.0.0'", ()),
    "v6_any": ("3000, '::'", ()),
    "v4_loopback": ("3000, '127.0.0.1'", ()),
    "name": ("3000, 'localhost'", ()),
    "text": ("'3000'", ()),
    "environment": ("process.env.PORT", LISTEN),
    "named": ("3000", LISTEN),
    "named_any": ("3000, '::'", ("-l", ":3000")),
    "fd_3": ("{fd: 3}", LISTEN),
})
class OneServer(NodeTestCase):
    """`where` names the worker of each client, and the kernel sends the client there."""

    def check(self, where, arguments):
        if "localhost" in where:
            self.assertEqual(socket.getaddrinfo("localhost", None, socket.AF_INET)[0][4][0],
                             "127.0.0.1")
        instance = self.serve_node(self.plain(where), *arguments, slots=3,
                                   node=("node", "--dns-result-order=ipv4first"))
        self.assertEqual(self.assert_steered(instance), {0, 1, 2})
        self.assertEqual(len(instance.status()["listeners"]), 1)
        self.assertEqual(instance.stop(), 0)
        ends = [line.fields["how"] for line in instance.log_lines("worker_exit")]
        self.assertEqual(ends, 3 * ["exited with code 0"])


class Addresses(NodeTestCase):
    def test_v6_loopback(self):
        instance = self.serve_node(self.plain("3000, '::1'"))
        self.assert_steered(instance, ("::1", 3000), V6_SOURCES)
        self.assertTrue(is_refused(HERE))
        instance.stop()

    def test_both_families_of_a_port(self):
        instance = self.serve_node(self.plain("3000"))
        self.assert_steered(instance)
        self.assert_steered(instance, ("::1", 3000), V6_SOURCES)
        instance.stop()

    def test_workers_of_another_user(self):
        """The instance is started by root. The address is known only when the application listens,
        long after the start."""
        instance = self.serve_node(self.plain("3000"), "--user", "nobody", "--chdir", "/")
        nobody = pwd.getpwnam("nobody").pw_uid
        for _ in range(2):
            self.assert_steered(instance)
            for worker in instance.workers():
                self.assertEqual(os.stat(f"/proc/{worker['pid']}").st_uid, nobody)
            self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        instance.stop()

    def test_several_named(self):
        app = self.app("""
            const http = require('http');
            for (const port of [3000, 3001, 3002])
              http.createServer((request, response) =>
                response.end(who(request.socket) + `port=${port}\\n`)).listen(port);
            """)
        instance = self.serve_node(app, *LISTEN, "-l", "127.0.0.1:3001", "-l",
                                   "127.0.0.1:3002")
        self.assertEqual(len(instance.status()["listeners"]), 3)
        for port in (3000, 3001, 3002):
            self.assert_steered(instance, ("127.0.0.1", port))
            self.assertEqual(ask_http(("127.0.0.1", port))["port"], port)
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assert_steered(instance, ("127.0.0.1", 3002))
        instance.stop()

    def test_ready_when_all_that_is_named_is_listened_on(self):
        """The second server listens later. No client may be let in before."""
        app = self.app("""
            const http = require('http'), fs = require('fs');
            const serve = port => http.createServer((request, response) =>
              response.end(who(request.socket) + '\\n')).listen(port);
            serve(3000);
            const timer = setInterval(() => {
              if (!fs.existsSync(__dirname + '/go')) return;
              clearInterval(timer);
              serve(3001);
            }, 10);
            """)
        instance = self.start_node(app, *LISTEN, "-l", "127.0.0.1:3001", slots=1)
        wait_for("the first listen()", lambda: instance.try_status() and
                 instance.workers()[0]["pid"])
        client = self.connect(sources(1), b"GET / HTTP/1.0\r\n\r\n")
        with self.assertRaises(TimeoutError):
            client[0].settimeout(1.5)
            client[0].recv(1)
        self.assertEqual(instance.workers()[0]["state"], "starting")
        self.write("go", "")
        instance.ready()
        client[0].settimeout(scaled(20))
        self.assertIn(b"slot=0", read_all(client[0]))
        self.assertEqual(ask_http(("127.0.0.1", 3001))["slot"], 0)
        instance.stop()

    def test_two_addresses_of_one_port(self):
        """Each address is a listener of its own, as under Node.js."""
        app = self.app("""
            const http = require('http');
            for (const host of ['127.0.0.1', '::1'])
              http.createServer((request, response) =>
                response.end(who(request.socket) + `host=${host}\\n`)).listen(3000, host);
            """)
        instance = self.serve_node(app)
        self.assertEqual(ask_http(HERE)["host"], "127.0.0.1")
        wait_for("the other one", lambda: not is_refused(("::1", 3000)), 5)
        self.assertEqual(ask_http(("::1", 3000))["host"], "::1")
        instance.stop()


class Others(NodeTestCase):
    """Servers of an application besides the one that is steered."""

    def test_metrics_port_is_shared(self):
        """Any worker answers at this port. A dead worker does no harm, and the port survives a
        reload."""
        app = self.app("""
            const http = require('http');
            const serve = (name, port) => http.createServer((request, response) =>
              response.end(who(request.socket) + `name=${name}\\n`)).listen(port);
            serve('main', 3000);
            serve('metrics', 4000);
            """)
        instance = self.serve_node(app, *LISTEN, slots=3)
        self.assert_steered(instance)
        self.assertEqual(len(instance.status()["listeners"]), 1)
        self.assertEqual(ask_http(HERE)["name"], "main")
        steered = instance.status()["counters"]["steered"]
        pids = set()

        def seen():
            answer = ask_http(OTHER)
            self.assertEqual(answer["name"], "metrics")
            pids.add(answer["pid"])
            return True

        for _ in range(20):
            seen()
        self.assertLessEqual(pids, set(self.pids(instance)))
        self.assertEqual(instance.status()["counters"]["steered"], steered)
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        pids.clear()
        for _ in range(10):
            seen()
        self.assertLessEqual(pids, set(self.pids(instance)))
        instance.stop()
        self.assertTrue(is_refused(OTHER))

    def test_unix_path(self):
        app = self.app(PATH_AND_PORT)
        instance = self.serve_node(app, env={"SOCKET": self.dir / "app.sock"})
        self.check_path(instance, self.dir / "app.sock")
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.check_path(instance, self.dir / "app.sock")
        instance.stop()
        self.assertFalse((self.dir / "app.sock").exists(), "it is removed")

    def test_unix_path_of_the_workers_directory(self):
        """The path is relative to the workers' directory, wherever stickyctl was started."""
        (self.dir / "there").mkdir()
        app = self.app(PATH_AND_PORT)
        instance = self.serve_node(app, "--chdir", self.dir / "there", slots=1,
                                   env={"SOCKET": "app.sock"}, cwd=self.dir)
        self.check_path(instance, self.dir / "there" / "app.sock")
        instance.stop()
        self.assertFalse((self.dir / "there" / "app.sock").exists())

    def check_path(self, instance, path):
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
            client.settimeout(scaled(20))
            client.connect(str(path))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertIn(fields(read_all(client).decode())["pid"], self.pids(instance))

    def check_bad_path(self, path, code):
        app = self.app("""
            const http = require('http');
            http.createServer((request, response) => response.end('?'))
              .on('error', error => { console.error('path error', error.code); process.exit(3); })
              .listen(%s);
            """ % path)
        instance = self.assert_start_fails(app, f"path error {code}", arguments=LISTEN)
        self.assertFalse([each for each in self.dir.iterdir() if each.is_socket()])
        return instance

    def test_unix_path_that_is_too_long(self):
        self.check_bad_path(f"'{self.dir}/' + 'x'.repeat(150)", "")

    def test_unix_path_that_is_taken(self):
        holder = socket.socket(socket.AF_UNIX)
        self.addCleanup(holder.close)
        holder.bind(str(self.dir / "taken.sock"))
        app = self.app("""
            require('http').createServer().on('error', error => {
              console.error('path error', error.code); process.exit(3);
            }).listen(__dirname + '/taken.sock');
            """)
        self.assert_start_fails(app, "path error EADDRINUSE", arguments=LISTEN)
        self.assertTrue((self.dir / "taken.sock").exists(), "what is not ours stays")

    def test_abstract_path_is_answered(self):
        """Whatever the answer is: no request of the worker stays without one."""
        app = self.app("""
            const http = require('http');
            const answer = word => { console.error('abstract', word); };
            http.createServer().on('error', error => answer(error.code))
              .listen('\\0sticky-test', () => answer('listening'));
            http.createServer((request, response) => response.end(who(request.socket)))
              .listen(3000);
            """)
        instance = self.serve_node(app, *LISTEN, slots=1)
        wait_for("an answer", lambda: "abstract " in instance.errors)
        instance.stop()

    def test_udp(self):
        """All workers have one socket, as under Node.js's own primary."""
        app = self.app("""
            const http = require('http'), dgram = require('dgram');
            http.createServer((request, response) => response.end(who(request.socket)))
              .listen(3000);
            const udp = dgram.createSocket('udp4');
            udp.on('message', (text, from) =>
              udp.send(`${text} pid=${process.pid}`, from.port, from.address));
            udp.bind(5000, '127.0.0.1');
            """)
        instance = self.serve_node(app, *LISTEN)
        self.ask_udp(instance)
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.ask_udp(instance)
        instance.stop()

    def ask_udp(self, instance):
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
            client.settimeout(0.2)
            client.connect(("127.0.0.1", 5000))

            def answered():
                with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                    client.send(b"hello")
                    return client.recv(100).decode()
                return None

            answer = wait_for("a datagram", answered)
        self.assertTrue(answer.startswith("hello "))
        self.assertIn(fields(answer)["pid"], self.pids(instance))

    def test_udp_options(self):
        """reuseAddr: two servers at one address; ipv6Only: another server has the other family."""
        app = self.app("""
            const dgram = require('dgram');
            require('http').createServer((request, response) => response.end(who(request.socket)))
              .listen(3000);
            const open = (options, port, address) => dgram.createSocket(options)
              .on('error', error => console.error('udp error', error.code))
              .on('listening', () => console.error('udp open')).bind(port, address);
            open({type: 'udp4', reuseAddr: true}, 5000, '127.0.0.1');
            open({type: 'udp4', reuseAddr: true}, 5000, '127.0.0.1');
            open({type: 'udp6', ipv6Only: true}, 5001);
            open({type: 'udp4'}, 5001);
            """)
        instance = self.serve_node(app, *LISTEN, slots=1)
        wait_for("four sockets", lambda: instance.errors.count("udp ") == 4)
        self.assertEqual(instance.errors.count("udp open"), 4)
        instance.stop()

    def test_udp_port_that_is_taken(self):
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as holder:
            holder.bind(("127.0.0.1", 5000))
            app = self.app("""
                require('dgram').createSocket('udp4').on('error', error => {
                  console.error('udp error', error.code); process.exit(3);
                }).bind(5000, '127.0.0.1');
                """)
            self.assert_start_fails(app, "udp error EADDRINUSE", arguments=LISTEN)

    def test_port_0(self):
        """The port is chosen by the kernel, and is the same for all workers."""
        app = self.app("""
            const http = require('http');
            http.createServer((request, response) => response.end(who(request.socket)))
              .listen(3000);
            const other = http.createServer((request, response) => response.end('any'));
            other.listen(0, () => console.error(`port=${other.address().port}`));
            """)
        instance = self.serve_node(app, *LISTEN, slots=3)
        wait_for("three words", lambda: instance.errors.count("port=") == 3)
        ports = {fields(line)["port"] for line in instance.errors.splitlines()
                 if line.startswith("port=")}
        self.assertEqual(len(ports), 1)
        self.assertEqual(http_get(("127.0.0.1", *ports))[2], "any")
        self.assert_steered(instance)
        instance.stop()

    def test_port_0_alone_is_no_address_for_clients(self):
        app = self.plain("0")
        self.assert_start_fails(app, "port 0", "--ready-timeout", arguments=BEGUN_IN)


PATH_AND_PORT = """
    const http = require('http');
    for (const where of [3000, process.env.SOCKET])
      http.createServer((request, response) => response.end(who(request.socket) + '\\n'))
        .listen(where);
    """


class Backlog(NodeTestCase):
    """Node.js sets 511 in its own listen(), but the value of the user is in force."""

    def limits(self):
        """Returns the limits of the queues of all sockets that listen on port 3000, as ss shows
        them."""
        result = subprocess.run(["ss", "-Hltn", "sport", "=", ":3000"], capture_output=True,
                                text=True, check=True)
        return {int(line.split()[2]) for line in result.stdout.splitlines()}

    def test_as_by_default(self):
        app = self.plain("3000")
        instance = self.serve_node(app)
        self.assertEqual(self.limits(), {4096})
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assertEqual(self.limits(), {4096})
        instance.stop()

    def test_as_named(self):
        instance = self.serve_node(self.plain("3000"), "--backlog", "77")
        self.assertEqual(self.limits(), {77})
        instance.stop()

    def test_of_a_port_that_comes_later(self):
        app = self.app("""
            const http = require('http');
            http.createServer().listen(4000);
            setTimeout(() => http.createServer().listen(3000, () => console.log('listens')), 300);
            """)
        instance = self.serve_node(app)
        wait_for("both workers", lambda: instance.output.count("listens") == 2)
        wait_for("the backlog", lambda: self.limits() == {4096}, 5)
        instance.stop()

    def test_more_than_511_wait(self):
        """All connections are in the queue: none has to be repeated after a second."""
        app = self.app(SERVER + LISTENS + BLOCKS)
        instance = self.serve_node(app, slots=1)
        busy = self.block(instance)
        crowd = self.program(CLIENTS, "--target", "127.0.0.1:3000", "--http", "--hold",
                             "--sources", "1500")
        instance.wait_status("all to wait",
                             lambda status: status["workers"][0]["queue"] == 1500)
        self.assertEqual(instance.workers()[0]["overflows"], 0)
        self.write("go", "")
        crowd.wait(DEADLINE_S)
        self.assertEqual(json.loads(crowd.output.splitlines()[-1])["answered"], 1500)
        self.collect(busy)
        instance.stop()


class Again(NodeTestCase):
    def test_the_same_port_twice(self):
        """One worker listens twice on the same port. The second listen() fails with EADDRINUSE, as
        everywhere."""
        app = self.app("""
            const http = require('http');
            const answer = (request, response) => response.end(who(request.socket) + 'first=1\\n');
            http.createServer(answer).listen(3000, () =>
              http.createServer().on('error', error => console.error('second', error.code))
                .on('listening', () => console.error('second listens'))
                .listen(3000));
            """)
        for arguments in ((), LISTEN):
            with self.subTest(arguments):
                instance = self.serve_node(app, *arguments, slots=1)
                wait_for("a word", lambda: "second" in instance.errors)
                self.assertIn("second EADDRINUSE", instance.errors)
                self.assertEqual(ask_http(HERE)["first"], 1)
                instance.stop()

    def test_closed_and_listened_on_again(self):
        app = self.app("""
            const http = require('http'), fs = require('fs');
            let server, count = 0;
            const listen = () => {
              const number = ++count;
              server = http.createServer((request, response) => {
                response.setHeader('Connection', 'close');
                response.end(who(request.socket) + `number=${number}\\n`);
                if (request.url === '/again')
                  server.close(listen);
              });
              server.listen(3000);
            };
            listen();
            """)
        instance = self.serve_node(app, slots=1)
        for number in range(1, 6):
            self.assertEqual(ask_http(HERE)["number"], number)
            self.assertEqual(ask_http(HERE, path="/again")["number"], number)
            wait_for("the next one", lambda: ask_http(HERE)["number"] == number + 1)
        self.assertEqual(instance.workers()[0]["restarts"], 0)
        instance.stop()

    def test_shared_port_closed_and_listened_on_again(self):
        app = self.app("""
            const http = require('http');
            let count = 0;
            const listen = () => {
              const number = ++count;
              const server = http.createServer((request, response) => {
                response.setHeader('Connection', 'close');
                response.end(who(request.socket) + `number=${number}\\n`);
                if (request.url === '/again')
                  server.close(listen);
              });
              server.listen(4000);
            };
            listen();
            http.createServer((request, response) => response.end(who(request.socket)))
              .listen(3000);
            """)
        instance = self.serve_node(app, *LISTEN, slots=1)
        for number in range(1, 4):
            self.assertEqual(ask_http(OTHER, path="/again")["number"], number)

            def next_one():
                with contextlib.suppress(ConnectionError):  # in between no worker listens
                    return ask_http(OTHER)["number"] == number + 1

            wait_for("the next one", next_one)
        instance.stop()

    def test_a_port_that_all_have_closed(self):
        """A load balancer that checks whether the port is open must see that it is closed."""
        app = self.app("""
            const http = require('http');
            const health = http.createServer((request, response) => response.end('ok'));
            health.listen(4000, '127.0.0.1');
            http.createServer((request, response) => {
              const done = () => response.end(who(request.socket));
              if (request.url === '/close') health.close(done);
              else if (request.url === '/open') health.listen(4000, '127.0.0.1', done);
              else done();
            }).listen(3000);
            """)
        instance = self.serve_node(app, "--when-down", "spill")
        first, second = (self.sources_of(instance, slot, 1)[0] for slot in (0, 1))
        for _ in range(2):
            self.assertEqual(http_get(OTHER)[2], "ok")
            ask_http(HERE, first, "/close")
            self.assertEqual(http_get(OTHER)[2], "ok")
            ask_http(HERE, second, "/close")
            wait_for("it to be refused", lambda: is_refused(OTHER))
            ask_http(HERE, second, "/open")
            ask_http(HERE, first, "/open")
        # Ports of workers that have died, or were drained, are kept for the next workers.
        before = self.generations(instance)
        for slot in (0, 1):
            self.kill_worker(instance, slot)

        def have_come_again():
            self.assertFalse(is_refused(OTHER))
            return all(worker["state"] == "ready" and worker["generation"] > former
                       for worker, former in zip(instance.workers(), before))

        wait_for("their successors", have_come_again)
        self.assertEqual(http_get(OTHER)[2], "ok")
        for slot in "01":
            self.assertEqual(instance.run("drain", slot).returncode, 0)
        self.wait_drained(instance)
        self.assertFalse(is_refused(OTHER))
        instance.stop()
        self.assertTrue(is_refused(OTHER))

    def test_a_port_that_the_next_release_has_not(self):
        app = self.app("""
            const http = require('http');
            const serve = port => http.createServer((request, response) =>
              response.end(who(request.socket))).listen(port, '127.0.0.1');
            serve(4000);
            serve(3000);
            """)
        instance = self.serve_node(app, *LISTEN)
        self.assertFalse(is_refused(OTHER))
        app.write_text(app.read_text().replace("serve(4000);", ""))
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        wait_for("it to be refused", lambda: is_refused(OTHER))
        instance.stop()

    def test_a_port_at_the_stop(self):
        """No worker comes next: connections are refused as soon as the workers have closed the
        port."""
        app = self.app(SERVER + LISTENS + "http.createServer().listen(4000, '127.0.0.1');")
        instance = self.serve_node(app)
        busy = self.begin_slow()
        instance.send(signal.SIGTERM)
        wait_for("it to be refused", lambda: is_refused(OTHER))
        self.assertIsNone(instance.process.poll(), "one request is in flight")
        self.write("go", "")
        self.assertIn(b"slot=", read_all(busy))
        self.assertEqual(instance.wait(), 0)

    def check_both_families(self, first, second):
        """Check two servers on the same port, one of each family, opened in this order."""
        app = self.app("""
            const http = require('http');
            const options = {4: {host: '0.0.0.0'}, 6: {host: '::', ipv6Only: true},
                             any6: {ipv6Only: true}};
            for (const name of ['%s', '%s'])
              http.createServer((request, response) =>
                response.end(who(request.socket) + `version=${name}`))
                .listen({port: 3000, ...options[name]});
            """ % (first, second))
        instance = self.serve_node(app)
        six = first if first != "4" else second
        for _ in range(2):
            self.assertEqual(ask_http(HERE)["version"], 4)
            self.assertEqual(str(ask_http(("::1", 3000))["version"]), six)
            self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        instance.stop()

    def test_ipv6_only_first(self):
        self.check_both_families("6", "4")

    def test_ipv6_only_last(self):
        self.check_both_families("4", "6")

    @unittest.skipUnless(NODE_VERSION >= 22, "up to 20 Node.js takes no notice of it without a host")
    def test_ipv6_only_without_a_host(self):
        self.check_both_families("any6", "4")


class Refused(NodeTestCase):
    """Starts that fail, and the reason that is shown."""

    def hold(self, address=HERE):
        holder = socket.create_server(address)
        self.addCleanup(holder.close)

    def test_somebody_else_has_the_port(self):
        self.hold()
        instance = self.assert_start_fails(self.plain("3000"), "EADDRINUSE",
                                           "stop it, or choose another")
        self.assertEqual(instance.process.returncode, FAILED)

    def test_the_application_is_told(self):
        self.hold()
        app = self.app("""
            require('http').createServer().on('error', error => {
              console.error('told', error.code, error.syscall, error.port);
              process.exit(9);
            }).listen(3000);
            """)
        self.assert_start_fails(app, "told EADDRINUSE", "exited with code 9")

    def test_an_error_that_the_application_keeps_for_itself(self):
        """Express 5, for example, hands the error to the callback of listen()."""
        self.hold()
        app = self.app("""
            require('http').createServer().on('error', () => {}).listen(3000);
            setInterval(() => {}, 1000);
            """)
        instance = self.assert_start_fails(
            app, "its listen() on :3000 failed: Address already in use", "another port",
            arguments=("--ready-timeout=2s",))
        # The line of the log names the process that has the port, in one line.
        self.assertRegex(instance.errors, r'listen_failed why="cannot listen on :3000: Address '
                                          r'already in use; pid \d+ ')

    def test_another_port_that_somebody_has(self):
        self.hold(OTHER)
        app = self.app("""
            const http = require('http');
            http.createServer().listen(3000);
            http.createServer().on('error', error => {
              console.error('told', error.code);
              process.exit(9);
            }).listen(4000, '127.0.0.1');
            """)
        # The worker may have been ready in between. Then it counts as one that ended too soon.
        instance = self.start_node(app, *LISTEN, slots=1)
        wait_for("the word", lambda: "told EADDRINUSE" in instance.errors)

    def test_an_address_that_nobody_has(self):
        self.assert_start_fails(self.plain("3000, '192.0.2.77'"), "EADDRNOTAVAIL")

    def test_a_bind_that_fails_late(self):
        app = self.app("""
            setTimeout(() => require('http').createServer().listen(3000), 300);
            """)
        self.hold()
        self.assert_start_fails(app, "EADDRINUSE")

    def test_a_named_port_that_nobody_asks_for(self):
        """The message has the port that the application asked for, and the one that -l names."""
        instance = self.assert_start_fails(
            self.plain("4000"), "4000", "127.0.0.1:3000", "-l",
            arguments=(*LISTEN, *BEGUN_IN))
        self.assertNotIn("READY=1", instance.errors)

    def test_one_of_two_named_ports_that_nobody_asks_for(self):
        self.assert_start_fails(
            self.plain("3000"), "127.0.0.1:3001", "-l",
            arguments=(*LISTEN, "-l", "127.0.0.1:3001", *BEGUN_IN))

    def test_an_fd_that_is_not_there(self):
        self.assert_start_fails(self.plain("{fd: 7}"), "EBADF", arguments=LISTEN)

    def test_nothing_is_listened_on(self):
        self.assert_start_fails(
            self.app("setInterval(() => {}, 1000);"), "listen()",
            arguments=BEGUN_IN)


class Protocols(NodeTestCase):
    """Other servers than plain HTTP."""

    def make_certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-keyout", self.dir / "key.pem", "-out",
                        self.dir / "cert.pem"], check=True, capture_output=True)

    def ask_tls(self, source, request, alpn=None):
        context = ssl.create_default_context(cafile=str(self.dir / "cert.pem"))
        context.check_hostname = False
        if alpn:
            context.set_alpn_protocols([alpn])
        with context.wrap_socket(client_socket(HERE, source)) as client:
            client.sendall(request)
            return read_all(client).decode()

    def test_https(self):
        self.make_certificate()
        app = self.app("""
            const https = require('https'), fs = require('fs');
            https.createServer({key: fs.readFileSync(__dirname + '/key.pem'),
                                cert: fs.readFileSync(__dirname + '/cert.pem')},
              (request, response) => response.end(who(request.socket) + '\\n')).listen(3000);
            """)
        instance = self.serve_node(app)
        for answer in instance.where(*sources(8)):
            text = self.ask_tls(answer["address"], b"GET / HTTP/1.0\r\n\r\n")
            self.assertEqual(fields(text)["slot"], answer["slot"])
        instance.stop()

    def test_net(self):
        app = self.app("""
            const net = require('net');
            net.createServer(socket => socket.on('error', () => {}).end(who(socket) + '\\n'))
              .listen(3000);
            """)
        instance = self.serve_node(app)
        for answer in instance.where(*sources(8)):
            with client_socket(HERE, answer["address"]) as client:
                self.assertEqual(fields(read_all(client).decode())["slot"], answer["slot"])
        instance.stop()

    def test_http2(self):
        app = self.app("""
            const http2 = require('http2');
            const server = http2.createServer();
            server.on('stream', stream => {
              stream.respond({':status': 200});
              stream.end(who(stream.session.socket) + '\\n');
            });
            server.listen(3000);
            """)
        asker = self.write("ask.js", """
            const http2 = require('http2');
            const session = http2.connect('http://127.0.0.1:3000',
              {localAddress: process.argv[2]});
            const stream = session.request({':path': '/'});
            stream.setEncoding('utf8');
            stream.on('data', text => process.stdout.write(text));
            stream.on('end', () => session.close());
            """)
        instance = self.serve_node(app)
        for answer in instance.where(*sources(4)):
            result = self.run_program("node", asker, answer["address"])
            self.assertEqual(fields(result.stdout)["slot"], answer["slot"], result)
        instance.stop()

    def test_http2_over_tls(self):
        self.make_certificate()
        app = self.app("""
            const http2 = require('http2'), fs = require('fs');
            http2.createSecureServer({key: fs.readFileSync(__dirname + '/key.pem'),
                                      cert: fs.readFileSync(__dirname + '/cert.pem'),
                                      allowHTTP1: true},
              (request, response) => response.end(who(request.socket) + '\\n')).listen(3000);
            """)
        instance = self.serve_node(app, slots=1)
        result = self.run_program("curl", "-sk", "--http2", "https://127.0.0.1:3000/",
                                  "-w", "version=%{http_version}")
        self.assertIn("slot=0", result.stdout)
        self.assertIn("version=2", result.stdout)
        instance.stop()


if __name__ == "__main__":
    harness.main()
