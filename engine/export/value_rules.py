"""Options of an export from the values of states, which `engine credit` found."""

from dataclasses import dataclass, field

from engine.errors import UsageError
from treegraft.ranges import check_ranges

MARGIN = 0.3
"""Least difference of two values that counts, without --margin."""

PANEL = "Values of states (engine credit)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRules:
    """What to make of the values of states; the run is one of `engine credit`.

    Attributes:
        min_continuations: Least continuations of a value that is used. The value of a path's end
            is its reward, so it needs none.
        drawn_ratio: How often the policy draws the rejected action at least, as a share of how
            often it draws the chosen one (--pairs boundary).
        label_threshold: Least value of a step that is labelled right (--to prm).
        advantage_weighted: Weigh each message of an SFT row by exp(A / T), at most 20, where A is
            the advantage of its action and T this temperature.
        recovery: Write successful paths that go through a wrong turn, which is not trained. A step
            is one if it loses --margin of the value (default 0.3), or any of it where the search
            only failed below it and succeeded beside it.
        nat: Write failed paths, too. A line in the prompt says of each path whether it succeeds.
        pivots: Write successful paths from states with a pass rate between two numbers, such as
            0.3,0.7; what comes before is not trained.
    """

    min_continuations: int = field(default=2, metadata={"min": 1, "panel": PANEL})
    drawn_ratio: float = field(default=0.5, metadata={"min": 0, "panel": PANEL})
    label_threshold: float = field(default=0.5, metadata={"above": 0, "max": 1, "panel": PANEL})
    advantage_weighted: float | None = field(default=None, metadata={"above": 0, "panel": PANEL})
    recovery: bool = field(default=False, metadata={"panel": PANEL})
    nat: bool = field(default=False, metadata={"panel": PANEL})
    pivots: tuple[str, ...] = field(
        default=(), metadata={"comma": True, "default": "none", "panel": PANEL}
    )

    def __post_init__(self) -> None:
        check_ranges(self)
        _ = self.pivot_range
        chosen = [flag for flag in self.sft_flags if flag != "--advantage-weighted"]
        if len(chosen) > 1:
            raise UsageError(f"{' and '.join(chosen)} choose other paths; use one of them")
        if self.nat and self.advantage_weighted:
            raise UsageError(
                "--advantage-weighted is not for --nat: it would weigh down what failed"
            )

    @property
    def sft_flags(self) -> list[str]:
        """The flags given that choose or weigh the paths of SFT rows."""
        given = {
            "--recovery": self.recovery,
            "--nat": self.nat,
            "--pivots": self.pivots,
            "--advantage-weighted": self.advantage_weighted,
        }
        return [flag for flag, value in given.items() if value]

    @property
    def weigh_by_value(self) -> bool:
        """Whether SFT rows need the values of states."""
        return self.sft_flags not in ([], ["--nat"])

    @property
    def pivot_range(self) -> tuple[float, float] | None:
        """The least and the highest pass rate of a pivot, if pivots are wanted.

        Raises:
            UsageError: They are not two numbers from 0 to 1, in their order.
        """
        if not self.pivots:
            return None
        try:
            low, high = map(float, self.pivots)
        except ValueError:
            low, high = 1.0, 0.0
        if not 0 <= low <= high <= 1:
            raise UsageError(
                f"--pivots {','.join(self.pivots)}: use two numbers from 0 to 1, such as 0.3,0.7"
            )
        return low, high
