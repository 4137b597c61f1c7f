"""Trials in a process of their own: a cheater may patch, block or end the process it plays in."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection

from engine.proof.programs import LEFT
from engine.proof.trial import Bench, Trial, endings_of, try_task
from environments import Action, Task, ToolEnv
from sandbox import SandboxError
from search.faults import TaskFault
from treegraft.errors import TreegraftError

OpenEnv = Callable[[], ToolEnv]
SECONDS = 1800.0
"""How long the trial of a task may take."""
END_SECONDS = 20.0


class TrialFailed(TreegraftError):
    """No trial is possible; the message says why."""


def trials(open_env: OpenEnv, tasks: Sequence[Task], seconds: float = SECONDS) -> Iterator[Trial]:
    """Yield the trial of each task, in order.

    Args:
        open_env: Makes the environment in the other process; can be pickled.
        tasks: Those to try; the other process knows them by their ids.
        seconds: How long each may take.

    Raises:
        TrialFailed: The other process cannot make the environment.
    """
    ids = [task.id for task in tasks]
    process: _Process | None = None
    try:
        for id in ids:
            process = process or _Process(open_env, ids)
            found = process.trial(id, seconds)
            if found is None:
                process.close()
                process = None
                found = Trial(id, harmed="a cheater ends the world's process, or blocks it")
            yield found
    finally:
        if process is not None:
            process.close()


class _Process:
    def __init__(self, open_env: OpenEnv, ids: Sequence[str]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, open_env, ids))
        self._process.start()
        theirs.close()

    def trial(self, id: str, seconds: float) -> Trial | None:
        """Return the trial of a task; None if the process is gone or hangs."""
        try:
            self._pipe.send(id)
            if not self._pipe.poll(seconds):
                return None
            found = self._pipe.recv()
        except (EOFError, OSError):
            return None
        if isinstance(found, str):
            raise TrialFailed(found)
        return found if isinstance(found, Trial) else None

    def close(self) -> None:
        self._pipe.close()
        self._process.join(END_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def _serve(pipe: Connection, open_env: OpenEnv, ids: Sequence[str]) -> None:
    """Try tasks until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # cheaters print verdicts
    os.dup2(null, 2)
    with suppress(EOFError, OSError):
        try:
            bench = Bench(open_env)
            known = {task.id: task for task in bench.env.tasks}
            endings = endings_of(bench.env, [known[id] for id in ids if id in known])
        except TreegraftError as error:
            pipe.recv()
            pipe.send(str(error))
            return
        try:
            while True:
                pipe.send(_tried(bench, known, endings, pipe.recv()))
        finally:
            bench.close()


def _tried(
    bench: Bench, known: Mapping[str, Task], endings: Mapping[str, Action], id: str
) -> Trial:
    if id not in known:
        return Trial(id, harmed="another process has no such task")
    own = set(os.listdir())
    try:
        found = try_task(bench, known[id], endings)
    except (SandboxError, TaskFault) as error:
        found = Trial(id, raised={"the solution": type(error).__name__})
    escaped = [name for name in LEFT if name not in own and os.path.lexists(name)]
    for name in escaped:
        _remove(name)
    if escaped:
        words = f"a cheater wrote {', '.join(escaped)} into the working directory of this process"
        found = replace(found, harmed=found.harmed or words)
    return found


def _remove(name: str) -> None:
    if os.path.isdir(name) and not os.path.islink(name):
        shutil.rmtree(name)
    else:
        os.remove(name)
