#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proxies that keep their connections open, and put several clients' requests on one connection.
This is logged, and the remedy works."""

import harness
from clients import client_socket
from harness import needs
from proxies import (FRONT, HAPROXY_CLOSES, HAPROXY_REUSES, NGINX_APPENDS, NGINX_REUSES, PROXIED,
                     PROXY, XFF, ProxyTestCase, get, source)

COUNT = 1000  # clients of each family
FEW = 40      # clients that are checked one by one


class KeepAlive(ProxyTestCase):
    """Several clients' requests on one connection: all of them are on one worker."""

    def check_shared(self, instance):
        """Check that the first client's worker gets all requests, and that this is logged once."""
        slots, _ = self.expected(instance, FEW, "4")
        self.assertEqual(set(slots.values()), set(range(4)))
        first = slots[source("4", 0)]
        answers = [get(FRONT["4"], each) for each in slots]
        self.assertEqual({answer["slot"] for answer in answers}, {first})
        self.assertEqual({answer["peer"] for answer in answers}, {answers[0]["peer"]})
        self.assertEqual(self.counters(instance)["proxy_keepalive"], 1)
        counts = self.many(FRONT["4"], COUNT, "4")
        self.assertEqual(counts["answered"], COUNT)
        self.assertGreater(self.counters(instance)["proxy_keepalive"], 1)
        line, = instance.log_lines("proxy_keepalive")
        self.assertEqual((line.level, line.fields["proxy"]), ("warn", PROXY))
        return line.fields["so"]

    def check_own(self, instance):
        """Check the clients with the remedy."""
        before = self.counters(instance)["proxy_keepalive"]
        slots, _ = self.expected(instance, FEW, "4")
        answers = [get(FRONT["4"], each) for each in slots]
        self.assertEqual([answer["slot"] for answer in answers], list(slots.values()))
        self.assertEqual([answer["client"] for answer in answers], list(slots))
        self.assert_each_on_its_own(instance, FRONT, COUNT)
        self.assertEqual(self.counters(instance)["proxy_keepalive"], before)

    @needs("haproxy")
    def test_haproxy(self):
        instance = self.serve_takers(*XFF)
        proxy = self.haproxy(*HAPROXY_REUSES)
        remedy = self.check_shared(instance)
        for words in HAPROXY_CLOSES[1:]:
            self.assertIn(words, remedy)
        self.end_proxy(proxy)
        self.haproxy(*HAPROXY_CLOSES)
        self.check_own(instance)
        self.assertEqual(len(instance.log_lines("proxy_keepalive")), 1)

    @needs("nginx")
    def test_nginx(self):
        instance = self.serve_takers(*XFF)
        proxy = self.nginx(NGINX_APPENDS, NGINX_REUSES, upstream="keepalive 8;")
        self.assertIn("keepalive", self.check_shared(instance))
        self.end_proxy(proxy)
        self.nginx(NGINX_APPENDS, "proxy_http_version 1.1;")
        self.check_own(instance)

    @needs("haproxy")
    def test_with_the_remedy_from_the_beginning(self):
        instance = self.serve_takers(*XFF)
        self.haproxy(*HAPROXY_CLOSES)
        self.check_own(instance)
        self.assertEqual((self.counters(instance)["proxy_keepalive"],
                          instance.log_lines("proxy_keepalive")), (0, []))

    @needs("haproxy")
    def test_proxy_protocol(self):
        """There is one header for each connection: HAProxy gives a client only connections of its
        own."""
        instance = self.serve_takers(*PROXIED)
        self.haproxy("http-reuse always", server="send-proxy-v2")
        for _ in range(2):
            self.check_own(instance)
        self.assertEqual(instance.log_lines("proxy_keepalive"), [])

    @needs("haproxy")
    def test_upgrade(self):
        """A connection that is upgraded belongs to one client."""
        instance = self.serve_takers(*XFF)
        self.haproxy("option forwardfor")
        with client_socket(FRONT["4"]) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\n"
                           b"Upgrade: something\r\n\r\n")
            self.assertIn(b" 200 ", client.recv(4096))
        self.assertEqual((self.counters(instance)["dispatched"],
                          self.counters(instance)["proxy_keepalive"]), (1, 0))


if __name__ == "__main__":
    harness.main()
