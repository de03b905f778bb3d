#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The page of --admin in a browser: it follows the instance, a reload, and the next controller.

SCREENSHOTS=DIR keeps pictures of it, wide and narrow, light and dark.
"""

import os
import pathlib
import re
import shutil

import harness
from clients import HERE, ask
from lifecycle import WORKERS, LifecycleTestCase
from programs import environment
from webdriver import Browser
from world import wait_for

TEXT = "127.0.0.1:9180"
ENTER = "\ue007"  # the code of WebDriver
NARROW = 360


class AdminPage(LifecycleTestCase):
    def shows(self, selector, *words):
        """Wait until these words are in the visible text of some elements."""
        wait_for(lambda: f"{words} in {selector}: {self.page.text(selector)}",
                 lambda: all(word in " ".join(self.page.text(selector)) for word in words),
                 interval=0.05)

    def resize(self, width, height, scheme="light"):
        self.page.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                           deviceScaleFactor=1, mobile=width < 600)
        self.page.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])

    def keep_pictures(self, name):
        if "SCREENSHOTS" not in os.environ:
            return
        for width, height in ((1200, 1000), (NARROW, 1500)):
            for scheme in ("light", "dark"):
                self.resize(width, height, scheme)
                self.page.screenshot(pathlib.Path(os.environ["SCREENSHOTS"],
                                                  f"{name}-{width}-{scheme}.png"))

    def rows(self):
        return self.page.run("return [...document.querySelectorAll('#workers tr')].map((row) =>"
                             " [...row.querySelectorAll('th, td')].map((cell) =>"
                             " cell.innerText.trim()))")

    def roles(self):
        """Returns the roles in the tree that a screen reader gets."""
        tree = self.page.devtools("Accessibility.getFullAXTree")["nodes"]
        return [node["role"]["value"] for node in tree if not node["ignored"]]

    def check_begin(self, instance):
        self.shows("#link", "live")
        self.shows("#name", "default")
        self.shows("#state", "running")
        self.shows("#facts", f"pid {instance.pid}", "127.0.0.1:3000")
        self.assertEqual([row[:2] for row in self.rows()], [["0", "ready"], ["1", "ready"]])
        self.assertEqual(self.page.run(
            "return getComputedStyle(document.getElementById('strip')).display"), "block",
            "the policy lets its own style sheet in")
        self.check_strip(instance)
        self.shows("#events", "worker_state", "state=ready")

    def colours(self, buckets):
        """Returns the colours of the strip at these buckets, near its lower edge."""
        return self.page.run("""
            const canvas = document.getElementById("strip");
            const pen = canvas.getContext("2d");
            return arguments[0].map((bucket) => [...pen.getImageData(
              Math.floor((bucket / 65536) * canvas.width), canvas.height - 3, 1, 1).data].join());
            """, buckets)

    def check_strip(self, instance):
        """Check that each bucket has the colour of its slot, except in the pixel in which two slots
        meet."""
        wait_for("the strip", lambda: self.page.run(
            "return document.getElementById('strip').ariaLabel"), interval=0.05)
        self.shows("#bucket", "65,536 buckets, 2 slots, 2 intervals")
        found = {}
        for answer in instance.where(*(f"198.51.100.{number}" for number in range(1, 100))):
            if abs(answer["bucket"] - 32768) > 65536 // 100:
                found.setdefault(answer["slot"], []).append(answer["bucket"])
        colours = {slot: set(self.colours(buckets)) for slot, buckets in found.items()}
        self.assertEqual([len(each) for each in colours.values()], [1] * len(found), colours)
        self.assertEqual(len(set.union(*colours.values())), len(found), colours)

    def check_where(self, instance):
        self.page.type("#address", "203.0.113.9" + ENTER)
        slot = instance.where("203.0.113.9")["slot"]
        bucket = instance.where("203.0.113.9")["bucket"]
        unmarked, = self.colours([(bucket + 32768) % 65536])
        self.shows("#answer", f"goes to slot {slot} (pid", "203.0.113.9/32")
        wait_for("a mark at its bucket", lambda: self.colours([bucket]) == ["29,35,41,255"])
        self.assertNotEqual(unmarked, "29,35,41,255")
        self.assertTrue(self.page.run(
            "return document.querySelectorAll('#workers tr')[arguments[0]].className", slot))
        self.page.type("#address", "nonsense" + ENTER)
        self.shows("#answer", "not an IP address")

    def check_rate(self):
        for number in range(1, 60):
            ask(HERE, f"127.8.0.{number}")
        wait_for("connections to be counted", lambda: any(
            re.match(r"[1-9]|0\.[1-9]", row[5]) for row in self.rows()), interval=0.1)

    def check_reload(self, instance):
        self.mode("slow")
        instance.run("reload")
        self.shows("#reload", "of 2 slots have new workers")
        self.keep_pictures("reload")
        self.mode("good")
        wait_for("the reload to be over", lambda: self.page.run(
            "return document.getElementById('reload').hidden"))
        wait_for("the new workers", lambda: [row[3] for row in self.rows()] == ["2", "2"])
        self.shows("#events", "reload_ended")

    def check_problem(self, instance):
        instance.run("drain", 1)
        self.shows("#problems", "Slot 1 is drained: 'stickyctl ready 1' brings it back")
        self.page.run("const strip = document.getElementById('strip'); strip.dispatchEvent("
                      "new PointerEvent('pointermove', {bubbles: true,"
                      " clientX: strip.getBoundingClientRect().left + 9}))")
        self.shows("#bucket", "buckets 0 to 32767: slot 0: 50.00 %")
        self.keep_pictures("drained")
        self.mode("bad")
        instance.run("ready", 1)
        self.shows("#problems", "Slot 1 dies again and again, its last worker exited with code 3: "
                                "'stickyctl logs 1'")
        self.assertNotIn("no database", self.page.text("body")[0])
        self.keep_pictures("flaps")
        self.mode("good")
        instance.run("restart", 1)
        wait_for("the problem to go", lambda: not self.page.text("#problems li"), 30)

    def check_narrow(self):
        self.resize(NARROW, 800)
        self.assertEqual(self.page.run("return document.documentElement.scrollWidth"), NARROW)
        roles = self.roles()
        self.assertGreaterEqual(roles.count("row"), 3)
        self.assertIn("rowheader", roles)
        self.assertIn("textbox", roles)

    def check_restart(self, instance, command):
        self.kill_controller(instance)
        self.shows("#link", "not connected")
        self.assertEqual(len(self.rows()), 2, "what was there last stays")
        successor = self.start("-w", 2, *WORKERS, "--admin", TEXT, "--", command).ready()
        self.shows("#link", "live")
        self.shows("#facts", f"pid {successor.pid}")
        return successor

    def test_page(self):
        command = self.switchable_worker("slow) exec $WORKER --notify-delay 600;;\n"
                                         "bad) echo 'no database'; exit 3;;")
        instance = self.serve_workers(2, "--admin", TEXT, command=[command])
        self.page = Browser(self).open(f"http://{TEXT}/")
        self.check_begin(instance)
        self.check_rate()
        self.check_where(instance)
        self.check_reload(instance)
        self.check_problem(instance)
        self.check_narrow()
        self.check_restart(instance, command).stop()
        self.shows("#link", "not connected")


if __name__ == "__main__":
    missing = [name for name in ("chromium", "chromedriver")
               if not shutil.which(name, path=environment()["PATH"])]
    if missing:
        print(f"1..0 # SKIP {missing[0]} is not installed")
    else:
        harness.main()
