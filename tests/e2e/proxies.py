# SPDX-License-Identifier: MIT
"""Proxies from other projects, in front of workers that take passed connections."""

import ipaddress
import pathlib
import re
import shutil
import subprocess
import unittest

from clients import client_socket, read_all
from lifecycle import LifecycleTestCase
from listening import listeners_at
from programs import BUILD, environment
from world import wait_for

TAKER = BUILD / "tests" / "peers" / "taker"

# The addresses at which the instance and the proxy listen. Clients have loopback addresses of their
# own, so that a test that trusts only PROXY sees them.
PROXY = "127.0.0.1"
BACKEND = ("127.0.0.1", 3000)
LISTENERS = ("-l", "127.0.0.1:3000", "-l", "[::1]:3000")
PORT = 8080
FRONT = {"4": (PROXY, PORT), "6": ("::1", PORT)}
DIRECT = {"4": BACKEND, "6": ("::1", 3000)}

TRUSTED = ("--trusted-proxy", PROXY)
XFF = ("--behind-proxy", "xff", *TRUSTED)
PROXIED = ("--behind-proxy", "proxy", *TRUSTED)

# The proxy must not repeat a request after a failure, which would hide the failure. It must not
# disable a server after one failed check. It has only one thread, which has all idle connections:
# so it is certain which of them is used next.
HAPROXY = """
global
  nbthread 1
  maxconn 4000
defaults
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout check 5s
  retries 0
listen here
  bind 127.0.0.1:{port}
  bind [::1]:{port}
  mode {mode}
  {lines}
  server workers {backend} {server}
"""

NGINX = """
daemon off;
master_process off;
pid {directory}/nginx{port}.pid;
{modules}
events {{ worker_connections 4000; }}
{text}
"""

NGINX_HTTP = """
http {{
  access_log off;
  {temporary}
  upstream workers {{
    server {backend};
    {upstream}
  }}
  server {{
    listen 127.0.0.1:{port};
    listen [::1]:{port};
    location / {{
      proxy_pass http://workers;
      {lines}
    }}
  }}
}}
"""

NGINX_STREAM = """
stream {{
  server {{
    listen 127.0.0.1:{port};
    listen [::1]:{port};
    proxy_pass {backend};
    proxy_protocol on;
  }}
}}
"""

NGINX_APPENDS = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
STREAM_MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")

# Settings that make a proxy put several clients' requests on one connection, and settings that
# prevent it.
HAPROXY_REUSES = ("option forwardfor", "http-reuse always")
HAPROXY_CLOSES = ("option forwardfor", "option http-server-close", "http-reuse never")
NGINX_REUSES = 'proxy_http_version 1.1; proxy_set_header Connection "";'


def needs_stream():
    """Skip the test if nginx can't forward TCP."""
    return unittest.skipUnless(STREAM_MODULE.exists(), f"{STREAM_MODULE.name}: not installed")


def source(family, number):
    """The address of a client, in the numbering of tests/peers/clients."""
    if family == "4":
        return f"127.{1 + (number + 1 >> 16)}.{number + 1 >> 8 & 255}.{number + 1 & 255}"
    return str(ipaddress.ip_address(f"2001:db8:{number >> 16:x}:{number & 65535:x}::1"))


def sources(count, family="4"):
    return [source(family, number) for number in range(count)]


def target(address):
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else "%s:%d" % address


def fields(line):
    """Returns the fields of an answer of tests/peers/taker.c, with `slot`, `gen`, `pid` and `bytes`
    as numbers."""
    pairs = dict(word.split("=", 1) for word in line.split())
    return {name: int(value) if value.isdigit() and name != "sum" else value
            for name, value in pairs.items()}


def get(address, from_address=None, *headers, before=b""):
    """Send one request on a connection of its own. Returns the worker's answer. The test fails
    unless the status is 200."""
    with client_socket(address, from_address) as client:
        lines = ("GET / HTTP/1.1", "Host: test", *headers, "Connection: close", "", "")
        client.sendall(before + "\r\n".join(lines).encode())
        head, _, body = read_all(client).decode().partition("\r\n\r\n")
    if not re.match(r"HTTP/1\.[01] 200 ", head):
        raise AssertionError(f"{from_address}: {head!r}")
    return fields(body)


class ProxyTestCase(LifecycleTestCase):
    """Instances of workers that take passed connections, with a proxy in front of them."""

    def serve_takers(self, *arguments, slots=4, listeners=LISTENERS, taker=()):
        return self.serve("-w", slots, *listeners, "--ready", "notify", "--min-uptime", "5ms",
                          *arguments, "--", TAKER, *taker)

    # Proxies. Each is one process, which is killed at the end.

    def haproxy(self, *lines, server="", mode="http", port=PORT, backend=BACKEND):
        config = self.write(f"haproxy{port}.cfg", HAPROXY.format(
            port=port, mode=mode, lines="\n  ".join(lines), server=server,
            backend=target(backend)))
        return self._start_proxy(port, "haproxy", "-db", "-f", config)

    def nginx(self, *lines, upstream="", port=PORT, backend=BACKEND):
        temporary = "".join(f"{kind}_temp_path {self.dir}/{kind};\n" for kind in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return self._nginx(port, "", NGINX_HTTP.format(
            port=port, backend=target(backend), temporary=temporary, upstream=upstream,
            lines="\n".join(lines or (NGINX_APPENDS,))))

    def nginx_stream(self, port=PORT, backend=BACKEND):
        return self._nginx(port, f"load_module {STREAM_MODULE};",
                           NGINX_STREAM.format(port=port, backend=target(backend)))

    def _nginx(self, port, modules, text):
        config = self.write(f"nginx{port}.conf", NGINX.format(
            port=port, directory=self.dir, modules=modules, text=text))
        return self._start_proxy(port, "nginx", "-c", config, "-e",
                                 self.dir / f"nginx{port}.log")

    def _start_proxy(self, port, *command):
        program = self.program(shutil.which(command[0], path=environment()["PATH"]),
                               *command[1:])

        def listens():
            assert program.runs, f"{command[0]} ended: {program.errors}"
            return listeners_at(port) >= len(FRONT)

        wait_for(f"{command[0]} to listen", listens)
        return program

    def end_proxy(self, program):
        """End the proxy, which closes all its connections."""
        program.close()

    # Which clients go to which slot.

    def expected(self, instance, count, family):
        """Returns client -> slot, according to the instance. Also writes it to a file for
        tests/peers/clients."""
        slots = {answer["address"]: answer["slot"]
                 for answer in instance.where(*sources(count, family))}
        path = self.write(f"expected{family}", "".join(
            f"{address} {slot}\n" for address, slot in slots.items()))
        return slots, path

    def many(self, address, count, family, *arguments):
        """Send a request from each client, many at a time. Returns the counts of the load."""
        return self.clients("--http", "--family", family, "--target", target(address),
                            "--sources", count, *arguments)

    def assert_each_on_its_own(self, instance, addresses, count):
        """Check that each client of both families is served by the slot that `where` names."""
        for family, address in addresses.items():
            slots, path = self.expected(instance, count, family)
            self.assertEqual(set(slots.values()), set(range(4)))
            counts = self.many(address, count, family, "--expect", path)
            self.assertEqual((counts["connections"], counts["answered"], counts["mismatched"]),
                             (count, count, 0), counts)

    def local_route(self, network):
        """Make every address of a network a local one, until the end of the test."""
        subprocess.run(["ip", "route", "add", "local", network, "dev", "lo"], check=True)
        self.addCleanup(subprocess.run, ["ip", "route", "del", "local", network, "dev", "lo"],
                        check=True)

    def counters(self, instance):
        return instance.status()["counters"]
