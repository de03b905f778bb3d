# SPDX-License-Identifier: MIT
"""Applications of Node.js with packages from npm, and their clients. `npm ci` installs the packages
of tests/node/socketio/package-lock.json in the build directory."""

import json
import pathlib
import shutil
import signal

from clients import HERE
from nodejs import PACKAGES, NodeTestCase, no_packages
from programs import environment
from world import wait_for

SOURCES = pathlib.Path(__file__).parents[1] / "node" / "socketio"
EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
MODULES = PACKAGES / "socketio" / "node_modules"


def why_not(*programs):
    """Returns why applications of Node.js can't run here, or None."""
    for program in ("node", *programs):
        if not shutil.which(program, path=environment()["PATH"]):
            return f"{program} is not installed"
    return no_packages("socketio")


class Crowd:
    """tests/node/socketio/clients.js: many socket.io clients, each with an address of its own."""

    def __init__(self, test, port=HERE[1], prefix=(), **options):
        self.count = options["clients"]
        self.options = {"url": f"http://127.0.0.1:{port}", **options}
        self.program = test.program(*prefix, "node", SOURCES / "clients.js", json.dumps(self.options),
                                    env={"NODE_PATH": MODULES})

    def _line(self, number, seconds):
        def look():
            lines = self.program.output.split("\n")[:-1]
            assert self.program.runs, "the clients ended"
            return lines[number:number + 1]

        return json.loads(wait_for("the clients' report", look, seconds, 0.05)[0])

    def finished(self, seconds=60):
        """Wait until all clients have made their round trips. Returns a dictionary for each."""
        return self._line(0, seconds)

    def report(self):
        number = self.program.output.count("\n")
        self.program.send(signal.SIGUSR2)
        return self._line(number, 20)

    def wait(self, what, condition, seconds=30):
        """Wait until condition(client) is true for each client. Returns the report."""
        last = []

        def look():
            last[:] = self.report()
            return all(map(condition, last)) and last

        return wait_for(lambda: f"{what}; not so: " + json.dumps(
            [client for client in last if not condition(client)][:3]), look, seconds, 0.2)

    def tell(self):
        """Let one client send a message to all."""
        self.program.send(signal.SIGHUP)

    def stop(self):
        self.program.send(signal.SIGTERM)
        self.program.wait()


class NpmTestCase(NodeTestCase):
    """Unchanged applications of Node.js with packages, run by stickyctl."""

    modules = MODULES

    def start_node(self, app, *arguments, env=None, **options):
        return super().start_node(app, *arguments, env={"NODE_PATH": self.modules, **(env or {})},
                                  **options)

    def pid_of(self, instance, clients):
        """Returns the worker of each client, according to `where`: address -> pid."""
        pids = self.pids(instance)
        answers = instance.where(*(client["address"] for client in clients))
        return {answer["address"]: pids[answer["slot"]] for answer in answers}
