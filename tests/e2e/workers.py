# SPDX-License-Identifier: MIT
"""The common part of the tests of workers."""

import ctypes
import os
import signal

import harness
from programs import WORKER, Program
from world import wait_for

# Timers count from the beginning of the loop turn in which they were started. If that turn takes
# long, they fire early.
EARLY = 0.8

SYS_PIDFD_GETFD = 438

# Sends a datagram to NOTIFY_SOCKET, waits until it has been read (the sender must still exist
# then), and makes a file as a sign.
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
    """Start a worker without stickyctl, on a listening socket of its own, as a server with
    SO_REUSEPORT does. command: words for a shell that end with the worker's command."""
    # The shell's pid is the worker's: LISTEN_PID must be right. sh may know one digit only.
    worker = Program(
        test, ["bash", "-c", f"LISTEN_PID=$$ exec {command} 3<&{listener.fileno()}"],
        env=test.environment(LISTEN_FDS=1, STICKY_SLOT=slot, STICKY_GENERATION=generation),
        pass_fds=[listener.fileno()])
    wait_for("the shell to become the worker", lambda: os.path.samefile(
        f"/proc/{worker.pid}/exe", WORKER))
    return worker


def fetch_descriptor(pid, number):
    """Duplicate a descriptor of another process with pidfd_getfd(2)."""
    pidfd = os.pidfd_open(pid)
    try:
        fd = ctypes.CDLL(None, use_errno=True).syscall(SYS_PIDFD_GETFD, pidfd, number, 0)
        if fd < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
        return fd
    finally:
        os.close(pidfd)


class WorkerTestCase(harness.TestCase):
    """The common part of test cases of workers."""

    def script_worker(self, text):
        """Write a worker that is a shell script; $WORKER is tests/peers/worker."""
        return self.script("worker.sh", f"WORKER={WORKER}\n{text}")

    def kill_worker(self, instance, slot=0):
        pid = instance.workers()[slot]["pid"]
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_generation(self, instance, generation, slot=0):
        """Wait until the worker of a slot with that generation is ready. Returns its status."""
        status = instance.wait_status(
            f"slot {slot} to be ready in generation {generation}",
            lambda status: (status["workers"][slot]["generation"],
                            status["workers"][slot]["state"]) == (generation, "ready"))
        return status["workers"][slot]

    def sources_of(self, instance, slot, count):
        """Returns addresses of clients that belong to a slot."""
        addresses = [f"127.2.{number // 250}.{number % 250 + 1}" for number in range(max(64, count * 8))]
        answers = instance.where(*addresses)
        found = [answer["address"] for answer in answers if answer["slot"] == slot]
        assert len(found) >= count, f"{len(found)} of {count} clients for slot {slot}"
        return found[:count]
