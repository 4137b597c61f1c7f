"""Sections on what the student can do besides."""

from collections.abc import Iterator

from trainer.evaluation.reporting.compare import Reports, by_key, head, row
from trainer.evaluation.reporting.document import Section, Table
from trainer.evaluation.reporting.format import change, number


def general(reports: Reports) -> Iterator[Section]:
    """The loss on held-out chat."""
    found = [report.general for report in reports]
    if not any(found):
        return
    losses = [one.loss if one else None for one in found]
    perplexities = [one.perplexity if one else None for one in found]
    counts = [(one.conversations, one.tokens) if one else None for one in found]
    rows = [
        row("loss, nats a token", [number(one, 3) for one in losses], change(losses, 3)),
        row("perplexity", [number(one) for one in perplexities], change(perplexities)),
        row("conversations, tokens", [f"{n[0]}, {n[1]}" if n else "-" for n in counts], "-"),
    ]
    notes = [f"Loss of the assistant's turns in {one.file}." for one in found if one]
    for one in found:
        if one and one.left_out:
            reasons = ", ".join(f"{reason}: {n}" for reason, n in one.left_out.items())
            notes.append(f"Left out: {reasons}.")
    yield Section("general chat", [*dict.fromkeys(notes)], [Table(head(reports), rows)])


def harness(reports: Reports) -> Iterator[Section]:
    """Tasks of lm-eval, a metric a row."""
    flat = {
        report.name: {
            f"{task}: {metric}": value
            for task, metrics in report.harness.items()
            for metric, value in metrics.items()
        }
        for report in reports
    }
    found = by_key(reports, lambda report: flat[report.name])
    rows = [
        row(name, [number(n, 4) for n in each], change(each, 4)) for name, each in found.items()
    ]
    if rows:
        yield Section("lm-eval", [], [Table(head(reports), rows)])
