#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/socketio in a browser: two pages, at two workers, send messages to each other.

SCREENSHOTS=DIR keeps pictures of the pages at the end.
"""

import os
import pathlib
import re
import subprocess

import harness
import nodeapps
from nodeapps import EXAMPLES, NpmTestCase
from webdriver import Browser
from world import wait_for

ENTER = "\ue007"  # the code of WebDriver


class Chat(NpmTestCase):
    def two_addresses(self, instance):
        """Returns slot -> address for clients of two slots."""
        answers = instance.where(*(f"127.4.0.{number}" for number in range(1, 65)))
        found = {answer["slot"]: answer["address"] for answer in answers}
        return dict(list(found.items())[:2])

    def open(self, browser, address):
        """Open a page by this address. Its connections also come from this address."""
        subprocess.run(["ip", "route", "add", "local", address, "dev", "lo", "table", "local",
                        "src", address], check=True)
        return browser.open(f"http://{address}:3000/")

    def wait_at(self, page, slot, pid):
        label = f"worker {slot} · process {pid}"
        wait_for(lambda: f"{label}, not {page.text('#worker')}",
                 lambda: page.text("#worker") == [label])

    def wait_all_at(self, instance, pages):
        pids = self.pids(instance)
        for slot, page in pages.items():
            self.wait_at(page, slot, pids[slot])

    def say(self, pages, sender, text):
        """Type a text in one page. It must appear in both pages, once."""
        pages[sender].type("#text", text + ENTER)
        for page in pages.values():
            wait_for(lambda: f"{text}: {page.text('article')}", lambda: any(
                text in said and f"worker {sender}" in said for said in page.text("article")))
            self.assertEqual(sum(text in said for said in page.text("article")), 1)

    def test_two_pages(self):
        instance = self.serve_node(EXAMPLES / "socketio" / "server.js", "--term-after", "500ms",
                                   "--hard-shutdown-delay", "4s", slots=4)
        browser = Browser(self)
        pages = {slot: self.open(browser, address)
                 for slot, address in self.two_addresses(instance).items()}
        (one, _), (other, _) = pages.items()
        self.wait_all_at(instance, pages)
        for slot, name in zip(pages, ("Ada", "Grace")):
            pages[slot].run("const name = document.getElementById('name');"
                            "name.value = arguments[0]; name.dispatchEvent(new Event('change'))",
                            name)
        self.say(pages, one, "Is anybody there?")
        self.say(pages, other, "Yes, at another worker.")
        result = instance.run("reload", "--wait=drained", seconds=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.wait_all_ready(instance, 2)
        self.wait_all_at(instance, pages)
        self.say(pages, other, "Still there?")
        self.say(pages, one, "Yes, and I have not noticed that there was a reload in between: "
                             "the page has connected again by itself.")
        for page in pages.values():
            self.assertEqual([re.split(r"\s+worker", said)[0] for said in page.text("article")],
                             ["Ada", "Grace", "Grace", "Ada"])
        if "SCREENSHOTS" in os.environ:
            for slot, page in pages.items():
                page.screenshot(pathlib.Path(os.environ["SCREENSHOTS"], f"chat-{slot}.png"))


if __name__ == "__main__":
    reason = nodeapps.why_not("chromium", "chromedriver")
    if reason:
        print(f"1..0 # SKIP {reason}")
    else:
        harness.main()
