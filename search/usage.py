"""What requests cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts of one request or the sum of many; tokens as the endpoint counts them.

    Attributes:
        cached_tokens: The part of `prompt_tokens` that the endpoint had in its prefix cache.
        usd: US dollars; 0 if no price is known.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    usd: float = 0.0

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.usd + other.usd,
        )
