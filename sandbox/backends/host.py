"""What the backends share that use this machine's own Python."""

import os
import sys

from sandbox.program import ENVIRONMENT

INTERPRETER = os.path.realpath(sys.executable)
"""The real Python: a virtual environment's is a link that leads nowhere inside a sandbox."""

PYTHON = (sys.base_prefix, os.path.dirname(INTERPRETER))
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
COMMANDS = ("/bin", "/usr/bin")
NETWORK_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl")
"""What a program needs besides, if it may use the network."""

PATH = f"{os.path.dirname(INTERPRETER)}:/usr/local/bin:/usr/bin:/bin"


def environment(home: str) -> dict[str, str]:
    """Return the complete environment: nothing of ours reaches agent code."""
    if not home:
        return {}
    return ENVIRONMENT | {"PATH": PATH, "HOME": f"{home}/work", "TMPDIR": f"{home}/tmp"}
