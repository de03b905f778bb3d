#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""IPVS with direct routing in front of three hosts: the clients' own addresses arrive, and the
hosts' kernels place the clients. `make test-ipvs` runs this file on a kernel of Debian if the
machine's own kernel has no IPVS."""

import os
import pathlib
import subprocess

import hosts  # this import comes first: it adds the directories of the others to sys.path
import harness
from hosts import CONNECTIONS, EXAMPLES, SOURCES, HostsTestCase, host_of, say
from network import BRIDGE, CLIENTS, CLIENTS_AT, address_of, run, run_ip
from world import wait_for

VIP = ("10.0.2.1", 80)
IPVSADM = "/usr/sbin/ipvsadm"


def why_not():
    for module in ("ip_vs", "ip_vs_mh", "ip_vs_sh"):
        subprocess.run(["modprobe", "-q", module], check=False, stderr=subprocess.DEVNULL)
    if not pathlib.Path("/proc/net/ip_vs").exists():
        return f"Linux {os.uname().release} here has no IPVS (ip_vs): make test-ipvs boots one that has"
    if not hosts.shutil.which("ipvsadm", path="/usr/sbin:/sbin"):
        return "ipvsadm is not installed"
    return None


class Ipvs(HostsTestCase):
    def script_of(self, prefix, *words, **variables):
        environment = {**os.environ, **variables}
        environment["PATH"] += ":/usr/sbin:/sbin"
        run(EXAMPLES / "ipvs.sh", *words, prefix=prefix, env=environment)

    def begin_hosts(self):
        for host in self.network.hosts:
            self.script_of(host.prefix, "host")
            # The answers go to the clients directly, and not through the balancer.
            run_ip(f"route add {CLIENTS} via {CLIENTS_AT}\n", host.prefix)
        self.start_hosts("web-direct.yaml", listen="%s:%d" % VIP)
        self.addCleanup(run, IPVSADM, "-C")

    def begin(self, scheduler):
        self.begin_hosts()
        self.script_of((), "balancer", SCHEDULER=scheduler)
        self.addCleanup(run, "ip", "addr", "del", f"{VIP[0]}/32", "dev", "lo")
        return self.check_keeps(scheduler)

    def check_keeps(self, scheduler):
        workers, counts = self.serve_all(CONNECTIONS, VIP)
        say(f"{scheduler}: {counts['connections']} connections of {SOURCES} clients in "
            f"{counts['seconds']:.1f} s, {counts['unsticky']} went astray")
        self.assert_spread(workers)
        self.assert_own(workers)
        self.assertEqual([instance.status()["counters"]["handed"] for instance in self.instances],
                         self.hosts * [0])
        return workers

    def moved_without(self, before, take, give):
        """Take the second host out, and in again. Returns how many of its own clients moved, how
        many of the others moved, and how many clients are not at their first place at the end."""
        take()
        after, _ = self.serve_all(1, VIP)
        own, others = self.moved(before, after, 2)
        theirs = sum(host_of(worker) == 2 for worker in before.values())
        self.assertEqual(own, theirs)
        give()
        back, _ = self.serve_all(1, VIP)
        return own, others, sum(before[address] != back[address] for address in before)

    def out_and_in(self, before):
        return self.moved_without(before, lambda: self.script_of((), "out", address_of(2)),
                                  lambda: self.script_of((), "in", address_of(2)))

    def removed_and_added(self, before):
        service = ("-t", "%s:%d" % VIP, "-r", "%s:%d" % (address_of(2), VIP[1]))
        return self.moved_without(before, lambda: run(IPVSADM, "-d", *service),
                                  lambda: run(IPVSADM, "-a", *service, "-g", "-w", "1"))

    def check_scheduler(self, scheduler):
        """With weight 0 a host keeps its place in the table. If it is removed and added (the naive
        way), it gets another place, and clients of other hosts move, too."""
        before = self.begin(scheduler)
        own, others, astray = self.out_and_in(before)
        say(f"{scheduler}, weight 0: {own} clients of app2 moved, {others} of the others; then "
            f"{astray} are not where they were")
        self.assertEqual((others, astray), (0, 0))
        own, others, astray = self.removed_and_added(before)
        say(f"{scheduler}, removed: {own} clients of app2 moved, {others} of the others; added, "
            f"{astray} are not where they were")

    def test_maglev(self):
        self.check_scheduler("mh")

    def test_source_hash(self):
        self.check_scheduler("sh")

    def test_stop_under_load(self):
        """A host is taken out, stopped and started again while clients connect. No client is
        refused."""
        before = self.begin("mh")
        with self.load("--from", hosts.FIRST_CLIENT, "--patience", 10, sources=SOURCES, rate=1000,
                       target=VIP, prefix=self.network.clients.prefix) as load:
            self.script_of((), "out", address_of(2))
            self.stop_host(2)
            self.start_again(2, "web-direct.yaml", listen="%s:%d" % VIP)
            self.script_of((), "in", address_of(2))
            for instance in self.instances:
                self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assert_none_failed(load.counts)
        after, _ = self.serve_all(1, VIP)
        self.assertEqual(before, after)


@harness.needs("keepalived")
class Keepalived(Ipvs):
    """examples/hosts/keepalived.conf: keepalived asks /readyz, and takes hosts out and in by
    itself."""

    test_maglev = test_source_hash = test_stop_under_load = None

    def weights(self):
        """host -> its weight."""
        table = run(IPVSADM, "-L", "-n", capture_output=True, text=True).stdout
        rows = [line.split() for line in table.splitlines() if line.strip().startswith("-> 10.")]
        return {row[1].partition(":")[0]: int(row[3]) for row in rows}

    def wait_weights(self, *weights):
        wanted = {address_of(number): weight for number, weight in enumerate(weights, 1)}
        wait_for(lambda: f"{wanted}, not {self.weights()}", lambda: self.weights() == wanted, 30, 0.1)

    def test_keepalived(self):
        self.begin_hosts()
        text = (EXAMPLES / "keepalived.conf").read_text().replace("eth0", BRIDGE)
        self.program("/usr/sbin/keepalived", "-n", "-l", "-D", "-p", self.dir / "pid",
                     "-r", self.dir / "vrrp", "-c", self.dir / "checkers",
                     "-f", self.write("keepalived.conf", text))
        self.wait_weights(1, 1, 1)
        wait_for("the address", lambda: VIP[0] in run(
            "ip", "addr", "show", "dev", BRIDGE, capture_output=True, text=True).stdout, 30, 0.1)
        before = self.check_keeps("keepalived, mh")

        def take():
            self.stop_host(2)
            self.wait_weights(1, 0, 1)

        def give():
            self.start_again(2, "web-direct.yaml", listen="%s:%d" % VIP)
            self.wait_weights(1, 1, 1)

        own, others, astray = self.moved_without(before, take, give)
        say(f"keepalived: {own} clients of app2 moved, {others} of the others; then {astray} are not "
            "where they were")
        self.assertEqual((others, astray), (0, 0))


if __name__ == "__main__":
    if why_not():
        print(f"1..0 # SKIP {why_not()}")
    else:
        harness.main()
