"""The progress of a run: what was solved, what it cost, how fast it goes, how long it takes."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn
from rich.progress import Task as BarTask
from rich.table import Column
from rich.text import Text

from engine.chat.limiter import Throttle
from engine.chat.prices import usd_text
from engine.runs import explore
from engine.runs.estimate import duration
from environments import Task
from search import Tree
from search.usage import Usage

LINE_SECONDS = 30.0
"""Time between two lines where there is no terminal for a bar."""


class Bar(explore.Progress):
    """A bar on `console` if that is a terminal, else a line now and then.

    A line per remark and kind of failure always.
    """

    def __init__(self, console: Console, every: float = LINE_SECONDS) -> None:
        self._console, self._every = console, every
        self._lines = threading.Thread(target=self._say, name="progress", daemon=True)
        self._ended = threading.Event()
        self._solved = self._failed = self._found = 0
        self._earlier = self._total = 0
        self._usage = Usage()
        self._unpriced = False
        self._told: Counter[str] = Counter()
        self._throttle: Callable[[], Throttle] = Throttle
        self._began = self._latest = monotonic()
        self._display = _Display(console, self._counts, self._time_left)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._ended.set()
        if self._console.is_terminal:
            self._display.stop()
        for words, number in self._told.items():
            if number > 1:
                self._print(f"{number - 1} more tasks failed in the same way: {words}")
        if isinstance(error, explore.FirstFailure) and error.trace:
            self.note(error.trace)

    def note(self, text: str) -> None:
        """Print a remark."""
        self._print(text)

    def prices(self, unknown: Sequence[str]) -> None:
        """Show dollars as unknown if a model has no price."""
        self._unpriced = bool(unknown)

    def throttle(self, now: Callable[[], Throttle]) -> None:
        """Show what `now` returns."""
        self._throttle = now

    def begin(self, total: int, done: int) -> None:
        """Set the number of tasks, and of those finished earlier."""
        self._total, self._earlier, self._found = total, done, 0
        self._began = self._latest = monotonic()
        self._display.show(total, done)
        if self._console.is_terminal:
            self._display.start()
        elif not self._lines.is_alive():
            self._lines.start()

    def tree(self, tree: Tree) -> None:
        """Count a finished tree."""
        self._solved += tree.solved
        self._usage += tree.usage
        self._advance()

    def failure(self, task: Task, error: Exception) -> None:
        """Count a task without a tree, and print why; what is said already is only counted."""
        self._failed += 1
        words = re.sub(r"in \d+ s;", "in a while;", str(error).replace(task.id, "TASK"))
        self._told[words] += 1
        if self._told[words] == 1:
            self._print(f"{task.id}: {error}", style="red")
        self._advance()

    def _advance(self) -> None:
        self._found += 1
        self._latest = monotonic()
        self._display.advance(self._display.task_ids[0])

    def _say(self) -> None:
        """Print a line now and then, until the run ends."""
        while not self._ended.wait(self._every):
            done = self._earlier + self._found
            if done < self._total:
                self._print(f"{done} of {self._total} tasks, {self._time_left()}: {self._counts()}")

    def _counts(self) -> str:
        used, seconds = self._usage, self._latest - self._began
        parts = [
            f"{self._solved} solved",
            f"{self._failed} failed",
            f"{used.calls:,} requests",
            f"{used.tokens:,} tokens",
            usd_text(used, self._unpriced),
            *([_per_minute(self._found / seconds)] if seconds and self._found else []),
            *([text] if (text := self._throttle().text) else []),
        ]
        return ", ".join(parts)

    def _time_left(self) -> str:
        """Return how long the rest takes, at the mean pace of this run until its latest result."""
        if not (found := self._found):
            return "time left unknown"
        pace = (self._latest - self._began) / found
        rest = (self._total - self._earlier - found) * pace - (monotonic() - self._latest)
        return f"{duration(max(rest, 0))} left"

    def _print(self, text: str, style: str | None = None) -> None:
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _per_minute(tasks: float) -> str:
    """Return a rate in words, from tasks per second."""
    return f"{60 * tasks:,.0f} tasks/min" if tasks > 0.1 else f"{60 * tasks:.1f} tasks/min"


class _Display(Progress):
    """A bar with the number of tasks and the time left, which no width cuts; below it, words."""

    def __init__(
        self, console: Console, words: Callable[[], str], time_left: Callable[[], str]
    ) -> None:
        self._words = words
        super().__init__(
            BarColumn(None, table_column=Column(ratio=1)),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            _Words(time_left),
            console=console,
            expand=True,
        )
        self.add_task("")

    def show(self, total: int, done: int) -> None:
        """Set the number of tasks, and of those that are done."""
        self.update(self.task_ids[0], total=total, completed=done)

    def get_renderables(self) -> Iterable[RenderableType]:
        """See rich."""
        yield from super().get_renderables()
        yield Text(self._words())


class _Words(ProgressColumn):
    """Words that change with time."""

    max_refresh = 0.5

    def __init__(self, words: Callable[[], str]) -> None:
        super().__init__(Column(no_wrap=True))
        self._words = words

    def render(self, task: BarTask) -> Text:
        """See rich."""
        return Text(self._words())
