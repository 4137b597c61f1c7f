"""What an environment's or a policy's code does wrong fails its task, and not the run."""

import asyncio
import os
import sysconfig
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import FrameSummary
from typing import TypeVar

from search.policy import BudgetSpent
from treegraft.errors import TreegraftError

T = TypeVar("T")

LONGEST_MESSAGE, LONGEST_TRACE = 300, 20_000
"""Characters that are kept of an exception's message and of its traceback."""
_PATHS = sysconfig.get_paths()
_LIBRARIES = tuple(_PATHS[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_OURS = tuple(
    str(Path(__file__).parents[1] / each) + os.sep
    for each in ("sandbox", "environments", "search", "engine", "trainer", "treegraft")
)
_CALLERS = (str(Path(__file__).parent), str(Path(__file__).parents[1] / "environments" / "base.py"))


class TaskFault(TreegraftError):
    """The code of an environment or of a policy raised an exception, or returned nonsense.

    Attributes:
        kind: The name of the exception's class.
        place: The line to blame, as "keypad.py:41 act"; "" if there is none.
        trace: The traceback, as text.
        method: The method that was called, as "KeypadEnv.act"; "" if it is not known.
    """

    def __init__(
        self, words: str, *, kind: str = "", place: str = "", trace: str = "", method: str = ""
    ) -> None:
        super().__init__(words)
        self.kind, self.place, self.trace = kind or type(self).__name__, place, trace
        self.method = method

    @property
    def cause(self) -> str:
        """What faults of the same origin have in common, for counting them."""
        return f"{self.kind} in {self.place}" if self.place else f"{self.kind}: {self}"

    @property
    def line(self) -> str:
        """What was called, what went wrong, and what to do."""
        if not self.method:
            return str(self)
        slip = "answer a mistake of the agent's with Outcome.slip, and mend anything else"
        todo = slip if self.method.endswith(".act") else "mend that line"
        return f"{self.method} raised {self}; {todo}"

    @classmethod
    def of(cls, error: BaseException) -> "TaskFault":
        """Return `error` as the fault of its task; its own pickling and text may be broken."""
        kind, frames = type(error).__name__, traceback.extract_tb(error.__traceback__)
        place = place_of(frames)
        trace = "".join(traceback.format_exception(error))
        words = f"{kind} in {place}" if place else kind
        if said := _message(error):
            words = f"{words}: {said}"
        method = _method_of(error)
        return cls(words, kind=kind, place=place, trace=trace[-LONGEST_TRACE:], method=method)


class CallHangs(TaskFault):
    """A call of an environment did not return in time; the thread in it is given up."""


def place_of(frames: Sequence[FrameSummary]) -> str:
    """Return the innermost line that is neither a library's nor the search's own."""
    others = [frame for frame in frames if not frame.filename.startswith(_CALLERS)]
    own = [frame for frame in others if not frame.filename.startswith(_LIBRARIES)]
    if not others:
        return ""
    frame = (own or others)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"


def _method_of(error: BaseException) -> str:
    """Return the outermost method that is neither a library's nor ours."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if not frame.f_code.co_filename.startswith((*_LIBRARIES, *_OURS)):
            return frame.f_code.co_qualname
    return ""


def blamed(call: Callable[..., T], *args: object) -> T:
    """Call the code of an environment.

    Raises:
        TaskFault: It raised something else than a `TreegraftError`, be it `SystemExit`.
    """
    try:
        return call(*args)
    except TreegraftError:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and _is_main_thread():
            raise  # Ctrl-C
        raise TaskFault.of(error) from error


@contextmanager
def faults_blamed() -> Iterator[None]:
    """Turn what a policy or a judge raises inside into a `TaskFault`.

    What it may raise passes, and so does what ends the run: a cancellation, Ctrl-C.
    """
    try:
        yield
    except (TreegraftError, BudgetSpent, KeyboardInterrupt, GeneratorExit):
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise TaskFault.of(error) from error  # nobody cancelled us: the policy raised it
    except BaseException as error:
        raise TaskFault.of(error) from error


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _message(error: BaseException) -> str:
    """Return the exception's own text in one line; an exception's `__str__` may raise, too."""
    _, _, said = "".join(traceback.format_exception_only(error)).partition(": ")
    line = " ".join(said.split())
    return line if len(line) <= LONGEST_MESSAGE else f"{line[: LONGEST_MESSAGE - 1]}…"
