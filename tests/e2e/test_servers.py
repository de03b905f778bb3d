#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Unchanged servers of other projects: each takes its listening socket by socket activation, serves
only its own clients, and ends without cutting connections off."""

import pathlib
import re
import subprocess

import harness
from clients import HERE, LISTEN, client_socket, http_get, read_all

COUNT = 200
CONNECTIONS = 3


def sources():
    return [f"127.5.{number // 200}.{number % 200 + 1}" for number in range(COUNT)]


def process_group(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[2])


class Servers(harness.TestCase):
    def check(self, *arguments, slots, slot_of, **options):
        """Check 200 clients with several connections each: all are at the slot that `where` names.
        Then stop.

        slot_of returns the slot, from an answer's body and the status
        """
        instance = self.serve(*LISTEN, "-w", slots, *arguments, **options)
        expected = {answer["address"]: answer["slot"] for answer in instance.where(*sources())}
        self.assertEqual(set(expected.values()), set(range(slots)))
        status = instance.status()
        for _ in range(CONNECTIONS):
            for source, slot in expected.items():
                code, _, body = http_get(HERE, source)
                self.assertEqual(code, 200)
                self.assertIn(source, body, "the server sees its client's address")
                self.assertEqual(slot_of(body, status), slot, source)
        status = instance.status()
        self.assertEqual([worker["restarts"] for worker in status["workers"]], slots * [0])
        self.assertEqual(status["counters"]["empty_slot"], 0)
        self.check_respawn(instance, slots)
        self.assertEqual(instance.stop(), 0)
        ends = [line.fields["how"] for line in instance.log_lines("worker_exit")]
        self.assertEqual(ends, ["was killed by SIGKILL"] + slots * ["exited with code 0"])

    def check_respawn(self, instance, slots):
        """Check that after a kill the client waits, and is served by the next worker."""
        victim = instance.status()["workers"][slots - 1]
        source = next(answer["address"] for answer in instance.where(*sources())
                      if answer["slot"] == slots - 1)
        subprocess.run(["kill", "-KILL", str(victim["pid"])], check=True)
        instance.wait_status("the slot to be empty", lambda status: status["workers"][
            slots - 1]["pid"] != victim["pid"])
        self.assertEqual(http_get(HERE, source)[0], 200)
        worker = instance.status()["workers"][slots - 1]
        self.assertEqual((worker["state"], worker["generation"]), ("ready", 2))

    def own_slot(self, body, status):
        """Returns the slot that the worker found in its environment."""
        return int(re.search(r"slot=(\d+)", body)[1])

    @harness.needs("node")
    def test_node(self):
        server = self.write("server.js", """
            const server = require('http').createServer((request, response) => {
              response.end(`slot=${process.env.STICKY_SLOT} ` +
                           `client=${request.socket.remoteAddress}\\n`);
            });
            server.listen({fd: 3});
            process.on('SIGTERM', () => server.close(() => process.exit(0)));
            """)
        self.check("--min-uptime", "400ms", "--", "node", server, slots=3,
                   slot_of=self.own_slot)

    @harness.needs("gunicorn")
    def test_gunicorn(self):
        self.write("app.py", """
import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"slot={os.environ['STICKY_SLOT']} client={environ['REMOTE_ADDR']}\\n".encode()]
""")
        # gunicorn uses sd_notify by itself.
        self.check("--ready", "notify", "--chdir", self.dir, "--", "gunicorn", "--workers", "1",
                   "--worker-tmp-dir", self.dir, "app", slots=2, slot_of=self.own_slot)

    def nginx_config(self, server):
        temporary = "".join(f"{kind}_temp_path {self.dir}/{kind};\n" for kind in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return self.write("nginx.conf", f"""
            worker_processes 1;
            events {{}}
            http {{
              access_log off;
              {temporary}
              server {{
                listen 127.0.0.1:3000;
                {server}
              }}
            }}""")

    @harness.needs("nginx")
    def test_nginx_finishes_a_download(self):
        """nginx is asked to stop by QUIT, as no signal was configured: TERM would cut the download
        off."""
        size = 1_500_000
        self.write("file", "x" * size)
        config = self.nginx_config(f"root {self.dir}; limit_rate 1000k;")
        instance = self.serve(
            "-w", 1, "-l", "127.0.0.1:3000", "--min-uptime", "300ms", "--env", "NGINX=3;", "--",
            "nginx", "-c", config, "-e", self.dir / "error.log", "-g",
            f"daemon off; user root; pid {self.dir}/nginx.pid;")
        with client_socket(HERE) as client:
            client.sendall(b"GET /file HTTP/1.0\r\n\r\n")
            got = client.recv(1000)
            self.assertEqual(instance.run("reload", "--wait").returncode, 0)
            got += read_all(client)
        self.assertEqual(len(got.split(b"\r\n\r\n", 1)[1]), size)
        (line,) = instance.log_lines("stop_signal")
        self.assertEqual(line.fields["signal"], "QUIT")
        self.assertEqual(instance.stop(), 0)

    @harness.needs("nginx")
    def test_nginx(self):
        config = self.nginx_config('return 200 "pid=$pid client=$remote_addr\\n";')
        # The environment has a variable that a previous nginx would leave: its listening sockets.
        command = self.script("nginx.sh", f"""
            exec nginx -c {config} -e {self.dir}/error.log \\
              -g "daemon off; user root; pid {self.dir}/nginx$STICKY_SLOT.pid;" """)

        def slot_of(body, status):
            # $pid is a child of the process that is the worker, in the same process group.
            leader = process_group(int(re.search(r"pid=(\d+)", body)[1]))
            return next(worker["slot"] for worker in status["workers"]
                        if worker["pid"] == leader)

        self.check("--min-uptime", "400ms", "--env", "NGINX=3;", "--", command, slots=2,
                   slot_of=slot_of)


if __name__ == "__main__":
    harness.main()
