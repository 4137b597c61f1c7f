"""What clients asked and what was paid, per model: for the usage page and for Prometheus."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from search.usage import Usage

SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds of the histogram of latency."""

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
        latency: How many answers took up to each of SECONDS; the last number is the rest.
        seconds: All answers together.
    """

    requests: int = 0
    answered: int = 0
    paid: Usage = field(default_factory=Usage)
    errors: Counter[str] = field(default_factory=Counter)
    latency: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    seconds: float = 0.0

    @property
    def kept(self) -> int:
        """Answers that cost nothing: from the journal, or together with an equal request."""
        return max(0, self.answered - self.paid.calls)

    def answer(self, seconds: float) -> None:
        """Count an answer."""
        self.answered += 1
        self.seconds += seconds
        self.latency[bisect_left(SECONDS, seconds)] += 1


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
        """Return the figures in Prometheus' text format, version 0.0.4."""
        lines: list[str] = []
        for name, about, read in _COUNTERS:
            lines += [f"# HELP {name} {about}", f"# TYPE {name} counter"]
            for model, one in sorted(self.models.items()):
                lines += [
                    f"{name}{_labels(model=model, **labels)} {value:g}"
                    for labels, value in read(one)
                ]
        name = "treegraft_proxy_seconds"
        lines += [f"# HELP {name} Seconds until an answer.", f"# TYPE {name} histogram"]
        for model, one in sorted(self.models.items()):
            total = 0
            for bound, number in zip((*SECONDS, "+Inf"), one.latency, strict=True):
                total += number
                lines.append(f"{name}_bucket{_labels(model=model, le=str(bound))} {total}")
            lines.append(f"{name}_sum{_labels(model=model)} {one.seconds:g}")
            lines.append(f"{name}_count{_labels(model=model)} {total}")
        return "\n".join(lines) + "\n"


def _labels(**labels: str) -> str:
    escaped = {
        name: value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
        for name, value in labels.items()
    }
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}"


_COUNTERS: Any = (
    ("treegraft_proxy_requests_total", "Requests of clients.", lambda f: [({}, f.requests)]),
    (
        "treegraft_proxy_answers_total",
        "Answers, by where they came from.",
        lambda f: [({"from": "upstream"}, f.paid.calls), ({"from": "journal"}, f.kept)],
    ),
    (
        "treegraft_proxy_tokens_total",
        "Tokens paid.",
        lambda f: [
            ({"kind": "prompt"}, f.paid.prompt_tokens),
            ({"kind": "completion"}, f.paid.completion_tokens),
        ],
    ),
    ("treegraft_proxy_usd_total", "Dollars paid.", lambda f: [({}, f.paid.usd)]),
    (
        "treegraft_proxy_errors_total",
        "Requests not answered, by code.",
        lambda f: [({"code": code}, number) for code, number in sorted(f.errors.items())],
    ),
)
