"""What the search of one task may spend."""

from dataclasses import dataclass, field

from search.usage import Usage
from treegraft.ranges import check_ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskBudget:
    """Bounds of one tree; None means no bound.

    Attributes:
        calls: Requests per task, to the policy and to a judge.
        tokens: Prompt and completion tokens per task.
        usd: US dollars per task.
    """

    calls: int | None = field(
        default=60, metadata={"flag": "task-budget-calls", "panel": "Budget", "min": 0}
    )
    tokens: int | None = field(
        default=None, metadata={"flag": "task-budget-tokens", "panel": "Budget", "min": 0}
    )
    usd: float | None = field(
        default=None, metadata={"flag": "task-budget-usd", "panel": "Budget", "min": 0}
    )

    def __post_init__(self) -> None:
        check_ranges(self)

    def exceeded(self, used: Usage) -> str:
        """Return the bound that allows no further request ("calls", "tokens", "usd"), else ""."""
        if self.calls is not None and used.calls >= self.calls:
            return "calls"
        if self.tokens is not None and used.tokens >= self.tokens:
            return "tokens"
        if self.usd is not None and used.usd >= self.usd:
            return "usd"
        return ""
