"""The progress line of a run: solved, failed, calls, tokens, dollars, tasks per minute."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engine.chat.prices import usd_text
from engine.runs import explore
from environments import Task
from search import Tree
from search.usage import Usage


class Bar(explore.Progress):
    """A bar on `console` if that is a terminal; a line per remark and kind of failure always."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("exploring"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._id = self._bar.add_task("", counts="")
        self._solved = self._failed = 0
        self._usage = Usage()
        self._unpriced = False
        self._told: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._bar.stop()
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

    def begin(self, total: int, done: int) -> None:
        """Set the number of tasks, and of those finished earlier."""
        self._bar.update(self._id, total=total, completed=done)
        self._bar.start()

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
        used = self._usage
        speed = self._bar.tasks[0].speed or 0.0
        counts = (
            f"solved {self._solved}  failed {self._failed}  calls {used.calls}  "
            f"tokens {used.tokens}  {usd_text(used, self._unpriced)}  {speed * 60:.0f}/min"
        )
        self._bar.update(self._id, advance=1, counts=counts)

    def _print(self, text: str, style: str | None = None) -> None:
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
