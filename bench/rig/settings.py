# SPDX-License-Identifier: MIT
"""The amounts to measure: `make bench` uses the first of each pair, `make bench-quick` the second.
Each can be set in the environment, by its name in capitals."""

import os
import pathlib

BUILD = pathlib.Path(os.environ.get("BUILD", "build")).resolve()
STICKYCTL = BUILD / "stickyctl"
CLIENTS = BUILD / "tests" / "peers" / "clients"
CPUS = len(os.sched_getaffinity(0))

# name: (full, quick, meaning)
DEFAULTS = {
    "workers": (2, 2, "worker processes or threads, where not said otherwise"),
    "concurrency": (64, 64, "connections open at a time, in a closed loop"),
    # A prime: otherwise, by turns, each client would meet the same worker again and again.
    "sources": (997, 199, "client addresses, where not said otherwise"),
    "cost_rounds": (21, 5, "rounds of the program's cost"),
    "cost_runs": (2048, 512, "runs of the program in each of them"),
    "library_rounds": (21, 5, "rounds of the library's cost"),
    "library_lookups": (1000000, 200000, "look-ups in each of them"),
    "filter_rounds": (21, 5, "rounds of the filter's cost"),
    "filter_calls": (300000, 100000, "system calls in each of them"),
    "rounds": (15, 3, "rounds of connections per second"),
    "round_s": (1.0, 0.4, "seconds of each"),
    "warm_up": (5000, 5000, "connections before: a just-in-time compiler needs them"),
    "open_rounds": (5, 2, "rounds at each fixed rate"),
    "hash_addresses": (100000, 100000, "client addresses that are hashed"),
    "hash_workers": (10, 10, "workers over which they are scattered"),
    "hash_rounds": (15, 5, "rounds of the hashes"),
    "reload_s": (60.0, 4.0, "seconds of load with a reload in each"),
    "reload_turns": (3, 1, "turns in which these are measured"),
    "reload_saturate_s": (3.0, 0.5, "seconds in which the saturated rate is found"),
    "scale_rounds": (5, 1, "rounds of each size"),
}


class BadSetting(Exception):
    """A wrong setting in the environment. The text names it, and says what it must be."""


class Settings:
    """settings.rounds and so on, as DEFAULTS names them."""

    def __init__(self, quick=False):
        self.is_quick = quick
        self._values = {}
        for name, (full, short, _) in DEFAULTS.items():
            kind = type(full)
            text = os.environ.get(name.upper(), "")
            try:
                self._values[name] = kind(text) if text else (short if quick else full)
            except ValueError:
                raise BadSetting(f"{name.upper()}={text}: not a number") from None
            if not 0 < self._values[name] < float("inf"):
                raise BadSetting(f"{name.upper()}={text}: not a number above 0")

    def __getattr__(self, name):
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None

    def to_json(self):
        return dict(self._values)
