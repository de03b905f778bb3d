#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tests of the other engines with --steering=user, as nobody: without privilege, and without
any program in the kernel."""

import harness
import test_holding
import test_passing
import test_steering
import unprivileged
from unprivileged import User


class Steering(User, test_steering.Steering):
    """Stickiness, `where` and the spread are those of the kernel engine."""

    test_two_listeners = None  # workers get no sockets here, which it needs
    test_listeners_of_both_families = None
    test_v4_clients_of_both_kinds_of_sockets_agree = None
    test_the_same_after_a_restart = None  # as after a kill
    test_another_seed_is_another_map = None
    test_hosts_of_a_v6_network_are_one_client = None  # as with a prefix
    test_v4_prefix = None

    def test_v4(self):
        instance = self.serve_workers("-l", test_steering.V4)
        self.assert_unprivileged(instance.pid)
        self.assertEqual(instance.status()["steering"], "user")
        self.assert_sticky(instance, test_steering.V4, "4", test_steering.v4_source)


class Crash(User, test_passing.Crash):
    """Workers that die under load."""

    test_none_is_served_before_ready = None  # behind a proxy


class Reload(User, test_passing.Reload):
    """Rolling reloads under load."""

    test_xff = test_proxy = None  # test_user.py: Unprivileged
    test_a_worker_that_exits_without_a_word = None


class Answer(User, test_holding.Answer):
    """The 502."""

    test_one_that_never_stops_to_send = None  # it takes long, and does not depend on privileges
    test_many_leave_no_descriptor = None
    test_a_tls_hello_that_comes_a_moment_later = None
    test_a_large_post = None


class Waiting(User, test_holding.Waiting):
    """Clients whose worker comes in time."""

    test_before_the_first_life_is_ready = None  # its worker takes none
    test_how_long_they_waited = None  # slots have no holding sockets: they wait in the controller


class Node(User, unprivileged.Unchanged):
    """An unchanged application of Node.js."""


if __name__ == "__main__":
    harness.main()
