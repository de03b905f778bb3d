# SPDX-License-Identifier: MIT
"""An exception for something that is not available on this machine. Its message is one plain
sentence."""


class Unavailable(Exception):
    """A kernel, a package or a program is not available; the message says why."""
