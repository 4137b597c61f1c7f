"""Tables of reports, for a person at a terminal."""

from collections.abc import Sequence

from rich.table import Table

from trainer.metrics import Rate, Report, paired

_RATES = (
    ("solved", "solved"),
    ("strict", "solved, strict"),
    ("valid", "valid actions"),
    ("format_errors", "format errors"),
    ("repeated", "repeated actions"),
    ("gave_up", "gave up"),
)


def table(reports: Sequence[Report]) -> Table:
    """Reports side by side, the last against the first."""
    made = Table("", title="tasks solved and how")
    for report in reports:
        made.add_column(report.name, justify="right", overflow="fold")
    compared = len(reports) > 1
    if compared:
        made.add_column("difference", justify="right")
    for attribute, title in _RATES:
        rates: list[Rate | None] = [getattr(report, attribute) for report in reports]
        if any(rates):
            cells = [_cell(rate) for rate in rates]
            made.add_row(title, *cells, *([_difference(rates, reports, attribute)] * compared))
    for attribute in ("steps_per_task", "tokens_per_task", "failed"):
        values = [float(getattr(report, attribute)) for report in reports]
        change = [f"{values[-1] - values[0]:+.1f}"] * compared
        made.add_row(attribute.replace("_", " "), *(f"{value:.1f}" for value in values), *change)
    _split(made, reports)
    return made


def _split(made: Table, reports: Sequence[Report]) -> None:
    """Rows for each group and tag that any report has."""
    for attribute in ("tags", "groups"):
        made.add_section()
        for name in dict.fromkeys(key for one in reports for key in getattr(one, attribute)):
            rates = [getattr(report, attribute).get(name) for report in reports]
            empty = [""] * (len(reports) > 1)
            made.add_row(name, *(_cell(rate, interval=False) for rate in rates), *empty)


def _cell(rate: Rate | None, *, interval: bool = True) -> str:
    if rate is None:
        return "-"
    low, high = rate.interval
    bounds = f" [{100 * low:.0f}, {100 * high:.0f}]" if interval else ""
    return f"{100 * rate.value:.1f} %{bounds} ({rate.hits}/{rate.total})"


def _difference(rates: Sequence[Rate | None], reports: Sequence[Report], attribute: str) -> str:
    """Percentage points; with the paired interval where both solved the same tasks."""
    first, last = rates[0], rates[-1]
    if first is None or last is None:
        return "-"
    change = f"{100 * (last.value - first.value):+.1f}"
    found = paired(reports[0].outcomes, reports[-1].outcomes) if attribute == "solved" else None
    return f"{change} [{100 * found[1]:+.0f}, {100 * found[2]:+.0f}]" if found else change
