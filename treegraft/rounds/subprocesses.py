"""Steps in child processes, which end when this process ends, however it ends.

`engine.die_with_parent` sees to that. A server watches its standard input instead: it may have
children of its own to end.

Limitation: on systems other than Linux a step outlives a kill -9 of its parent. The lock on the
folder that it explores keeps a second one out until it ends.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from engine.cli.option_table import Options
from engine.die_with_parent import die_with_parent
from treegraft.errors import TreegraftError

Result = Mapping[str, Any]
"""The result of a step; JSON only."""


class StepFailed(TreegraftError):
    """A step did not end well; the same command does it again, and goes on from there."""


def run_step(step: str, options: Options, output: Path) -> Result:
    """Run a step to its end, with its standard output in file `output`, and return its result.

    Ctrl-C is passed on, and the step is waited for: it keeps what it has paid for.

    Raises:
        StepFailed: It ended with an error, which it has printed.
        KeyboardInterrupt: Ctrl-C was pressed, and the step has ended.
    """
    with output.open("wb") as file, started(step, options, stdout=file) as child:
        assert child.stdin is not None
        child.stdin.close()
        code = child.wait()
    if code:
        raise StepFailed(f"{output.stem}: the step ended with code {code}")
    result: Result = json.loads(output.read_text("utf-8").splitlines()[-1])
    return result


@contextmanager
def started(
    step: str, options: Options, *, watches_stdin: bool = False, **more: Any
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a step, in a process group of its own, so that Ctrl-C reaches it through us.

    Args:
        step: Its name.
        options: Its options.
        watches_stdin: The step ends by itself when its standard input closes.
        **more: Arguments of `Popen`.
    """
    # -P: a file of the user's in the current folder must not replace a module of ours.
    from_source = Path.cwd() == Path(__file__).parents[2]
    command = [sys.executable, *([] if from_source else ["-P"]), "-m", "treegraft.rounds.step"]
    child = subprocess.Popen(
        command if watches_stdin else die_with_parent(command, signal.SIGKILL),
        stdin=subprocess.PIPE,
        process_group=0,
        **more,
    )
    assert child.stdin is not None
    try:
        with suppress(BrokenPipeError):  # it has ended already; its exit code says how
            child.stdin.write(json.dumps({"step": step, "options": options}).encode() + b"\n")
            child.stdin.flush()
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
                with suppress(BrokenPipeError):
                    stream.close()


def _interrupt(child: "subprocess.Popen[bytes]") -> None:
    """Pass Ctrl-C on and wait; pass further ones on as well."""
    while child.poll() is None:
        try:
            child.send_signal(signal.SIGINT)
            child.wait()
        except KeyboardInterrupt:
            continue
