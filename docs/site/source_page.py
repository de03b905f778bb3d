# SPDX-License-Identifier: MIT
"""What pages link to beside pages: a file, or a folder, as it is."""

import html
import subprocess

from markdown_page import ROOT


def files_below(name):
    result = subprocess.run(["git", "ls-files", "--", name], cwd=ROOT, check=True, text=True,
                            capture_output=True)
    return result.stdout.splitlines()


def read_source(name):
    """A file, or those of a folder but for lock files, as they are."""
    files = [each for each in files_below(name) or [name] if not each.endswith("-lock.json")]
    parts = [f"<h1>{html.escape(name)}</h1>"]
    for each in files:
        if each != name:
            parts.append(f"<h2>{html.escape(each)}</h2>")
        parts.append(f"<pre><code>{html.escape((ROOT / each).read_text())}</code></pre>")
    return name, "\n".join(parts)
