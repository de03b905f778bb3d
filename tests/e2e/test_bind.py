#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""--worker=bind: a server that binds its address itself gets the socket of its slot."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import textwrap
import time

import harness
import world
from clients import HERE, LISTEN, ask, client_socket, is_refused
from lifecycle import LifecycleTestCase, Line
from listening import listening_sockets
from privilege import NOBODY, as_nobody, copy_program, forbid_seccomp, without
from programs import FAILED, NOT_PERMITTED, STICKYCTL, USAGE, WORKER, children_of
from world import slowness, wait_for

BIND = ("--worker", "bind")
BOUND = (WORKER, "--bind", "127.0.0.1:3000")
SOURCES = [f"127.8.0.{number}" for number in range(1, 61)]

# A server that does what its clients tell it, each in a thread. It answers a line with
#     slot=S pid=P gen=G result=...
# and closes where the line was empty.
BINDER = r"""
import errno, os, socket, sys, threading, time

def listen(kind, host, port, **options):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.socket(family, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((host, int(port)))
    if kind == socket.SOCK_STREAM:
        server.listen(5)
    return server

kept = []

def do(words):
    if words[0] in ("udp", "tcp"):
        kind = socket.SOCK_DGRAM if words[0] == "udp" else socket.SOCK_STREAM
        kept.append(listen(kind, *words[1:]))
    elif words[0] == "unix":
        server = socket.socket(socket.AF_UNIX)
        server.bind(words[1].ljust(100, "x") if len(words) > 2 else words[1])
        server.listen()
        kept.append(server)
    elif words[0] == "resolve":
        socket.getaddrinfo("localhost", 80)
    return "ok"

def answer(line):
    words = line.decode().lstrip("+").split()
    try:
        result = do(words) if words else "ok"
    except OSError as error:
        result = errno.errorcode[error.errno]
    return "slot=%s pid=%d gen=%s result=%s\n" % (
        os.environ["STICKY_SLOT"], os.getpid(), os.environ["STICKY_GENERATION"], result)

def serve(client):
    with client, client.makefile("rb") as lines:
        for line in lines:
            client.sendall(answer(line).encode())
            if not line.startswith(b"+"):
                break

def accept(server):
    while True:
        client, _ = server.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()

for address in sys.argv[1:]:
    host, _, port = address.rpartition(":")
    server = listen(socket.SOCK_STREAM, host, port)
    threading.Thread(target=accept, args=(server,), daemon=True).start()
while True:
    time.sleep(1000)
"""


class BindTestCase(LifecycleTestCase):
    def serve_bound(self, slots, *arguments, command=BOUND, **options):
        instance = self.serve("-w", slots, *LISTEN, *BIND, *arguments, "--", *command, **options)
        instance.command = command
        return instance

    def start_again(self, slots, command=BOUND, *arguments):
        return self.start("-w", slots, *LISTEN, *BIND, *arguments, "--", *command)

    def binder(self, *addresses):
        """The command of a server that does what it is told."""
        return ("python3", "-S", self.write("binder.py", BINDER), *(addresses or ["127.0.0.1:3000"]))

    def assert_sticky(self, instance, address=HERE, sources=SOURCES):
        places = {place["address"]: place["slot"] for place in instance.where(*sources)}
        self.assertEqual({source: ask(address, source)["slot"] for source in sources}, places)

    def printed(self, instance):
        """What a worker with --print-fds has printed."""
        return [json.loads(line) for line in instance.output.splitlines() if line[:1] == "{"]

    def keeper_of(self, instance):
        found = [pid for pid, text in world.other_processes().items() if "bind-keeper" in text]
        self.assertEqual(len(found), 1, world.other_processes())
        return found[0]

    def assert_failed(self, instance, *words, code=FAILED):
        self.assertEqual(instance.wait(), code, instance.errors)
        for word in words:
            self.assertIn(word, instance.errors)


class Lifecycle(BindTestCase):
    """The same as of workers that take their socket from LISTEN_FDS."""

    def test_sticky(self):
        instance = self.serve_bound(4)
        self.assert_sticky(instance)
        self.assertEqual(set(self.generations(instance)), {1})
        # Its own socket is no more: the workers' four are all that there is.
        self.assertEqual(len(listening_sockets()), 4)
        self.assertEqual(instance.stop(), 0)
        self.assertTrue(is_refused(HERE))

    def test_reload_crash_and_scale_under_load(self):
        instance = self.serve_bound(3)
        with self.load() as load:
            self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
            killed = self.kill_worker(instance, 1)
            self.wait_generation(instance, 3, slot=1)
            self.wait_gone(killed)
            self.assertEqual(instance.run("scale", "4").returncode, 0)
            self.wait_all_ready(instance)
            self.assertEqual(instance.run("restart", "2").returncode, 0)
            self.wait_generation(instance, 3, slot=2)
            self.wait_drained(instance)
        counts = load.counts
        # The worker that was killed can have accepted one connection: it accepts one at a time.
        lost = counts["reset"] + counts["empty"]
        self.assertEqual(counts["answered"] + lost, counts["connections"], counts)
        self.assertLessEqual(lost, 1, counts)
        self.assert_counters(instance)
        self.assert_sticky(instance)
        self.assertEqual(instance.stop(), 0)

    def test_drained_slot(self):
        instance = self.serve_bound(2)
        self.assertEqual(instance.run("drain", "1").returncode, 0)
        instance.wait_status("the drained slot",
                             lambda status: status["workers"][1]["state"] == "drained")
        self.assertEqual(instance.run("ready", "1").returncode, 0)
        self.wait_all_ready(instance)
        self.assert_sticky(instance)
        self.assertEqual(instance.stop(), 0)

    def test_ready_when_it_listens(self):
        """Not after --min-uptime: this server needs longer to bind."""
        server = self.write("late.py", "import time\ntime.sleep(1)\n" + BINDER)
        instance = self.start("-w", 1, *LISTEN, *BIND, "--min-uptime", "10ms", "--", "python3", "-S",
                              server, "127.0.0.1:3000")
        self.assertGreaterEqual(instance.ready().workers()[0]["uptime_ms"], 1000)
        ready, = self.events(instance, "worker_state", state="ready")
        self.assertGreaterEqual(ready["after_ms"], 1000)
        self.assertEqual(instance.stop(), 0)

    def test_backlog_is_that_of_the_option(self):
        """The server's own listen() asks for 5."""
        instance = self.serve_bound(1, "--backlog", "123")
        # The socket that held the slot is closed a moment later.
        wait_for("one listening socket", lambda: len(listening_sockets()) == 1)
        found = subprocess.run(["ss", "-ltn"], check=True, capture_output=True, text=True).stdout
        line, = [line.split() for line in found.splitlines() if "127.0.0.1:3000" in line]
        self.assertEqual(line[2], "123")
        self.assertEqual(instance.stop(), 0)


class Takeover(BindTestCase):
    """The filter outlives the controller that answers it."""

    def test_workers_go_on(self):
        instance = self.serve_bound(3)
        pids = self.pids(instance)
        with self.load() as load:
            self.kill_controller(instance)
            successor = self.start_again(3).ready()
            self.assertEqual(self.pids(successor), pids)
            self.assertEqual(successor.run("reload", "--wait=drained").returncode, 0)
        self.assert_nobody_lost(load.counts)
        self.assertNotIn(pids[0], self.pids(successor))
        self.assert_sticky(successor)
        self.assertEqual(len([text for text in world.other_processes().values()
                              if "bind-keeper" in text]), 1)
        self.assertEqual(successor.stop(), 0)

    def test_binding_without_a_controller(self):
        """It neither waits nor fails, and is the slot's again under the next controller."""
        command = self.binder()
        instance = self.serve_bound(1, command=command)
        line = Line(self, "127.8.0.1")
        self.assertEqual(line.ask("+tcp 127.0.0.1 3000")["result"], "ok")
        self.kill_controller(instance)
        self.assertEqual(line.ask("+udp 127.0.0.1 4000")["result"], "ok")
        self.assertEqual(line.ask("+tcp 127.0.0.1 4001")["result"], "ok")
        self.assertEqual(line.ask("+tcp 127.0.0.1 3000")["result"], "EADDRINUSE")
        successor = self.start_again(1, command).ready()
        self.assertEqual(line.ask("+tcp 127.0.0.1 3000")["result"], "ok")
        self.assertEqual(line.ask("+tcp 127.0.0.1 4002")["result"], "ok")
        self.kill_controller(successor)
        self.assertEqual(line.ask("+udp 127.0.0.1 4003")["result"], "ok")
        third = self.start_again(1, command).ready()
        self.assertEqual(line.ask("+tcp 127.0.0.1 3000")["result"], "ok")
        self.assertEqual(third.stop(), 0)

    def test_upgrade(self):
        command = self.binder()
        instance = self.serve_bound(2, command=command)
        pids = self.pids(instance)
        line = Line(self, "127.8.0.1")
        self.assertEqual(instance.run("upgrade").returncode, 0)
        instance.ready()
        self.assertEqual(self.pids(instance), pids)
        self.assertEqual(line.ask("+tcp 127.0.0.1 3000")["result"], "ok")
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assertEqual(instance.stop(), 0)

    def test_a_command_that_is_not_there(self):
        for options in ((), ("--user", "nobody")):
            result = self.stickyctl("start", "-w", "1", *LISTEN, *BIND, *options, "--",
                                    "/no/such/server")
            self.assertEqual(result.returncode, FAILED)
            self.assertIn("cannot run /no/such/server: No such file", result.stderr)

    def test_what_the_keeper_has(self):
        """Nothing but its sockets and the filters; and no capability, though it is root's."""
        instance = self.serve_bound(3)
        keeper = self.keeper_of(instance)
        status = pathlib.Path(f"/proc/{keeper}/status").read_text()
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertIn(f"{name}:\t0000000000000000", status)
        self.assertIn("NoNewPrivs:\t1", status)

        def targets():
            found = []
            for fd in os.listdir(f"/proc/{keeper}/fd"):
                with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
                    found.append(os.readlink(f"/proc/{keeper}/fd/{fd}").partition(":[")[0])
            return sorted(found)

        # They come by a socket: the keeper takes them a moment after the worker has begun.
        wait_for("three filters", lambda: targets() == 3 * ["/dev/null"] + 3 * [
            "anon_inode:seccomp notify"] + 2 * ["socket"])
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        # Filters of workers that have ended are not kept.
        wait_for("three filters", lambda: targets().count("anon_inode:seccomp notify") == 3)
        os.kill(keeper, signal.SIGTERM)
        self.assertEqual(self.keeper_of(instance), keeper)
        self.assertEqual(instance.stop(), 0)

    def test_the_keeper_is_replaced(self):
        command = self.binder()
        instance = self.serve_bound(1, command=command)
        first = self.keeper_of(instance)
        os.kill(first, signal.SIGKILL)
        wait_for("another keeper", lambda: instance.log_lines("keeper_lost") and [
            pid for pid, text in world.other_processes().items()
            if "bind-keeper" in text and pid != first])
        line = Line(self, "127.8.0.1")
        self.assertEqual(line.ask("+tcp 127.0.0.1 3000")["result"], "ok")
        self.kill_controller(instance)
        self.assertEqual(line.ask("+tcp 127.0.0.1 4001")["result"], "ok")
        successor = self.start_again(1, command).ready()
        self.assertEqual(line.ask("+tcp 127.0.0.1 3000")["result"], "ok")
        self.assertEqual(successor.stop(), 0)

    def test_without_keeper_and_controller_it_fails(self):
        """The naive way: nobody has the descriptor of the filter."""
        instance = self.serve_bound(1, command=self.binder())
        line = Line(self, "127.8.0.1")
        self.assertEqual(line.ask("+udp 127.0.0.1 4000")["result"], "ok")
        os.kill(instance.pid, signal.SIGSTOP)
        os.kill(self.keeper_of(instance), signal.SIGKILL)
        self.kill_controller(instance)
        self.assertEqual(line.ask("+udp 127.0.0.1 4001")["result"], "ENOSYS")
        successor = self.start_again(1, self.binder()).ready()
        self.assertEqual(len(successor.log_lines("filter_lost")), 1)
        # Its next worker has a filter again.
        self.assertEqual(successor.run("reload", "--wait=drained").returncode, 0)
        line = Line(self, "127.8.0.1")
        self.assertEqual(line.ask("+tcp 127.0.0.1 3000")["result"], "ok")
        self.assertEqual(successor.stop(), 0)

    def test_a_process_that_outlives_its_worker(self):
        """It is in no slot: the kernel does what it binds."""
        told = self.dir / "told"
        command = self.script("leaver", textwrap.dedent(f"""
            setsid python3 -S -c '
            import os, socket, time
            os.chdir("{self.dir}")
            while not os.path.exists("go"): time.sleep(0.01)
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("127.0.0.1", 4000))
            server = socket.socket()
            server.bind(("127.0.0.1", 4001))
            server.listen()
            open("{told}", "w").close()
            ' &
            exec {WORKER} --bind 127.0.0.1:3000
            """))
        instance = self.serve_bound(1, command=[command])
        self.kill_worker(instance, 0)
        self.wait_generation(instance, 2, slot=0)
        self.write("go", "")
        wait_for("the process to have bound", told.exists)
        self.assertEqual(instance.stop(), 0)


class Addresses(BindTestCase):
    def test_two_addresses(self):
        instance = self.serve_bound(2, "-l", "127.0.0.1:3001", command=(
            *BOUND, "--bind", "127.0.0.1:3001"))
        self.assert_sticky(instance)
        self.assert_sticky(instance, ("127.0.0.1", 3001))
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assert_sticky(instance, ("127.0.0.1", 3001))
        self.assertEqual(instance.stop(), 0)

    def test_one_of_two_is_not_enough(self):
        instance = self.start("-w", 1, *LISTEN, "-l", "127.0.0.1:3001", *BIND, "--ready-timeout",
                              "700ms", "--", *BOUND)
        self.assert_failed(instance, "it has not bound 127.0.0.1:3001", "--ready-timeout")

    def test_a_wider_address(self):
        instance = self.serve_bound(2, command=(WORKER, "--bind", "0.0.0.0:3000"))
        self.assertEqual(instance.status()["listeners"], ["127.0.0.1:3000"])
        self.assert_sticky(instance)
        self.assertEqual(instance.stop(), 0)

    def test_a_narrower_address(self):
        instance = self.serve("-w", 2, "-l", ":3000", *BIND, "--", *BOUND)
        self.assert_sticky(instance)
        # Said once, and not of each worker.
        line, = instance.log_lines("address_family")
        self.assertEqual(line.level, "warn")
        self.assertIn("-l 0.0.0.0:3000", line.fields["hint"])
        line, = instance.log_lines("address_wider")
        self.assertEqual((line.fields["asked"], line.fields["listens"], line.fields["hint"]),
                         ("127.0.0.1:3000", "[::]:3000", "-l 127.0.0.1:3000"))
        self.assertEqual(instance.stop(), 0)

    def test_every_address_is_no_narrower_one(self):
        instance = self.serve("-w", 1, "-l", ":3000", *BIND, "--", WORKER, "--bind",
                              "0.0.0.0:3000")
        self.assertEqual(instance.log_lines("address_wider"), [])
        instance.stop()

    def test_both_families_by_two_sockets(self):
        """As WEBrick does: each gets the one socket of its slot."""
        instance = self.serve("-w", 2, "-l", ":3000", *BIND, "--", *self.binder(
            "0.0.0.0:3000", "::1:3000"))
        self.assert_sticky(instance)
        self.assertEqual(ask(("::1", 3000))["result"], "ok")
        self.assertEqual(instance.stop(), 0)

    def test_without_an_address(self):
        """The first one that a worker binds becomes the listener."""
        instance = self.serve("-w", 3, *BIND, "--", *BOUND)
        self.assertEqual(instance.status()["listeners"], ["127.0.0.1:3000"])
        self.assert_sticky(instance)
        with self.load() as load:
            self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assert_nobody_lost(load.counts)
        self.kill_controller(instance)
        successor = self.start("-w", 3, *BIND, "--", *BOUND).ready()
        self.assert_sticky(successor)
        self.assertEqual(successor.stop(), 0)

    def test_another_port_of_the_same_server(self):
        instance = self.serve_bound(1, command=(*BOUND, "--bind", "127.0.0.1:4000"))
        self.assert_sticky(instance, ("127.0.0.1", 3000))
        self.assertEqual(ask(("127.0.0.1", 4000))["slot"], 0)
        self.assertEqual(instance.status()["listeners"], ["127.0.0.1:3000"])
        # Said once, however often it is begun anew.
        self.kill_worker(instance, 0)
        self.wait_generation(instance, 2, slot=0)
        line, = instance.log_lines("listens_elsewhere")
        self.assertEqual(line.fields["on"], "127.0.0.1:4000")
        self.assertEqual(instance.stop(), 0)

    def test_other_families_are_the_workers_own(self):
        instance = self.serve_bound(1, command=self.binder())
        line = Line(self, "127.8.0.1")
        for words in (f"unix {self.dir}/short", f"unix {self.dir}/long long", "udp 127.0.0.1 3000",
                      "udp ::1 3000", "tcp 127.0.0.2 3000", "tcp 127.0.0.1 0", "resolve"):
            self.assertEqual(line.ask(f"+{words}")["result"], "ok", words)
        self.assertEqual(line.ask("+tcp 192.0.2.1 3001")["result"], "EADDRNOTAVAIL")
        self.assertEqual(instance.stop(), 0)


class Children(BindTestCase):
    def test_children_that_bind(self):
        """Each of them the same address: they share the socket of their slot."""
        server = self.write("prefork.py", textwrap.dedent(r"""
            import os, signal, socket, sys
            children = []
            for _ in range(3):
                pid = os.fork()
                if not pid:
                    server = socket.socket()
                    server.bind(("127.0.0.1", 3000))
                    server.listen()
                    while True:
                        client, _ = server.accept()
                        client.recv(1)
                        client.sendall(b"slot=%s child=%d\n" % (
                            os.environb[b"STICKY_SLOT"], os.getpid()))
                        client.close()
                children.append(pid)
            for pid in children:
                os.waitpid(pid, 0)
            """))
        command = ("python3", "-S", server)
        instance = self.serve_bound(2, command=command)
        self.assert_sticky(instance)
        self.assertEqual(len(listening_sockets()), 2)
        served = {ask(HERE, source)["child"] for source in SOURCES * 5}
        self.assertGreater(len(served), 2)
        self.assertEqual(instance.run("reload", "--wait=ready").returncode, 0)
        self.assert_sticky(instance)
        # The worker itself has none of the sockets: the next controller finds them in its children.
        pids = self.pids(instance)
        self.kill_controller(instance)
        successor = self.start_again(2, command).ready()
        self.assertEqual(self.pids(successor), pids)
        self.assert_sticky(successor)
        self.assertEqual(successor.stop(), 0)

    def test_a_worker_that_drains(self):
        """The address is its successor's by now."""
        instance = self.serve_bound(1, "--hard-shutdown-delay", "2s", command=(
            "sh", "-c", "trap '' TERM; exec \"$@\"", "-", *self.binder()))
        line = Line(self, "127.8.0.1")
        self.assertEqual(line.ask()["gen"], 1)
        self.assertEqual(instance.run("reload", "--wait=ready").returncode, 0)
        instance.wait_status("it to drain", lambda status: any(
            draining["state"] == "draining" for worker in status["workers"]
            for draining in status["draining"]))
        self.assertEqual(line.ask("+tcp 127.0.0.1 3000")["result"], "EADDRINUSE")
        self.assertEqual(line.ask("+tcp 127.0.0.1 4000")["result"], "ok")
        self.assertEqual(ask(HERE, "127.8.0.1")["gen"], 2)
        self.assertEqual(instance.stop("--now"), 0)


class Sockets(BindTestCase):
    def test_options_are_kept(self):
        """What the server has set before its bind() counts on the socket that it gets."""
        server = self.write("options.py", textwrap.dedent(r"""
            import fcntl, json, os, socket
            server = socket.socket()
            tcp = socket.IPPROTO_TCP
            names = {"rcvbuf": (socket.SOL_SOCKET, socket.SO_RCVBUF, 50000),
                     "keepalive": (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
                     "nodelay": (tcp, socket.TCP_NODELAY, 1),
                     "keepidle": (tcp, socket.TCP_KEEPIDLE, 77),
                     "defer": (tcp, socket.TCP_DEFER_ACCEPT, 3),
                     "fastopen": (tcp, socket.TCP_FASTOPEN, 9)}
            for level, name, value in names.values():
                server.setsockopt(level, name, value)
            server.setblocking(os.environ["STICKY_SLOT"] == "1")
            os.set_inheritable(server.fileno(), os.environ["STICKY_SLOT"] == "1")
            def look():
                found = {key: server.getsockopt(level, name)
                         for key, (level, name, _) in names.items()}
                found["nonblock"] = bool(fcntl.fcntl(server, fcntl.F_GETFL) & os.O_NONBLOCK)
                found["cloexec"] = bool(fcntl.fcntl(server, fcntl.F_GETFD) & 1)
                return found
            before = look()
            server.bind(("127.0.0.1", 3000))
            server.listen(7)
            name = os.environ["STICKY_SLOT"]
            with open(name + ".new", "w") as file:
                json.dump([before, look()], file)
            os.rename(name + ".new", name)
            while True:
                try:
                    server.accept()[0].close()
                except BlockingIOError:
                    import time; time.sleep(0.05)
            """))
        instance = self.serve_bound(2, command=("python3", "-S", server), cwd=self.dir)
        found = []
        for slot in "01":
            path = self.dir / slot
            wait_for("what it saw", path.exists)
            before, after = json.loads(path.read_text())
            self.assertEqual(after, before)
            found.append(after)
        self.assertEqual([(each["nonblock"], each["cloexec"]) for each in found],
                         [(True, True), (False, False)])
        self.assertEqual(instance.stop(), 0)

    def test_what_the_worker_has(self):
        """No LISTEN_FDS, no descriptor of ours, and all variables."""
        instance = self.serve_bound(1, "--env", "LD_STRANGE=a", "--env", "SECRET=b",
                                    command=(*BOUND, "--print-fds"))
        lines = self.printed(instance)
        variables = {line["name"]: line["value"] for line in lines if line["kind"] == "env"}
        self.assertEqual((variables["LD_STRANGE"], variables["SECRET"]), ("a", "b"))
        names = [line["name"] for line in lines if line["kind"] == "env"]
        self.assertFalse([name for name in names if name.startswith("LISTEN_")])
        self.assertIn("PORT", names)
        open_at_exec = [line["target"] for line in lines if line["kind"] == "fd"]
        self.assertFalse([target for target in open_at_exec if target.startswith("socket:")])
        self.assertFalse([target for target in open_at_exec if "seccomp" in target])
        self.assertEqual(instance.stop(), 0)


class Users(BindTestCase):
    def masks(self, instance):
        found, = [line for line in self.printed(instance) if line["kind"] == "masks"]
        return found

    def compare_with_activation(self, **options):
        """The capabilities of a worker that has a filter, and of one that has none."""
        worker = (WORKER, "--notify", "--print-fds")
        instance = self.serve("-w", 1, *LISTEN, "--worker", "activation", "--", *worker, **options)
        plain = self.masks(instance)
        self.assertEqual(instance.stop(), 0)
        instance = self.serve_bound(1, command=(*BOUND, "--print-fds"), **options)
        masks = self.masks(instance)
        self.assertEqual(instance.stop(), 0)
        for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb", "blocked", "ignored"):
            self.assertEqual(masks.get(name), plain.get(name), name)
        return masks

    def test_root_keeps_all_that_it_has(self):
        masks = self.compare_with_activation()
        self.assertEqual(masks["no_new_privs"], 0)

    def test_root_of_a_container_keeps_its_capabilities(self):
        """Without CAP_SYS_ADMIN a filter needs no_new_privs."""
        masks = self.compare_with_activation(prefix=without("sys_admin"))
        self.assertEqual(masks["no_new_privs"], 1)

    def test_another_user(self):
        instance = self.serve_bound(2, "--user", "nobody", command=(
            copy_program(WORKER, self.dir), *BOUND[1:]))
        status = pathlib.Path(f"/proc/{self.pids(instance)[0]}/status").read_text()
        self.assertIn(f"Uid:\t{NOBODY}", status)
        self.assert_sticky(instance)
        self.kill_controller(instance)
        successor = self.start("-w", 2, *LISTEN, *BIND, "--user", "nobody", "--",
                               self.dir / "worker", *BOUND[1:]).ready()
        self.assertEqual(successor.run("reload", "--wait=drained").returncode, 0)
        self.assertEqual(successor.stop(), 0)

    def test_a_low_port_with_l(self):
        """-l names it: the controller's right counts."""
        worker = copy_program(WORKER, self.dir)
        instance = self.serve("-w", 1, "-l", "127.0.0.1:80", *BIND, "--user", "nobody", "--",
                              worker, "--bind", "127.0.0.1:80")
        self.assertEqual(ask(("127.0.0.1", 80))["slot"], 0)
        self.assertEqual(instance.stop(), 0)

    def test_a_low_port_without_l(self):
        """The worker asks for it: the worker's right counts."""
        worker = copy_program(WORKER, self.dir)
        instance = self.start("-w", 1, *BIND, "--user", "nobody", "--", worker, "--bind",
                              "127.0.0.1:80")
        self.assert_failed(instance, "CAP_NET_BIND_SERVICE")

    def home(self):
        home = self.dir / "nobody"
        home.mkdir()
        home.chmod(0o777)
        return {"program": copy_program(STICKYCTL, self.dir), "cwd": "/",
                "env": {"STICKYCTL_RUN_DIR": home / "run", "STICKYCTL_STATE_DIR": home / "state",
                        "HOME": home}, "run_dir": home / "run"}

    def test_an_ordinary_user(self):
        """With CAP_BPF alone, which the kernel's steering needs."""
        worker = copy_program(WORKER, self.dir)
        instance = self.serve("-w", 2, *LISTEN, *BIND, "--", worker, *BOUND[1:],
                              prefix=as_nobody("bpf", "perfmon"), **self.home())
        self.assert_sticky(instance)
        self.assertEqual(instance.terminate(), 0)

    def test_without_any_privilege(self):
        """A classic program steers: their workers get the socket of their slot."""
        instance = self.serve_bound(2, prefix=as_nobody(), **self.home())
        self.assertEqual(instance.status()["steering"], "classic")
        self.assert_sticky(instance)
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assert_sticky(instance)
        self.kill_worker(instance, 1)
        self.wait_generation(instance, 3, slot=1)
        self.assert_sticky(instance)
        self.assertEqual(instance.terminate(), 0)

    def test_without_the_engine_that_is_required(self):
        home = self.home()
        instance = self.start("-w", 2, *LISTEN, *BIND, "--require-engine", "kernel", "--", *BOUND,
                              prefix=as_nobody(), **home)
        self.assert_failed(instance, "CAP_BPF", code=NOT_PERMITTED)


# Runs a command below a filter whose descriptor this process keeps.
LISTENER_ABOVE = r"""
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
steps = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0x7fff0000))
program = struct.pack("HxxxxxxP", 1, ctypes.addressof(steps))
assert libc.prctl(38, 1, 0, 0, 0) == 0
fd = libc.syscall(317 if os.uname().machine == "x86_64" else 277, 1, 8, program)
assert fd >= 0, os.strerror(ctypes.get_errno())
pid = os.fork()
if not pid:
    os.execv(sys.argv[1], sys.argv[1:])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


# Serves, and then calls bind() with an address in a page that is not filled: whoever reads it, waits.
# With "fill" as its environment's SLOW it is filled when there is a file "go".
STUCK = BINDER.replace("while True:\n    time.sleep(1000)", r"""
import ctypes, mmap, struct
libc = ctypes.CDLL(None, use_errno=True)
page = mmap.mmap(-1, 4096)
start = ctypes.addressof(ctypes.c_char.from_buffer(page))
fault = libc.syscall(323 if os.uname().machine == "x86_64" else 282, 0)
import fcntl
fcntl.ioctl(fault, 0xc018aa3f, struct.pack("QQQ", 0xaa, 0, 0))
fcntl.ioctl(fault, 0xc020aa00, struct.pack("QQQQ", start, 4096, 1, 0))
def fill():
    while not os.path.exists("go"):
        time.sleep(0.01)
    whole = ctypes.create_string_buffer(struct.pack("=H", 2) + bytes([0x0f, 0xa0, 127, 0, 0, 1]), 8192)
    source = mmap.mmap(-1, 4096)
    source[:16] = whole.raw[:16]
    fcntl.ioctl(fault, 0xc028aa03, struct.pack("QQQQq", start, ctypes.addressof(
        ctypes.c_char.from_buffer(source)), 4096, 0, 0))

if os.environ.get("SLOW"):
    threading.Thread(target=fill, daemon=True).start()
time.sleep(0.5)
open("stuck%s" % os.getpid(), "w").close()
late = socket.socket()
result = libc.bind(late.fileno(), ctypes.c_void_p(start), 16)
with open("done.new", "w") as file:
    file.write("%d %s" % (result, late.getsockname()))
os.rename("done.new", "done")
time.sleep(1000)
""")
assert STUCK != BINDER


class Hostile(BindTestCase):
    def test_memory_that_can_not_be_read(self):
        """The controller goes on, and answers the others."""
        (self.dir / "stuck.py").write_text(STUCK)
        instance = self.serve_bound(1, "--hard-shutdown-delay", "1s", cwd=self.dir, command=(
            "python3", "-S", "stuck.py", "127.0.0.1:3000"))
        pid, = self.pids(instance)
        wait_for("it to be stuck", (self.dir / f"stuck{pid}").exists)
        self.assertEqual(ask(HERE)["result"], "ok")
        for _ in range(20):
            began = time.monotonic()
            self.assertEqual(instance.status()["workers"][0]["state"], "ready")
            self.assertLess(time.monotonic() - began, 0.5 * slowness())
        self.assertEqual(instance.run("reload", "--wait=ready").returncode, 0)
        self.assertEqual(ask(HERE)["gen"], 2)
        instance.stop("--now")

    def test_a_call_that_a_dead_controller_had_received(self):
        """Nobody else can receive it: it would wait for ever."""
        (self.dir / "stuck.py").write_text(STUCK)
        options = ("-w", 1, *LISTEN, *BIND, "--", "python3", "-S", "stuck.py", "127.0.0.1:3000")
        instance = self.serve(*options, cwd=self.dir, env={"SLOW": "yes"})
        pid, = self.pids(instance)
        others = set(children_of(instance.pid))
        # The controller's child that reads the address.
        wait_for("it to be stuck", lambda: set(children_of(instance.pid)) - others)
        self.kill_controller(instance)
        self.write("go", "")
        wait_for("the call to end", (self.dir / "done").exists)
        self.assertEqual((self.dir / "done").read_text(), "0 ('127.0.0.1', 4000)")
        successor = self.start(*options, cwd=self.dir).ready()
        self.assertEqual(self.pids(successor), [pid])
        self.assertEqual(successor.stop("--now"), 0)

    def test_the_log_is_not_filled(self):
        instance = self.serve_bound(1, command=self.binder())
        line = Line(self, "127.8.0.1")
        for port in range(4000, 4030):
            self.assertEqual(line.ask(f"+tcp 127.0.0.1 {port}")["result"], "ok")
        self.assertEqual(len(instance.log_lines("listens_elsewhere")), 16)
        self.assertEqual(instance.stop(), 0)

    def test_addresses_that_are_none(self):
        server = self.write("wrong.py", BINDER.replace("kept = []", r"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
one = socket.socket()
for number, address, length in ((one.fileno(), 0, 16), (one.fileno(), 1 << 63, 28), (-1, 0, 16),
                                (one.fileno(), 4096, 128), (0, 0, 16), (1 << 30, 0, 16)):
    assert libc.bind(number, ctypes.c_void_p(address), length) == -1
    print(errno.errorcode[ctypes.get_errno()], flush=True)
for number in (-1, 0, 1 << 30):
    assert libc.listen(number, 5) == -1
    print(errno.errorcode[ctypes.get_errno()], flush=True)
kept = []
"""))
        instance = self.serve_bound(1, command=("python3", "-S", server, "127.0.0.1:3000"))
        self.assertEqual(instance.output.split(), [
            "EFAULT", "EFAULT", "EBADF", "EFAULT", "ENOTSOCK", "EBADF", "EBADF", "ENOTSOCK",
            "EBADF"])
        self.assertEqual(instance.stop(), 0)


class Auto(BindTestCase):
    """Without --worker: whoever binds an address of -l gets its socket; so does LISTEN_FDS."""

    def seccomp(self, pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return next(line.split()[1] for line in status.splitlines() if line[:8] == "Seccomp:")

    def test_a_server_that_binds(self):
        instance = self.serve("-w", 3, *LISTEN, "--", *BOUND)
        self.assertEqual(len(instance.log_lines("bind_answered")), 1)
        self.assert_sticky(instance)
        for pid in self.pids(instance):
            # What it was given otherwise is no more: closing its socket must be the last close.
            self.assertEqual(os.readlink(f"/proc/{pid}/fd/3"), "/dev/null")
        with self.load() as load:
            self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assertEqual(load.counts["answered"], load.counts["connections"], load.counts)
        with self.load() as load:
            self.kill_worker(instance, 0)
            self.wait_generation(instance, 3, slot=0)
        # What it had accepted dies with it, and nothing else.
        self.assertLessEqual(load.counts["connections"] - load.counts["answered"], 5, load.counts)
        self.assertEqual(load.counts["refused"], 0)
        self.kill_controller(instance)
        successor = self.start("-w", 3, *LISTEN, "--", *BOUND).ready()
        self.assert_sticky(successor)
        self.assertEqual(successor.run("reload", "--wait=drained").returncode, 0)
        self.assertEqual(successor.stop(), 0)

    def test_a_server_that_takes_what_it_is_given(self):
        instance = self.serve("-w", 2, *LISTEN, "--", WORKER, "--notify")
        self.assert_sticky(instance)
        self.assertEqual({self.seccomp(pid) for pid in self.pids(instance)}, {"2"})
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assertEqual(instance.stop(), 0)

    def test_its_listen_is_no_readiness(self):
        """A server may call listen() on what it was given, long before it accepts."""
        server = self.write("early.py", "import socket, time\n"
                            "socket.socket(fileno=3).listen(5)\ntime.sleep(1000)\n")
        instance = self.start("-w", 1, *LISTEN, "--min-uptime", "700ms", "--", "python3", "-S",
                              server).ready()
        ready, = self.events(instance, "worker_state", state="ready")
        self.assertGreaterEqual(ready["after_ms"], 600)
        self.assertEqual(instance.stop("--now"), 0)

    def test_without_an_address(self):
        instance = self.serve("-w", 2, "--", *BOUND)
        self.assertEqual(instance.status()["listeners"], ["127.0.0.1:3000"])
        self.assert_sticky(instance)
        self.assertEqual(instance.stop(), 0)

    def test_a_server_that_is_known(self):
        """No filter, by its name alone."""
        (self.dir / "gunicorn").symlink_to(WORKER)
        instance = self.serve("-w", 1, *LISTEN, "--", self.dir / "gunicorn", "--notify")
        self.assertEqual(self.seccomp(self.pids(instance)[0]), "0")
        self.assertEqual(instance.log_lines("bind_answered"), [])
        self.assertEqual(instance.stop(), 0)

    def proxy_files(self, server, name):
        """The configuration of an nginx or an HAProxy that answers by itself."""
        if name == "haproxy":
            return self.write("haproxy.cfg", "defaults\n  mode http\n  timeout client 10s\n"
                              f"frontend one\n  bind {server}\n  http-request return status 200\n")
        places = "".join(f"{kind}_temp_path {self.dir}/{kind};" for kind in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return self.write("nginx.conf", "worker_processes 1; events {} http { access_log off; "
                          f"{places} server {{ listen {server}; return 200 ok; }} }}")

    def nginx(self, listen):
        return ("nginx", "-c", self.proxy_files(listen, "nginx"), "-e", self.dir / "error.log",
                "-g", f"daemon off; user root; pid {self.dir}/nginx.pid;")

    def assert_answers(self, instance):
        with client_socket(HERE) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertIn(b"200", client.recv(100))
        self.assertIn(instance.stop("--now"), (0, 4))

    @harness.needs("nginx")
    def test_nginx_binds(self):
        """It takes sockets by NGINX alone, and not by LISTEN_FDS."""
        instance = self.serve("-w", 1, *LISTEN, "--", *self.nginx("127.0.0.1:3000"))
        self.assertEqual(len(instance.log_lines("bind_answered")), 1)
        self.assertNotIn("bind() to", (self.dir / "error.log").read_text())
        self.assert_answers(instance)

    @harness.needs("nginx")
    def test_nginx_takes_what_it_is_given(self):
        instance = self.serve("-w", 1, *LISTEN, "--env", "NGINX=3;", "--",
                              *self.nginx("127.0.0.1:3000"))
        pid, = self.pids(instance)
        self.assertTrue(os.readlink(f"/proc/{pid}/fd/3").startswith("socket:"))
        self.assert_answers(instance)

    @harness.needs("nginx")
    def test_nginx_does_not_find_its_address_in_what_it_is_given(self):
        """-l is another address to it than its configuration has: it binds."""
        instance = self.serve("-w", 1, *LISTEN, "--env", "NGINX=3;", "--",
                              *self.nginx("0.0.0.0:3000"))
        self.assert_answers(instance)
        self.assertNotIn("bind() to", (self.dir / "error.log").read_text())

    @harness.needs("haproxy")
    def test_haproxy_binds(self):
        config = self.proxy_files("127.0.0.1:3000", "haproxy")
        self.assert_answers(self.serve("-w", 1, *LISTEN, "--", "haproxy", "-db", "-f", config))

    @harness.needs("haproxy")
    def test_haproxy_takes_what_its_configuration_names(self):
        config = self.proxy_files("fd@3", "haproxy")
        self.assert_answers(self.serve("-w", 1, *LISTEN, "--", "haproxy", "-db", "-f", config))

    def test_a_server_that_is_known_to_bind(self):
        """It is ready when it listens, and not after --min-uptime."""
        java = self.script("java", "sleep 2; exec " + " ".join(map(str, self.binder())))
        instance = self.serve("-w", 1, *LISTEN, "--", java, "-jar", "app.jar")
        ready, = self.events(instance, "worker_state", state="ready")
        self.assertGreaterEqual(ready["after_ms"], 2000)
        self.assertEqual(ask(HERE)["result"], "ok")
        self.assertEqual(instance.stop(), 0)

    def test_where_bind_can_not_be_answered(self):
        above = ("python3", "-c", LISTENER_ABOVE)
        instance = self.start("-w", 1, *LISTEN, "--", WORKER, "--notify", prefix=above).ready()
        line, = instance.log_lines("bind_not_answered")
        self.assertIn("seccomp", line.fields["why"])
        self.assertEqual(self.stickyctl("stop").returncode, 0)
        instance.wait()
        result = self.run_program(*above, STICKYCTL, "start", "-w", "1", "--", *BOUND)
        self.assert_message(result, "-l", "seccomp", code=FAILED)


class NotUsed(BindTestCase):
    """Workers that get sockets by LISTEN_FDS, and bind an address of their own instead."""

    HANG = ("--hang-timeout", "600ms")

    def problem(self, instance):
        lines = instance.run("status").stdout.splitlines()
        return lines[:lines.index("")]

    def assert_told(self, instance):
        line, = instance.log_lines("sockets_not_used")
        self.assertEqual(line.level, "warn")
        self.assertEqual(line.fields["listens_on"], "127.0.0.1:4000")
        self.assertIn("--worker=bind", line.fields["hint"])
        worker = instance.workers()[0]
        self.assertEqual(worker["sockets_not_used"], {"listens_on": "127.0.0.1:4000"})
        text = "\n".join(self.problem(instance))
        self.assertIn("listens on 127.0.0.1:4000", text)
        self.assertIn("--worker=bind", text)
        self.assertNotIn("restart 0", text)

    def check(self, *options):
        """It is told at the start, and again when a client has waited in vain."""
        instance = self.serve("-w", 1, *LISTEN, *self.HANG, *options, "--",
                              *self.binder("127.0.0.1:4000"))
        wait_for("it to be noticed", lambda: instance.log_lines("sockets_not_used"))
        self.assert_told(instance)
        with client_socket(HERE):
            hung, = wait_for("a hung worker", lambda: instance.log_lines("worker_hung"))
            self.assertIn("--worker=bind", hung.fields["hint"])
            self.assertNotIn("gdb", hung.fields["hint"])
            self.assert_told(instance)
        self.assertEqual(instance.stop("--now"), 0)

    def test_activation(self):
        self.check("--worker", "activation")

    def test_auto(self):
        self.check()

    def test_it_binds_late(self):
        """Later than --min-uptime: it is seen when clients wait."""
        late = self.script("late", "sleep 1; exec " + " ".join(map(str, self.binder(
            "127.0.0.1:4000"))))
        instance = self.serve("-w", 1, *LISTEN, "--worker", "activation", "--min-uptime", "100ms",
                              *self.HANG, "--", late)
        wait_for("it to listen", lambda: not is_refused(("127.0.0.1", 4000)))
        with client_socket(HERE):
            wait_for("a hung worker", lambda: instance.log_lines("worker_hung"))
            self.assert_told(instance)
        self.assertEqual(instance.stop("--now"), 0)

    def serves(self, body):
        """A worker that uses descriptor 3, and listens elsewhere, too."""
        server = self.write("both.py", "import select, socket, time\n"
                            "more = socket.create_server(('127.0.0.1', 4000))\n"
                            "server = socket.socket(fileno=3)\n" + textwrap.dedent(body))
        instance = self.serve("-w", 1, *LISTEN, "--worker", "activation", *self.HANG, "--",
                              "python3", "-S", server)
        with client_socket(HERE) as one, client_socket(HERE) as two:
            one.sendall(b"x")
            two.sendall(b"x")
            wait_for("a hung worker", lambda: instance.log_lines("worker_hung"))
        self.assertEqual(instance.log_lines("sockets_not_used"), [])
        self.assertIsNone(instance.workers()[0]["sockets_not_used"])
        self.assertEqual(instance.stop("--now"), 0)

    def test_one_that_accepts(self):
        self.serves("""
            client, _ = server.accept()
            time.sleep(1000)
            """)

    def test_one_that_polls(self):
        self.serves("""
            poll = select.epoll()
            poll.register(server)
            time.sleep(1000)
            """)

    def test_one_that_does_not_block(self):
        self.serves("""
            server.setblocking(False)
            select.select([server], [], [])
            time.sleep(1000)
            """)

    def test_one_that_uses_them_later(self):
        """What was told of it is not told any more."""
        server = self.write("later.py", textwrap.dedent("""
            import os, socket, time
            more = socket.create_server(('127.0.0.1', 4000))
            while not os.path.exists("go"):
                time.sleep(0.05)
            while True:
                socket.socket(fileno=os.dup(3)).accept()
            """))
        instance = self.serve("-w", 1, *LISTEN, "--worker", "activation", "--", "python3", "-S",
                              server, cwd=self.dir)
        instance.wait_status("it to be noticed", lambda status: (
            status["workers"][0]["sockets_not_used"]))
        self.write("go", "")
        instance.wait_status("it to be forgotten", lambda status: not (
            status["workers"][0]["sockets_not_used"]))
        self.assertEqual(instance.stop("--now"), 0)

    def test_one_that_has_bound_nothing_yet(self):
        """With auto it may be a server that starts slowly."""
        for options, told in (((), True), (("--worker", "activation"), False)):
            instance = self.serve("-w", 1, *LISTEN, *options, *self.HANG, "--", "sleep", "1000")
            with client_socket(HERE):
                hung, = wait_for("a hung worker", lambda: instance.log_lines("worker_hung"))
            self.assertEqual("--worker=bind" in hung.fields["hint"], told)
            self.assertEqual(instance.log_lines("sockets_not_used"), [])
            self.assertEqual(instance.stop("--now"), 0)

    def test_the_address_is_in_use(self):
        """Two workers bind it: the second one can't."""
        for options, port in ((("--worker", "activation"), 4000), ((), 4000),
                              (("--worker", "activation"), 3000)):
            instance = self.start("-w", 2, *LISTEN, *options, "--",
                                  *self.binder(f"127.0.0.1:{port}"))
            exits = wait_for("a worker to end", lambda: instance.log_lines("worker_exit"))
            self.assertIn("--worker=bind", exits[0].fields["hint"])
            self.stickyctl("stop", "--now")
            instance.wait()


# Starts a server in a session of its own, as a daemon does, and exits.
DAEMONIZE = r"""
import os, sys, time
if not os.fork():
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    if not os.fork():
        time.sleep(0.3)
        os.execvp(sys.argv[1], sys.argv[1:])
    os._exit(0)
"""


class Background(BindTestCase):
    """A server that goes to the background is no worker."""

    def check(self, *command, options=BIND):
        instance = self.start("-w", 1, *LISTEN, *options, "--", *command)
        wait_for("the end", lambda: "went to the background as pid" in instance.errors)
        # The start fails, unless the daemon binds the address before its parent has ended.
        if instance.log_lines("started"):
            self.assertEqual(instance.stop("--now"), 0)
        else:
            self.assertEqual(instance.wait(), FAILED, instance.errors)
        self.assertIn("in the foreground", instance.errors)
        self.assertTrue(instance.log_lines("went_to_background"))
        # What was left does not keep the address.
        wait_for("no process to be left", lambda: not world.other_processes())
        self.assertEqual(listening_sockets(), [])
        instance = self.serve_bound(1)
        self.assertEqual(instance.stop(), 0)

    @harness.needs("redis-server")
    def test_redis(self):
        self.check("redis-server", "--port", "3000", "--bind", "127.0.0.1", "--save", "",
                   "--daemonize", "yes", "--dir", self.dir)

    def test_a_session_of_its_own(self):
        daemonize = self.write("daemonize.py", DAEMONIZE)
        for options in (BIND, (), ("--worker", "activation")):
            self.check("python3", "-S", daemonize, *self.binder(), options=options)

    def test_another_environment(self):
        """The daemon has the worker's output still."""
        daemonize = self.write("daemonize.py", DAEMONIZE)
        self.check("python3", "-S", daemonize, "env", "-i", "PATH=/bin:/usr/bin:/usr/local/bin",
                   *self.binder())

    def test_a_shell(self):
        self.check("sh", "-c", " ".join(map(str, self.binder())) + " & exit 0")

    @harness.needs("nginx")
    def test_nginx(self):
        config = self.write("nginx.conf", f"events {{}} pid {self.dir}/nginx.pid; http {{ server "
                            "{ listen 127.0.0.1:3000; } }")
        instance = self.start("-w", 1, *LISTEN, *BIND, "--", "nginx", "-c", config, "-e",
                              self.dir / "error.log", "-g", "user root;")
        # It is ready when it listens, and goes to the background then.
        instance.wait_status("it to be ended", lambda status: (
            status["workers"][0]["restarts"] > 2))
        last = instance.workers()[0]["last_exit"]
        self.assertIn("went to the background as pid", last["text"])
        self.assertIn("in the foreground", last["hint"])
        self.assertEqual(instance.stop("--now"), 0)
        wait_for("no process to be left", lambda: not world.other_processes())

    def test_one_that_only_ends(self):
        instance = self.start("-w", 1, *LISTEN, *BIND, "--", "true")
        self.assert_failed(instance, "exited with code 0")
        self.assertNotIn("background", instance.errors)


class Refused(BindTestCase):
    def test_never_binds(self):
        instance = self.start("-w", 1, *LISTEN, *BIND, "--ready-timeout", "500ms", "--", "sleep",
                              "1000")
        self.assert_failed(instance, "it has not bound 127.0.0.1:3000", "--worker=activation",
                           "--ready-timeout")

    def test_binds_elsewhere(self):
        instance = self.start("-w", 1, *LISTEN, *BIND, "--ready-timeout", "500ms", "--", WORKER,
                              "--bind", "127.0.0.1:4000")
        self.assert_failed(instance, "it has not bound 127.0.0.1:3000, but 127.0.0.1:4000")

    def test_never_listens(self):
        server = self.write("mute.py", "import socket, time\nserver = socket.socket()\n"
                            "server.bind(('127.0.0.1', 3000))\ntime.sleep(1000)\n")
        instance = self.start("-w", 1, *LISTEN, *BIND, "--ready-timeout", "700ms", "--", "python3",
                              "-S", server)
        self.assert_failed(instance, "it has bound 127.0.0.1:3000, and not called listen()")

    def test_what_it_can_not_be_combined_with(self):
        for options, word in ((("--behind-proxy", "xff"), "--behind-proxy"),
                              (("--steering", "user"), "--steering=user"),
                              (("--slot-listen", "127.0.0.1:90{slot}"), "--slot-listen")):
            result = self.stickyctl("start", *LISTEN, *BIND, *options, "--", *BOUND)
            self.assert_message(result, "--worker=bind", word, code=USAGE)

    def test_another_listener_above(self):
        result = self.run_program("python3", "-c", LISTENER_ABOVE, STICKYCTL, "start", "-w", "1",
                                  *LISTEN, *BIND, "--", *BOUND)
        self.assert_message(result, "--worker=bind", "seccomp", "--worker=activation", code=FAILED)

    def test_where_seccomp_is_forbidden(self):
        result = self.stickyctl("start", "-w", "1", *LISTEN, *BIND, "--", *BOUND,
                                preexec_fn=forbid_seccomp)
        self.assert_message(result, "--worker=bind", "forbids seccomp()", "--worker=activation",
                            code=NOT_PERMITTED)
        instance = self.serve("-w", 1, *LISTEN, "--", WORKER, "--notify",
                              preexec_fn=forbid_seccomp)
        self.assertEqual(len(instance.log_lines("bind_not_answered")), 1)
        self.assertEqual(instance.stop(), 0)

    def test_what_doctor_says(self):
        result = self.run_program("python3", "-c", LISTENER_ABOVE, STICKYCTL, "doctor")
        self.assertRegex(result.stdout, "warning +bind +another program .*seccomp")

    def test_what_is_no_command(self):
        for words in (["bind-keeper"], ["bind-exec"], ["bind-exec", "9", "9", "5", "1", "a"],
                      ["bind-exec", "9", "9", "1", "1", "a", "b"]):
            result = self.stickyctl(*words)
            self.assert_message(result, "stickyctl start", code=USAGE)


if __name__ == "__main__":
    harness.main()
