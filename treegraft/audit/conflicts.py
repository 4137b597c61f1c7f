"""Contexts in which rows teach different answers.

Two good ways to go on are no mistake: a student that learns both learns a choice. But a context in
which many rows disagree teaches little, and a pair that prefers what another one rejects teaches
nothing.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from treegraft.audit.rows import AuditRow, answer_of


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Where rows disagree.

    Attributes:
        contexts: How many different contexts there are.
        repeated: How many of them more than one row has.
        disagreeing: Of each context with several answers, the places of its rows.
        minority: The rows that hold an answer which is not the commonest in its context.
        reversed: The rows of pairs that prefer what another pair rejects in the same context.
    """

    contexts: int
    repeated: int
    disagreeing: list[list[int]]
    minority: set[int]
    reversed: set[int]


def find_conflicts(rows: Sequence[AuditRow]) -> Conflicts:
    """Compare the answers of all rows in each context: the same messages and tools before it."""
    answers: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, row in enumerate(rows):
        for context, answer in row.answers():
            answers[context][answer].append(place)
    repeated = [one for one in answers.values() if sum(map(len, one.values())) > 1]
    different = [one for one in repeated if len(one) > 1]
    minority = set()
    for one in different:
        commonest = max(one, key=lambda answer: len(one[answer]))
        minority |= {p for answer, places in one.items() if answer != commonest for p in places}
    return Conflicts(
        len(answers),
        len(repeated),
        [sorted({place for places in one.values() for place in places}) for one in different],
        minority,
        _reversed(rows),
    )


def _reversed(rows: Sequence[AuditRow]) -> set[int]:
    preferred: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        chosen, rejected = (row.value.get(half) or [{}] for half in ("chosen", "rejected"))
        if "chosen" in row.value:
            context = next(iter(row.answers()), ("", ""))[0]
            preferred[context, answer_of(chosen[0]), answer_of(rejected[0])].append(place)
    both = [
        [*places, *preferred[context, rejected, chosen]]
        for (context, chosen, rejected), places in list(preferred.items())
        if (context, rejected, chosen) in preferred and chosen != rejected
    ]
    return {place for places in both for place in places}
