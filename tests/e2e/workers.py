# SPDX-License-Identifier: MIT
"""What tests of workers share."""

import ctypes
import os
import signal

import harness
from programs import WORKER, Program
from world import wait_for

# Timers run from the time at which a turn of the controller's loop began: a busy turn makes
# them fire early.
EARLY = 0.8

SYS_PIDFD_GETFD = 438

# Sends a datagram to NOTIFY_SOCKET, waits until it was read (else its sender might be gone
# by then), and makes a file that tells so.
NOTIFY = """
import os, socket, sys
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.connect(os.environ["NOTIFY_SOCKET"])
sender.send(sys.argv[1].encode())
read_end, write_end = os.pipe()
socket.send_fds(sender, [b"BARRIER=1"], [write_end])
os.close(write_end)
os.read(read_end, 1)
open(sys.argv[2], "w").close()
"""


def start_plain(test, listener, slot, generation, command=WORKER):
    """A worker without us, on a listening socket of its own, as SO_REUSEPORT servers do it.
    command: words of a shell that end in the worker."""
    # The shell's pid is the worker's: LISTEN_PID must be right. sh may know one digit only.
    worker = Program(
        test, ["bash", "-c", f"LISTEN_PID=$$ exec {command} 3<&{listener.fileno()}"],
        env=test.environment(LISTEN_FDS=1, STICKY_SLOT=slot, STICKY_GENERATION=generation),
        pass_fds=[listener.fileno()])
    wait_for("the shell to become the worker", lambda: os.path.samefile(
        f"/proc/{worker.pid}/exe", WORKER))
    return worker


def fetch_descriptor(pid, number):
    """A duplicate of another process's descriptor: pidfd_getfd(2)."""
    pidfd = os.pidfd_open(pid)
    try:
        fd = ctypes.CDLL(None, use_errno=True).syscall(SYS_PIDFD_GETFD, pidfd, number, 0)
        if fd < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
        return fd
    finally:
        os.close(pidfd)


class WorkerTestCase(harness.TestCase):
    """What tests of workers have in common."""

    def script_worker(self, text):
        """A worker by a shell script; $WORKER is tests/peers/worker."""
        return self.script("worker.sh", f"WORKER={WORKER}\n{text}")

    def kill_worker(self, instance, slot=0):
        pid = instance.workers()[slot]["pid"]
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_generation(self, instance, generation, slot=0):
        """Until a slot's life of that generation is ready; returns the worker's status."""
        status = instance.wait_status(
            f"slot {slot} to be ready in generation {generation}",
            lambda status: (status["workers"][slot]["generation"],
                            status["workers"][slot]["state"]) == (generation, "ready"))
        return status["workers"][slot]

    def sources_of(self, instance, slot, count):
        """Addresses of clients that belong to a slot."""
        addresses = [f"127.2.{number // 250}.{number % 250 + 1}" for number in range(max(64, count * 8))]
        answers = instance.where(*addresses)
        found = [answer["address"] for answer in answers if answer["slot"] == slot]
        assert len(found) >= count, f"{len(found)} of {count} clients for slot {slot}"
        return found[:count]
