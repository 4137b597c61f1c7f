"""From reports to the sections that people read: one function per section."""

from collections.abc import Callable, Iterator, Mapping

from trainer.evaluation.measures.kagentbench import LIKENESSES, WEIGHTS
from trainer.evaluation.measures.perturbed import Perturbed
from trainer.evaluation.measures.statistics import (
    Estimate,
    Figure,
    Rate,
    mean_change,
    solve_rate_change,
)
from trainer.evaluation.measures.teacher_forcing import TeacherForcing
from trainer.evaluation.report import Report
from trainer.evaluation.reporting.columns import (
    Reports,
    by_key,
    change,
    head,
    number,
    plot,
    points,
    row,
    share,
)
from trainer.evaluation.reporting.document import Section, Table

_RATES = (
    ("solved", "solved"),
    ("strict", "solved, strict"),
    ("reward", "mean reward"),
    ("valid", "valid actions"),
    ("format_errors", "format errors"),
    ("repeated", "repeated actions"),
    ("gave_up", "gave up"),
    ("false_calls", "false calls"),
    ("missed_calls", "missed calls"),
)
_MEANS = ("steps_per_task", "tokens_per_task", "failed")
_SPLITS: tuple[tuple[str, str, Callable[[Report], Mapping[str, Rate]]], ...] = (
    ("solved by tag", "tag", lambda report: report.tags),
    ("solved by group", "group", lambda report: report.groups),
    ("solved by depth", "steps of the path", lambda report: report.depths),
)


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

_TOOL_EVAL = {
    "passed": "pass rate",
    "solved": "solvable pass rate (SoPR)",
    "won": "win rate",
}


def solved(reports: Reports) -> Iterator[Section]:
    """Yield the solve rate and what the steps were like, if tasks were played."""
    if not any(report.outcomes for report in reports):
        return
    rows = []
    for attribute, title in _RATES:
        rates: list[Figure | None] = [getattr(report, attribute) for report in reports]
        if any(rates):
            bounds = _solve_interval(reports) if attribute == "solved" else ""
            rows.append(row(title, [*map(share, rates)], points(rates) + bounds))
    for attribute in _MEANS:
        values = [float(getattr(report, attribute)) for report in reports]
        cells = [number(value, 1) for value in values]
        rows.append(row(attribute.replace("_", " "), cells, change(values, 1)))
    rates_plot = plot("solve rate", reports, {"solved": [report.solved for report in reports]})
    tables = [Table(head(reports), rows)]
    yield Section("tasks solved and how", _notes(reports), tables, [rates_plot])


def splits(reports: Reports) -> Iterator[Section]:
    """Yield the solve rate by tag, by group and by depth, if a report has them."""
    for title, of, rates in _SPLITS:
        if found := by_key(reports, rates):
            rows = [row(name, [*map(share, each)]) for name, each in found.items()]
            table = Table(head(reports, of, difference=False), rows)
            yield Section(title, [], [table], [plot(title, reports, found)])


def pass_at(reports: Reports) -> Iterator[Section]:
    """Yield how likely one of k chains solves a task."""
    found = by_key(reports, lambda report: report.pass_at)
    rates = {f"pass@{k}": each for k, each in found.items()}
    if rates:
        note = "Unbiased estimates over the chains of each task; intervals by bootstrap over tasks."
        bounds = {"pass@1": _pass_interval(reports)}
        rows = [
            row(name, [*map(share, each)], points(each) + bounds.get(name, ""))
            for name, each in rates.items()
        ]
        curve = plot("pass@k", reports, rates, curve=True)
        yield Section("pass@k", [note], [Table(head(reports), rows)], [curve])


def errors(reports: Reports) -> Iterator[Section]:
    """Yield the kinds of errors: in how many steps and tasks, and an example."""
    found = by_key(reports, lambda report: report.mistakes)
    if not found:
        return
    columns = [f"{r.name}: {of}" for r in reports for of in ("steps", "tasks", "for example")]
    rows = []
    for kind, each in found.items():
        cells = [(share(m.steps), share(m.tasks), m.example) if m else ("-",) * 3 for m in each]
        rows.append((kind, *(cell for three in cells for cell in three)))
    shares: dict[str, list[Figure | None]] = {
        kind: [one.tasks if one else None for one in each]
        for kind, each in found.items()
        if any(one and one.tasks.hits for one in each)
    }
    tasks_plot = plot("tasks with it", reports, shares)
    plots = [tasks_plot] if shares else []
    yield Section("errors", [], [Table(("kind", *columns), rows)], plots)


def _solve_interval(reports: Reports) -> str:
    """Return the interval of the difference of the solve rates; "" if the tasks differ."""
    found = solve_rate_change(reports[0].outcomes, reports[-1].outcomes)
    return f" [{100 * found[1]:+.0f}, {100 * found[2]:+.0f}]" if found else ""


def _pass_interval(reports: Reports) -> str:
    """Return the interval of the difference of pass@1; "" if the tasks differ."""
    found = mean_change([(reports[0].shares, reports[-1].shares)])
    return f" [{100 * found.low:+.0f}, {100 * found.high:+.0f}]" if found else ""


def _notes(reports: Reports) -> list[str]:
    notes = ["95 % intervals: Wilson's for rates, Newcombe's paired one for the difference."]
    if reports[0].outcomes.keys() != reports[-1].outcomes.keys():
        notes.append("The runs have different tasks, so their difference has no interval.")
    for report in reports:
        if report.incomplete:
            reasons = ", ".join(f"{reason} {n}" for reason, n in report.incomplete.items())
            notes.append(f"{report.name}: replies that were not complete: {reasons}.")
    if any(report.pass_at for report in reports):
        notes.append(
            "A task is solved if any of its chains solved it; pass@1 is the rate of one chain."
        )
    return notes


def perturbations(reports: Reports) -> Iterator[Section]:
    """Yield the solve rates with one thing changed, against the same tasks as they are."""
    found = by_key(reports, lambda report: report.perturbed)
    if not found:
        return
    parts = ("solved", "difference", "lost, gained", "valid actions")
    several = len(reports) > 1
    columns = [f"{r.name}: {part}" if several else part for r in reports for part in parts]
    plain = [(share(r.solved), "", "", share(r.valid, interval=False)) for r in reports]
    rows = [("none", *(cell for four in plain for cell in four))]
    for name, each in found.items():
        cells = [_perturbed(one) if one else ("-",) * len(parts) for one in each]
        rows.append((name, *(cell for four in cells for cell in four)))
    figures: dict[str, list[Figure | None]] = {"none": [report.solved for report in reports]}
    figures |= {name: [one.solved if one else None for one in each] for name, each in found.items()}
    notes = [
        "Each row changes one thing that the agent sees; the tasks are the same. Differences are "
        "paired, with 95 % intervals (Newcombe's, or a bootstrap over tasks for pass@1)."
    ]
    notes += [
        f"{report.name}, {name}: {one.failed} tasks failed, and count as not solved."
        for report in reports
        for name, one in report.perturbed.items()
        if one.failed
    ]
    title = "solved with one thing changed"
    yield Section(
        title, notes, [Table(("changed", *columns), rows)], [plot(title, reports, figures)]
    )


def _perturbed(one: Perturbed) -> tuple[str, ...]:
    bounds = "-"
    if one.change is not None:
        low, high = (100 * bound for bound in one.change.interval)
        bounds = f"{100 * one.change.value:+.1f} [{low:+.0f}, {high:+.0f}]"
    valid = share(one.valid, interval=False)
    return share(one.solved), bounds, f"{one.lost}, {one.gained}", valid


def teacher_forcing(reports: Reports) -> Iterator[Section]:
    """Yield the figures of the replies at the turns of reference trajectories."""
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
    notes = [note for one in found if one for note in _forcing_notes(one)]
    shares_plot = plot("against the reference", reports, figures)
    title = "against reference trajectories, turn by turn"
    if len({one.references for one in found if one and one.references}) > 1:
        notes.append("The references are not the same, so the figures cannot be compared.")
    tables = [Table(head(reports), rows), *_likenesses(found, reports)]
    yield Section(title, [*dict.fromkeys(notes)], tables, [shares_plot])


def _likenesses(found: list[TeacherForcing | None], reports: Reports) -> Iterator[Table]:
    """Yield KAgentBench's table, in percent, with each measure of likeness in its place."""
    first, *others = LIKENESSES
    columns: list[str] = []
    cells = {part: [part.replace("_", " ")] for part in (*WEIGHTS, "overall")}
    for report, one in zip(reports, found, strict=True):
        if one is None or not one.others:
            continue
        of = f"{report.name}: " if len(reports) > 1 else ""
        columns += [f"{of}{name}" for name in (first, *others)]
        for part, row_ in cells.items():
            own = getattr(one, part)
            row_.append(_percent(own.value if isinstance(own, Estimate) else own))
            row_ += [_percent(one.others[name].get(part)) for name in others]
    if columns:
        yield Table(("KAgentBench's parts, in percent", *columns), [*map(tuple, cells.values())])


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def _forcing_notes(one: TeacherForcing) -> Iterator[str]:
    yield (
        f"{one.turns} turns of {one.tasks} tasks, each asked with all that comes before it in the "
        "reference. Intervals: bootstrap over tasks."
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
    if one.incomplete:
        yield f"{one.incomplete} replies were not complete (cut off, filtered), and count 0."


def judged(reports: Reports) -> Iterator[Section]:
    """Yield one section per judge; a person's sheet is a judge too."""
    for judge, each in by_key(reports, lambda report: report.judged).items():
        usable, breaches = (
            [getattr(one, name, None) for one in each] for name in ("usable", "breaches")
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
            f"{report.name}: {one.unread} replies without a score, {one.failed} requests failed."
            for report, one in zip(reports, each, strict=True)
            if one and one.unread + one.failed
        ]
        usable_plot = plot("usable", reports, {"usable": usable})
        yield Section(f"scores by {judge}", lost, [Table(head(reports), rows)], [usable_plot])


def agreement(reports: Reports) -> Iterator[Section]:
    """Yield how far each two judges agree, run by run."""
    rows: list[tuple[str, ...]] = []
    for report in reports:
        for names, one in report.agreement.items():
            figures = number(one.kappa), share(one.equal), share(one.usable)
            rows.append((names, report.name, *figures))
    if rows:
        note = "Cohen's kappa with quadratic weights: 1 is agreement, 0 is chance."
        table = Table(("judges", "run", "kappa", "same score", "agree on usable"), rows)
        yield Section("agreement of judges", [note], [table])


def tool_eval(reports: Reports) -> Iterator[Section]:
    """Yield ToolEval's pass rate and win rate."""
    found = [report.tooleval for report in reports]
    if not any(found):
        return
    rows = []
    for attribute, title in _TOOL_EVAL.items():
        rates: list[Figure | None] = [getattr(one, attribute) if one else None for one in found]
        if any(rates):
            rows.append(row(title, [*map(share, rates)], points(rates)))
    for title, key in (("answers", "answers"), ("tasks not solved", "tasks")):
        counts = [getattr(one, key) if one else {} for one in found]
        cells = [", ".join(f"{word} {n}" for word, n in each.items()) or "-" for each in counts]
        rows.append(row(title, cells, "-"))
    notes = [
        f"{report.name} against {one.against}: {one.wins} won, {one.losses} lost, {one.ties} tied."
        for report, one in zip(reports, found, strict=True)
        if one and one.against
    ]
    yield Section("ToolEval", notes, [Table(head(reports), rows)])


def general_chat(reports: Reports) -> Iterator[Section]:
    """Yield the loss on held-out chat."""
    found = [report.general for report in reports]
    if not any(found):
        return
    losses = [one.loss if one else None for one in found]
    perplexities = [one.perplexity if one else None for one in found]
    counts = [(one.conversations, one.tokens) if one else None for one in found]
    rows = [
        row("loss, nats per token", [number(one, 3) for one in losses], change(losses, 3)),
        row("perplexity", [number(one) for one in perplexities], change(perplexities)),
        row("conversations, tokens", [f"{n[0]}, {n[1]}" if n else "-" for n in counts], "-"),
    ]
    notes = [f"Loss of the assistant's turns in {one.file}." for one in found if one]
    for one in found:
        if one and one.left_out:
            reasons = ", ".join(f"{reason}: {n}" for reason, n in one.left_out.items())
            notes.append(f"Left out: {reasons}.")
    yield Section("general chat", [*dict.fromkeys(notes)], [Table(head(reports), rows)])


def lm_harness(reports: Reports) -> Iterator[Section]:
    """Yield the metrics of lm-eval, one per row."""
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


_SECTIONS = (
    *(solved, splits, pass_at, perturbations, errors, teacher_forcing),
    *(judged, agreement, tool_eval, general_chat, lm_harness),
)


def sections(reports: Reports) -> list[Section]:
    """Return the sections that `reports`, at least one, have figures for."""
    return [section for make in _SECTIONS for section in make(reports)]
