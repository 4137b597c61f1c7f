"""When a search of one task stops."""

from dataclasses import dataclass

from search.usage import Usage


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one tree.

    width: children per state; in `react`, the number of chains.   depth: steps per path.
    solved: successful paths per tree.   repeats: how often a state is asked again after it
    proposed only what it had proposed before; in `dfsdt`, on average over a tree's states.
    calls: requests to the policy and to a judge.   tokens: prompt and completion.
    usd: dollars.   None: no bound.
    """

    width: int = 2
    depth: int = 12
    solved: int = 1
    repeats: int = 4
    calls: int | None = 60
    tokens: int | None = None
    usd: float | None = None

    def exceeded(self, used: Usage) -> str:
        """Which bound leaves nothing for another request ("calls", "tokens", "usd"), else ""."""
        if self.calls is not None and used.calls >= self.calls:
            return "calls"
        if self.tokens is not None and used.tokens >= self.tokens:
            return "tokens"
        if self.usd is not None and used.usd >= self.usd:
            return "usd"
        return ""
