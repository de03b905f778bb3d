#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The containers of examples/hosts/kubernetes/, as a node would run them: their arguments, user,
capabilities, read-only root, probes and end. The test needs no cluster."""

import http.client
import json
import os
import signal
import subprocess
import time

import hosts  # this import comes first: it adds the directories of the others to sys.path
import harness
import lifecycle
from hosts import EXAMPLES, SEED
from clients import ask
from programs import BUILD, STICKYCTL, WORKER
from world import wait_for

SCHEMAS = BUILD / "tests" / "hosts" / "kubernetes"
HERE = ("127.0.0.1", 3000)


def manifest(name):
    """Returns the pod of a deployment, and its container."""
    output = subprocess.run(
        ["node", hosts.pathlib.Path(__file__).parent / "kubernetes" / "check.mjs", SCHEMAS,
         EXAMPLES / "kubernetes" / name], check=True, capture_output=True, text=True).stdout
    pod = json.loads(output)["spec"]["template"]["spec"]
    return pod, pod["containers"][0]


def milliseconds(time_text):
    return int(time_text.rstrip("ms")) * (1 if time_text.endswith("ms") else 1000)


def probe(container, name):
    """Send the request of a probe. Returns its status."""
    wanted = container[name]["httpGet"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    connection = http.client.HTTPConnection("127.0.0.1", ports[wanted["port"]], timeout=5)
    try:
        connection.request("GET", wanted["path"])
        return connection.getresponse().status
    except ConnectionError:
        return None
    finally:
        connection.close()


class Container(lifecycle.LifecycleTestCase):
    def arguments(self, container):
        """Returns the arguments of the container, with the test's worker in place of the
        application."""
        words = container["args"][:container["args"].index("--")]
        self.seed = self.write("seed", SEED, 0o440)
        return [word.replace("/etc/sticky/seed", str(self.seed)) for word in words
                if not word.startswith("--run-dir")] + ["--", str(self.worker), "--notify"]

    def start_container(self, pod, container):
        """Start the container with the capabilities, ids and read-only root of the manifest."""
        security = {**pod.get("securityContext", {}), **container["securityContext"]}
        capabilities = [name.lower() for name in security["capabilities"].get("add", [])]
        wanted = ",".join(["-all", *(f"+{name}" for name in capabilities)])
        user, group = security["runAsUser"], security.get("runAsGroup", 0)
        os.chown(self.seed, 0, group)
        volume = self.dir / "volume"  # an emptyDir: every user may write to it
        volume.mkdir()
        volume.chmod(0o777)
        self.run_dir = volume / "sticky"
        # The script gives the command a container's bounding set. Only /tmp and the run directory
        # are writable.
        script = self.script("node-runs", f"mount --bind {self.dir} {self.dir}\n"
                             "mount -o remount,bind,ro /\n"
                             f"exec setpriv --reuid={user} --regid={group} --clear-groups "
                             f"--no-new-privs --inh-caps={wanted} --bounding-set={wanted} \"$@\"")
        return self.start(*self.arguments_of, prefix=["unshare", "--mount", script])

    def check(self, name, engine):
        pod, container = manifest(name)
        self.worker = self.dir / "worker"
        self.worker.write_bytes(WORKER.read_bytes())
        self.worker.chmod(0o755)
        self.arguments_of = self.arguments(container)
        self.assertEqual(container["command"], [STICKYCTL.name, "start"])
        instance = self.start_container(pod, container)
        for each in ("startupProbe", "readinessProbe", "livenessProbe"):
            wait_for(f"the {each}", lambda each=each: probe(container, each) == 200)
        instance.ready()
        status = instance.status()
        self.assertEqual((status["steering"], status["slots"]), (engine, 2))
        for worker in status["workers"]:
            self.assertEqual(harness.world.status_of(worker["pid"])["Uid"].split()[0], "1000")
            self.assertEqual(int(harness.world.status_of(worker["pid"])["CapEff"], 16), 0)
        for number in range(1, 40):
            where = instance.where(f"127.9.0.{number}")
            self.assertEqual(ask(HERE, f"127.9.0.{number}")["slot"], where["slot"])
        self.check_end(pod, container, instance)

    def check_end(self, pod, container, instance):
        """Check the end: preStop, then SIGTERM. The instance ends in time, and answers a request
        that is under way."""
        line = lifecycle.Line(self, "127.9.0.1", HERE)
        line.send("wait=1500")
        pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
        hard = next(milliseconds(word.partition("=")[2]) for word in container["args"]
                    if word.startswith("--hard-shutdown-delay"))
        self.assertGreater(pod["terminationGracePeriodSeconds"], pause + hard / 1000)
        began = time.monotonic()
        instance.note_bpf_objects()
        instance.send(signal.SIGTERM)
        wait_for("not to be ready", lambda: probe(container, "readinessProbe") != 200)
        self.assertIsNotNone(line.read())
        self.assertEqual(instance.wait(), 0)
        hosts.say(f"the container has ended after {time.monotonic() - began:.1f} s, its request was "
                  "answered")


@harness.tests_of({"kernel": ("deployment.yaml", "kernel"),
                   "classic": ("deployment-classic.yaml", "classic")})
class Deployments(Container):
    pass


if __name__ == "__main__":
    if not (SCHEMAS / "installed").exists():
        print("1..0 # SKIP no packages of npm for kubernetes")
    else:
        harness.main()
