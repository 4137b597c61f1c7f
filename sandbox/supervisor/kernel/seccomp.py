"""System-call filters, as classic BPF programs through prctl; only on x86_64.

There are two. `deny_dangerous` refuses what agent code has no use for (mounting, namespaces,
tracing, keyrings, io_uring, clocks, other address families). `guard_signals` keeps nodes from
signalling the supervisor, the root interpreter, or older processes.

Limitations: a filter sees numbers, not memory, so it cannot check paths. Nodes can signal each
other: a killed node is rebuilt by replay. (A filter for each node would prevent that, and cost
0.4 ms per fork.) Process numbers wrap around after kernel.pid_max processes; from then on new
processes may not be signalled either.

See seccomp(2), Documentation/userspace-api/seccomp_filter.rst, and linux/bpf_common.h.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Sequence

SUPPORTED = platform.machine() == "x86_64"

AUDIT_ARCH_X86_64 = 0xC000003E
X32_BIT = 0x40000000
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
LOAD, JUMP_EQ, JUMP_GT, JUMP_GE, JUMP_SET, RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
NUMBER, ARCH, ARGUMENT_0, ARGUMENT_1 = 0, 4, 16, 24
"""Offsets in struct seccomp_data; arguments are 64 bits wide, the low half first."""

KILL_CALL, CLONE, CLONE3, SOCKET, FCNTL, IOCTL, PRLIMIT = 62, 56, 435, 41, 72, 16, 302
PRCTL, PR_SET_DUMPABLE, SETPRIORITY, IOPRIO_SET = 157, 4, 141, 251
SCHEDULING = (142, 144, 203, 314)
"""sched_setparam, sched_setscheduler, sched_setaffinity, sched_setattr."""
LAST_KNOWN = 462
"""mseal, of Linux 6.10; nobody has examined what later kernels add."""
SIGNALLING = (200, 234, 129, 297, 434)
"""tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_open."""
NEW_NAMESPACES = 0x7E020000
"""CLONE_NEW* of clone(2)."""
F_SETOWN, F_SETSIG, F_SETOWN_EX, FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCLINUX = (
    8, 10, 15, 0x8901, 0x8902, 0x5412, 0x541C,
)  # fmt: skip

DENIED = {
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "process_madvise": 440,
    "kcmp": 312, "pidfd_getfd": 438, "mount": 165, "umount2": 166, "pivot_root": 155,
    "chroot": 161, "unshare": 272, "setns": 308, "fsopen": 430, "fsmount": 432, "fsconfig": 431,
    "fspick": 433, "move_mount": 429, "open_tree": 428, "mount_setattr": 442, "keyctl": 250,
    "add_key": 248, "request_key": 249, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "kexec_load": 246,
    "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176,
    "open_by_handle_at": 304, "name_to_handle_at": 303, "quotactl": 179, "acct": 163,
    "swapon": 167, "swapoff": 168, "reboot": 169, "settimeofday": 164, "clock_settime": 227,
    "clock_adjtime": 305, "adjtimex": 159, "sethostname": 170, "setdomainname": 171,
    "syslog": 103, "vhangup": 153, "iopl": 172, "ioperm": 173, "personality": 135,
    "lookup_dcookie": 212, "nfsservctl": 180, "modify_ldt": 154, "uselib": 134, "ustat": 136,
    "sysfs": 139, "_sysctl": 156, "mbind": 237, "set_mempolicy": 238, "migrate_pages": 256,
    "shmget": 29, "shmat": 30, "shmctl": 31, "semget": 64, "semop": 65, "semctl": 66,
    "msgget": 68, "msgsnd": 69, "msgrcv": 70, "msgctl": 71, "semtimedop": 220,
    "move_pages": 279, "fanotify_init": 300,
}  # fmt: skip
ATTRIBUTES = {"setxattr": 188, "lsetxattr": 189, "fsetxattr": 190}
"""Refused as by a file system that has none, so that `sed -i` and `cp -p` do not complain."""

Instruction = tuple[int, int, int, int]


def _refuse(number: int = errno.EPERM) -> Instruction:
    return (RETURN, 0, 0, ERRNO | number)


def _when(call: int, body: list[Instruction]) -> list[Instruction]:
    """Return `body` for the call `call`; afterwards the call's number is loaded again."""
    rest = [*body, (LOAD, 0, 0, NUMBER)]
    return [(JUMP_EQ, 0, len(rest), call), *rest]


def _unless_among(values: tuple[int, ...], number: int) -> list[Instruction]:
    """Refuse with `number` what is loaded, unless it is one of `values`."""
    tests = [(JUMP_EQ, len(values) - at, 0, value) for at, value in enumerate(values)]
    return [*tests, _refuse(number)]


def _if_among(values: tuple[int, ...]) -> list[Instruction]:
    """Refuse what is loaded if it is one of `values`."""
    last = len(values) - 1
    tests = [(JUMP_EQ, last - at, 0 if at < last else 1, value) for at, value in enumerate(values)]
    return [*tests, _refuse()]


def deny_dangerous(families: Sequence[int]) -> None:
    """Install the filter for this process and its descendants; do nothing on other machines.

    Args:
        families: address families that sockets may have; socketpair() always works.

    Raises:
        OSError: the kernel refuses filters.
    """
    program: list[Instruction] = [
        (LOAD, 0, 0, ARCH),
        (JUMP_EQ, 1, 0, AUDIT_ARCH_X86_64),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (JUMP_GE, 0, 1, X32_BIT),
        _refuse(errno.ENOSYS),
        (JUMP_GT, 0, 1, LAST_KNOWN),
        _refuse(errno.ENOSYS),
    ]
    for call in DENIED.values():
        program += [(JUMP_EQ, 0, 1, call), _refuse()]
    for call in ATTRIBUTES.values():
        program += [(JUMP_EQ, 0, 1, call), _refuse(errno.EOPNOTSUPP)]
    program += [(JUMP_EQ, 0, 1, CLONE3), _refuse(errno.ENOSYS)]  # glibc falls back to clone
    loaded: Instruction = (LOAD, 0, 0, ARGUMENT_0)
    program += _when(CLONE, [loaded, (JUMP_SET, 0, 1, NEW_NAMESPACES), _refuse()])
    program += _when(SOCKET, [loaded, *_unless_among(tuple(families), errno.EAFNOSUPPORT)])
    program += _when(IOCTL, [(LOAD, 0, 0, ARGUMENT_1), *_if_among((TIOCSTI, TIOCLINUX))])
    second: Instruction = (LOAD, 0, 0, ARGUMENT_1)
    # Otherwise a node could let another branch write its memory.
    visible = [loaded, (JUMP_EQ, 0, 3, PR_SET_DUMPABLE), second, (JUMP_EQ, 1, 0, 0), _refuse()]
    program += _when(PRCTL, visible)
    _install([*program, (RETURN, 0, 0, ALLOW)])


def guard_signals(pid: int) -> None:
    """Allow signals only to processes numbered `pid` or higher, and to groups led by them.

    Also refused: being signalled on behalf of another (F_SETOWN and its kin), and setting limits,
    priorities and processors of any process but the caller.
    """
    younger: list[Instruction] = [
        (JUMP_GE, 0, 1, pid),
        (JUMP_GT, 0, 1, 0x7FFFFFFF),
        _refuse(),
    ]
    groups: list[Instruction] = [
        (JUMP_EQ, 5, 0, 0),  # our own process group
        (JUMP_GE, 0, 3, pid),
        (JUMP_GT, 0, 3, 0x7FFFFFFF),
        (JUMP_EQ, 1, 0, 0x80000000),
        (JUMP_GT, 0, 1, 0x100000000 - pid),  # minus a group whose leader is older
        _refuse(),
    ]
    loaded: Instruction = (LOAD, 0, 0, ARGUMENT_0)
    second: Instruction = (LOAD, 0, 0, ARGUMENT_1)
    program: list[Instruction] = [(LOAD, 0, 0, NUMBER)]
    program += _when(KILL_CALL, [loaded, *groups])
    for call in SIGNALLING:
        program += _when(call, [loaded, *younger])
    for call in (PRLIMIT, *SCHEDULING):
        program += _when(call, [loaded, *_unless_among((0,), errno.EPERM)])
    for call, process in ((SETPRIORITY, 0), (IOPRIO_SET, 1)):
        only = [loaded, *_unless_among((process,), errno.EPERM)]
        program += _when(call, [*only, second, *_unless_among((0,), errno.EPERM)])
    program += _when(FCNTL, [second, *_if_among((F_SETOWN, F_SETSIG, F_SETOWN_EX))])
    program += _when(IOCTL, [second, *_if_among((FIOSETOWN, SIOCSPGRP))])
    _install([*program, (RETURN, 0, 0, ALLOW)])


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


_libc = ctypes.CDLL(None, use_errno=True)


def _install(program: list[Instruction]) -> None:
    if not SUPPORTED:
        return
    raw = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(raw, len(raw))
    program_struct = _Program(len(program), ctypes.addressof(buffer))
    for call in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program_struct), 0, 0),
    ):
        if _libc.prctl(*call):
            raise OSError(ctypes.get_errno(), "the kernel refuses a system-call filter")
