# SPDX-License-Identifier: MIT
"""Tests that differ only in their arguments."""


def tests_of(cases):
    """Add a test method for each case: name -> arguments of the class's check()."""
    def decorate(test_class):
        for name, arguments in cases.items():
            def test(self, arguments=arguments):
                self.check(*arguments)
            setattr(test_class, f"test_{name}", test)
        return test_class
    return decorate
