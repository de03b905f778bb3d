#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The script that Node.js workers load first: the client's address, connections that are kept, and
that no other process loads it."""

import json
import time
import unittest

import harness
from clients import HERE, client_socket, read_all
from nodejs import LISTENS, NODE_VERSION, REQUEST, SERVER, NodeTestCase, Talk, ask_http
from world import scaled, wait_for

PROXIED = ("--behind-proxy", "proxy")

# Answers with the client's address as the socket reports it.
PEER = """
    const tell = socket => JSON.stringify({address: socket.remoteAddress, port: socket.remotePort,
                                           family: socket.remoteFamily}) + '\\n';
    """
HTTP_PEER = PEER + """
    require('http').createServer((request, response) => response.end(tell(request.socket)))
      .listen(3000, '127.0.0.1');
    """
NET_PEER = PEER + """
    require('net').createServer(socket => socket.once('data', data =>
      socket.end(tell(socket) + data))).listen(3000, '127.0.0.1');
    """
V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 4567 3000\r\n"
V1_6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 4568 3000\r\n"
V1_UNKNOWN = b"PROXY UNKNOWN\r\n"


class Client(NodeTestCase):
    def ask(self, head):
        with client_socket(HERE) as client:
            client.sendall(head + REQUEST)
            port = client.getsockname()[1]
            text = read_all(client).decode()
        return text.partition("\r\n\r\n")[2] or text, port

    def peer(self, head):
        text, port = self.ask(head)
        return json.loads(text), {"address": "127.0.0.1", "port": port, "family": "IPv4"}

    def test_proxy_protocol(self):
        instance = self.serve_node(self.app(HTTP_PEER), *PROXIED)
        self.assertEqual(self.peer(V1)[0],
                         {"address": "203.0.113.7", "port": 4567, "family": "IPv4"})
        self.assertEqual(self.peer(V1_6)[0],
                         {"address": "2001:db8::7", "port": 4568, "family": "IPv6"})
        seen, proxy = self.peer(V1_UNKNOWN)
        self.assertEqual(seen, proxy)
        instance.stop()

    def test_without_keepalive_close(self):
        instance = self.serve_node(self.app(HTTP_PEER), *PROXIED, "--proxy-keepalive", "warn")
        self.assertEqual(self.peer(V1)[0]["address"], "203.0.113.7")
        instance.stop()

    def test_of_a_net_server(self):
        instance = self.serve_node(self.app(NET_PEER), *PROXIED)
        text, _ = self.ask(V1)
        self.assertEqual(json.loads(text.splitlines()[0])["address"], "203.0.113.7")
        self.assertNotIn("PROXY", text)
        instance.stop()

    def test_of_an_application_that_reads_the_header(self):
        instance = self.serve_node(self.app(NET_PEER), *PROXIED, "--proxy-header", "keep")
        text, port = self.ask(V1)
        seen = json.loads(text.splitlines()[0])
        self.assertEqual((seen["address"], seen["port"]), ("127.0.0.1", port))
        self.assertTrue(text.splitlines()[1].startswith("PROXY TCP4 203.0.113.7"), text)
        instance.stop()

    def test_behind_xff_it_is_the_proxy(self):
        instance = self.serve_node(self.app(HTTP_PEER), "--behind-proxy", "xff")
        seen, proxy = self.peer(b"GET / HTTP/1.0\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n")
        self.assertEqual(seen, proxy)
        instance.stop()


class Environment(NodeTestCase):
    """NODE_OPTIONS has the value that the application would see without the script."""

    # Prints the value in the process, in a child and in a thread, and shows what happens in a child
    # that runs node.
    APP = SERVER + """
        const {execFileSync} = require('child_process'), {Worker} = require('worker_threads');
        const show = 'String(process.env.NODE_OPTIONS)';
        server.on('request', () => {});
        const thread = env => new Promise(resolve => new Worker(
          `require('worker_threads').parentPort.postMessage(${show})`, {eval: true, env})
          .on('message', resolve).on('error', error => resolve(String(error))));
        (async () => {
          const seen = {own: String(process.env.NODE_OPTIONS),
                        child: execFileSync(process.execPath, ['-p', show]).toString().trim(),
                        thread: await thread(), given: await thread({...process.env})};
          console.log(JSON.stringify(seen));
          server.listen(3000);
        })();
        """

    def check(self, expected, *arguments, **options):
        instance = self.serve_node(self.app(self.APP), *arguments, slots=1, **options)
        seen = json.loads(wait_for("a line", lambda: instance.output.strip()))
        self.assertEqual(seen, dict.fromkeys(("own", "child", "thread", "given"), expected))
        instance.stop()

    def test_none(self):
        self.check("undefined", "--behind-proxy", "xff")

    def test_in_the_kernels_path(self):
        self.check("undefined")

    def test_of_the_application(self):
        words = '--require="fs" --max-old-space-size=100'
        self.check(words, "--behind-proxy", "xff", "--env", f"NODE_OPTIONS={words}")

    def test_a_child_that_outlives_the_instance(self):
        """The child starts Node.js when the script does not exist any more."""
        app = self.app(SERVER + LISTENS + """
            require('child_process').spawn('sh', ['-c', `cd ${__dirname}
              while [ ! -e go ]; do sleep 0.05; done
              "${process.execPath}" -p '"fine"' >partly 2>&1
              mv partly said`], {detached: true, stdio: 'ignore'}).unref();
            """)
        instance = self.serve_node(app, "--behind-proxy", "xff", slots=1)
        self.assertEqual(instance.stop(), 0)
        self.assertFalse((self.run_dir / "default" / "stickyctl-preload.js").exists())
        self.write("go", "")
        wait_for("the child", (self.dir / "said").exists)
        self.assertEqual((self.dir / "said").read_text(), "fine\n")

    def test_not_loaded(self):
        """A worker in a sandbox can't read the script."""
        for arguments in ((), ("--node-preload", "no")):
            instance = self.serve_node(self.app(SERVER + LISTENS + """
                console.log(Object.keys(require.cache).some(name => name.endsWith("stickyctl-preload.js")));
                """), *arguments, slots=1)
            wait_for("a line", lambda: instance.output.strip())
            self.assertEqual(instance.output.strip(), "false" if arguments else "true")
            instance.stop()

    def test_a_directory_that_the_workers_user_can_not_reach(self):
        """The instance starts without the script, and the log has the reason."""
        (self.dir / "private").mkdir(mode=0o700)
        self.run_dir = self.dir / "private" / "run"
        instance = self.serve_node(self.app(SERVER + LISTENS), "--user", "nobody", "--chdir", "/",
                                   slots=1)
        self.assertEqual(ask_http(HERE)["slot"], 0)
        line, = instance.log_lines("preload_unreadable")
        self.assertIn("--run-dir", line.fields["hint"])
        instance.stop()

    @unittest.skipIf(NODE_VERSION < 20, "no permission model")
    def test_permission_model(self):
        """The worker may read only the application. It starts all the same."""
        word = "--permission" if NODE_VERSION >= 24 else "--experimental-permission"
        net = ["--allow-net"] if NODE_VERSION >= 25 else []
        app = self.app(SERVER + LISTENS)
        instance = self.serve_node(app, slots=1,
                                   node=("node", word, *net, f"--allow-fs-read={app}"))
        self.assertEqual(ask_http(HERE)["slot"], 0)
        instance.stop()

    def test_a_name_with_quotation_marks(self):
        self.run_dir = self.dir / 'a "run\\dir"'
        self.run_dir.mkdir()
        self.check("undefined", "--behind-proxy", "xff")


class Kept(NodeTestCase):
    """A kept connection during a reload."""

    def leave(self, *arguments, more=""):
        app = self.app(SERVER + LISTENS + more)
        instance = self.serve_node(app, *arguments, slots=1)
        kept = Talk(self).send()
        kept.until(b"client=127.0.0.1 \n")
        self.assertEqual(instance.run("reload", "--wait").returncode, 0)
        instance.wait_status("the old one to be asked to finish", lambda status: status[
            "draining"] and status["draining"][0]["state"] == "draining")
        return instance, kept

    @unittest.skipIf(NODE_VERSION < 19, "Node.js 18 never closes idle connections")
    def test_it_is_told_by_an_answer(self):
        """An answer tells the client to close. Without the script, Node.js closes the connection at
        once, even if the client has just sent a request."""
        self.is_told()

    @unittest.skipIf(NODE_VERSION < 19, "Node.js 18 never closes idle connections")
    def test_a_handler_that_exits(self):
        """The application's handler of SIGTERM does not run before that."""
        self.is_told("process.on('SIGTERM', () => process.exit(0));")

    def test_a_handler_that_exits_at_a_stop_of_the_instance(self):
        """There is no next worker for the client: the stop waits for nothing."""
        app = self.app(SERVER + LISTENS + "process.on('SIGTERM', () => process.exit(0));")
        instance = self.serve_node(app, slots=1)
        kept = Talk(self).send()
        kept.until(b"client=127.0.0.1 \n")
        began = time.monotonic()
        self.assertEqual(instance.stop(), 0)
        self.assertLess(time.monotonic() - began, scaled(2))
        self.assertTrue(kept.ended())

    def is_told(self, more=""):
        instance, kept = self.leave(more=more)
        kept.socket.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            kept.socket.recv(1)
        kept.socket.settimeout(20)
        kept.send()
        self.assertIn("connection: close", kept.until(b"\r\n\r\n").lower())
        self.assertIn("gen=1", kept.until(b"\n"))
        self.assertTrue(kept.ended())
        self.wait_drained(instance)
        self.assertEqual(ask_http(HERE)["gen"], 2)
        instance.stop()

    @unittest.skipIf(NODE_VERSION < 19, "Node.js 18 never closes idle connections")
    def test_one_that_stays_idle_is_closed(self):
        instance, kept = self.leave("--term-after", "2s")
        self.assertTrue(kept.ended())
        self.wait_drained(instance)
        ends = [line.fields["how"] for line in instance.log_lines("worker_exit")]
        self.assertEqual(ends, ["exited with code 0"])
        instance.stop()

    @unittest.skipIf(NODE_VERSION < 19, "Node.js 18 never closes idle connections")
    def test_a_stop_does_not_wait(self):
        instance = self.serve_node(self.app(SERVER + LISTENS), slots=1)
        kept = Talk(self).send()
        kept.until(b"client=127.0.0.1 \n")
        self.assertEqual(instance.stop(), 0)
        took = [int(line.fields["after_ms"]) for line in instance.log_lines("worker_state")
                if line.fields["state"] in ("draining", "gone")]
        self.assertLess(took[1] - took[0], 3000)

    def head_behind_a_proxy(self, *arguments):
        instance = self.serve_node(self.app(SERVER + LISTENS), "--behind-proxy", "xff",
                                   *arguments, slots=1)
        kept = Talk(self).send(headers="X-Forwarded-For: 203.0.113.7\r\n")
        head = kept.until(b"\r\n\r\n").lower()
        instance.stop("--now")
        return head

    def test_behind_a_proxy_each_answer_is_the_last(self):
        self.assertIn("connection: close", self.head_behind_a_proxy())
        self.assertIn("connection: keep-alive",
                      self.head_behind_a_proxy("--proxy-keepalive", "warn"))


if __name__ == "__main__":
    harness.main()
