# SPDX-License-Identifier: MIT
"""A table, and functions that write numbers for it."""

import dataclasses

from rig.figures import quartiles


@dataclasses.dataclass
class Table:
    title: str
    head: list
    rows: list  # each a list of texts
    note: str = ""


def number(value, digits=3):
    """Return a number as text, with thousands separated and few digits; "-" for None."""
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
    """Return the median, and the quartiles behind it, as text."""
    if not values:
        return "-"
    low, median, high = quartiles(values)
    if len(values) == 1:
        return number(median, digits)
    return f"{number(median, digits)}  ({number(low, digits)} – {number(high, digits)})"


def ms(us):
    return None if us is None else us / 1000
