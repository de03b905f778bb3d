# SPDX-License-Identifier: MIT
"""The tests of `make test-kernels-short`: one old kernel and some tests of each kind, in
minutes."""

KERNELS = ["6.1-oldest"]  # a kernel that does not wake a sleeping acceptor
SUITES = ["doctor", "kernel", "e2e"]
LIMIT_S = 900  # it takes 3 to 5 minutes if nothing else runs

# For tests/run.py: the kernel suite, and some end-to-end tests.
ONLY = """
kernel/
e2e/test_node:Addresses.test_workers_of_another_user
e2e/test_node:OneServer.test_port
e2e/test_node:Others.test_metrics_port_is_shared
e2e/test_reload:Rolling.test_reloads_under_load
e2e/test_reload:Ways.test_wait_drained
e2e/test_takeover:Takeover.test_workers_serve_meanwhile_and_afterwards
e2e/test_takeover:Takeover.test_everything_works_afterwards
e2e/test_respawn:Queue.test_the_next_life_answers_all
e2e/test_steering:Steering.test_dual_stack
e2e/test_workers:User.test_user
e2e/test_scale:Drain.test_hold
e2e/test_start:Status.test_text
e2e/test_servers:Servers.test_nginx
e2e/test_user:Unprivileged.test_xff
""".split()
