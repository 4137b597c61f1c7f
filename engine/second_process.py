"""Solutions played in a second process, in which sets have another order and clocks another zone.

Within one process the order of a set of texts is always the same: what depends on it shows only
between two processes. The other time zone shows clocks that tell no seconds.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from multiprocessing.connection import Connection

from engine.executors.base import close_env, tasks_of
from engine.terminal import say
from environments import Step, Task, ToolEnv
from environments.demonstrable import gold_actions
from environments.plays import play
from search.faults import blamed
from treegraft.errors import TreegraftError

OpenEnv = Callable[[], ToolEnv]
"""Makes an environment; can be pickled."""

END_SECONDS = 20.0
"""How long the process may take to close its environment."""
HALF_A_DAY = timedelta(hours=12, minutes=23)
LARGEST_OFFSET = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Replay:
    """A task in the second process.

    Attributes:
        prompt: None if there is no such task.
        steps: The solution, played.
        trouble: Why it could not be played; "" if it was.
    """

    id: str
    prompt: str | None = None
    steps: list[Step] = field(default_factory=list)
    trouble: str = ""


class SecondProcess:
    """Plays the tasks that it is asked for, one after another.

    Args:
        open_env: Makes the environment there.
        seconds: How long a task may take.
    """

    def __init__(self, open_env: OpenEnv, seconds: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, open_env))
        self._seconds, self._lost = seconds, False
        with _surroundings():
            self._process.start()
        theirs.close()

    def ask(self, task: Task) -> None:
        """Begin to play a task there."""
        with suppress(OSError):
            self._pipe.send(task.id)

    def answer(self, task: Task) -> Replay | None:
        """Return what came of a task that was asked for; None if the process is gone."""
        with suppress(EOFError, OSError):
            while not self._lost and self._pipe.poll(self._seconds):
                replay: Replay = self._pipe.recv()
                if replay.id == task.id:
                    return replay
        if not self._lost:
            self._lost = True
            say("the second process ended or hangs: from here on, plays are compared in one only")
        return None

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(0.0 if self._lost else END_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def _serve(pipe: Connection, open_env: OpenEnv) -> None:
    """Play tasks until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process closes the pipe
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # the first process tells the same of its data, and prints the report
    os.dup2(null, 2)
    env, tasks, trouble = None, dict[str, Task](), ""
    try:
        env = blamed(open_env)
        tasks = {task.id: task for task in tasks_of(env)}
    except TreegraftError as error:
        trouble = str(error)
    with suppress(EOFError, OSError):
        while True:
            id = pipe.recv()
            found = None if trouble or env is None else _replay(env, tasks, id)
            pipe.send(found or Replay(id, trouble=trouble))
    if env is not None:
        close_env(env)


def _replay(env: ToolEnv, tasks: Mapping[str, Task], id: str) -> Replay:
    if id not in tasks:
        return Replay(id)
    task = tasks[id]
    try:
        steps = blamed(lambda: play(env, task, gold_actions(env, task)))
    except TreegraftError as error:
        return Replay(id, task.prompt, trouble=str(error))
    return Replay(id, task.prompt, steps)


@contextmanager
def _surroundings() -> Iterator[None]:
    """Start processes with another order of sets, and in a zone half a day away."""
    offset = datetime.now().astimezone().utcoffset() or timedelta()
    here = offset + (HALF_A_DAY if datetime.now().hour >= 12 else -HALF_A_DAY)
    minutes = int(min(max(here, -LARGEST_OFFSET), LARGEST_OFFSET).total_seconds()) // 60
    sign = "-" if minutes >= 0 else "+"  # POSIX counts west of Greenwich
    zone = f"XXX{sign}{abs(minutes) // 60}:{abs(minutes) % 60:02}"
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    before = {name: os.environ.get(name) for name in ("PYTHONHASHSEED", "TZ")}
    os.environ.update(PYTHONHASHSEED=seed, TZ=zone)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
