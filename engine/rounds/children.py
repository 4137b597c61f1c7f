"""Commands as child processes, which end when this process ends, however it ends.

Linux's PR_SET_PDEATHSIG sees to that. It is sent when the thread that started the child ends, so
children are started by the main thread, which lives as long as the process. A child with a pipe to
its standard input watches that instead: it may have children of its own to end.

Limitation: elsewhere than on Linux a child outlives a kill -9 of its parent; the lock of what it
explores keeps a second one out until it ends.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


def run(command: Sequence[str], output: Path) -> int:
    """Run `command` to its end, its standard output in file `output`: its exit code.

    Ctrl-C is passed on, once, and the child is waited for: it keeps what it has paid for.

    Raises:
        KeyboardInterrupt: after that.
    """
    with output.open("wb") as file, started(command, stdout=file) as child:
        return child.wait()


@contextmanager
def started(command: Sequence[str], **streams: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """`command` under way, in a process group of its own, so that Ctrl-C reaches it through us."""
    watched = streams.get("stdin") == subprocess.PIPE
    child = subprocess.Popen(
        executable(command),
        **{"stdin": subprocess.DEVNULL, **streams},
        process_group=0,
        preexec_fn=None if watched else _ends_with_us(),
    )
    try:
        yield child
    except KeyboardInterrupt:
        _interrupt(child)
        raise
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()


def executable(command: Sequence[str]) -> list[str]:
    """How `engine` or `trainer` is called: by this Python, whatever is on the PATH, and whatever
    the user's own folder has that is called like them."""
    from_source = Path.cwd() == Path(__file__).parents[2]
    return [sys.executable, *([] if from_source else ["-P"]), "-m", *command]


def last_object(output: Path) -> dict[str, Any]:
    """The JSON object, or the only one of a list, that a command with --json printed last; {} if
    it came to none."""
    lines = output.read_text("utf-8", errors="replace").splitlines()
    for text in reversed(lines):
        try:
            found = json.loads(text)
        except ValueError:
            continue
        if isinstance(found, list) and len(found) == 1:
            found = found[0]
        return found if isinstance(found, dict) else {}
    return {}


def _interrupt(child: "subprocess.Popen[bytes]") -> None:
    """Pass Ctrl-C on and wait; each further one is passed on as well."""
    while child.poll() is None:
        try:
            child.send_signal(signal.SIGINT)
            child.wait()
        except KeyboardInterrupt:
            continue


def _ends_with_us() -> Callable[[], None] | None:
    """What a child does before it becomes the command."""
    if sys.platform != "linux":
        return None
    libc, us = ctypes.CDLL(None), os.getpid()

    def ask_to_end() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != us:  # we ended before it asked
            os._exit(1)

    return ask_to_end
