"""Commands as child processes, which end when this process ends, however it ends.

`engine.die_with_parent` sees to that. A child with a pipe to its standard input watches
that instead:
it may have children of its own to end.

Limitation: elsewhere than on Linux a child outlives a kill -9 of its parent; the lock of what it
explores keeps a second one out until it ends.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.die_with_parent import die_with_parent


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
    words = executable(command)
    child = subprocess.Popen(
        words if watched else die_with_parent(words, signal.SIGKILL),
        **{"stdin": subprocess.DEVNULL, **streams},
        process_group=0,
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
