#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/hosts/deploy.sh: it deploys to all hosts, one after the other, while clients connect."""

import hosts  # this import comes first: it adds the directories of the others to sys.path
import harness
from hosts import EXAMPLES, WORKERS, HostsTestCase, say
from programs import BUILD


@harness.needs("haproxy", "socat")
class Deploy(HostsTestCase):
    config = "web.yaml"
    file = "haproxy.cfg"

    def begin(self):
        self.start_hosts(self.config)
        self.haproxy(self.file)

    def deploy(self, *names, drain=0):
        """Run the script, with a stand-in for ssh: `on HOST COMMAND`."""
        ssh = self.script("on", f'STICKYCTL_RUN_DIR={self.dir}/$1 PATH={BUILD}:$PATH exec sh -c "$2"')
        return self.run_program(EXAMPLES / "deploy.sh", *names, seconds=120, env={
            "ON": ssh, "SOCKET": self.runtime.path, "DRAIN": drain or None})

    def all_hosts(self):
        return [f"app{number}" for number in range(1, self.hosts + 1)]

    def assert_deployed(self, generation):
        self.assertEqual([self.generations(instance) for instance in self.instances],
                         self.hosts * [WORKERS * [generation]])

    def test_reload(self):
        """No client is refused, and no client moves to another host or slot."""
        self.begin()
        with self.loading() as load:
            for generation in range(2, 12):
                result = self.deploy(*self.all_hosts())
                self.assertEqual(result.returncode, 0, result)
                self.assert_deployed(generation)
        self.assert_none_failed(load.counts)
        say(f"ten deployments; {load.counts['unsticky']} connections at another worker")
        self.assertEqual((load.counts["unsticky"], load.counts["backward"]), (0, 0))

    def test_drain(self):
        """With DRAIN a host has no clients while it is reloaded. It gets its own clients back."""
        self.begin()
        before, _ = self.serve_all()
        with self.loading() as load:
            result = self.deploy(*self.all_hosts(), drain=20)
            self.assertEqual((result.returncode, "are left" in result.stdout), (0, False), result)
        self.assert_deployed(2)
        self.assert_none_failed(load.counts)
        after, _ = self.serve_all()
        self.assertEqual(before, after)

    def test_a_version_that_fails(self):
        """The deployment stops at the first host, which serves on with its previous workers."""
        self.begin()
        worker = self.dir / "worker1"
        with self.loading() as load:
            worker.write_text("#!/bin/sh\nexit 1\n")
            result = self.deploy(*self.all_hosts())
        self.assertEqual(result.returncode, 4, result)
        self.assertIn("app1: exit code 4", result.stderr)
        self.assert_none_failed(load.counts)
        self.assertEqual([self.generations(instance) for instance in self.instances[1:]],
                         (self.hosts - 1) * [WORKERS * [1]])


@harness.needs("haproxy", "socat", "nft")
class DeployByKernel(Deploy):
    """The same tests with a transparent proxy: the hosts' kernels place the clients."""

    config = "web-direct.yaml"
    file = "haproxy-transparent.cfg"

    def begin(self):
        self.rules("transparent.sh")
        super().begin()


if __name__ == "__main__":
    harness.main()
