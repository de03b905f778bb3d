# SPDX-License-Identifier: MIT
"""Draws plots as SVG, by gnuplot."""

import re
import subprocess

from rig.processes import Failure
from rig.ways import find_program

OURS, PLAIN, THEIRS = "#1f6feb", "#8c959f", "#d4822f"
POINTS = (7, 5, 9, 11, 13, 4, 6)
LINES = ("#1f6feb", "#d4822f", "#1a7f37", "#8250df", "#8c959f", "#cf222e", "#9a6700")


def is_there():
    return find_program("gnuplot") is not None


def quote(text):
    """Return a string in double quotes, in which gnuplot reads escapes."""
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'


def draw(script, width=860, height=340):
    """Run gnuplot. Return only the <svg> element, for a page."""
    head = (f"set terminal svg size {width},{height} dynamic noenhanced font 'sans-serif,13' "
            "background '#ffffff'\nset encoding utf8\nset border 3 lc rgb '#57606a'\n"
            "set tics nomirror\nset grid ytics lc rgb '#d0d7de'\n")
    result = subprocess.run([find_program("gnuplot")], input=head + script, capture_output=True,
                            text=True, check=False)
    if result.returncode or "<svg" not in result.stdout:
        raise Failure(f"gnuplot: {result.stderr.strip()}")
    svg = result.stdout[result.stdout.index("<svg"):]
    return re.sub(r"<title>.*?</title>\s*", "", svg, flags=re.S)


def block(name, rows):
    return f"${name} << EOD\n" + "\n".join(
        " ".join(quote(cell) if isinstance(cell, str) else f"{cell:.9g}" for cell in row)
        for row in rows) + "\nEOD\n"


def bars(label, rows):
    """Draw bars. rows: [(name, median, low, high, color)]."""
    data = [(index, median, low, high, int(color[1:], 16), name)
            for index, (name, median, low, high, color) in enumerate(rows)]
    top = max(row[3] for row in rows)
    return draw(block("data", data) + f"""
set style fill solid 0.85
set boxwidth 0.62
set ylabel {quote(label)}
set yrange [0:{top * 1.12 or 1:.6g}]
set xrange [-0.6:{len(rows) - 0.4}]
set format y "%'g"
set xtics font ',11'
set bmargin 4
plot $data using 1:2:5:xtic(6) with boxes lc rgb variable notitle, \\
     $data using 1:3:(0):($4-$3) with vectors heads size graph 0.008,90 lw 1.3 \\
       lc rgb '#24292f' notitle
""")


def lines(x_label, y_label, series, log_x=False, log_y=False):
    """Draw lines. series: {name: [(x, median, low, high)]}."""
    script, parts = "", []
    for index, (name, points) in enumerate(series.items()):
        script += block(f"s{index}", sorted(points))
        color = LINES[index % len(LINES)]
        parts.append(f"$s{index} using 1:2 with linespoints pt {POINTS[index % len(POINTS)]} "
                     f"ps 0.6 lw 2 lc rgb '{color}' "
                     f"title {quote(name)}")
        parts.append(f"$s{index} using 1:3:(0):($4-$3) with vectors heads size graph 0.008,90 "
                     f"lc rgb '{color}' notitle")
    places = ", ".join(f'"{x:,.0f}" {x:g}' for x in sorted(
        {point[0] for some in series.values() for point in some}))
    log = ("set logscale x\n" if log_x else "") + ("set logscale y\n" if log_y else "")
    return draw(script + log + f"""
set xlabel {quote(x_label)}
set ylabel {quote(y_label)}
{"set key outside right top font ',11'" if len(series) > 1 else "unset key"}
set xtics ({places})
{'' if log_y else 'set yrange [0:*]'}
set offsets graph 0.02, graph 0.02, 0, 0
plot {', '.join(parts)}
""")


def timelines(x_label, y_label, series):
    """Draw series one below the other, at one scale. series: {name: [(x, y)]}."""
    script, parts = "", []
    top = max(y for points in series.values() for _, y in points)
    for index, (name, points) in enumerate(series.items()):
        script += block(f"s{index}", points)
        parts.append(f"set title {quote(name)} offset 0,-0.8 font ',12'\n"
                     f"plot $s{index} using 1:2 with impulses lw 1 lc rgb "
                     f"'{OURS if 'stickyctl' in name else THEIRS}' notitle")
    return draw(script + f"""
set logscale y
unset mytics
set yrange [0.1:{max(top, 1) * 1.5:.6g}]
set ytics 0.1, 10 font ',10'
set format y "%g"
set ylabel {quote(y_label)}
set tmargin 2
set bmargin 2
set multiplot layout {len(series)},1
""" + "\n".join(parts[:-1]) + f"\nset xlabel {quote(x_label)} offset 0,0.6\nset bmargin 3\n" + parts[-1]
                + "\nunset multiplot\n", height=150 * len(series))
