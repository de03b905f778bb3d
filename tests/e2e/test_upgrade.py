#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`stickyctl upgrade`: connections that wait in the controller are carried over. If an upgrade is
impossible, an error is reported at once, and the controller goes on."""

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import time

import harness
from clients import HERE, LISTEN, ask
from harness import needs
from lifecycle import WORKERS, LifecycleTestCase
from nodejs import NodeTestCase, ask_http, sources
from passing import PROXY, TAKER, XFF, PassingTestCase, forwarded, parse, proxy_v2, request
from privilege import as_nobody, copy_program
from programs import FAILED, NOT_PERMITTED, STICKYCTL, WORKER
from proxies import FRONT, PROXIED, ProxyTestCase, target
from world import BPFFS, patience, status_of, wait_for

BAD_CONFIG = 78
AT_ONCE_S = 2  # time within which an upgrade that fails must be reported

ON_THE_WAY = 128  # connections that are sent to a worker before it accepts the first of them


@contextlib.contextmanager
def stopped(pid):
    """Stop the process during the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class Carried(PassingTestCase):
    """Connections that wait in the controller: for room at their worker, or for their head."""

    def upgrade(self, instance):
        result = instance.run("upgrade")
        self.assertEqual(result.returncode, 0, result.stderr)

    def check_waiting(self, how, text_of):
        """Check that connections for a worker that accepts nothing are carried over twice, in
        order, and none is lost."""
        instance = self.serve_takers(2, *how)
        names = self.public_of(instance, 1, ON_THE_WAY + 60)
        pid = instance.workers()[1]["pid"]
        clients = []

        def wait_in_line(count):
            for name in names[len(clients):len(clients) + count]:
                clients.append(self.open(text=text_of(name) + request()))
                # Two dispatchers would submit two connections in any order.
                self.wait_counters(instance, dispatched=len(clients), pending_heads=0)
                self.wait_held(instance, max(0, len(clients) - ON_THE_WAY))

        with stopped(pid):
            wait_in_line(ON_THE_WAY + 50)
            self.upgrade(instance)
            wait_in_line(10)
            self.upgrade(instance)
            self.wait_held(instance, 60)
            self.assertEqual(self.asked(text_of(self.public_of(instance, 0)[0]) + request())["slot"],
                             0)
        answers = [parse(text or b"") for text, _ in self.collect(clients)]
        self.assertEqual([len(answer) for answer in answers], [1] * len(clients))
        self.assertEqual([answer["client"] for answer, in answers], names)
        self.assertEqual([answer["nth"] for answer, in answers], sorted(
            answer["nth"] for answer, in answers), "in their order")
        self.assertEqual({(answer["slot"], answer["pid"]) for answer, in answers}, {(1, pid)})
        self.assertEqual(instance.stop(), 0)

    def test_waiting_by_proxy(self):
        self.check_waiting(PROXY, proxy_v2)

    def test_by_the_control_socket(self):
        """A client of HTTP/1.1 need not close its connection before the upgrade begins."""
        instance = self.serve_takers(1, *PROXY)
        with instance.control() as connection:
            code, answer = connection.ask("/v1/upgrade", "POST")
            self.assertEqual((code, answer["upgrade"], answer["number"]), (200, "begun", 1))
            instance.wait_status("the next program", lambda status: status[
                "started_at"] != answer["started_at"], AT_ONCE_S)
        self.assertEqual(instance.stop(), 0)

    def check_on_the_way(self, replace):
        """Check that connections which were sent to a worker, but not accepted, go to the next
        worker, too."""
        idle = self.script("idle", f"[ $STICKY_GENERATION = 1 ] && set -- --no-accept\n"
                                   f'exec {TAKER} --stay "$@"')
        instance = self.serve_takers(1, *PROXY, command=[idle])
        names = [f"203.0.113.{number}" for number in range(1, ON_THE_WAY + 20)]
        clients = [self.open(text=proxy_v2(name) + request()) for name in names]
        self.wait_held(instance, len(clients) - ON_THE_WAY)
        self.upgrade(instance)
        self.wait_held(instance, len(clients) - ON_THE_WAY)
        replace(instance)
        answers = [parse(text or b"") for text, _ in self.collect(clients)]
        self.assertEqual([len(answer) for answer in answers], [1] * len(clients))
        self.assertEqual([answer["client"] for answer, in answers], names)
        self.assertEqual({answer["gen"] for answer, in answers}, {2})
        self.wait_counters(instance, handed=len(clients))
        self.assertEqual(instance.stop(), 0)

    def test_on_the_way_to_a_worker_that_dies(self):
        self.check_on_the_way(lambda instance: self.kill_worker(instance, 0))

    def test_on_the_way_to_a_worker_that_is_stopped(self):
        """The worker gives the connections back: see sticky_process_stopping()."""
        def reload(instance):
            result = instance.run("reload", "--wait=drained")
            self.assertEqual(result.returncode, 0, result.stderr)

        self.check_on_the_way(reload)

    def check_heads(self, how, text_of, count=40):
        instance = self.serve_takers(2, *how)
        names = [f"203.0.113.{number}" for number in range(1, count + 1)]
        slots = self.slots_of(instance, names)
        halves = [(text_of(name)[:11 + number % 5], text_of(name)[11 + number % 5:])
                  for number, name in enumerate(names)]
        clients = [self.open(text=first) for first, _ in halves]
        self.wait_pending(instance, count)
        dispatched, = self.counters(instance, "dispatched")
        for _ in range(3):
            self.upgrade(instance)
            self.wait_pending(instance, count)
        for client, (_, rest) in zip(clients, halves):
            client.sendall(rest)
        answers = [parse(text or b"") for text, _ in self.collect(clients)]
        self.assertEqual([(answer["client"], answer["slot"]) for answer, in answers],
                         [(name, slots[name]) for name in names])
        self.assertEqual(self.counters(instance, "dispatched", "bad_proxy_header", "head_timeout"),
                         (dispatched, 0, 0))
        self.assertEqual(instance.stop(), 0)

    def test_half_a_header(self):
        self.check_heads(XFF, forwarded)

    def test_half_a_proxy_header(self):
        self.check_heads(PROXY, lambda name: proxy_v2(name) + request())

    def test_they_go_on_if_it_fails(self):
        """The program exists when it is checked, and is gone when it is to be executed."""
        program = self.dir / "stickyctl"
        shutil.copy(STICKYCTL, program)
        instance = self.serve_takers(1, *PROXY, program=program)
        header = proxy_v2("203.0.113.1")
        half = self.open(text=header[:12])
        self.wait_pending(instance, 1)
        with stopped(instance.workers()[0]["pid"]):
            clients = [self.open(text=header + request()) for _ in range(ON_THE_WAY + 20)]
            self.wait_held(instance, 20)
            self.script("new", f'rm {program}; exec {STICKYCTL} "$@"').rename(program)
            self.assert_message(instance.run("upgrade"), "No such file", code=FAILED)
            self.wait_pending(instance, 1)
            self.wait_held(instance, 20)
        half.sendall(header[12:] + request())
        answers = [parse(text or b"") for text, _ in self.collect([*clients, half])]
        self.assertEqual([len(answer) for answer in answers], [1] * len(answers))
        descriptors = instance.descriptors()
        self.assert_message(instance.run("upgrade"), str(program), code=FAILED)
        instance.wait_descriptors(descriptors)
        self.assertEqual(instance.stop(), 0)


BROADCASTS = """
    const http = require("http");
    process.on('message', message => {
      if (message.source === '_sio_adapter') console.error('heard %d', message.data.length);
    });
    http.createServer((request, response) => {
      if (request.url === '/send')
        for (let i = 0; i < 40; i++)
          process.send({source: '_sio_adapter', uid: 'u' + process.pid, nsp: '/', type: 3,
                        data: 'x'.repeat(100000 + i)});
      response.end(who(request.socket) + '\\n');
    }).listen(3000, '127.0.0.1');
    """


class Unsent(NodeTestCase):
    """Messages wait in the controller for a Node.js worker that does not read. If the rest of a
    message that was sent in part were lost, the worker could read no later one."""

    def serve_talkers(self):
        instance = self.serve_node(self.app(BROADCASTS))
        sender = next(source for source in sources(50) if instance.where(source)["slot"] == 0)
        return instance, sender, self.pids(instance)[1]

    def wait_heard(self, instance, count):
        lengths = [str(100000 + number) for number in range(count)]
        wait_for("all messages", lambda: [line.split()[-1] for line in instance.errors.splitlines()
                                          if "heard" in line] == lengths)

    def test_it_waits_for_a_moment(self):
        instance, sender, pid = self.serve_talkers()
        pids = self.pids(instance)
        with stopped(pid):
            ask_http(HERE, sender, "/send")
            upgrade = self.program(STICKYCTL, "upgrade")
            instance.wait_status("the upgrade", lambda status: status["upgrade"][
                "state"] == "running")
            time.sleep(0.3)  # the new program has been checked by then
        self.assertEqual(upgrade.wait(), 0, upgrade.errors)
        self.wait_heard(instance, 40)
        self.assertEqual(self.pids(instance), pids)
        self.assertEqual(instance.stop(), 0)

    def test_it_is_told(self):
        instance, sender, pid = self.serve_talkers()
        with stopped(pid):
            ask_http(HERE, sender, "/send")
            begin = time.monotonic()
            result = instance.run("upgrade")
            self.assertLess(time.monotonic() - begin, patience(AT_ONCE_S + 1))
            self.assert_message(result, f"pid {pid} in slot 1 does not read", code=FAILED)
        self.wait_heard(instance, 40)
        self.assertEqual(instance.run("upgrade").returncode, 0)
        self.assertEqual(instance.stop(), 0)


class UnderLoad(ProxyTestCase):
    """Upgrades in a row behind HAProxy, while more connections come than the workers can take."""

    @needs("haproxy")
    def test_upgrades_while_connections_wait(self):
        instance = self.serve_takers(*PROXIED, taker=("--accept-pause", "4"))
        self.haproxy(mode="tcp", server="send-proxy-v2")
        held = []
        with self.load("--http", "--target", target(FRONT["4"]), rate=2000) as load:
            for _ in range(8):
                held.append(instance.wait_status(
                    "connections to wait", lambda status: status["held"] > 0)["held"])
                result = instance.run("upgrade")
                self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_nobody_lost(load.counts, least=200)
        self.assert_counters(instance, answered_502=0, bad_proxy_header=0, head_timeout=0)
        self.assertEqual(instance.stop(), 0)


class Refused(LifecycleTestCase):
    """A mistake is reported at once with its remedy, and the controller goes on."""

    def setUp(self):
        super().setUp()
        self.program_path = self.dir / "stickyctl"
        shutil.copy(STICKYCTL, self.program_path)

    def serve_copy(self, *arguments, slots=1, command=(WORKER, "--notify")):
        return self.serve("-w", slots, *WORKERS, *arguments, "--", *command,
                          program=self.program_path)

    def install(self, text):
        """Put a script in the program's place. $REAL is a stickyctl."""
        self.script("new", f"REAL={STICKYCTL}\n{text}").rename(self.program_path)

    def check(self, instance, *words, code=FAILED, seconds=AT_ONCE_S):
        before = instance.status()
        begin = time.monotonic()
        result = instance.run("upgrade")
        self.assertLess(time.monotonic() - begin, patience(seconds))
        self.assert_message(result, *words, code=code)
        self.assertNotIn(";\n", result.stderr.replace("; \n", ";\n"))
        after = instance.status()
        for name in ("pid", "started_at"):
            self.assertEqual(after[name], before[name])
        self.assertIn(ask(HERE)["pid"], self.pids(instance))
        return after

    def check_mended(self, instance):
        """Check that the upgrade succeeds when the program is a good one."""
        shutil.copy(STICKYCTL, self.dir / "good")
        (self.dir / "good").rename(self.program_path)
        pids = self.pids(instance)
        result = instance.run("upgrade")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.pids(instance), pids)
        self.assertEqual(instance.status()["upgrade"],
                         {"state": "idle", "number": 0, "error": None, "exit_code": None})
        self.assertEqual(instance.stop(), 0)

    def test_not_executable(self):
        instance = self.serve_copy()
        self.program_path.chmod(0o644)
        status = self.check(instance, str(self.program_path), "Permission denied", "tries again")
        self.assertEqual((status["upgrade"]["state"], status["upgrade"]["number"],
                          status["upgrade"]["exit_code"]), ("failed", 1, FAILED))
        self.assertIn("Permission denied", status["upgrade"]["error"])
        self.assertEqual(len(self.events(instance, "upgrade_failed")), 1)
        self.check_mended(instance)

    def test_not_there(self):
        instance = self.serve_copy()
        self.program_path.unlink()
        self.check(instance, str(self.program_path), "No such file")
        self.check_mended(instance)

    def test_no_program(self):
        instance = self.serve_copy()
        self.program_path.unlink()
        self.write("stickyctl", "\0\1no program", 0o755)
        self.check(instance, str(self.program_path))
        self.check_mended(instance)

    def test_another_program(self):
        """The program is not stickyctl, or an old stickyctl without upgrade-check."""
        instance = self.serve_copy()
        self.install("[ $1 = version ] && exit; echo \"stickyctl: no such command: $1\" >&2; exit 2")
        self.check(instance, "no stickyctl that can go on", "no such command: upgrade-check")
        self.install("exit 0")
        self.check(instance, "no stickyctl that can go on")
        self.install("yes 'much of it'")
        self.check(instance, "no stickyctl that can go on")
        self.check_mended(instance)

    def test_one_that_does_not_end(self):
        """The instance serves meanwhile, and the program is killed."""
        instance = self.serve_copy()
        self.install("exec sleep 1000")
        upgrade = self.program(STICKYCTL, "upgrade")
        instance.wait_status("the upgrade", lambda status: status["upgrade"]["state"] == "running")
        self.assertIn(ask(HERE)["pid"], self.pids(instance))
        self.assert_message(instance.run("upgrade"), "another one is running", code=FAILED)
        self.assertEqual(upgrade.wait(), FAILED)
        self.assertIn("does not say within 3 s", upgrade.errors)
        self.check_mended(instance)

    def test_another_version_of_what_is_carried(self):
        instance = self.serve_copy()
        self.install('shift 2; exec $REAL upgrade-check 999 "$@"')
        self.check(instance, "would not start", "of a version that can't go on")
        self.check_mended(instance)

    def test_an_option_that_it_does_not_know(self):
        instance = self.serve_copy()
        self.install('shift 3; exec $REAL upgrade-check 1 start --no-such-option "$@"')
        self.check(instance, "would not start", "--no-such-option")
        self.check_mended(instance)

    def test_configuration_that_is_bad_now(self):
        path = self.write("config.yaml", "backlog: 100\n")
        instance = self.serve_copy("-c", path)
        self.write("config.yaml", "backlog: many\n")
        self.check(instance, "would not start", "config.yaml:1", code=BAD_CONFIG)
        self.write("config.yaml", "backlog: 100\n")
        self.check_mended(instance)

    def test_ranges_that_are_bad_now(self):
        path = self.write("proxies", "127.0.0.0/8\n")
        instance = self.serve("-w", 1, *LISTEN, "--ready", "notify", "--behind-proxy", "proxy",
                              "--trusted-proxy", f"@{path}", "--", TAKER)
        before = instance.status()["started_at"]
        self.write("proxies", "127.0.0.0/99\n")
        self.assert_message(instance.run("upgrade"), "would not start", str(path), code=BAD_CONFIG)
        self.assertEqual(instance.status()["started_at"], before)
        self.write("proxies", "127.0.0.0/8\n")
        self.assertEqual(instance.run("upgrade").returncode, 0)
        self.assertEqual(instance.stop(), 0)

    def test_state_of_another_version(self):
        instance = self.serve_copy()
        with open(instance.directory / "slots", "r+b") as state:
            version = state.read(4)
            state.seek(0)
            state.write(struct.pack("I", 999))
            state.flush()
            self.check(instance, "would not start", "of another version")
            state.seek(0)
            state.write(version)
        self.check_mended(instance)

    def test_maps_that_it_can_not_use(self):
        instance = self.serve_copy()
        pins, = os.scandir("/sys/fs/bpf/sticky")
        other = f"{pins.path}-other"
        os.rename(pins.path, other)
        self.check(instance, "would not start", "can't use the maps")
        os.rename(other, pins.path)
        self.check_mended(instance)

    def serve_as_nobody(self):
        os.chmod(BPFFS, 0o1777)
        self.dir.chmod(0o777)
        worker = copy_program(WORKER, self.dir)
        return self.serve("-w", 1, *WORKERS, "--", worker, "--notify", program=self.program_path,
                          prefix=as_nobody("bpf", "net_bind_service", "sys_ptrace"))

    def test_capabilities_of_the_service_manager(self):
        """The capabilities are passed on to the next program, and to no worker."""
        instance = self.serve_as_nobody()
        pids = self.pids(instance)
        for _ in range(2):
            result = instance.run("upgrade", prefix=as_nobody())
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(self.pids(instance), pids)
        self.script("new", "exit 1").rename(self.program_path)
        self.assertEqual(instance.run("upgrade", prefix=as_nobody()).returncode, FAILED)
        for pid in (instance.pid, self.kill_and_wait(instance)):
            self.assertEqual({status_of(pid)[name].strip("0") for name in ("CapInh", "CapAmb",
                                                                           "CapEff")}, {""})
        self.assertEqual(instance.stop(), 0)

    def kill_and_wait(self, instance):
        """Kill the slot's worker. Returns the pid of the next one."""
        self.kill_worker(instance, 0)
        return self.wait_generation(instance, 2)["pid"]

    def test_without_the_capability(self):
        instance = self.serve_as_nobody()
        self.script("new", f'exec setpriv --inh-caps=-all --ambient-caps=-all {STICKYCTL} "$@"'
                    ).rename(self.program_path)
        self.check(instance, "can't use the maps", "CAP_BPF", code=NOT_PERMITTED)
        self.assertEqual(instance.stop(), 0)

    def test_state_that_can_not_be_written(self):
        instance = self.serve_copy()
        subprocess.run(["mount", "--bind", instance.directory, instance.directory], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", instance.directory], check=True)
            self.check(instance, "no room for a new state file", "Read-only file system")
        finally:
            subprocess.run(["umount", "--lazy", instance.directory], check=True)
        self.check_mended(instance)

    def test_during_a_reload(self):
        """The reload may also begin after the upgrade."""
        command = self.switchable_worker("slow) exec $WORKER;;")
        instance = self.serve_copy(command=[command])
        self.install('sleep 0.3; exec $REAL "$@"')
        upgrade = self.program(STICKYCTL, "upgrade")
        instance.wait_status("the upgrade", lambda status: status["upgrade"]["state"] == "running")
        self.mode("slow")
        self.assertEqual(instance.run("reload").returncode, 0)
        self.assertEqual(upgrade.wait(), FAILED)
        self.assertIn("a reload is running", upgrade.errors)
        self.check(instance, "a reload is running")

    def test_during_a_stop(self):
        instance = self.serve_copy("--stop-delay", "60s")
        instance.send(signal.SIGTERM)
        wait_for("the stop", lambda: instance.log_lines("stopping"))
        self.check(instance, "the instance is stopping")
        instance.send(signal.SIGQUIT)
        self.assertEqual(instance.wait(), 0)

    def test_one_that_ends_nevertheless(self):
        """The new controller ends all the same. This is reported at once, and the workers serve
        on."""
        instance = self.serve_copy()
        pids = self.pids(instance)
        self.install('[ $1 = upgrade-check ] && exec $REAL "$@"; exit 1')
        begin = time.monotonic()
        result = instance.run("upgrade")
        self.assertLess(time.monotonic() - begin, patience(AT_ONCE_S))
        self.assert_message(result, "the new controller has ended", "'stickyctl start'",
                            code=FAILED)
        self.assertIn(ask(HERE)["pid"], pids)
        instance.wait()
        successor = self.serve(*instance.arguments[2:])
        self.assertEqual(self.pids(successor), pids)
        self.assertEqual(successor.stop(), 0)

    def test_a_signal_meanwhile(self):
        """The signal does not end the new program: it handles it."""
        instance = self.serve_copy()
        pid, = self.pids(instance)
        began = self.dir / "began"
        # A shell is not suitable: it clears the signal mask.
        self.write("new", f"""#!{sys.executable} -B
import os, pathlib, sys, time
if sys.argv[1] == "start":
    pathlib.Path({str(began)!r}).touch()
    time.sleep(0.3)
os.execv({str(STICKYCTL)!r}, ["stickyctl", *sys.argv[1:]])
""", 0o755).rename(self.program_path)
        upgrade = self.program(STICKYCTL, "upgrade")
        wait_for("the new program", began.exists)
        instance.send(signal.SIGTERM)
        self.assertEqual(instance.wait(), 0)
        self.wait_gone(pid)
        upgrade.wait()


if __name__ == "__main__":
    harness.main()
