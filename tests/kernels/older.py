# SPDX-License-Identifier: MIT
"""The tests for kernels before Linux 5.14. On these, connections can't move with their slot, and
the kernel engine refuses to start. The two other engines do not need Linux 5.14."""

# For tests/run.py: the pure parts, the two other engines, and stickyctl with each of them.
ONLY = """
unit/
kernel/test_classic
kernel/test_user_engine
kernel/test_user_rights
e2e/test_classic:Choice.test_an_old_kernel_is_the_reason
e2e/test_classic:Steering.test_v4
e2e/test_classic:Steering.test_where_of_the_command_line
e2e/test_classic_away:Limit.test_restart_brings_it_back
e2e/test_classic:Rolling
e2e/test_classic_away:Holding
e2e/test_classic:Misuse
e2e/test_classic:Node
e2e/test_user_unprivileged:Steering.test_v4
e2e/test_user_unprivileged:Reload
e2e/test_user_unprivileged:Crash
e2e/test_user_unprivileged:Node
e2e/test_user:Unprivileged.test_works
e2e/test_containers:Memory
e2e/test_pid1:Unprivileged
""".split()
