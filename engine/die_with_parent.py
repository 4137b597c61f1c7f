"""Commands that end when this process ends, however it ends.

Limitation: Linux only (PR_SET_PDEATHSIG, prctl(2)). It is sent when the thread that started the
command ends, so commands are started by the main thread, which lives as long as the process.
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
"""Asks for the signal, sees that we did not end before it asked, and becomes the command."""


def tied(command: Sequence[str], number: Signals) -> list[str]:
    """`command` as a child of this process has to call it, to get signal `number` when we end.

    Elsewhere than on Linux: `command`.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-ISc", _PROGRAM, str(int(number)), str(os.getpid()), *command]
