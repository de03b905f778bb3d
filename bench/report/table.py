# SPDX-License-Identifier: MIT
"""A table, and how numbers are written in it."""

import dataclasses

from rig.figures import quartiles


@dataclasses.dataclass
class Table:
    title: str
    head: list
    rows: list  # of texts
    note: str = ""


def number(value, digits=3):
    """With thousands separated, and as many digits as mean something. None: there is none."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if isinstance(value, int) or abs(value) >= 999.5:
        return f"{value:,.0f}"
    if abs(value) < 1:
        return f"{value:.{digits - 1}f}"
    return f"{value:.{max(0, digits - len(str(int(abs(value)))))}f}"


def spread(values, digits=3):
    """The median, and the quartiles behind it."""
    if not values:
        return "-"
    low, median, high = quartiles(values)
    if len(values) == 1:
        return number(median, digits)
    return f"{number(median, digits)}  ({number(low, digits)} – {number(high, digits)})"


def ms(us):
    return None if us is None else us / 1000
