# SPDX-License-Identifier: MIT
"""Programs with fewer rights than the test: other users, fewer capabilities, no IPv6."""

import ctypes
import errno
import os
import pathlib
import shutil
import socket

NOBODY = 65534

# The capabilities of a container's root by Docker and Podman; Kubernetes gives the same.
DOCKER = ("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
          "net_bind_service", "net_raw", "sys_chroot", "mknod", "audit_write", "setfcap")


def as_user(uid, *capabilities):
    """The beginning of a command line that runs a command as an ordinary user, whose gid is as the
    uid, with exactly these capabilities."""
    wanted = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
            f"--inh-caps={wanted}", f"--ambient-caps={wanted}"]


def as_nobody(*capabilities):
    """The same for user nobody."""
    return as_user(NOBODY, *capabilities)


def without(*capabilities):
    """The beginning of a command line that runs a command as root without these capabilities."""
    unwanted = ",".join(f"-{name}" for name in capabilities)
    return ["setpriv", f"--inh-caps={unwanted}", f"--bounding-set={unwanted}"]


def only(*capabilities):
    """The beginning of a command line that runs a command as root with these capabilities alone."""
    wanted = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    return ["setpriv", f"--inh-caps={wanted}", f"--bounding-set={wanted}"]


def copy_program(source, directory):
    """Copy a program to a place where other users can run it."""
    target = pathlib.Path(directory) / pathlib.Path(source).name
    shutil.copy(source, target)
    target.chmod(0o755)
    return target


def give_to(uid, *directories):
    """Make directories, where they are not there yet, that belong to an ordinary user."""
    for directory in directories:
        directory.mkdir(exist_ok=True, parents=True)
        os.chown(directory, uid, uid)


def give_to_nobody(*directories):
    give_to(NOBODY, *directories)


class SockFilter(ctypes.Structure):
    """linux/filter.h"""
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte),
                ("k", ctypes.c_uint)]


class SockFprog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(SockFilter))]


def install_filter(*steps):
    """For Popen's preexec_fn: classic BPF as a seccomp filter; each step (code, jt, jf, k)."""
    program = (SockFilter * len(steps))(*steps)
    argument = SockFprog(len(steps), program)
    if ctypes.CDLL(None).prctl(22, 2, ctypes.byref(argument), 0, 0):  # PR_SET_SECCOMP
        raise OSError("seccomp")


LOAD, EQUAL, GIVE = 0x20, 0x15, 0x06  # LD|W|ABS, JMP|JEQ|K, RET|K
REFUSE, ALLOW = 0x00050000, 0x7fff0000
BPF_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
SECCOMP_SYSCALL = {"x86_64": 317, "aarch64": 277, "riscv64": 277}
CLOSE_RANGE_SYSCALL = 436  # everywhere


def forbid_call(number, error):
    """For Popen's preexec_fn: a system call fails with this errno, as under a container's
    profile."""
    install_filter((LOAD, 0, 0, 0), (EQUAL, 0, 1, number), (GIVE, 0, 0, REFUSE | error),
                   (GIVE, 0, 0, ALLOW))


def forbid_bpf(error):
    """bpf(2) fails with this errno."""
    forbid_call(BPF_SYSCALL[os.uname().machine], error)


def forbid_seccomp(error=errno.EPERM):
    """No further filter can be installed by seccomp(2)."""
    forbid_call(SECCOMP_SYSCALL[os.uname().machine], error)


SOCKET_SYSCALL = {"x86_64": 41, "aarch64": 198, "riscv64": 198}


def forbid_family(family, error):
    """socket(2) of this family fails with this errno."""
    install_filter(
        (LOAD, 0, 0, 0), (EQUAL, 0, 3, SOCKET_SYSCALL[os.uname().machine]),  # the number
        (LOAD, 0, 0, 16), (EQUAL, 0, 1, family),  # the first argument
        (GIVE, 0, 0, REFUSE | error), (GIVE, 0, 0, ALLOW))


def forbid_ipv6():
    """For Popen's preexec_fn: simulates a machine without IPv6, on which socket(AF_INET6) fails."""
    forbid_family(socket.AF_INET6, errno.EAFNOSUPPORT)


def forbid_netlink():
    """For Popen's preexec_fn: as under RestrictAddressFamilies= of systemd without AF_NETLINK."""
    forbid_family(socket.AF_NETLINK, errno.EAFNOSUPPORT)
