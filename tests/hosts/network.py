# SPDX-License-Identifier: MIT
"""Machines as network namespaces, joined by a bridge.

The test's own namespace is the balancer, with the bridge in it. Each host has a namespace of its
own. One more namespace has all clients: every address of 10.100.0.0/16 is a client. The addresses
are those of the files in examples/hosts/.
"""

import os
import subprocess

from world import set_sysctl, wait_for

BRIDGE = "hosts0"
BALANCER, CLIENTS_AT = "10.0.1.254", "10.0.1.253"
CLIENTS, FIRST_CLIENT = "10.100.0.0/16", "10.100.0.1"
SERVICE = (BALANCER, 80)


def address_of(number):
    """The address of a host, from 1 on."""
    return f"10.0.1.{number}"


def client(number):
    """The address of a client, from 0 on. tests/peers/clients counts them in the same way."""
    return f"10.100.{(number + 1) >> 8}.{(number + 1) & 255}"


def run(*words, prefix=(), **options):
    return subprocess.run([*prefix, *map(str, words)], check=True, **options)


def run_ip(commands, prefix=()):
    run("ip", "-batch", "-", prefix=prefix, input=commands, text=True)


class Machine:
    """A network namespace, and the process that holds it."""

    def __init__(self, test, name, address):
        self.name, self.address = name, address
        self.holder = test.program("unshare", "--net", "--", "sleep", "infinity")
        wait_for(f"the namespace of {name}", self._is_there)
        self.prefix = ("nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--")
        run_ip(f"link add {name} type veth peer name eth0 netns {self.holder.pid}\n"
               f"link set {name} master {BRIDGE} up\n")
        test.addCleanup(run, "ip", "link", "del", name)
        run_ip(f"link set lo up\naddr add {address}/24 dev eth0\nlink set eth0 up\n", self.prefix)

    def _is_there(self):
        return (os.readlink(f"/proc/{self.holder.pid}/ns/net") != os.readlink("/proc/self/ns/net")
                and os.readlink(f"/proc/{self.holder.pid}/exe").endswith("sleep"))

    def cut(self):
        """Pull the machine's cable."""
        run("ip", "link", "set", self.name, "down")

    def join(self):
        run("ip", "link", "set", self.name, "up")


class Network:
    """The bridge, the hosts and the clients, until the end of the test."""

    def __init__(self, test, hosts):
        run_ip(f"link add {BRIDGE} type bridge\naddr add {BALANCER}/24 dev {BRIDGE}\n"
               f"link set {BRIDGE} up\n")
        test.addCleanup(run, "ip", "link", "del", BRIDGE)
        set_sysctl("net.ipv4.ip_forward", 1)
        self.clients = Machine(test, "clients", CLIENTS_AT)
        run_ip(f"route add local {CLIENTS} dev lo\nroute add default via {BALANCER}\n",
               self.clients.prefix)
        run_ip(f"route add {CLIENTS} via {CLIENTS_AT}\n")
        self.hosts = [Machine(test, f"app{number}", address_of(number))
                      for number in range(1, hosts + 1)]
        for host in self.hosts:
            run_ip(f"route add default via {BALANCER}\n", host.prefix)
