"""What a page says first: the result in one sentence, the tasks gained and lost, and the cost."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from urllib.parse import quote

from trainer.evaluation.measures.statistics import Rate, solve_rate_change
from trainer.evaluation.report import Report
from trainer.evaluation.reporting.document import Example, Section, Table

MOST_EXAMPLES = 5
"""Examples of tasks gained, and of tasks lost."""
_NO_PRICE = "Dollars are 0 where no price is known, as for a model in this process."


def headline(reports: Sequence[Report]) -> str:
    """Return the result in one sentence; "" if no tasks were played."""
    first, last = reports[0], reports[-1]
    if not last.outcomes:
        return ""
    solved = f"{last.name} solves {_of(last.solved)}"
    if len(reports) < 2 or not first.outcomes:
        low, high = last.solved.interval
        return f"{solved[:-1]}; 95 % interval {100 * low:.0f} to {100 * high:.0f} %)"
    change = solve_rate_change(first.outcomes, last.outcomes)
    if change is None:
        return f"{solved}; {first.name} solves {_of(first.solved)}, of other tasks"
    more = last.solved.hits - first.solved.hits
    word = "as many as" if not more else f"{abs(more)} {'more' if more > 0 else 'fewer'} than"
    return f"{solved}, {word} {first.name}"


def verdict(reports: Sequence[Report]) -> str:
    """Return how sure the difference of the last from the first is; "" if there is none."""
    change = solve_rate_change(reports[0].outcomes, reports[-1].outcomes)
    if len(reports) < 2 or change is None:
        return ""
    value, low, high = (100 * bound for bound in change)
    sure = "more than chance explains" if low > 0 or high < 0 else "which chance may explain"
    return (
        f"The difference is {value:+.1f} percentage points (95 % interval {low:+.0f} to "
        f"{high:+.0f}), {sure}."
    )


def summary(reports: Sequence[Report], pages: Sequence[str]) -> list[Section]:
    """Return what stands before the figures: examples, all tasks and the cost.

    Args:
        reports: At least one.
        pages: For each of them the page that shows its trees, or "".
    """
    return [*_examples(reports, pages), *_task_list(reports, pages), *_costs(reports)]


def _task_list(reports: Sequence[Report], pages: Sequence[str]) -> Iterator[Section]:
    """Yield every task with its outcome in every run, the ones not solved first."""
    ids = list(dict.fromkeys(id for report in reports for id in report.outcomes))
    if not ids:
        return
    last = reports[-1].outcomes
    ids.sort(key=lambda id: last.get(id, False))
    rows = [(id, *(_ending(report, id) for report in reports), _prompt(reports, id)) for id in ids]
    links = tuple(_link(reports, pages, id) for id in ids)
    head = ("task", *(report.name for report in reports), "what was asked")
    title = f"all tasks ({len(ids)})"
    yield Section(title, tables=[Table(head, rows, links)], folded=True)


def without_first_plot(sections: Sequence[Section]) -> list[Section]:
    """Return the sections; the first one's plot stands at the top of the page already."""
    return [replace(sections[0], plots=[]), *sections[1:]] if sections else []


def _examples(reports: Sequence[Report], pages: Sequence[str]) -> Iterator[Section]:
    first, last = reports[0], reports[-1]
    if len(reports) < 2:
        missed = [id for id, solved in last.outcomes.items() if not solved]
        yield from _tasks("not solved", missed, reports, pages)
        return
    both = [id for id in last.outcomes if id in first.outcomes]
    gained = [id for id in both if last.outcomes[id] and not first.outcomes[id]]
    lost = [id for id in both if first.outcomes[id] and not last.outcomes[id]]
    yield from _tasks(f"gained: solved by {last.name} alone", gained, reports, pages)
    yield from _tasks(f"lost: solved by {first.name} alone", lost, reports, pages)


def _tasks(
    title: str, ids: Sequence[str], reports: Sequence[Report], pages: Sequence[str]
) -> Iterator[Section]:
    if not ids:
        return
    shown = [
        Example(
            id, _prompt(reports, id), [_run(*pair, id) for pair in zip(reports, pages, strict=True)]
        )
        for id in ids[:MOST_EXAMPLES]
    ]
    left = len(ids) - len(shown)
    notes = [f"{left} more are in the list of all tasks."] if left else []
    yield Section(f"{title} ({len(ids)})", notes, examples=shown)


def _run(report: Report, page: str, id: str) -> tuple[str, str, str]:
    found = report.results.get(id)
    said = f": {found.answer}" if found and found.answer else ""
    return report.name, f"{_ending(report, id)}{said}", _link([report], [page], id)


def _ending(report: Report, id: str) -> str:
    if id in report.results:
        return report.results[id].ending
    return "failed, no tree" if id in report.outcomes else "-"


def _prompt(reports: Sequence[Report], id: str) -> str:
    return next((r.results[id].prompt for r in reports if id in r.results), "")


def _link(reports: Sequence[Report], pages: Sequence[str], id: str) -> str:
    """Return the address of the task in the page of the last run that has one."""
    for report, page in zip(reversed(reports), reversed(pages), strict=True):
        if page and id in report.results:
            return f"{quote(page)}#{quote(id, safe='')}/{report.results[id].node}"
    return ""


def _costs(reports: Sequence[Report]) -> Iterator[Section]:
    if not any(report.outcomes for report in reports):
        return
    rows = [
        (
            report.name,
            f"{len(report.outcomes):,}",
            *(f"{count:,}" for count in (report.calls, report.tokens)),
            f"{report.usd:.2f}",
            f"{report.usd / report.solved.hits:.4f}" if report.solved.hits else "-",
        )
        for report in reports
    ]
    head = ("run", "tasks", "model calls", "tokens", "dollars", "dollars per solved task")
    yield Section("cost", [_NO_PRICE], [Table(head, rows)])


def _of(rate: Rate) -> str:
    return f"{rate.hits} of {rate.total} tasks ({100 * rate.value:.0f} %)"
