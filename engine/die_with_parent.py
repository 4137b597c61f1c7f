"""Run commands that end when this process ends, however it ends.

Limitations: Linux only (PR_SET_PDEATHSIG, prctl(2)). The signal is sent when the thread that
started the command ends, so start commands in the main thread, which lives as long as the process.
"""

import os
import sys
from collections.abc import Sequence
from signal import Signals

_PROGRAM = """\
import ctypes, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
ctypes.CDLL(None).prctl(1, int(sys.argv[1]), 0, 0, 0)
if os.getppid() != int(sys.argv[2]):
    sys.exit(1)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""Requests the signal, checks that the parent has not ended meanwhile, and becomes the command."""


def die_with_parent(command: Sequence[str], number: Signals) -> list[str]:
    """Wrap `command`, a child of this process, so that it gets signal `number` when we end.

    On other systems than Linux, return `command` as it is.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-ISc", _PROGRAM, str(int(number)), str(os.getpid()), *command]
