"""What the search of one task may spend."""

from dataclasses import dataclass, field

from search.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskBudget:
    """Bounds of one tree; None means no bound.

    Attributes:
        calls: Requests per task, to the policy and to a judge.
        tokens: Prompt and completion tokens per task.
        usd: US dollars per task.
    """

    calls: int | None = field(default=60, metadata={"flag": "task-budget-calls", "panel": "Budget"})
    tokens: int | None = field(
        default=None, metadata={"flag": "task-budget-tokens", "panel": "Budget"}
    )
    usd: float | None = field(default=None, metadata={"flag": "task-budget-usd", "panel": "Budget"})

    def exceeded(self, used: Usage) -> str:
        """Return the bound that allows no further request ("calls", "tokens", "usd"), else ""."""
        if self.calls is not None and used.calls >= self.calls:
            return "calls"
        if self.tokens is not None and used.tokens >= self.tokens:
            return "tokens"
        if self.usd is not None and used.usd >= self.usd:
            return "usd"
        return ""
