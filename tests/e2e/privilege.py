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
    """The beginning of a command line that runs a command as an ordinary user with exactly these
    capabilities. The gid is equal to the uid."""
    wanted = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
            f"--inh-caps={wanted}", f"--ambient-caps={wanted}"]


def as_nobody(*capabilities):
    """The beginning of a command line that runs a command as the user nobody."""
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
    """Make directories that belong to an ordinary user, if they do not exist yet."""
    for directory in directories:
        directory.mkdir(exist_ok=True, parents=True)
        os.chown(directory, uid, uid)


def give_to_nobody(*directories):
    give_to(NOBODY, *directories)


class SockFilter(ctypes.Structure):
    """struct sock_filter of linux/filter.h."""
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte),
                ("k", ctypes.c_uint)]


class SockFprog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(SockFilter))]


def install_filter(*steps):
    """Install classic BPF as a seccomp filter, for Popen's preexec_fn. Each step is (code, jt, jf,
    k)."""
    program = (SockFilter * len(steps))(*steps)
    argument = SockFprog(len(steps), program)
    if ctypes.CDLL(None).prctl(22, 2, ctypes.byref(argument), 0, 0):  # PR_SET_SECCOMP
        raise OSError("seccomp")


LOAD, EQUAL, GIVE = 0x20, 0x15, 0x06  # LD|W|ABS, JMP|JEQ|K, RET|K
REFUSE, ALLOW = 0x00050000, 0x7fff0000
BPF_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
SECCOMP_SYSCALL = {"x86_64": 317, "aarch64": 277, "riscv64": 277}
CLOSE_RANGE_SYSCALL = 436  # the same number on all machines


def forbid_call(number, error):
    """Let a system call fail with this errno, as under a container's profile. For Popen's
    preexec_fn."""
    install_filter((LOAD, 0, 0, 0), (EQUAL, 0, 1, number), (GIVE, 0, 0, REFUSE | error),
                   (GIVE, 0, 0, ALLOW))


def forbid_bpf(error):
    """Let bpf(2) fail with this errno."""
    forbid_call(BPF_SYSCALL[os.uname().machine], error)


def forbid_seccomp(error=errno.EPERM):
    """Let seccomp(2) fail, so that no further filter can be installed."""
    forbid_call(SECCOMP_SYSCALL[os.uname().machine], error)


SOCKET_SYSCALL = {"x86_64": 41, "aarch64": 198, "riscv64": 198}


def forbid_family(family, error):
    """Let socket(2) of this family fail with this errno."""
    install_filter(
        (LOAD, 0, 0, 0), (EQUAL, 0, 3, SOCKET_SYSCALL[os.uname().machine]),  # the number
        (LOAD, 0, 0, 16), (EQUAL, 0, 1, family),  # the first argument
        (GIVE, 0, 0, REFUSE | error), (GIVE, 0, 0, ALLOW))


def forbid_ipv6():
    """Simulate a machine without IPv6, on which socket(AF_INET6) fails. For Popen's preexec_fn."""
    forbid_family(socket.AF_INET6, errno.EAFNOSUPPORT)


def forbid_netlink():
    """Let netlink sockets fail, as under RestrictAddressFamilies= of systemd without AF_NETLINK.
    For Popen's preexec_fn."""
    forbid_family(socket.AF_NETLINK, errno.EAFNOSUPPORT)
