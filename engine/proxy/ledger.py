"""What clients asked and what was paid, per model: for the usage page and for Prometheus."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.chat import call_rates
from engine.chat.call_rates import CallRates
from engine.prometheus import Labels, Latency, Page
from search.usage import Usage

MOST_MODELS = 200
"""Models that are counted by name; clients may send any name."""
LONGEST_NAME = 100
OTHERS = "(others)"


@dataclass(slots=True)
class Figures:
    """Of one model.

    Attributes:
        requests: Requests of clients.
        answered: Those of them that were answered.
        paid: What the upstream was paid here; `calls` counts its replies.
        errors: The others, by the code that the client got.
        latency: Of answers.
        calls: What is wrong with the calls of tools in the replies that were paid.
    """

    requests: int = 0
    answered: int = 0
    paid: Usage = field(default_factory=Usage)
    errors: Counter[str] = field(default_factory=Counter)
    latency: Latency = field(default_factory=Latency)
    calls: CallRates = field(default_factory=CallRates)

    @property
    def kept(self) -> int:
        """Answers that cost nothing: from the journal, or together with an equal request."""
        return max(0, self.answered - self.paid.calls)

    def answer(self, seconds: float) -> None:
        """Count an answer."""
        self.answered += 1
        self.latency.observe(seconds)


@dataclass(slots=True)
class Ledger:
    """Of all models, since the proxy was started."""

    models: dict[str, Figures] = field(default_factory=dict)

    def of(self, model: str) -> Figures:
        """Return the figures of a model; those that come late are counted together."""
        model = model[:LONGEST_NAME]
        if model not in self.models and len(self.models) >= MOST_MODELS:
            model = OTHERS
        return self.models.setdefault(model, Figures())

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {
            name: {
                "requests": one.requests,
                "answered": one.answered,
                "from_journal": one.kept,
                "paid": one.paid.calls,
                "prompt_tokens": one.paid.prompt_tokens,
                "cached_tokens": one.paid.cached_tokens,
                "completion_tokens": one.paid.completion_tokens,
                "usd": round(one.paid.usd, 6),
                "errors": dict(one.errors),
            }
            for name, one in sorted(self.models.items())
        }

    def metrics(self) -> str:
        """Return the figures in Prometheus' text format."""
        page = Page("treegraft_proxy")
        found = [({"model": name}, one) for name, one in sorted(self.models.items())]
        for name, about, read in _COUNTERS:
            values = [({**who, **more}, value) for who, one in found for more, value in read(one)]
            page.counter(name, about, values)
        page.latency("seconds", "Until an answer.", [(who, one.latency) for who, one in found])
        call_rates.add_to(page, [(who, one.calls) for who, one in found])
        return page.text


_COUNTERS: tuple[tuple[str, str, Callable[[Figures], list[tuple[Labels, float]]]], ...] = (
    ("requests_total", "Requests of clients.", lambda f: [({}, f.requests)]),
    (
        "answers_total",
        "Answers, by where they came from.",
        lambda f: [({"from": "upstream"}, f.paid.calls), ({"from": "journal"}, f.kept)],
    ),
    (
        "tokens_total",
        "Tokens paid.",
        lambda f: [
            ({"kind": "prompt"}, f.paid.prompt_tokens),
            ({"kind": "completion"}, f.paid.completion_tokens),
        ],
    ),
    ("usd_total", "Dollars paid.", lambda f: [({}, f.paid.usd)]),
    (
        "errors_total",
        "Requests not answered, by code.",
        lambda f: [({"code": code}, number) for code, number in sorted(f.errors.items())],
    ),
)
