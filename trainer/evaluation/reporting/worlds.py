"""Students over several worlds, as tables: each world's score, and the means over all."""

from collections.abc import Sequence

from trainer.evaluation.overall import (
    Overall,
    common_worlds,
    folder_name,
    means,
    score,
    weighed_means,
)
from trainer.evaluation.reporting.columns import points, share
from trainer.evaluation.reporting.document import Section, Table

_SCORE = "The score of a world is its mean reward, with its 95 % interval over tasks."
_WEIGHED = (
    "Overall, as AgentBench weighs it: each score divided by the mean of the students' scores in "
    "that world, then the mean over worlds."
)
_ALONE = "A single student has no weighed mean: add others with --compare."


def worlds(students: Sequence[Overall]) -> list[Section]:
    """Return the table of scores."""
    reports = [{folder_name(w): r for w, r in one.reports.items()} for one in students]
    names, shared = list(dict.fromkeys(w for own in reports for w in own)), common_worlds(students)
    several = len(students) > 1
    rows = []
    for world in names:
        figures = [score(own[world]) if world in own else None for own in reports]
        rows.append((world, *map(share, figures), *([points(figures)] if several else [])))
    plain = means(students)
    rise = [f"{100 * (plain[-1] - plain[0]):+.1f}"] if several else []
    rows.append((f"mean of {len(shared)}", *(f"{100 * mean:.1f} %" for mean in plain), *rise))
    notes = [_SCORE, _WEIGHED if several else _ALONE]
    if several:
        weighed = weighed_means(students)
        rise = [f"{weighed[-1] - weighed[0]:+.2f}"]
        rows.append(("overall", *(f"{mean:.2f}" for mean in weighed), *rise))
    if left_out := [world for world in names if world not in shared]:
        notes.append(f"Not in the means, since not all were measured there: {', '.join(left_out)}.")
    titles = ("world", *(one.name for one in students), *(["difference"] if several else []))
    return [Section("scores by world", notes, [Table(titles, rows)])]
