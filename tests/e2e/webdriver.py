# SPDX-License-Identifier: MIT
"""A headless Chromium, driven by chromedriver (https://www.w3.org/TR/webdriver2/)."""

import base64
import http.client
import json

from listening import listeners_at
from world import wait_for

PORT = 9515
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
             "--disable-crash-reporter", "--disable-background-networking", "--no-first-run",
             "--disable-component-update", "--no-proxy-server", "--window-size=900,700"]


class Browser:
    """One Chromium with some tabs, which ends with the test."""

    def __init__(self, test):
        home = test.dir / "home"
        home.mkdir()
        test.program("chromedriver", f"--port={PORT}",
                     env={"HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home})
        wait_for("chromedriver to listen", lambda: listeners_at(PORT))
        options = {"args": [*ARGUMENTS, f"--user-data-dir={home}/profile"]}
        answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options}}})
        self._session = f"/session/{answer['sessionId']}"
        test.addCleanup(self._ask, "DELETE", self._session)
        self._first = self._get("/window")

    def _ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
        try:
            connection.request(method, path, json.dumps(body) if method == "POST" else None,
                               {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(f"{method} {path}: {answer['error']}: {answer['message']}")
        return answer

    def _get(self, path):
        return self._ask("GET", self._session + path)

    def _post(self, path, **body):
        return self._ask("POST", self._session + path, body)

    def open(self, url):
        """Open a new tab. Returns its page."""
        handle, self._first = self._first, None
        handle = handle or self._post("/window/new", type="tab")["handle"]
        page = Page(self, handle)
        page.post("/url", url=url)
        return page

    def switch(self, handle):
        self._post("/window", handle=handle)


class Page:
    def __init__(self, browser, handle):
        self.browser = browser
        self.handle = handle

    def post(self, path, **body):
        self.browser.switch(self.handle)
        return self.browser._post(path, **body)

    def run(self, script, *arguments):
        """Run JavaScript, given as the body of a function."""
        return self.post("/execute/sync", script=script, args=arguments)

    def text(self, selector):
        """Returns the visible text of all matching elements."""
        return self.run("return [...document.querySelectorAll(arguments[0])]"
                        ".map((element) => element.innerText)", selector)

    def type(self, selector, keys):
        element = self.post("/element", using="css selector", value=selector)
        self.post(f"/element/{next(iter(element.values()))}/value", text=keys)

    def devtools(self, command, **parameters):
        """Send a command of the DevTools protocol. Returns its answer."""
        return self.post("/goog/cdp/execute", cmd=command, params=parameters)

    def screenshot(self, path):
        self.browser.switch(self.handle)
        path.write_bytes(base64.b64decode(self.browser._get("/screenshot")))
