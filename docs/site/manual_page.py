# SPDX-License-Identifier: MIT
"""Pages of the manual as HTML, by mandoc(1)."""

import pathlib
import re
import subprocess

from markdown_page import ROOT, text_of


def entry_anchor(entry, taken):
    """An anchor of the long option or the key that an entry of a list is about."""
    found = re.search(r"--([a-z][a-z0-9-]*)|^([a-z_0-9]+):", text_of(entry))
    name = found and (found[1] or found[2])
    if not name or name in taken:
        return f"<dt>{entry}</dt>"
    taken.add(name)
    return f'<dt id="{name}">{entry}</dt>'


def read_manual(name):
    """(title, body) of a page. Its links are written from the root of the tree."""
    result = subprocess.run(["mandoc", "-T", "html", "-O", "fragment", ROOT / name], check=True,
                            text=True, capture_output=True)
    body = re.sub(r'<table class="(head|foot)">.*?</table>', "", result.stdout, flags=re.DOTALL)
    body = re.sub(r'<a class="permalink"[^>]*>(.*?)</a>', r"\1", body, flags=re.DOTALL)
    body = body.replace('<p class="Pp"></p>\n', "").replace("\n<br/>\n", "\n")
    taken = set(re.findall(r'<h\d[^>]* id="([^"]*)"', body))
    body = re.sub(r"<dt[^>]*>(.*?)</dt>", lambda entry: entry_anchor(entry[1], taken), body,
                  flags=re.DOTALL)
    body = re.sub(r"<(/?)h([12])\b", lambda tag: f"<{tag[1]}h{int(tag[2]) + 1}", body)
    page, section = pathlib.PurePath(name).name.rsplit(".", 1)
    body = re.sub(r"(?:<b>)?\b((?:stickyctl|sticky)[\w.-]*)(?:</b>)?\s?\(([1357])\)",
                  lambda see: link_to_manual(name, see), body)
    title = f"{page}({section})"
    return title, f'<h1 class="manual">{title}</h1>\n{body}'


def link_to_manual(name, see):
    target = f"docs/man/{see[1]}.{see[2]}"
    if target == name or not (ROOT / target).exists():
        return see[0]
    return f'<a href="{target}">{see[1]}({see[2]})</a>'
