# SPDX-License-Identifier: MIT
"""Programs with fewer rights than the test: other users, fewer capabilities, no IPv6."""

import ctypes
import errno
import os
import pathlib
import shutil
import socket

NOBODY = 65534


def as_nobody(*capabilities):
    """The beginning of a command line that runs a command as user nobody, with exactly these
    capabilities."""
    wanted = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
            f"--inh-caps={wanted}", f"--ambient-caps={wanted}"]


def without(*capabilities):
    """The beginning of a command line that runs a command as root without these capabilities."""
    unwanted = ",".join(f"-{name}" for name in capabilities)
    return ["setpriv", f"--inh-caps={unwanted}", f"--bounding-set={unwanted}"]


def copy_program(source, directory):
    """Copy a program to a place where other users can run it."""
    target = pathlib.Path(directory) / pathlib.Path(source).name
    shutil.copy(source, target)
    target.chmod(0o755)
    return target


class SockFilter(ctypes.Structure):
    """linux/filter.h"""
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte),
                ("k", ctypes.c_uint)]


class SockFprog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(SockFilter))]


SOCKET_SYSCALL = {"x86_64": 41, "aarch64": 198, "riscv64": 198}


def forbid_ipv6():
    """For Popen's preexec_fn: simulates a machine without IPv6, on which socket(AF_INET6) fails."""
    load, equal, give = 0x20, 0x15, 0x06  # LD|W|ABS, JMP|JEQ|K, RET|K
    program = (SockFilter * 6)(
        # compare the system call's number
        (load, 0, 0, 0), (equal, 0, 3, SOCKET_SYSCALL[os.uname().machine]),
        (load, 0, 0, 16), (equal, 0, 1, socket.AF_INET6),  # compare the first argument
        (give, 0, 0, 0x00050000 | errno.EAFNOSUPPORT), (give, 0, 0, 0x7fff0000))
    argument = SockFprog(len(program), program)
    if ctypes.CDLL(None).prctl(22, 2, ctypes.byref(argument), 0, 0):  # PR_SET_SECCOMP
        raise OSError("seccomp")
