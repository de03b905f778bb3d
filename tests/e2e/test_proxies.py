#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Behind HAProxy, nginx and curl each client goes to its own worker, as if there were no proxy in
between. Without the option, all clients are on the worker of the proxy's own address."""

import functools
import shutil
import subprocess
import unittest

import harness
from harness import needs
from programs import environment
from proxies import (DIRECT, FRONT, HAPROXY_CLOSES, PROXIED, PROXY, XFF, ProxyTestCase, fields,
                     get, needs_stream, sources, target)
from world import wait_for

COUNT = 1000  # clients of each family
FEW = 40      # clients that are checked one by one


@functools.cache
def curl_can(option):
    curl = shutil.which("curl", path=environment()["PATH"])
    return curl and option in subprocess.run([curl, "--help", "all"], check=True,
                                             capture_output=True, text=True).stdout


def needs_curl(option):
    return unittest.skipUnless(curl_can(option), f"curl: none, or without {option}")


class Sticky(ProxyTestCase):
    """Stickiness with any proxy, and any way in which it names its clients."""

    def check(self, instance, proxy=PROXY):
        """Check with the proxy that listens that each client goes to the slot that `where` names,
        as without a proxy."""
        self.assert_each_on_its_own(instance, FRONT, COUNT)
        wait_for("all to be taken", lambda: self.counters(instance)["handed"] == 2 * COUNT)
        counters = self.counters(instance)
        self.assertEqual([counters[name] for name in (
            "dispatched", "steered", "answered_502", "bad_proxy_header", "head_timeout",
            "client_gone", "dropped")], [2 * COUNT, 0, 0, 0, 0, 0, 0], counters)
        for family, address in FRONT.items():
            for each in sources(FEW, family):
                answer = get(address, each)
                self.assertEqual(answer["client"], each)
                self.assertIn(answer["peer"].rpartition(":")[0], (proxy, f"::ffff:{proxy}"))
        self.assert_each_on_its_own(instance, DIRECT, COUNT)
        self.assertGreater(self.counters(instance)["steered"], COUNT)

    @needs("haproxy")
    def test_haproxy_forwardfor(self):
        instance = self.serve_takers(*XFF)
        self.haproxy(*HAPROXY_CLOSES)
        self.check(instance)

    @needs("haproxy")
    def test_haproxy_v1(self):
        instance = self.serve_takers(*PROXIED)
        self.haproxy(server="send-proxy")
        self.check(instance)

    @needs("haproxy")
    def test_haproxy_v2(self):
        instance = self.serve_takers(*PROXIED)
        self.haproxy(server="send-proxy-v2")
        self.check(instance)

    @needs("haproxy")
    def test_haproxy_v2_with_more_in_it(self):
        """The header has more fields: a checksum, an id."""
        instance = self.serve_takers(*PROXIED)
        self.haproxy("unique-id-format %[uuid()]", mode="tcp",
                     server="send-proxy-v2 proxy-v2-options crc32c,unique-id")
        self.check(instance)

    @needs("nginx")
    def test_nginx(self):
        instance = self.serve_takers(*XFF)
        self.nginx()
        self.check(instance)

    @needs("nginx")
    @needs_stream()
    def test_nginx_stream(self):
        instance = self.serve_takers(*PROXIED)
        self.nginx_stream()
        self.check(instance)

    @needs("haproxy", "nginx")
    def test_two_in_a_row(self):
        """Each proxy appends the address from which it got the request."""
        instance = self.serve_takers(*XFF)
        self.nginx(port=8081)
        self.haproxy(*HAPROXY_CLOSES, backend=(PROXY, 8081))
        self.check(instance)

    @needs("haproxy")
    def test_dual_stack(self):
        """One socket is for both families. The proxy and its clients still count as IPv4."""
        instance = self.serve_takers(*PROXIED, listeners=("-l", ":3000"))
        self.haproxy(server="send-proxy-v2")
        self.check(instance)

    @needs("haproxy")
    def test_by_ipv6(self):
        """The clients' family may differ from that of the connection to the worker."""
        instance = self.serve_takers("--behind-proxy", "xff", "--trusted-proxy", "::1")
        self.haproxy(*HAPROXY_CLOSES, backend=DIRECT["6"])
        self.check(instance, proxy="::1")

    @needs("nginx")
    def test_long_head(self):
        """The head is as long as nginx allows: cookies, and tokens."""
        instance = self.serve_takers(*XFF)
        self.nginx()
        slots, _ = self.expected(instance, FEW, "4")
        for each, slot in slots.items():
            answer = get(FRONT["4"], each, *(f"X-{number}: {'a' * 7000}" for number in range(4)))
            self.assertEqual((answer["slot"], answer["client"]), (slot, each))
            self.assertGreater(answer["bytes"], 28000)

    @needs("haproxy")
    def test_forwarded(self):
        """The header Forwarded of RFC 7239."""
        instance = self.serve_takers(*XFF, "--client-ip-header", "Forwarded")
        self.haproxy(
            "option http-server-close",
            "acl is_v6 src 2001:db8::/32",
            'http-request set-header Forwarded "for=%[src];proto=http" if !is_v6',
            'http-request set-header Forwarded "for=\\"[%[src]]:%[src_port]\\";proto=http"'
            " if is_v6")
        self.check(instance)


class Curl(ProxyTestCase):
    """The client itself names its address with the PROXY protocol."""

    def check(self, instance, option):
        """Check curl. option returns a line of curl's configuration for a client's address"""
        for family, address in DIRECT.items():
            slots, _ = self.expected(instance, COUNT, family)
            lines = [f'url = "http://{target(address)}/"\ngloboff\nsilent\nshow-error\nfail\n'
                     f'header = "Connection: close"\n{option(each)}\n' for each in slots]
            result = self.run_program("curl", "-q", "-K", self.write(
                "curl", "next\n".join(lines)))
            self.assertEqual(result.returncode, 0, result.stderr)
            answers = [fields(line) for line in result.stdout.splitlines()]
            self.assertEqual({answer["client"]: answer["slot"] for answer in answers}, slots)
        self.assertEqual(self.counters(instance)["dispatched"], 2 * COUNT)

    @needs_curl("--haproxy-protocol")
    def test_protocol(self):
        instance = self.serve_takers("--behind-proxy", "proxy", "--trusted-proxy", "127.0.0.0/8",
                                     "--trusted-proxy", "2001:db8::/32")
        self.check(instance, lambda each: f'haproxy-protocol\ninterface = "{each}"')

    @needs_curl("--haproxy-clientip")
    def test_client_ip(self):
        instance = self.serve_takers("--behind-proxy", "proxy")
        self.check(instance, lambda each: f'haproxy-clientip = "{each}"')


class Naive(ProxyTestCase):
    """Without --behind-proxy the proxy is the client, and one worker has all clients."""

    def check(self):
        instance = self.serve_takers()
        slot = instance.where(PROXY)["slot"]
        for family, front in FRONT.items():
            counts = self.many(front, COUNT, family)
            self.assertEqual((counts["answered"], counts["per_slot"]),
                             (COUNT, {str(slot): COUNT}))
        # Clients that connect directly are still spread.
        self.assert_each_on_its_own(instance, DIRECT, COUNT)

    @needs("haproxy")
    def test_haproxy_forwardfor(self):
        self.haproxy(*HAPROXY_CLOSES)
        self.check()

    # The worker sees the header, and takes it for a line. As HTTP that is broken.

    @needs("haproxy")
    def test_haproxy_v1(self):
        self.haproxy(server="send-proxy", mode="tcp")
        self.check()

    @needs("haproxy")
    def test_haproxy_v2(self):
        self.haproxy(server="send-proxy-v2", mode="tcp")
        self.check()

    @needs("nginx")
    def test_nginx(self):
        self.nginx()
        self.check()

    @needs("nginx")
    @needs_stream()
    def test_nginx_stream(self):
        self.nginx_stream()
        self.check()


if __name__ == "__main__":
    harness.main()
