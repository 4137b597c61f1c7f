"""Figures in Prometheus' text format, version 0.0.4."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MEDIA_TYPE = "text/plain; version=0.0.4"
SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds of the histograms of latency."""
Labels = Mapping[str, str]


@dataclass(slots=True)
class Latency:
    """A histogram of seconds.

    Attributes:
        counts: How many took up to each of SECONDS; the last number is the rest.
        seconds: All together.
    """

    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    seconds: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.seconds += seconds
        self.counts[bisect_left(SECONDS, seconds)] += 1


class Page:
    """The text that Prometheus reads.

    Args:
        prefix: How the figures' names begin.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._lines: list[str] = []

    @property
    def text(self) -> str:
        """All that was added."""
        return "\n".join(self._lines) + "\n"

    def counter(self, name: str, about: str, found: Iterable[tuple[Labels, float]]) -> None:
        """Add a figure that only grows; its name ends with _total."""
        self._add(name, about, "counter", found)

    def gauge(self, name: str, about: str, found: Iterable[tuple[Labels, float]]) -> None:
        """Add a figure that goes up and down."""
        self._add(name, about, "gauge", found)

    def latency(self, name: str, about: str, found: Iterable[tuple[Labels, Latency]]) -> None:
        """Add histograms of seconds."""
        full = self._head(name, about, "histogram")
        for labels, one in found:
            total = 0
            for bound, number in zip((*SECONDS, "+Inf"), one.counts, strict=True):
                total += number
                self._sample(f"{full}_bucket", {**labels, "le": str(bound)}, total)
            self._sample(f"{full}_sum", labels, one.seconds)
            self._sample(f"{full}_count", labels, total)

    def _add(self, name: str, about: str, kind: str, found: Iterable[tuple[Labels, float]]) -> None:
        full = self._head(name, about, kind)
        for labels, value in found:
            self._sample(full, labels, value)

    def _head(self, name: str, about: str, kind: str) -> str:
        full = f"{self._prefix}_{name}"
        self._lines += [f"# HELP {full} {about}", f"# TYPE {full} {kind}"]
        return full

    def _sample(self, name: str, labels: Labels, value: float) -> None:
        pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        self._lines.append(f"{name}{{{pairs}}} {value}" if pairs else f"{name} {value}")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
