# SPDX-License-Identifier: MIT
"""Tables of the hashes."""

from sections import hashing

from .table import Table, number, spread

SETS = {"random": "random", "sequential_v4": "sequential v4", "sequential_64": "sequential /64",
        "one_24": "one /24"}


def chi_square_limit(freedom):
    """Return what chance exceeds once in 1,000 times (Wilson and Hilferty's approximation)."""
    part = 2 / (9 * freedom)
    return freedom * (1 - part + 3.0902 * part ** 0.5) ** 3


def time_table(figures):
    ours = figures.median("hash_ms", hashing.OURS)
    rows = [[figure.subject, spread(figure.values),
             number(1e6 * figure.median / figure.parameters["addresses"]),
             number(figure.median / ours)] for figure in figures.find("hash_ms")]
    return Table("Hashes", ["", "ms for all addresses", "ns an address", "times ours"], rows,
                 "C: each hashes what its module hashes: sticky and int31 an address's bytes, djb2 "
                 "its text. djb2 of bytes: what it would cost if it had them. Node.js: "
                 "sticky-cluster's own benchmark, a new process each round. warm: string-hash and "
                 "sticky-listen's int31, after passes that do not count. These two take an "
                 "address's text apart at its dots, so that IPv6 is one number, mostly none.")


def scatter_table(figures, workers):
    found = figures.find("hash_chi_square", workers=workers)
    rows = []
    for subject in dict.fromkeys(figure.subject for figure in found):
        row = [subject]
        for kind in SETS:
            with_set = {"set": kind, "workers": workers}
            chi = figures.median("hash_chi_square", subject, **with_set)
            ratio = figures.median("hash_max_min", subject, **with_set)
            row += [number(chi), "-" if chi is None else number(ratio)]
        rows.append(row)
    head = [text for title in SETS.values() for text in (f"{title}: chi-square", "max/min")]
    chance = (f"By chance alone chi-square is about {workers - 1}; once in 1,000 above "
              f"{chi_square_limit(workers - 1):.0f}. ") if workers > 1 else ""
    return Table(f"Scatter over {workers} workers", ["", *head], rows,
                 f"{chance}max/min: clients of the worker with the most and of that with the "
                 "fewest; -: one has none, or it was not measured.")


def move_table(figures):
    rows = []
    for of in sorted({figure.parameters["of"] for figure in figures.find("hash_moved")}):
        moved = [number(figures.median("hash_moved", placing, of=of))
                 for placing in hashing.PLACINGS]
        rows.append([f"{of} to {of + 1}", number(100 / (of + 1)), *moved])
    return Table("Clients that one more worker moves, %",
                 ["workers", "the least", *hashing.PLACINGS], rows, "table: ours.")


def tables(figures):
    if not figures.find("hash_ms"):
        return []
    counts = sorted({figure.parameters["workers"] for figure in figures.find("hash_chi_square")})
    return [time_table(figures), *(scatter_table(figures, workers) for workers in counts),
            move_table(figures)]
