# SPDX-License-Identifier: MIT
"""Makes tables of the figures, for the terminal and the page. A table without rows is left out."""

from rig import ways

from . import hashes
from .table import Table, ms, number, spread

C_WAYS = (ways.KERNEL, ways.THREADS, ways.PLAIN, ways.CLASSIC, ways.USER, ways.XFF, ways.NGINX,
          ways.HAPROXY)
NODE_WAYS = (ways.NODE, ways.NODE_XFF, ways.CLUSTER, ways.LISTEN, ways.STICKY_CLUSTER,
             ways.SOCKETIO)
NOT_STICKY = {ways.PLAIN, ways.CLUSTER, ways.SOCKETIO}
KEEPS_UP = 0.98  # fraction of the due connections that must be answered in time


# ---- Serving ---------------------------------------------------------------------------


def round_ratios(figures, ours, theirs):
    """Return ours over theirs, of each round, as a disturbance of the machine affects both. A round
    in which theirs answered no connection has no ratio."""
    mine = figures.values("connections_per_second", ours)
    other = figures.values("connections_per_second", theirs)
    return [a / b for a, b in zip(mine, other) if b]


def count_of(figures, name, subject, **parameters):
    """Return the sum of all rounds. Figures of fixed rates have a parameter more."""
    return sum(sum(figure.values) for figure in figures.find(name, subject, **parameters)
               if figure.parameters == parameters)


def part(few, all_of_them):
    """Return "FEW of ALL"."""
    if not few:
        return f"0 of {number(all_of_them)}"
    return f"{number(few)} of {number(all_of_them)}"


def stickiness(figures, subject):
    moved = count_of(figures, "unsticky", subject)
    answered = count_of(figures, "begun", subject) - count_of(figures, "failed", subject)
    if moved:
        return f"no: {number(100 * moved / answered)} %"
    return "no" if subject in NOT_STICKY else "yes"


def ratio_table(figures, title, ours, subjects):
    rows = []
    for subject in subjects:
        rates = figures.values("connections_per_second", subject)
        if not rates:
            continue
        ratio = "1" if subject == ours else spread(round_ratios(figures, ours, subject))
        rows.append([subject, ratio, spread(rates),
                     *(spread(figures.values(name, subject))
                       for name in ("balancer_cpu", "worker_cpu", "client_cpu")),
                     part(count_of(figures, "failed", subject),
                          count_of(figures, "begun", subject)),
                     stickiness(figures, subject)])
    return Table(title, ["", f"{ours}, times this", "connections/s", "balancer, µs each",
                         "workers, µs each", "clients, µs each", "failed", "sticky"], rows,
                 "Median (quartiles) of the rounds; the ratio is of the same round. µs: processor "
                 "time for each connection. Not sticky: answers by another worker than the "
                 "client's first, where it was seen.")


def closed_table(figures):
    rows = []
    for subject in (*C_WAYS, *NODE_WAYS):
        found = [figure for figure in figures.find("latency_p50", subject)
                 if not figure.parameters]
        if found:
            rows.append([subject, *latency_cells(figures, subject)])
    return Table("Latency in the closed loop", ["", "p50, ms", "p99, ms", "p99.9, ms",
                                                "longest, ms"], rows,
                 "Of all rounds together.")


def latency_cells(figures, subject, **parameters):
    cells = []
    for name in ("p50", "p99", "p999", "max"):
        found = [figure for figure in figures.find(f"latency_{name}", subject, **parameters)
                 if figure.parameters == parameters]
        cells.append(number(ms(found[0].median)))
    return cells


def open_table(figures):
    rows = []
    for subject in (*C_WAYS, *NODE_WAYS):
        for figure in figures.find("answered_per_second", subject):
            rate = figure.parameters["rate"]
            kept_up = figure.median >= KEEPS_UP * rate
            rows.append([subject, number(rate),
                         number(figure.median) + ("" if kept_up else " (does not keep up)"),
                         *latency_cells(figures, subject, rate=rate),
                         part(count_of(figures, "failed", subject, rate=rate),
                              count_of(figures, "begun", subject, rate=rate))])
    return Table("Latency at fixed rates", ["", "due a second", "answered a second", "p50, ms",
                                            "p99, ms", "p99.9, ms", "longest, ms", "failed"], rows,
                 "Counted from when a connection was due, of all rounds together. Where one does "
                 "not keep up, it is as long as the round that is measured.")


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
                     "4, no hit" if case["trusted_proxies"] else "none",
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


def reload_row(figures, subject):
    def cell(name, phase):
        return number(ms(figures.median(f"reload_latency_{name}", subject, phase=phase)))

    reloads = figures.values("reload_ms", subject)
    count = number(len(reloads))
    crashes = figures.median("reload_crashes", subject)
    return [subject, number(figures.median("reload_rate", subject)),
            f"{count}, {number(crashes)} crashed" if crashes else count, spread(reloads),
            number(figures.median("reload_connections", subject)),
            number(figures.median("reload_failed", subject, phase="reload")),
            number(figures.median("reload_failed", subject, phase="between")
                   + figures.median("reload_not_begun", subject)),
            number(figures.median("reload_moved", subject)),
            cell("p999", "reload"), cell("p999", "between"),
            cell("max", "reload"), cell("max", "between")]


def reload_table(figures):
    return Table("A reload each second, at half the saturated rate",
                 ["", "connections/s", "reloads", "a reload, ms", "connections",
                  "failed in a reload", "failed between", "moved", "p99.9 in a reload, ms",
                  "p99.9 between", "longest in a reload, ms", "longest between"],
                 [reload_row(figures, figure.subject) for figure in figures.find("reload_rate")],
                 "In a reload: connections that were open while one was under way, until the last "
                 "of the former processes had ended. Crashed: of HAProxy's processes, as its "
                 "master says. Moved: answered by another worker than the client's first.")


# ---- Scale ----------------------------------------------------------------------------------


def slots_table(figures):
    rows = []
    for figure in figures.find("scale_rate"):
        if "slots" in figure.parameters:
            slots = figure.parameters["slots"]
            rows.append([number(slots), spread(figure.values),
                         *(number(figures.median(name, "controller", slots=slots))
                           for name in ("memory", "idle_wake_ups", "idle_cpu"))])
    return Table("Slots", ["slots", "connections/s", "controller, MB", "idle: wake-ups/s",
                           "idle: CPU, ms/s"], rows,
                 "Aims: no wake-ups when idle; under 8 MB.")


def change_table(figures):
    rows = []
    for figure in figures.find("table_change", "slot more"):
        rows.append([number(figure.parameters["slots"]), number(figure.parameters["waiting"]),
                     *(spread(figures.values("table_change", change, **figure.parameters))
                       for change in ("slot more", "slot less", "slot away", "slot back"))])
    return Table("A change of the table", ["slots", "waiting", "slot more, ms", "slot less, ms",
                                           "slot away, ms", "slot back, ms"], rows,
                 "Waiting: connections in the slots' holding queues meanwhile.")


def scale_table(figures, title, parameter, head):
    rows = []
    for figure in figures.find("scale_rate"):
        if parameter not in figure.parameters:
            continue
        own = {parameter: figure.parameters[parameter]}
        row = [number(own[parameter]), spread(figure.values)]
        if parameter != "addresses":
            row += [spread(figures.values("released_ms", figure.subject, **own)),
                    *(number(figures.median(name, "controller", **own))
                      for name in ("memory", "idle_wake_ups", "idle_cpu"))]
        rows.append(row)
    names = ["connections/s of the others", "all answered once it is back, ms", "controller, MB",
             "meanwhile: wake-ups/s", "meanwhile: CPU, ms/s"]
    return Table(title, [head, *(names if parameter != "addresses" else ["connections/s"])], rows)


# ---- All ------------------------------------------------------------------------------------


def filter_table(figures):
    rows = []
    for figure in figures.find("call_net_ns"):
        call = figure.parameters["call"]
        rows.append([call, number(figures.median("call_without_ns", "filter", call=call)),
                     number(figures.median("call_with_ns", "filter", call=call)),
                     spread(figure.values)])
    return Table("The filter of workers that bind themselves, ns a system call",
                 ["", "without", "with", "difference"], rows,
                 "The difference round by round. A bind() waits for the controller.")


LIBRARY_ROWS = {
    "library_open_ms": "sticky_group_open(), ms",
    "library_listen_ms": "sticky_group_listen(), ms",
    "library_ready_us": "sticky_worker_ready(), us",
    "library_new_us": "from its call to a new client's connection, us",
    "library_waiting_us": "from its call to a client that waited, us",
    "library_resize_ms": "sticky_group_set_slots(), one slot, ms",
    "library_lookup_ns": "sticky_group_slot_of(), ns",
    "library_where_ns": "sticky_group_where(), with the key as text, ns",
    "library_counters_us": "sticky_group_statistics(), us",
}
MEMORY_ROWS = {
    "library_heap_bytes": "the process",
    "library_bpf_bytes": "the kernel: BPF maps and program",
    "library_slab_bytes": "the kernel: sockets of one address, and their files",
}


def library_table(figures):
    rows = [[text, *(spread(figures.values(name, "library", slots=slots)) for slots in (8, 1024))]
            for name, text in LIBRARY_ROWS.items() if figures.find(name)]
    return Table("What the library costs its host", ["", "8 slots", "1,024 slots"], rows,
                 "Clients that waited come when the holding socket is closed, 5 ms after the "
                 "hand-over.")


def memory_table(figures):
    rows = []
    for name, text in MEMORY_ROWS.items():
        if figures.find(name):
            # What is there of 8 sockets is within a page of the kernel's.
            fixed = [] if name == "library_slab_bytes" else \
                [value / 1000 for value in figures.values(name, "library", part="fixed")]
            rows.append([text, spread(fixed),
                         spread(figures.values(name, "library", part="slot"))])
    return Table("Memory of a group", ["", "fixed, kB", "each slot, bytes"], rows,
                 "Each slot: what 1,024 slots take more than 8, over 1,016. Fixed: the rest.")


def ratio_tables(figures):
    """Return the tables at the beginning of the report."""
    tables = [ratio_table(figures, "C workers", ways.KERNEL, C_WAYS),
              ratio_table(figures, "Node.js workers", ways.NODE, NODE_WAYS)]
    return [table for table in tables if table.rows]


def other_tables(figures):
    tables = [
        closed_table(figures),
        open_table(figures),
        *program_tables(figures),
        library_table(figures),
        memory_table(figures),
        filter_table(figures),
        *hashes.tables(figures),
        reload_table(figures),
        slots_table(figures),
        change_table(figures),
        scale_table(figures, "Client addresses", "addresses", "addresses"),
        scale_table(figures, "Waiting in a holding queue", "holding", "waiting"),
        scale_table(figures, "Waiting in the controller's hands", "in_hand", "waiting"),
    ]
    return [table for table in tables if table.rows]
