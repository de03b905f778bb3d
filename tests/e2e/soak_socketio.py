#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_socketio.py with 500 clients that make 50 round trips each: `make soak`."""

import signal

import harness
import nodeapps
import test_socketio
from test_socketio import WAYS

TEST_LIMIT_S = 600  # instead of the limit of the harness

test_socketio.CLIENTS = 500
test_socketio.ROUNDS = 50
test_socketio.LIMIT_S = 180


class SoakTestCase(test_socketio.SocketioTestCase):
    def setUp(self):
        super().setUp()
        signal.alarm(TEST_LIMIT_S)


@harness.tests_of(WAYS)
class Sessions500(SoakTestCase):
    check = test_socketio.Sessions.check


class Naive500(SoakTestCase):
    test_nodes_cluster_loses_sessions = test_socketio.Naive.test_nodes_cluster_loses_sessions


@harness.tests_of(WAYS)
class Reloaded500(SoakTestCase):
    check = test_socketio.Reloaded.check


@harness.tests_of(WAYS)
class Killed500(SoakTestCase):
    check = test_socketio.Killed.check


class Proxied500(SoakTestCase):
    check_behind = test_socketio.Proxied.check_behind
    check_behind_nginx = test_socketio.Proxied.check_behind_nginx
    test_nginx = test_socketio.Proxied.test_nginx
    test_nginx_that_keeps_connections = test_socketio.Proxied.test_nginx_that_keeps_connections
    test_haproxy = test_socketio.Proxied.test_haproxy


if __name__ == "__main__":
    if nodeapps.why_not():
        print(f"1..0 # SKIP {nodeapps.why_not()}")
    else:
        harness.main()
