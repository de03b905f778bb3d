# SPDX-License-Identifier: MIT
"""An exception for something that can't be had on this machine. Its message is one plain
sentence."""


class Unavailable(Exception):
    """A kernel, a package or a program that cannot be had; the message says why."""
