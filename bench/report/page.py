# SPDX-License-Identifier: MIT
"""The report as one page that needs nothing else: ratios, plots, environment, every figure."""

import html
import json
import pathlib

from rig import ways
from rig.figures import quartiles

from . import plots, tables
from .table import Table

STYLE = (pathlib.Path(__file__).parent / "page.css").read_text()
PEERS = {ways.NGINX, ways.HAPROXY, ways.LISTEN, ways.STICKY_CLUSTER, ways.SOCKETIO, ways.CLUSTER}


def color_of(subject):
    if subject == ways.PLAIN:
        return plots.PLAIN
    return plots.THEIRS if subject in PEERS else plots.OURS


def short(subject):
    """Return the subject, short enough to stand under a bar."""
    return subject.replace("X-Forwarded-For", "XFF").replace(", ", "\n").replace(
        " + ", "\n+ ").replace("plain ", "plain\n").replace("Node.js cluster", "Node.js\ncluster")


# ---- Plots -----------------------------------------------------------------------------


def bar_rows(figures, name, subjects):
    rows = []
    for subject in subjects:
        values = figures.values(name, subject)
        if values:
            low, median, high = quartiles(values)
            rows.append((short(subject), median, low, high, color_of(subject)))
    return rows


def points(figures, name, parameter, scale=1, **parameters):
    """Return {subject: [(parameter's value, median, low, high)]}."""
    series = {}
    for figure in figures.find(name, **parameters):
        if parameter in figure.parameters:
            low, median, high = quartiles(figure.values)
            series.setdefault(figure.subject, []).append(
                (figure.parameters[parameter], median * scale, low * scale, high * scale))
    return series


def rate_plot(series):
    rates = {point[0] for line in series.values() for point in line}
    if len(rates) > 1:
        return plots.lines("connections/s", "p99, ms", series, log_y=True)
    return plots.bars(f"p99 at {rates.pop():,.0f} a second, ms", [
        (short(subject), *line[0][1:], color_of(subject)) for subject, line in series.items()])


def serving_plots(figures):
    for workers, subjects in (("C workers", tables.C_WAYS), ("Node.js workers", tables.NODE_WAYS)):
        for name, label in (("connections_per_second", "connections/s"),
                            ("balancer_cpu", "balancer CPU, µs/connection")):
            rows = bar_rows(figures, name, subjects)
            if rows:
                yield f"{workers}: {label}", plots.bars(label, rows)
        every = points(figures, "p99_of_round", "rate", 1e-3)
        series = {subject: every[subject] for subject in subjects if subject in every}
        if series:
            yield f"{workers}: p99 at fixed rates", rate_plot(series)


def program_plot(figures):
    series = {}
    for figure in figures.find("program_net_ns", v4_prefix=32, trusted_proxies=False):
        low, median, high = quartiles(figure.values)
        case = figure.parameters
        series.setdefault(f"{case['clients']}, {case['driven_by']}", []).append(
            (case["slots"], median, low, high))
    if series:
        yield ("The program: ns a run, net",
               plots.lines("slots", "ns", series, log_x=True))


def hash_plot(figures):
    rows = []
    for figure in figures.find("hash_ms"):
        low, median, high = quartiles(figure.values)
        rows.append((figure.subject.replace(", ", "\n"), median, low, high,
                     plots.OURS if figure.subject.startswith("sticky,") else plots.THEIRS))
    if rows:
        yield "Hashes: ms for all addresses", plots.bars("ms", rows)
    series = points(figures, "hash_moved", "of")
    if series:
        yield ("Clients that move when a worker is added",
               plots.lines("workers before", "%", series, log_x=True))


def reload_plot(figures):
    series = {}
    for figure in figures.find("reload_timeline"):
        step = figure.parameters["bucket_s"]
        series[figure.subject] = [(index * step, max(value / 1000, 0.1))
                                  for index, value in enumerate(figure.values)]
    if series:
        yield ("A reload each second: the longest latency of each tenth of a second",
               plots.timelines("s", "ms", series))


def scale_plots(figures):
    for name, parameter, label, title, scale in (
            ("scale_rate", "slots", "connections/s", "Connections per second by slots", 1),
            ("memory", "slots", "MB", "The controller's memory by slots", 1),
            ("scale_rate", "addresses", "connections/s", "Connections per second by clients", 1)):
        series = points(figures, name, parameter, scale)
        if series:
            yield title, plots.lines(parameter, label, series, log_x=True)
    series = points(figures, "table_change", "slots", waiting=0)
    if series:
        yield "A change of the table by slots", plots.lines("slots", "ms", series, log_x=True)


def all_plots(figures):
    for some in (serving_plots, program_plot, hash_plot, reload_plot, scale_plots):
        yield from some(figures)


# ---- The page -----------------------------------------------------------------------------


def escape(text):
    return html.escape(str(text))


def render_table(table, style=""):
    head = "".join(f"<th scope=col>{escape(cell)}</th>" for cell in table.head)
    rows = "".join(f"<tr><th scope=row>{escape(row[0])}</th>"
                   + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>\n"
                   for row in table.rows)
    note = f"<p class=note>{escape(table.note)}</p>" if table.note else ""
    return (f"<h3>{escape(table.title)}</h3><div class=wide tabindex=0><table class='{style}'><thead><tr>{head}</tr></thead>"
            f"<tbody>{rows}</tbody></table></div>{note}")


def render_plots(figures):
    if not plots.is_there():
        return "<p>gnuplot is not installed: there are no plots.</p>"
    return "".join(f"<figure aria-label='{escape(title)}'><figcaption>{escape(title)}</figcaption>"
                   f"<div class=wide tabindex=0>{svg}</div></figure>\n"
                   for title, svg in all_plots(figures))


def flatten(value, prefix=""):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from flatten(inner, f"{prefix}{name}: ")
    else:
        yield prefix.removesuffix(": "), value


def render_names(title, values):
    return render_table(Table(title, ["", ""],
                              [[name, str(value)] for name, value in flatten(values)]), "names")


def render_raw(figures):
    rows = []
    for figure in figures:
        parameters = ", ".join(f"{name}={value}" for name, value in figure.parameters.items())
        low, median, high = quartiles(figure.values)
        rows.append([figure.name, figure.subject, parameters, figure.unit, str(len(figure.values)),
                     *(f"{value:.6g}" for value in (median, low, high)),
                     " ".join(f"{value:.6g}" for value in figure.values)])
    table = Table("Every figure", ["figure", "of", "with", "unit", "values", "median",
                                          "lower quartile", "upper quartile", "in order"], rows)
    return ("<details><summary>Every figure, as measured</summary>"
            + render_table(table, "raw") + "</details>")


def render_reasons(title, reasons):
    items = "".join(f"<li>{escape(subject)}: {escape(why)}</li>"
                    for subject, why in reasons.items())
    return f"<h2>{title}</h2><ul>{items}</ul>" if items else ""


def render_ratios(figures):
    found = tables.ratio_tables(figures)
    return "<h2>Ratios</h2>" + "".join(map(render_table, found)) if found else ""


def render(figures, settings, environment, command):
    return f"""<!DOCTYPE html>
<html lang=en><head><meta charset=utf-8><meta name=viewport content="width=device-width, initial-scale=1">
<title>stickyctl: benchmark</title><style>{STYLE}</style></head><body>
<h1>stickyctl: benchmark</h1>
<p>{escape(environment["kernel"])}, {escape(environment["processor"])}, {environment["processors"]}
processors, {escape(environment["when"])}. All in one run; the ways that are compared take turns, in
an order that is drawn anew. Blue: stickyctl; grey: the kernel alone; orange: others. The same again:
<code>{escape(command)}</code>, of {escape(environment["stickyctl"])}</p>
{render_reasons("Failed", figures.failures)}
{render_ratios(figures)}
{render_reasons("Missing", figures.missing)}
<h2>Plots</h2>{render_plots(figures)}
<h2>Tables</h2>{"".join(map(render_table, tables.other_tables(figures)))}
<h2>Where and with what</h2>{render_names("Environment", environment)}
{render_names("Settings", settings.to_json())}
<h2>Raw</h2>{render_raw(figures)}
</body></html>
"""


def write(path, figures, settings, environment, command):
    """Write the page, and the same as JSON beside it."""
    path.with_suffix(".json").write_text(json.dumps(
        {"command": command, "settings": settings.to_json(), "environment": environment,
         **figures.to_json()}, indent=1))
    path.write_text(render(figures, settings, environment, command))
