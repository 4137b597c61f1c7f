"""The progress line of a run: solved, failed, calls, tokens, dollars, tasks per minute."""

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engine.runs import explore
from environments import Task
from search import Tree
from search.usage import Usage


class Bar(explore.Progress):
    """A bar on `console` if that is a terminal; a line per failure and remark in any case."""

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

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._bar.stop()
        if isinstance(error, explore.FirstFailure) and error.trace:
            self.note(error.trace)

    def note(self, text: str) -> None:
        """Print a remark."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def begin(self, total: int, done: int) -> None:
        """Set the number of tasks, and of those finished earlier."""
        self._bar.update(self._id, total=total, completed=done)

    def tree(self, tree: Tree) -> None:
        """Count a finished tree."""
        self._solved += tree.solved
        self._usage += tree.usage
        self._advance()

    def failure(self, task: Task, error: Exception) -> None:
        """Count a task without a tree, and print why."""
        self._failed += 1
        self._console.print(
            f"{task.id}: {error}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        self._advance()

    def _advance(self) -> None:
        used = self._usage
        speed = self._bar.tasks[0].speed or 0.0
        counts = (
            f"solved {self._solved}  failed {self._failed}  calls {used.calls}  "
            f"tokens {used.tokens}  ${used.usd:.2f}  {speed * 60:.0f}/min"
        )
        self._bar.update(self._id, advance=1, counts=counts)
