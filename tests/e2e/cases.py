# SPDX-License-Identifier: MIT
"""Tests that differ in their arguments alone."""


def tests_of(cases):
    """A test method for each case: name -> arguments of the class's check()."""
    def decorate(test_class):
        for name, arguments in cases.items():
            def test(self, arguments=arguments):
                self.check(*arguments)
            setattr(test_class, f"test_{name}", test)
        return test_class
    return decorate
