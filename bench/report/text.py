# SPDX-License-Identifier: MIT
"""Writes tables for a terminal."""


def format_table(table):
    widths = [max(len(row[column]) for row in [table.head, *table.rows])
              for column in range(len(table.head))]

    def line(row):
        return "  ".join([row[0].ljust(widths[0]),
                          *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
                         ).rstrip()

    lines = [table.title, "", *map(line, [table.head, *table.rows])]
    return "\n".join(lines + (["", table.note] if table.note else [])) + "\n"


def print_report(tables, figures):
    for table in tables:
        print(format_table(table))
    for subject, why in figures.missing.items():
        print(f"missing: {subject}: {why}")
    for subject, why in figures.failures.items():
        print(f"FAILED: {subject}: {why}")
