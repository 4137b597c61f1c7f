"""Give up rights: the supervisor's before it starts, a node's before any agent code runs."""

import contextlib
import ctypes
import os
import resource
import socket
from collections.abc import Mapping, Sequence

from . import seccomp

PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER = 4, 24, 36
PR_SET_NO_NEW_PRIVS, PR_SET_THP_DISABLE, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 41, 47, 4
CAPABILITY_VERSION_3, LAST_CAPABILITY = 0x20080522, 63
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
NOBODY = 65534
OOM_SCORE = 500
"""Of nodes: if the kernel runs out of memory, it ends one of them and not the supervisor."""

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def hide() -> None:
    """Keep other processes of this user out of this one (/proc/<pid>/mem, fd, environ)."""
    _checked(_libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "hide")


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants, as pid 1 does."""
    _checked(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "adopt orphans")


def leave_for_own_namespace() -> None:
    """Enter a user and mount namespace of our own, where we are nobody with every capability.

    Outside it we stay the same user; if that was root, we become nobody as well: then root's files
    are out of reach, and limits on the number of processes hold.

    Raises:
        OSError: user namespaces are refused here.
    """
    user, group = os.geteuid(), os.getegid()
    if user:
        _checked(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare")
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{NOBODY} {user} 1")
        _write("/proc/self/gid_map", f"{NOBODY} {group} 1")
        return
    ready, go = os.pipe()
    helper = os.fork()
    if not helper:  # only a process outside may map another user
        os.close(go)
        if not os.read(ready, 1):
            os._exit(1)
        for name in ("uid_map", "gid_map"):
            _write(f"/proc/{os.getppid()}/{name}", f"{NOBODY} {NOBODY} 1")
        os._exit(0)
    try:
        _checked(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare")
        os.write(go, b".")
    finally:
        os.close(ready)
        os.close(go)
        status = os.waitpid(helper, 0)[1]
    if status:
        raise OSError("the sandbox may not become another user")
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def drop_capabilities() -> None:
    """Drop them for good, for this process and whatever it executes."""
    _checked(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    for capability in range(LAST_CAPABILITY + 1):
        _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails only without anything to drop
    _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _checked(_libc.capset(ctypes.byref(header), ctypes.byref(nothing)), "drop capabilities")


def limit(limits: Mapping[str, int]) -> None:
    """Set resource limits, by name without RLIMIT_; never above what is allowed already."""
    for name, asked in limits.items():
        number = getattr(resource, f"RLIMIT_{name}")
        _, most = resource.getrlimit(number)
        value = asked if most == resource.RLIM_INFINITY else min(asked, most)
        resource.setrlimit(number, (value, value))


def become_node(limits: Mapping[str, int], families: Sequence[str]) -> None:
    """Give up what the root interpreter, and so every node, may not do."""
    os.setsid()
    with contextlib.suppress(OSError):  # Landlock refuses it; nothing depends on it alone
        _write("/proc/self/oom_score_adj", str(OOM_SCORE))
    # With huge pages, page faults would not show how much memory a node uses.
    _libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    drop_capabilities()
    limit(limits)
    hide()
    seccomp.deny_dangerous([getattr(socket, family) for family in families])
