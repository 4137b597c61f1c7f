"""Sections on what the steps are worth: against references, and to judges."""

from collections.abc import Iterator

from trainer.evaluation.measures.kagentbench import WEIGHTS
from trainer.evaluation.measures.statistics import Estimate
from trainer.evaluation.measures.teacher_forcing import Forced
from trainer.evaluation.reporting.compare import Reports, by_key, head, plot, row
from trainer.evaluation.reporting.document import Section, Table
from trainer.evaluation.reporting.format import change, number, points, share

_SHARES = {
    "tool": "tool exact match",
    "arguments": "arguments, ROUGE-L",
    "thought": "thought, ROUGE-L",
    "planning": "planning",
    "tool_use": "tool use",
    "reflection": "reflection",
    "conclusion": "conclusion",
    "profile": "profile",
}


def forced(reports: Reports) -> Iterator[Section]:
    """The student at the turns of reference trajectories."""
    found = [report.forced for report in reports]
    if not any(found):
        return
    rows, figures = [], {}
    for attribute, title in _SHARES.items():
        each: list[Estimate | None] = [getattr(one, attribute) if one else None for one in found]
        if any(each):
            figures[title] = each
            rows.append(row(title, [*map(share, each)], points(each)))
    matches = [one.match if one else None for one in found]
    rows.append(row("match", [*map(number, matches)], change(matches)))
    overall = [100 * one.overall if one else None for one in found]
    rows.append(row("overall", [number(one, 1) for one in overall], change(overall, 1)))
    notes = [note for one in found if one for note in _notes(one)]
    shown = plot("against the reference", reports, figures)
    title = "against reference trajectories, turn by turn"
    yield Section(title, [*dict.fromkeys(notes)], [Table(head(reports), rows)], [shown])


def _notes(one: Forced) -> Iterator[str]:
    yield (
        f"{one.turns} turns of {one.tasks} tasks, each asked with all that comes before it in the "
        "reference; intervals by bootstrap over tasks."
    )
    yield f"match = EM(tool) + {one.fuzzy_weight:g} x ROUGE-L(thought and arguments)."
    weights = [f"{WEIGHTS[name]:g} {name}" for name in WEIGHTS if name not in one.left_out]
    weighed = " + ".join(weights).replace("_", " ")
    left_out = ", ".join(one.left_out).replace("_", " ")
    scaled = f", scaled to a sum of 1 without {left_out}: no reference" if left_out else ""
    yield f"overall = {weighed} (KAgentBench's weights{scaled})."
    if one.without:
        yield f"{one.without} tasks have no reference."
    if one.unanswered:
        yield f"{one.unanswered} turns could not be asked, and count 0."


def judged(reports: Reports) -> Iterator[Section]:
    """Scores of each judge, a person's sheet being one."""
    for judge, each in by_key(reports, lambda report: report.judged).items():
        usable, breaches = (
            [getattr(one, of, None) for one in each] for of in ("usable", "breaches")
        )
        means = [one.mean if one else None for one in each]
        rows = [
            row("mean score", [*map(number, means)], change(means)),
            row("usable (4, 5)", [*map(share, usable)], points(usable)),
            row("breach of content rules (0)", [*map(share, breaches)], points(breaches)),
        ]
        for score in "543210":
            counts = [float(one.counts.get(score, 0)) if one else None for one in each]
            rows.append(row(f"score {score}", [number(n, 0) for n in counts], change(counts, 0)))
        lost = [
            f"{report.name}: {one.unread} replies held no score, {one.failed} requests failed."
            for report, one in zip(reports, each, strict=True)
            if one and one.unread + one.failed
        ]
        shown = plot("usable", reports, {"usable": usable})
        yield Section(f"scores by {judge}", lost, [Table(head(reports), rows)], [shown])


def agreement(reports: Reports) -> Iterator[Section]:
    """Of each two judges, run by run."""
    rows: list[tuple[str, ...]] = []
    for report in reports:
        for names, one in report.agreement.items():
            figures = number(one.kappa), share(one.equal), share(one.usable)
            rows.append((names, report.name, *figures))
    if rows:
        note = "Cohen's kappa with quadratic weights: 1 is agreement, 0 what chance brings."
        table = Table(("judges", "run", "kappa", "same score", "agree on usable"), rows)
        yield Section("agreement of judges", [note], [table])
