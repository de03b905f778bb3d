#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The controller dies: its workers serve on, and the next controller goes on with them."""

import contextlib
import fcntl
import os
import random
import shutil
import signal
import subprocess
import time

import harness
import world
from clients import HERE, ask, is_refused
from lifecycle import WORKERS, LifecycleTestCase, Line
from privilege import NOBODY, without
from programs import ALREADY_RUNNING, FAILED, NOT_RUNNING, STICKYCTL, WORKER
from world import wait_for

KILLS = 10


def lock_as_nobody(path, log):
    """In a child: wait for a read lock on a file, and hold it. Returns the child's pid."""
    child = os.fork()
    if child:
        return child
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        with open(path, "rb") as file:
            os.write(log, b"waits ")
            fcntl.lockf(file, fcntl.LOCK_SH)
            os.write(log, b"locked")
            signal.pause()
    except PermissionError as error:
        os.write(log, error.strerror.encode())
    finally:
        os._exit(0)


class TakeoverTestCase(LifecycleTestCase):
    def start_again(self, former, *arguments, command=(WORKER, "--notify"), slots=None, **options):
        """Another controller of the same name; `arguments` as for serve_workers()."""
        slots = slots or former.slots
        instance = self.start("-w", slots, *WORKERS, *arguments, "--", *command, **options)
        instance.slots = slots
        return instance

    def serve_workers(self, slots, *arguments, **options):
        instance = super().serve_workers(slots, *arguments, **options)
        instance.slots = slots
        return instance


class Takeover(TakeoverTestCase):
    """SIGKILL to the controller, then `start` again."""

    def test_workers_serve_meanwhile_and_afterwards(self):
        instance = self.serve_workers(4)
        before = instance.status()
        with self.load() as load:
            self.kill_controller(instance)
            self.assertEqual(instance.run("status").returncode, NOT_RUNNING)
            sources = [f"127.8.0.{number}" for number in range(1, 101)]
            served = {source: ask(HERE, source)["pid"] for source in sources}
            self.assertEqual(set(served.values()),
                             {worker["pid"] for worker in before["workers"]})
            successor = self.start_again(instance).ready()
            self.assertEqual({source: ask(HERE, source)["pid"] for source in sources}, served)
        self.assert_nobody_lost(load.counts)
        status = successor.status()
        for name in ("pid", "generation", "restarts", "buckets"):
            self.assertEqual([worker[name] for worker in status["workers"]],
                             [worker[name] for worker in before["workers"]], name)
        self.assertEqual(status["seed_id"], before["seed_id"])
        self.assertEqual(status["listeners"], before["listeners"])
        self.assertGreaterEqual(status["counters"]["steered"],
                                before["counters"]["steered"] + load.counts["answered"])
        for old, new in zip(before["workers"], status["workers"]):
            self.assertGreaterEqual(new["uptime_ms"], old["uptime_ms"])
        self.assertEqual(len(self.events(successor, "worker_adopted")), 4)
        self.assert_counters(successor)
        self.assertEqual(successor.stop(), 0)
        self.assertTrue(is_refused(HERE))

    def test_everything_works_afterwards(self):
        """Respawn, reload, scale, drain, and another takeover."""
        instance = self.serve_workers(2)
        self.kill_controller(instance)
        successor = self.start_again(instance).ready()
        with self.load() as load:
            self.assertEqual(successor.run("reload", "--wait=drained").returncode, 0)
            self.wait_all_ready(successor, 2)
        self.assert_nobody_lost(load.counts)
        killed = self.kill_worker(successor, 1)
        worker = self.wait_generation(successor, 3, slot=1)
        self.assertEqual((worker["restarts"], worker["last_exit"]["signal"]), (1, "SIGKILL"))
        self.wait_gone(killed)
        self.kill_controller(successor)
        third = self.start_again(instance).ready()
        self.assertEqual(self.generations(third), [2, 3])
        self.assertEqual([worker["restarts"] for worker in third.workers()], [0, 1])
        killed = self.kill_worker(third, 0)
        self.wait_generation(third, 3, slot=0)
        self.wait_gone(killed)
        self.assertEqual(third.run("scale", "3").returncode, 0)
        self.wait_all_ready(third)
        self.assertEqual(third.run("drain", "2").returncode, 0)
        third.wait_status("the drained slot", lambda status: status["workers"][2][
            "state"] == "drained")
        self.assertEqual(third.terminate(), 0)

    def test_from_another_mount_namespace(self):
        """It has the same BPF file system, as systemd's services have it: that is no limit. With
        one of its own, the log warns."""
        instance = self.serve_workers(2, prefix=("unshare", "--mount"))
        before = self.pids(instance)
        self.assertFalse(instance.log_lines("takeover_limited"))
        self.kill_controller(instance)
        successor = self.start_again(instance, prefix=("unshare", "--mount")).ready()
        self.assertEqual(self.pids(successor), before)
        self.assertEqual(successor.stop(), 0)
        own = self.script("own", f"mount -t bpf bpf {world.BPFFS} && exec \"$@\"")
        instance = self.serve_workers(1, prefix=("unshare", "--mount", own))
        self.assertTrue(instance.log_lines("takeover_limited"))
        self.kill_controller(instance)
        successor = self.start_again(instance, prefix=("unshare", "--mount", own)).ready()
        failed, = successor.log_lines("takeover_failed")
        self.assertIn("mount namespace", failed.fields["hint"])
        self.assertEqual(successor.stop(), 0)

    def test_from_another_mount_namespace_of_a_container(self):
        """The same, where the root directory of PID 1 may not be looked at."""
        few = without("sys_ptrace")
        instance = self.serve_workers(1, prefix=("unshare", "--mount", *few))
        self.assertFalse(instance.log_lines("takeover_limited"))
        self.assertEqual(instance.stop(), 0)
        own = self.script("own", f"mount -t bpf bpf {world.BPFFS} && exec \"$@\"")
        instance = self.serve_workers(1, prefix=("unshare", "--mount", own, *few))
        self.assertTrue(instance.log_lines("takeover_limited"))
        self.assertEqual(instance.stop(), 0)

    def test_a_worker_that_died_meanwhile(self):
        instance = self.serve_workers(3)
        dead = self.pids(instance)[1]
        self.kill_controller(instance)
        os.kill(dead, signal.SIGKILL)
        self.wait_gone(dead)
        # Its clients are served by others rather than by nobody.
        self.assertIn(ask(HERE, "127.8.0.1")["slot"], (0, 1, 2))
        successor = self.start_again(instance).ready()
        self.assertEqual(self.generations(successor), [1, 2, 1])
        self.assertNotIn(dead, self.pids(successor))
        successor.stop()

    def test_all_workers_died_meanwhile(self):
        instance = self.serve_workers(2)
        self.kill_controller(instance)
        self.kill_everybody()
        wait_for("nobody", lambda: not world.other_processes())
        successor = self.start_again(instance).ready()
        self.assertIn(ask(HERE)["slot"], (0, 1))
        successor.stop()

    def kill_workers_and_controller(self, instance, slots):
        """Returns the pids that all workers had."""
        before = self.pids(instance)
        self.kill_controller(instance)
        for slot in slots:
            os.kill(before[slot], signal.SIGKILL)
            self.wait_gone(before[slot])
        return before

    def test_slots_are_filled_one_at_a_time(self):
        """As a reload would: never two new lives that are starting at once."""
        instance = self.serve_workers(4, command=(WORKER, "--notify-delay", "100"))
        before = self.kill_workers_and_controller(instance, (0, 2, 3))
        successor = self.start_again(instance, command=(WORKER, "--notify-delay", "100")).ready()
        self.wait_reload(successor)
        starting, most = 0, 0
        for event in self.events(successor, "worker_state"):
            starting += {"starting": 1, "ready": -1}.get(event["state"], 0)
            most = max(most, starting)
        self.assertEqual((starting, most), (0, 1))
        self.assertEqual(self.pids(successor)[1], before[1])
        self.assertEqual(successor.status()["reload"]["of"], 3)
        self.assertEqual(successor.stop(), 0)

    def test_one_that_fails_does_not_keep_the_others_out(self):
        worker = self.switchable_worker("broken) [ $STICKY_SLOT = 0 ] && exit 3;;")
        instance = self.serve_workers(4, command=(worker,))
        self.mode("broken")
        before = self.kill_workers_and_controller(instance, (0, 1, 2))
        successor = self.start_again(instance, command=(worker,))
        status = successor.wait_status("the others to be ready", lambda status: all(
            worker["state"] == "ready" for worker in status["workers"][1:]))
        self.assertEqual(status["workers"][3]["pid"], before[3])
        self.mode("good")
        self.wait_all_ready(successor)
        self.assertEqual(successor.stop(), 0)

    def test_a_worker_that_was_not_ready(self):
        command = self.switchable_worker("slow) exec $WORKER;;")
        instance = self.serve_workers(2, command=[command])
        self.mode("slow")
        killed = self.kill_worker(instance, 0)
        status = instance.wait_status("a starting worker", lambda status: status["workers"][0][
            "state"] == "starting" and status["workers"][0]["pid"] != killed)
        starting = status["workers"][0]["pid"]
        self.kill_controller(instance)
        self.mode("good")
        successor = self.start_again(instance, command=[command]).ready()
        self.wait_gone(starting)
        self.assertEqual(self.generations(successor), [3, 1])
        successor.stop()

    def test_a_reload_that_was_going_on(self):
        command = self.switchable_worker("slow) exec $WORKER;;")
        instance = self.serve_workers(2, command=[command])
        before = self.pids(instance)
        self.mode("slow")
        instance.run("reload")
        self.kill_controller(instance)
        successor = self.start_again(instance, command=[command]).ready()
        self.assertEqual(self.pids(successor), before)
        wait_for("the half-made life to be gone", lambda: len(world.but_keepers()) == 3)
        successor.stop()

    def test_draining_lives_are_watched(self):
        instance = self.serve_workers(1)
        line = Line(self)
        line.ask()
        instance.run("reload", "--wait")
        self.kill_controller(instance)
        successor = self.start_again(instance).ready()
        self.assertEqual(successor.workers()[0]["draining"], 1)
        self.assertEqual(line.ask()["gen"], 1)
        self.assertEqual(ask(HERE)["gen"], 2)
        line.socket.close()
        self.wait_drained(successor)
        self.assertEqual(successor.stop(), 0)

    def test_drained_stays_drained(self):
        instance = self.serve_workers(3, "--when-down", "spill")
        instance.run("drain", "1")
        instance.wait_status("the drained slot", lambda status: status["workers"][1][
            "state"] == "drained")
        self.kill_controller(instance)
        successor = self.start_again(instance, "--when-down", "spill").ready(slots=[0, 2])
        self.assertEqual(successor.workers()[1]["state"], "drained")
        self.assertEqual({ask(HERE, f"127.8.0.{number}")["slot"] for number in range(1, 60)},
                         {0, 2})
        self.assertEqual(successor.run("ready", "1").returncode, 0)
        self.wait_generation(successor, 2, slot=1)
        successor.stop()

    def test_spilled_before_and_held_now(self):
        """The kernel's table is as the new command line wants it, whatever it was."""
        instance = self.serve_workers(2, "--when-down", "spill")
        source = self.sources_of(instance, 1, 1)[0]
        instance.run("drain", "1")
        wait_for("the spill", lambda: instance.where(source)["slot"] == 0)
        self.kill_controller(instance)
        successor = self.start_again(instance, "--when-down", "hold").ready(slots=[0])
        self.assertEqual(successor.where(source)["slot"], 1)
        client, = self.connect([source])
        successor.wait_status("the client to wait", lambda status: status["held"] == 1, 5)
        successor.run("ready", "1")
        (answer, _), = self.collect([client])
        self.assertIn(b"slot=1 ", answer)
        successor.stop()

    def test_output_is_passed_on(self):
        command = self.script_worker("(exec 3<&-; while sleep 0.05; do echo tick; done) &\n"
                                     "exec $WORKER --notify")
        instance = self.serve_workers(1, command=[command])
        wait_for("output", lambda: "tick" in instance.output)
        self.kill_controller(instance)
        successor = self.start_again(instance, command=[command]).ready()
        wait_for("output", lambda: successor.output.count("tick\n") > 2)
        self.assertEqual(self.generations(successor), [1])
        successor.stop()

    def test_other_words_on_the_command_line(self):
        instance = self.serve_workers(2)
        self.kill_controller(instance)
        successor = self.start_again(instance, "--env", "A=B")
        self.wait_all_ready(successor, 2)
        self.wait_reload(successor)
        self.kill_controller(successor)
        third = self.start_again(instance, "--env", "A=B", slots=3)
        status = third.wait_status("three slots", lambda status: status["slots"] == 3 and all(
            worker["state"] == "ready" for worker in status["workers"]))
        self.assertEqual([worker["generation"] for worker in status["workers"]], [2, 2, 1])
        third.stop()

    def test_scaled_by_hand_stays_so(self):
        instance = self.serve_workers(2)
        instance.run("scale", "3")
        self.wait_all_ready(instance)
        self.kill_controller(instance)
        successor = self.start_again(instance)
        self.wait_all_ready(successor, 1)
        self.assertEqual(successor.status()["slots"], 3)
        successor.stop()

    def test_counters_only_grow(self):
        """Answers, restarts, killed ones: over a takeover too."""
        instance = self.serve_workers(2, "--max-retries", "0", "--hard-shutdown-delay", "200ms")
        instance.run("drain", "0")
        instance.wait_status("the drained slot", lambda status: status["workers"][0][
            "state"] == "drained")
        clients = self.connect(self.sources_of(instance, 0, 10))
        self.collect(clients)
        Line(self, self.sources_of(instance, 1, 1)[0]).ask()
        instance.run("reload", "--wait=drained")
        before = instance.status()
        self.assertEqual(before["counters"]["answered_502"], 10)
        self.assertEqual(before["workers"][1]["killed"], 1)
        self.kill_controller(instance)
        successor = self.start_again(instance, "--max-retries", "0", "--hard-shutdown-delay",
                                     "200ms").ready(slots=[1])
        after = successor.status()
        for name, value in before["counters"].items():
            self.assertGreaterEqual(after["counters"][name], value, name)
        self.assertEqual(after["workers"][1]["killed"], 1)
        successor.stop()

    def test_another_user_can_not_keep_it_out(self):
        """By waiting for a lock on the pid file: it gets none, and the takeover goes on."""
        instance = self.serve_workers(1)
        log = self.dir / "locker"
        with open(log, "wb") as file:
            locker = lock_as_nobody(instance.directory / "pid", file.fileno())
        self.addCleanup(os.waitpid, locker, 0)
        self.addCleanup(os.kill, locker, signal.SIGKILL)
        said = wait_for("the locker's word", log.read_text)
        self.kill_controller(instance)
        if said == "waits ":
            wait_for("the lock", lambda: "locked" in log.read_text())
        successor = self.start_again(instance).ready()
        self.assertEqual(log.read_text(), "Permission denied")
        self.assertEqual(successor.stop(), 0)

    def test_two_at_once(self):
        instance = self.serve_workers(1)
        second = self.start_again(instance)
        self.assertEqual(second.wait(), ALREADY_RUNNING)
        self.assertEqual(instance.workers()[0]["state"], "ready")


class Apart(TakeoverTestCase):
    """Instances of one name in different run directories have nothing in common."""

    def test_each_has_maps_of_its_own(self):
        runs = [self.dir / "run-a", self.dir / "run-b"]
        ports = ["3000", "3001"]
        first, second = [
            self.serve("-w", 2, "-l", f"127.0.0.1:{port}", "--ready", "notify", "--", WORKER,
                       "--notify", run_dir=run) for run, port in zip(runs, ports)]
        self.kill_controller(first)
        self.assertEqual(second.stop(), 0, "it removes its own pins")
        again = self.start("-w", 2, "-l", "127.0.0.1:3000", "--ready", "notify", "--", WORKER,
                           "--notify", run_dir=runs[0]).ready()
        self.assertEqual(len(self.events(again, "worker_adopted")), 2)
        self.assertEqual(ask(HERE)["gen"], 1)
        self.assertEqual(again.run("reload", "--wait").returncode, 0)
        self.assertEqual(ask(HERE)["gen"], 2)
        self.assertEqual(again.stop(), 0)

    def test_what_the_dead_have_pinned_is_removed(self):
        instance = self.serve_workers(1)
        pid = self.pids(instance)[0]
        self.kill_controller(instance)
        os.kill(pid, signal.SIGKILL)
        self.wait_gone(pid)
        before = set(world.pins())
        successor = self.start_again(instance).ready()
        self.assertEqual(len(before), len(world.pins()))
        self.assertNotEqual(before, set(world.pins()))
        self.assertEqual(successor.stop(), 0)
        self.assertEqual(world.pins(), [])


class NoRoom(TakeoverTestCase):
    """The run directory's file system is full."""

    def setUp(self):
        super().setUp()
        self.run_dir = self.dir / "run-small"
        self.run_dir.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2500k,mode=0700", "tmpfs",
                        str(self.run_dir)], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.run_dir)], check=True)

    def fill(self):
        with contextlib.suppress(OSError), open(self.run_dir / "ballast", "wb") as ballast:
            while True:
                ballast.write(bytes(4096))
                ballast.flush()

    def test_a_takeover_waits_for_room(self):
        """An error that names the file, and the workers serve on until there is room."""
        instance = self.serve_workers(2, run_dir=self.run_dir)
        pids = self.pids(instance)
        self.kill_controller(instance)
        self.fill()
        failed = self.start_again(instance, run_dir=self.run_dir)
        self.assertEqual(failed.wait(), FAILED)
        self.assertIn(f"cannot make {self.run_dir}/default/slots: No space left", failed.errors)
        self.assertIn(ask(HERE)["pid"], pids)
        (self.run_dir / "ballast").unlink()
        successor = self.start_again(instance, run_dir=self.run_dir).ready()
        self.assertEqual(self.pids(successor), pids)
        self.assertEqual(successor.stop(), 0)

    def test_an_upgrade_is_refused(self):
        instance = self.serve_workers(2, run_dir=self.run_dir)
        pids = self.pids(instance)
        self.fill()
        result = instance.run("upgrade")
        self.assertEqual(result.returncode, FAILED)
        self.assertIn("no room for a new state file", result.stderr)
        self.assertEqual(self.pids(instance), pids)
        (self.run_dir / "ballast").unlink()
        self.assertEqual(instance.run("upgrade").returncode, 0)
        self.assertEqual(self.pids(instance), pids)


class Storm(TakeoverTestCase):
    """SIGKILLs at random moments."""

    def workers_alive(self):
        return {pid for pid, text in world.other_processes().items()
                if text.startswith(f"{pid} {WORKER}")}

    def check_converged(self, successor, slots):
        self.wait_all_ready(successor)
        # A reload that the command line asks for, and what was half made, are over.
        self.wait_drained(successor)
        wait_for(lambda: f"{slots} workers alone: {world.other_processes()}",
                 lambda: len(self.workers_alive()) == slots)

    def test_kills_during_reloads_under_load(self):
        chance = random.Random(3)
        instance = first = self.serve_workers(4)
        with self.load() as load:
            for _ in range(KILLS):
                generations = self.generations(instance)
                instance.run("reload")
                time.sleep(chance.uniform(0, 0.06))  # the random moment
                self.kill_controller(instance)
                survivors = self.workers_alive()
                instance = self.start_again(first)
                self.check_converged(instance, 4)
                self.assertTrue(all(new >= old for old, new in zip(
                    generations, self.generations(instance))))
                self.assertTrue(survivors & set(self.pids(instance)))
        self.assert_nobody_lost(load.counts)
        self.assert_counters(instance)
        self.assertEqual(instance.stop(), 0)

    def test_kills_during_takeovers(self):
        """The next one dies too, whatever it was doing: the one behind it finds everybody."""
        chance = random.Random(4)
        instance = first = self.serve_workers(2)
        before = self.pids(instance)
        with self.load(rate=500) as load:
            for _ in range(40):
                self.kill_controller(instance)
                instance = self.start_again(first)
                time.sleep(chance.uniform(0, 0.02))
            self.check_converged(instance, 2)
        self.assert_nobody_lost(load.counts)
        self.assertEqual(self.pids(instance), before)
        self.assertEqual(instance.stop(), 0)


    def test_killed_when_it_has_just_begun_its_notes(self):
        """A takeover that dies must leave what the former controller noted of its workers."""
        instance = first = self.serve_workers(2)
        before = self.pids(instance)
        path = instance.directory / "slots"
        for _ in range(5):
            self.kill_controller(instance)
            noted = path.stat()
            instance = self.start_again(first)
            # As closely as can be: the moment at which the file is another one, or gone.
            self.wait_for_another(path, noted)
        self.kill_controller(instance)
        instance = self.start_again(first)
        self.check_converged(instance, 2)
        self.assertEqual(self.pids(instance), before)
        self.assertEqual(instance.stop(), 0)

    def wait_for_another(self, path, noted):
        """Without a pause between two looks."""
        def is_another():
            try:
                now = path.stat()
            except FileNotFoundError:
                return True
            return (now.st_ino, now.st_ctime_ns) != (noted.st_ino, noted.st_ctime_ns)

        wait_for("another slots file", is_another, 5, interval=0)

    def test_kills_while_scaling(self):
        chance = random.Random(5)
        instance = first = self.serve_workers(2)
        for turn in range(KILLS):
            scaling = self.program(STICKYCTL, "scale", (6, 2)[turn % 2])
            time.sleep(chance.uniform(0, 0.03))
            self.kill_controller(instance)
            scaling.wait()
            instance = self.start_again(first)
            self.wait_all_ready(instance)
            self.wait_drained(instance)
            status = instance.status()
            self.assertIn(status["slots"], (2, 6))
            self.assertEqual(sum(worker["buckets"] for worker in status["workers"]), 65536)
            self.check_converged(instance, status["slots"])
            for number in range(1, 30):
                source = f"127.8.0.{number}"
                self.assertEqual(ask(HERE, source)["slot"], instance.where(source)["slot"])
        self.assertEqual(instance.stop(), 0)


class Upgrade(TakeoverTestCase):
    """Another program in the same process."""

    def test_upgrades_under_load(self):
        instance = self.serve_workers(4)
        before = instance.status()
        with self.load() as load:
            for _ in range(3):
                result = instance.run("upgrade")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(self.pids(instance),
                                 [worker["pid"] for worker in before["workers"]])
        self.assert_nobody_lost(load.counts)
        after = instance.status()
        self.assertEqual((after["pid"], instance.pid), (before["pid"], before["pid"]))
        self.assertGreater(after["started_at"], before["started_at"])
        self.assert_counters(instance)
        instance.note_bpf_objects()
        # Its children are still its own: how they end is told, and no zombie is left.
        killed = self.kill_worker(instance, 0)
        worker = self.wait_generation(instance, 2)
        self.assertEqual(worker["last_exit"]["signal"], "SIGKILL")
        self.wait_gone(killed)
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assertEqual(instance.stop(), 0)

    def test_descriptors_do_not_grow(self):
        instance = self.serve_workers(2)
        instance.run("upgrade")
        before = instance.descriptors()
        for _ in range(3):
            self.assertEqual(instance.run("upgrade").returncode, 0)
        instance.wait_descriptors(before)
        instance.stop()

    def test_refused_for_the_demo(self):
        instance = self.serve("-w", "1", "-l", "127.0.0.1:3000")
        result = instance.run("upgrade")
        self.assert_message(result, "demo", code=FAILED)
        self.assertEqual(instance.workers()[0]["state"], "ready")

    def test_refused_while_a_slot_is_not_ready(self):
        instance = self.serve_workers(2)
        instance.run("drain", "1")
        instance.wait_status("the drained slot", lambda status: status["workers"][1][
            "state"] == "drained")
        self.assert_message(instance.run("upgrade"), "slot 1", code=FAILED)
        instance.run("ready", "1")
        self.wait_all_ready(instance)
        self.assertEqual(instance.run("upgrade").returncode, 0)

    def test_a_program_that_does_not_work(self):
        program = self.dir / "stickyctl"
        shutil.copy(STICKYCTL, program)
        instance = self.serve_workers(1, program=program)
        replacement = self.script("new", "exit 1")
        replacement.rename(program)
        result = instance.run("upgrade")
        self.assert_message(result, str(program), code=FAILED)
        self.assertEqual(ask(HERE)["gen"], 1)
        self.assertEqual(instance.workers()[0]["state"], "ready")

    def test_a_new_program_in_its_place(self):
        program = self.dir / "stickyctl"
        shutil.copy(STICKYCTL, program)
        instance = self.serve_workers(1, program=program)
        before = os.readlink(f"/proc/{instance.pid}/exe")
        new = self.dir / "new"
        shutil.copy(STICKYCTL, new)
        new.rename(program)
        inode = program.stat().st_ino
        result = instance.run("upgrade")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(os.stat(f"/proc/{instance.pid}/exe").st_ino, inode, before)
        instance.stop()

    def test_nobody_there(self):
        self.assertEqual(self.stickyctl("upgrade").returncode, NOT_RUNNING)


if __name__ == "__main__":
    harness.main()
