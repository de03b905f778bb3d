# SPDX-License-Identifier: MIT
"""What cannot be had on this machine is an exception with one plain sentence."""


class Unavailable(Exception):
    """A kernel, a package or a program that cannot be had; the message says why."""
