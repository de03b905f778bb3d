# SPDX-License-Identifier: MIT
"""Markdown as HTML, by cmark-gfm(1), which reads it as GitHub does."""

import html
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def text_of(markup):
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


def anchor(text, taken):
    """The anchor of a heading, as GitHub makes it."""
    name = re.sub(r"[^\w -]", "", text.lower()).strip().replace(" ", "-")
    taken[name] = taken.get(name, -1) + 1
    return f"{name}-{taken[name]}" if taken[name] else name


def read_markdown(name):
    """(title, body) of a page."""
    result = subprocess.run(["cmark-gfm", "--unsafe", "-e", "table", "-e", "autolink",
                             ROOT / name], check=True, text=True, capture_output=True)
    taken = {}
    body = re.sub(r"<(h[1-6])>(.*?)</\1>", lambda heading: '<{0} id="{1}">{2}</{0}>'.format(
        heading[1], anchor(text_of(heading[2]), taken), heading[2]), result.stdout)
    body = re.sub(r"<table>.*?</table>", lambda table: f'<div class="table">{table[0]}</div>', body,
                  flags=re.DOTALL)
    body = body.replace("<th></th>", "<td></td>")
    body = re.sub(r"<thead>\s*<tr>\s*(<td></td>\s*)+</tr>\s*</thead>", "", body)
    # An option is not broken behind its hyphens, as long as it fits a narrow line.
    body = re.sub(r"<code>([^<\n]{1,26})</code>", r'<code class="word">\1</code>', body)
    title = re.search(r"<h1[^>]*>(.*?)</h1>", body)
    return text_of(title[1]) if title else name, body
