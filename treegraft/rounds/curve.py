"""How the rounds went: one point per round, from the state alone."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trainer.evaluation.measures.statistics import Rate
from treegraft.rounds.settings import RoundsSettings
from treegraft.rounds.state import State
from treegraft.rounds.subprocesses import Result

SEARCHES = ("student", "teacher", "both")
"""Names of the steps that search."""


@dataclass(frozen=True, slots=True)
class Point:
    """One round; round 0 is the student before any training.

    Attributes:
        round: Its number.
        tasks: Tasks searched.
        student: Tasks solved by the student alone.
        teacher: Other tasks solved.
        left: Train tasks that the student has not solved in any round so far.
        failed: Tasks that some search of the round left without a tree.
        rows: SFT rows of all rounds.
        pairs: DPO pairs of all rounds.
        used: Rows that SFT trained on.
        trained: Tokens that the loss saw in the round, in SFT and DPO together; None if the run is
            of a version that did not count them.
        held_out: The held-out solve rate; None if it was not measured.
        calls: Requests of the round's searches, and of its credit.
        teacher_calls: Those of them to the teacher.
        tokens: Tokens of these requests.
        usd: Dollars spent on them; None if a price is not known.
        seconds: Duration of all steps.
        method: What the rounds do; `settings.Method`.
    """

    round: int
    tasks: int = 0
    student: int = 0
    teacher: int = 0
    left: int = 0
    failed: int = 0
    rows: int = 0
    pairs: int = 0
    used: int = 0
    held_out: Rate | None = None
    calls: int = 0
    teacher_calls: int = 0
    tokens: int = 0
    usd: float | None = 0.0
    seconds: float = 0.0
    trained: int | None = 0
    method: str = "teacher"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, and "solve_rate", as JSON takes them."""
        rate = self.held_out
        if rate is None:
            return asdict(self) | {"solve_rate": None}
        low, high = rate.interval
        held_out = {"hits": rate.hits, "total": rate.total, "low": low, "high": high}
        return asdict(self) | {"held_out": held_out, "solve_rate": rate.value}


def points(state: State) -> list[Point]:
    """Return the point of each round that has begun, in order."""
    rounds = sorted({int(name.partition("/")[0]) for name in state.done})
    return [_point(state, number) for number in rounds]


def left(state: State, number: int) -> list[str]:
    """Return the train tasks, in order, that the student solved in no round before `number`."""
    solved: set[str] = set()
    for before in range(1, number):
        for name in SEARCHES:
            solved.update(_result(state, before, name).get("student", ()))
    return [id for id in state.tasks["train"] if id not in solved]


def why_stop(finished: Sequence[Point], settings: RoundsSettings) -> str:
    """Return why no round follows the finished ones; "" if one does."""
    last = finished[-1]
    if last.round >= 1 and not last.left:
        return "the student has solved every task"
    if last.round >= settings.number:
        return f"{settings.number} rounds are done"
    rates = [point.held_out for point in finished[-2:] if point.held_out is not None]
    if settings.least_gain is None or last.round < 1 or len(rates) < 2:
        return ""
    gain = rates[1].value - rates[0].value
    if gain >= settings.least_gain:
        return ""
    return f"the held-out solve rate rose by {gain:.3f}, less than {settings.least_gain:g}"


def _point(state: State, number: int) -> Point:
    searches = [found for name in SEARCHES if (found := _result(state, number, name))]
    credit = _result(state, number, "credit")
    paid = [*searches, *([credit] if credit else [])]
    measured = _result(state, number, "evaluate")
    prefix = f"{number}/"
    return Point(
        number,
        tasks=max((found["tasks"] for found in searches), default=0),
        student=len({id for found in searches for id in found["student"]}),
        teacher=len({id for found in searches for id in found["teacher"]}),
        left=len(left(state, number + 1)),
        failed=sum(found["failed"] for found in searches),
        rows=_result(state, number, "rows").get("rows", 0),
        pairs=_result(state, number, "pairs").get("rows", 0),
        used=_result(state, number, "sft").get("used", 0),
        held_out=Rate(measured["hits"], measured["total"]) if measured else None,
        calls=sum(found["calls"] for found in paid),
        teacher_calls=sum(found["teacher_calls"] for found in searches),
        tokens=sum(found["tokens"] for found in paid),
        usd=_sum([found["usd"] for found in paid]),
        seconds=sum(done.seconds for name, done in state.done.items() if name.startswith(prefix)),
        trained=_trained([_result(state, number, kind) for kind in ("sft", "dpo")]),
        method=state.method,
    )


def _trained(trainings: Sequence[Result]) -> int | None:
    """Return the number of tokens that the loss saw; a part of a pass counts by its share."""
    done = [training for training in trainings if training]
    if not all("epochs" in training for training in done):
        return None
    total = 0
    for one in done:
        a_pass: int = one.get("trained_tokens") or one["scored_tokens"]
        total += round(a_pass * one["epochs"])
    return total


def _sum(dollars: Sequence[float | None]) -> float | None:
    known = [usd for usd in dollars if usd is not None]
    return sum(known) if len(known) == len(dollars) else None


def _result(state: State, number: int, step: str) -> Result:
    done = state.done.get(f"{number}/{step}")
    return done.result if done else {}
