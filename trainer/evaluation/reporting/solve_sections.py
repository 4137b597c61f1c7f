"""Sections on how many tasks were solved, which, and what went wrong."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from trainer.evaluation.measures.statistics import Figure, Rate, changed, paired
from trainer.evaluation.metrics import Report
from trainer.evaluation.reporting.compare import Reports, by_key, head, plot, row
from trainer.evaluation.reporting.document import Section, Table
from trainer.evaluation.reporting.format import change, number, points, share

_RATES = (
    ("solved", "solved"),
    ("strict", "solved, strict"),
    ("reward", "mean reward"),
    ("valid", "valid actions"),
    ("format_errors", "format errors"),
    ("repeated", "repeated actions"),
    ("gave_up", "gave up"),
)
_MEANS = ("steps_per_task", "tokens_per_task", "failed")
_SPLITS: tuple[tuple[str, str, Callable[[Report], Mapping[str, Rate]]], ...] = (
    ("solved by tag", "tag", lambda report: report.tags),
    ("solved by group", "group", lambda report: report.groups),
    ("solved by depth", "steps of the path", lambda report: report.depths),
)


def solved(reports: Reports) -> Iterator[Section]:
    """How many tasks, and how."""
    rows = []
    for attribute, title in _RATES:
        rates: list[Figure | None] = [getattr(report, attribute) for report in reports]
        if any(rates):
            bounds = _paired(reports) if attribute == "solved" else ""
            rows.append(row(title, [*map(share, rates)], points(rates) + bounds))
    for attribute in _MEANS:
        values = [float(getattr(report, attribute)) for report in reports]
        cells = [number(value, 1) for value in values]
        rows.append(row(attribute.replace("_", " "), cells, change(values, 1)))
    shown = plot("solve rate", reports, {"solved": [report.solved for report in reports]})
    tables = [Table(head(reports), rows)]
    yield Section("tasks solved and how", _notes(reports), tables, [shown])


def splits(reports: Reports) -> Iterator[Section]:
    """The solve rate by tag, group and depth, where a report has them."""
    for title, of, rates in _SPLITS:
        if found := by_key(reports, rates):
            rows = [row(name, [*map(share, each)]) for name, each in found.items()]
            table = Table(head(reports, of, difference=False), rows)
            yield Section(title, [], [table], [plot(title, reports, found)])


def pass_at(reports: Reports) -> Iterator[Section]:
    """How likely one of k chains solves a task."""
    found = by_key(reports, lambda report: report.pass_at)
    named = {f"pass@{k}": each for k, each in found.items()}
    if named:
        note = "Unbiased estimates over the chains of each task; intervals by bootstrap over tasks."
        bounds = {"pass@1": _paired_shares(reports)}
        rows = [
            row(name, [*map(share, each)], points(each) + bounds.get(name, ""))
            for name, each in named.items()
        ]
        shown = plot("pass@k", reports, named, curve=True)
        yield Section("pass@k", [note], [Table(head(reports), rows)], [shown])


def mistakes(reports: Reports) -> Iterator[Section]:
    """What went wrong, in steps and tasks, with a task to look at."""
    found = by_key(reports, lambda report: report.mistakes)
    if not found:
        return
    columns = [f"{r.name}: {of}" for r in reports for of in ("steps", "tasks", "for example")]
    rows = []
    for kind, each in found.items():
        cells = [(share(m.steps), share(m.tasks), m.example) if m else ("-",) * 3 for m in each]
        rows.append((kind, *(cell for three in cells for cell in three)))
    shares = {kind: [one.tasks if one else None for one in each] for kind, each in found.items()}
    shown = plot("tasks with it", reports, shares)
    yield Section("errors", [], [Table(("kind", *columns), rows)], [shown])


def _paired(reports: Reports) -> str:
    """The interval of the difference, where both solved the same tasks."""
    found = paired(reports[0].outcomes, reports[-1].outcomes)
    return f" [{100 * found[1]:+.0f}, {100 * found[2]:+.0f}]" if found else ""


def _paired_shares(reports: Reports) -> str:
    """Likewise of what one chain is worth."""
    found = changed([(reports[0].shares, reports[-1].shares)])
    return f" [{100 * found.low:+.0f}, {100 * found.high:+.0f}]" if found else ""


def _notes(reports: Sequence[Report]) -> list[str]:
    notes = ["Intervals are 95 %: Wilson's of a rate, Newcombe's paired one of a difference."]
    if reports[0].outcomes.keys() != reports[-1].outcomes.keys():
        notes.append("The runs are of different tasks: their difference has no paired interval.")
    if any(report.pass_at for report in reports):
        notes.append("Solved: by any of a task's chains. What one chain is worth is pass@1.")
    return notes
