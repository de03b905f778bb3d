# SPDX-License-Identifier: MIT
"""The figures as tables: for the terminal and for the page alike. A table that has no rows is none."""

from rig import ways

from . import hashes
from .table import Table, ms, number, spread


def values_of(figures, name, subject, **parameters):
    found = figures.find(name, subject, **parameters)
    return found[0].values if found else []


# ---- Serving ---------------------------------------------------------------------------

C_WAYS = (ways.KERNEL, ways.THREADS, ways.PLAIN, ways.USER, ways.XFF, ways.NGINX, ways.HAPROXY)
NODE_WAYS = (ways.NODE, ways.NODE_XFF, ways.CLUSTER, ways.LISTEN, ways.STICKY_CLUSTER,
             ways.SOCKETIO)


def round_ratios(figures, ours, theirs):
    """Ours over theirs, in each round: what disturbs the machine disturbs both."""
    mine = values_of(figures, "connections_per_second", ours)
    other = values_of(figures, "connections_per_second", theirs)
    return [a / b for a, b in zip(mine, other)]


def ratio_table(figures, title, ours, subjects):
    rows = []
    for subject in subjects:
        rates = values_of(figures, "connections_per_second", subject)
        if not rates:
            continue
        ratio = "1" if subject == ours else spread(round_ratios(figures, ours, subject))
        moved = max(values_of(figures, "moved_clients", subject, loop="closed"))
        rows.append([subject, ratio, spread(rates),
                     spread(values_of(figures, "balancer_cpu", subject)),
                     spread(values_of(figures, "worker_cpu", subject)),
                     "yes" if not moved else f"no: {number(moved)} %"])
    return Table(title, ["", f"{ours}, times this", "connections/s", "balancer CPU, µs each",
                         "worker CPU, µs each", "sticky"], rows,
                 "Median (quartiles) of the rounds; the ratio is of the same round. CPU for each "
                 "connection. Not sticky: the share of answers by another worker than the client's "
                 "first.")


def latency_table(figures, loop):
    rows = []
    for figure in figures.find("latency_p50", loop=loop):
        parameters = figure.parameters
        rows.append([figure.subject, number(parameters["rate"]) if "rate" in parameters else "",
                     *(number(ms(figures.median(name, figure.subject, **parameters)))
                       for name in ("latency_p50", "latency_p99", "latency_p999")),
                     number(sum(values_of(figures, "failed", figure.subject, **parameters)))])
    if loop == "open":
        return Table("Latency at fixed rates", ["", "connections/s", "p50, ms", "p99, ms",
                                                "p99.9, ms", "failed"], rows,
                     "Counted from when a connection was due: whoever can't keep up is seen to.")
    rows = [[row[0], *row[2:]] for row in rows]
    return Table("Latency in the closed loop", ["", "p50, ms", "p99, ms", "p99.9, ms", "failed"],
                 rows)


# ---- The program -------------------------------------------------------------------------


def program_tables(figures):
    sizes = [[title, number(figures.median(name, "program"))] for title, name in (
        ("instructions that the verifier walked, all paths", "instructions_verified"),
        ("bytes of BPF", "bytes_of_bpf"), ("bytes of machine code", "bytes_of_machine_code"))
        if figures.find(name)]
    rows = []
    for figure in figures.find("program_net_ns"):
        case = figure.parameters
        key = "/{v4_prefix}, /{v6_prefix}".format(**case)
        rows.append([case["driven_by"], case["clients"], str(case["slots"]), key,
                     "yes" if case["trusted_proxies"] else "no",
                     number(figures.median("program_empty_ns", "program", **case)),
                     number(figures.median("program_sticky_ns", "program", **case)),
                     spread(figure.values)])
    return [Table("The program's size", ["", ""], sizes),
            Table("The program, ns a run",
                  ["driven by", "clients", "slots", "key", "trusted proxies", "empty program",
                   "ours", "net"], rows,
                  "Net of the empty program's, round by round. Connections: between two runs a "
                  "whole connection, caches are cold. Packets: back to back.")]


# ---- Reloads -------------------------------------------------------------------------------


def reload_table(figures):
    rows = []
    for figure in figures.find("reload_failed"):
        subject = figure.subject
        how = ", ".join(f"{number(each.median)} {each.parameters['outcome']}"
                        for each in figures.find("reload_failed_how", subject))
        reloads = values_of(figures, "reload_ms", subject)
        rows.append([subject, number(figures.median("reload_rate", subject)), str(len(reloads)),
                     spread(reloads), number(figures.median("reload_connections", subject)),
                     number(figure.median) + (f": {how}" if how else ""),
                     *(number(ms(figures.median(f"reload_latency_{name}", subject, phase=phase)))
                       for name in ("p999", "max") for phase in ("reload", "between"))])
    return Table("A reload each second, at half the saturated rate",
                 ["", "connections/s", "reloads", "a reload, ms", "connections", "failed",
                  "p99.9 in a reload, ms", "p99.9 between", "longest in a reload, ms",
                  "longest between"], rows,
                 "In a reload: connections that were open while one was under way, until the last "
                 "of the former workers had ended.")


# ---- Scale ----------------------------------------------------------------------------------


def slots_table(figures):
    rows = []
    for figure in figures.find("scale_rate"):
        if "slots" not in figure.parameters:
            continue
        slots = figure.parameters["slots"]
        rows.append([str(slots), spread(figure.values),
                     *(spread(values_of(figures, "table_change", change, slots=slots))
                       for change in ("slot more", "slot less", "slot away", "slot back")),
                     *(number(figures.median(name, "controller", slots=slots))
                       for name in ("memory", "idle_wake_ups", "idle_cpu"))])
    return Table("Slots", ["slots", "connections/s", "slot more, ms", "slot less, ms",
                           "slot away, ms", "slot back, ms", "controller, MB",
                           "idle: wake-ups/s", "idle: CPU, ms/s"], rows)


def scale_table(figures, title, parameter, head):
    rows = []
    for figure in figures.find("scale_rate"):
        if parameter not in figure.parameters:
            continue
        own = {parameter: figure.parameters[parameter]}
        row = [number(own[parameter]), spread(figure.values)]
        if parameter != "addresses":
            row += [spread(values_of(figures, "released_ms", figure.subject, **own)),
                    *(number(figures.median(name, "controller", **own))
                      for name in ("memory", "idle_wake_ups", "idle_cpu"))]
        rows.append(row)
    names = ["connections/s of the others", "all answered once it is back, ms", "controller, MB",
             "meanwhile: wake-ups/s", "meanwhile: CPU, ms/s"]
    return Table(title, [head, *(names if parameter != "addresses" else ["connections/s"])], rows)


def all_tables(figures):
    tables = [
        ratio_table(figures, "C workers", ways.KERNEL, C_WAYS),
        ratio_table(figures, "Node.js workers", ways.NODE, NODE_WAYS),
        latency_table(figures, "closed"),
        latency_table(figures, "open"),
        *program_tables(figures),
        *hashes.tables(figures),
        reload_table(figures),
        slots_table(figures),
        scale_table(figures, "Client addresses", "addresses", "addresses"),
        scale_table(figures, "Waiting in a holding queue", "holding", "waiting"),
        scale_table(figures, "Waiting in the controller's hands", "in_hand", "waiting"),
    ]
    return [table for table in tables if table.rows]
