# SPDX-License-Identifier: MIT
"""The results: each figure has a name, a unit, a subject, parameters, and all its values, in the
order in which they were measured."""

import dataclasses
import statistics


def quartiles(values):
    """Return (low, median, high): half of the values lie between low and high."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high


@dataclasses.dataclass
class Figure:
    name: str        # "connections_per_second"
    unit: str        # "1/s", "us", "ns", "" for a bare number
    subject: str     # a way to serve, a hash, a program
    parameters: dict  # {"rate": 5000}: distinguishes it from others of this name
    values: list

    @property
    def median(self):
        return quartiles(self.values)[1]

    def to_json(self):
        low, median, high = quartiles(self.values)
        return {"name": self.name, "unit": self.unit, "subject": self.subject,
                "parameters": self.parameters, "median": median, "low": low, "high": high,
                "values": self.values}


class Figures:
    """All figures. add() adds a value to the figure that it belongs to."""

    def __init__(self):
        self._all = {}
        self.missing = {}   # subject -> why it was not measured
        self.failures = {}  # subject -> what went wrong, for our subjects

    def add(self, name, unit, subject, value, **parameters):
        key = (name, subject, tuple(sorted(parameters.items())))
        if key not in self._all:
            self._all[key] = Figure(name, unit, subject, parameters, [])
        self._all[key].values.append(value)

    def leave_out(self, subject, why):
        self.missing[subject] = why

    def fail(self, subject, why):
        self.failures[subject] = why

    def __iter__(self):
        return iter(self._all.values())

    def find(self, name, subject=None, **parameters):
        """Return the figures of a name and subject that have at least these parameters."""
        return [figure for figure in self if figure.name == name
                and subject in (None, figure.subject)
                and all(figure.parameters.get(key) == value
                        for key, value in parameters.items())]

    def only(self, name, subject, **parameters):
        """Return the only figure that fits; None if there is none."""
        found = self.find(name, subject, **parameters)
        if len(found) > 1:
            raise LookupError(f"{len(found)} figures are {name} of {subject}, {parameters}")
        return found[0] if found else None

    def median(self, name, subject, **parameters):
        figure = self.only(name, subject, **parameters)
        return figure.median if figure else None

    def values(self, name, subject, **parameters):
        figure = self.only(name, subject, **parameters)
        return figure.values if figure else []

    def to_json(self):
        return {"figures": [figure.to_json() for figure in self], "missing": self.missing,
                "failures": self.failures}
