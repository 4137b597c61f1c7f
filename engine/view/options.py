"""Options of `engine view`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from engine.config import one_of
from engine.errors import UsageError
from engine.export.pairs import PairKind
from treegraft.ranges import check_ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewOptions:
    """What to show of a run, and where.

    Attributes:
        html: File to write the page to.
        tasks: Ids of the tasks to show, a,b,c; or @FILE with one id per line.
        limit: Most tasks to show.
        pairs: Pairs to show: step, trajectory, value or boundary.
        values: Show the values of another `engine credit` run of the same search, too; repeatable.
        serve: Serve the page on loopback; it follows the run.
        port: Port for --serve; 0 for any free one.
        import_marks: Add the marks of a file downloaded from the page.

    Raises:
        UsageError: Options do not go together.
    """

    html: Path | None = field(default=None, metadata={"default": "RUN/view.html"})
    tasks: str = ""
    limit: int | None = field(default=None, metadata={"min": 1})
    pairs: PairKind = field(default="step", metadata={"type": str})
    values: list[Path] = field(default_factory=list)
    serve: bool = False
    port: int = field(default=0, metadata={"min": 0, "max": 65535})
    import_marks: Path | None = None

    def __post_init__(self) -> None:
        check_ranges(self)
        one_of("pairs", self.pairs, get_args(PairKind))
        chosen = self.html or self.tasks or self.limit or self.values
        if self.serve and (chosen or self.import_marks):
            raise UsageError("--serve shows the whole run: combine it with --port and --pairs only")
        if self.import_marks and chosen:
            raise UsageError("use --import-marks alone; then run `engine view` again")
