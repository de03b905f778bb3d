#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks of the installed units under systemd. run.sh runs this as a service of a systemd of its
own.

    checks.py [Class[.test] ...]
"""

import os
import subprocess
import sys
import time
import unittest

# pylint: disable=unused-import
from check_crash import Crash
from check_reload import Reload
from check_sandbox import Sandbox
from check_start import Start
from check_user import User
from lines import Lines
from service import install_worker


def main():
    install_worker()
    print(subprocess.run(["systemctl", "--version"], check=True, capture_output=True,
                         text=True).stdout.splitlines()[0], flush=True)
    names = sys.argv[1:]
    loader = unittest.defaultTestLoader
    module = sys.modules["__main__"]
    suite = (loader.loadTestsFromNames(names, module) if names
             else loader.loadTestsFromModule(module))
    began = time.monotonic()
    with open(os.devnull, "w", encoding="ascii") as nowhere:
        result = unittest.TextTestRunner(nowhere, resultclass=Lines, verbosity=0).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{time.monotonic() - began:.0f} s\n"
          f"{result.passed} passed, {failed} failed, {len(result.skipped)} skipped", flush=True)
    return 1 if failed or not result.passed else 0


if __name__ == "__main__":
    sys.exit(main())
