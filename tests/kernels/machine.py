# SPDX-License-Identifier: MIT
"""One boot of a kernel in qemu, from its start until the guest has written its results."""

import os
import shutil
import subprocess
import time

import initramfs
from unavailable import Unavailable

QEMU = "qemu-system-x86_64"
CPUS = 2
RESULTS_BYTES = 256 << 20
KVM_TRIAL_S = 20  # a guest that runs with KVM prints "started" much earlier
START_LIMIT_S = 240  # in software emulation, on a busy machine
STARTS = 3
STARTED, DONE = "guest: started", "guest: done"
ACCELERATED = {True: ["-accel", "kvm", "-cpu", "host"],
               False: ["-accel", "tcg,thread=multi", "-cpu", "max"]}


def check_programs():
    """Raises Unavailable if a program that a boot needs is missing."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [program for program in (QEMU, "busybox", "mmdebstrap", "mke2fs", "depmod")
               if not shutil.which(program, path=path)]
    if missing:
        raise Unavailable(f"{', '.join(missing)}: not installed")


class Machine:
    """A machine whose disks are shared by all boots: each boot writes to a snapshot of its own."""

    def __init__(self, directory, root, tree, memory_mib):
        self.directory, self.root, self.tree = directory, root, tree
        self.memory_mib = memory_mib
        self.kvm = os.access("/dev/kvm", os.R_OK | os.W_OK)

    def _command(self, kernel, results, kvm):
        def disk(path, snapshot):
            return ["-drive", f"file={path},format=raw,if=virtio,cache=unsafe,snapshot={snapshot}"]

        return [QEMU, *ACCELERATED[kvm], "-smp", str(CPUS), "-m", str(self.memory_mib),
                "-nodefaults", "-display", "none", "-no-reboot", "-nic", "none",
                "-serial", "stdio", "-kernel", str(kernel.image),
                "-initrd", str(results / "initramfs"),
                "-append", "console=ttyS0 panic=-1 quiet loglevel=4",
                *disk(self.root, "on"), *disk(self.tree, "on"), *disk(results / "disk", "off")]

    def run(self, kernel, results, settings, limit_s, say):
        """Boot a kernel and wait for the end of its suites.

        results   the directory for console.log and the disk that the guest writes to
        settings  the shell variables of guest.sh
        say       called with each line of the guest about its progress

        Returns "" or why the guest did not come to its end.
        """
        initramfs.make(results / "initramfs", kernel, settings)
        if self.kvm:
            problem = self._boot(kernel, results, True, limit_s, KVM_TRIAL_S, say)
            if problem != NOT_STARTED:
                return problem
            say("KVM starts no kernel here: software emulation")
            self.kvm = False
        # Software emulation uses one thread for each processor. A kernel that changes its own code
        # while it starts fails under that sometimes.
        for _ in range(STARTS):
            problem = self._boot(kernel, results, False, limit_s, START_LIMIT_S, say)
            if problem != NOT_STARTED:
                break
        return problem

    def _boot(self, kernel, results, kvm, limit_s, start_limit_s, say):
        disk, console = results / "disk", results / "console.log"
        disk.unlink(missing_ok=True)
        with open(disk, "wb") as file:
            file.truncate(RESULTS_BYTES)
        with open(console, "wb") as output:
            process = subprocess.Popen(self._command(kernel, results, kvm),
                                       stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT)
        try:
            return watch(process, console, limit_s, start_limit_s, say)
        finally:
            process.kill()
            process.wait()


NOT_STARTED = "the kernel did not start: see console.log"


def watch(process, console, limit_s, start_limit_s, say):
    """Follow the console until the guest ends. Returns "" or the problem."""
    began = time.monotonic()
    told = 0
    while True:
        ended = process.poll() is not None
        lines = console.read_text(errors="replace").splitlines()
        progress = [line.rstrip() for line in lines if line.startswith("guest: ")]
        for line in progress[told:]:
            say(line)
        told = len(progress)
        seconds = time.monotonic() - began
        if ended:
            if DONE in progress:
                return ""
            return "the guest ended early: see console.log" if STARTED in progress \
                else NOT_STARTED
        if seconds > start_limit_s and STARTED not in progress:
            return NOT_STARTED
        if seconds > limit_s:
            return f"the guest did not end within {limit_s} s"
        time.sleep(0.5)
