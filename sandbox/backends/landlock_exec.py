"""A program that restricts itself by Landlock and then executes another program.

Standard library only: `python landlock_exec.py RULES PROGRAM ARGUMENT...`. RULES is JSON with lists
of paths: "read" (and execute), "write" (everything below), "use" (read and write a device).
Everything else in the file system is closed; so are TCP (Linux 6.7; not if "network" is true),
abstract Unix sockets and signals to processes outside (6.12), as far as the kernel can.

See Documentation/userspace-api/landlock.rst.
"""

import ctypes
import json
import os
import struct
import sys
from typing import Any

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION, PATH_BENEATH, PR_SET_NO_NEW_PRIVS = 1, 1, 38
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
FIRST_RIGHTS = (1 << 13) - 1
TCP, SCOPES = 0b11, 0b11
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

_libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """Return Landlock's version here; 0 or less if there is none."""
    return int(_libc.syscall(CREATE_RULESET, None, 0, VERSION))


def handled(version: int) -> tuple[int, int, int]:
    """Return the file rights, network rights and scopes that this version can take away."""
    files = FIRST_RIGHTS
    for since, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
        if version >= since:
            files |= right
    return files, TCP if version >= 4 else 0, SCOPES if version >= 6 else 0


def restrict(rules: dict[str, Any]) -> None:
    """Restrict this process for good. Raises OSError if the kernel refuses."""
    version = abi()
    files, network, scopes = handled(version)
    network = 0 if rules.get("network") else network
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _ruleset(struct.pack("=QQQ", files, network, scopes)[:size])
    for kind, rights in (
        ("read", EXECUTE | READ_FILE | READ_DIR),
        ("write", files),
        ("use", READ_FILE | WRITE_FILE | TRUNCATE),
    ):
        for path in rules[kind]:
            _allow(ruleset, path, rights & files)
    _checked(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(_libc.syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _ruleset(attributes: bytes) -> int:
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    found = int(_libc.syscall(CREATE_RULESET, buffer, len(attributes), 0))
    _checked(found < 0)
    return found


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not os.path.isdir(path):
        rights &= ON_FILES
    beneath = struct.pack("=Qi", rights, descriptor)
    buffer = ctypes.create_string_buffer(beneath, len(beneath))
    _checked(_libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, buffer, 0))
    os.close(descriptor)


def _checked(failed: int) -> None:
    if failed:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    restrict(json.loads(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
