"""What a run may cost, before anything is sent: a range, and what it was computed from.

Where the run has finished tasks, their mean says what the others cost. Else the least is a task
that the first replies solve, and the most a search that asks all it may, with an assumed number of
tokens for each step.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import sqrt
from statistics import mean, stdev
from typing import Any

from engine.chat.prices import Price, cost
from engine.config import Config
from engine.runs.build_executor import RunBudget
from search.usage import Usage

REPLY_TOKENS = 100
"""Tokens of a reply at least, as assumed."""
STEP_TOKENS = 300
"""Tokens by which a step makes the next request longer, as assumed: a call and an observation."""
FIRST_TOKENS = 1500
"""Tokens of a first request, as assumed where it cannot be rendered."""
REQUEST_SECONDS = 2.0
"""Seconds until a reply, as assumed."""
_UNBOUNDED = 10**12  # more requests than anyone can pay for


@dataclass(frozen=True, slots=True)
class Known:
    """What is known before a run goes on.

    Attributes:
        first_tokens: Tokens of the first request; None if it cannot be rendered.
        price: The teacher's; None if it is unknown.
        slots: Tasks searched at once.
        finished: The cost of each task that the run has finished.
        spent: What the run has cost.
        pace: Requests per second so far; None if the run has made none.
    """

    first_tokens: int | None
    price: Price | None
    slots: int
    finished: Sequence[Usage] = ()
    spent: Usage = Usage()
    pace: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the tasks that are left may cost.

    Attributes:
        tasks: Tasks that are left.
        done: Tasks that were finished earlier.
        least: The lower end of the range.
        most: The upper end.
        priced: Whether a price is known, so that the dollars count.
        seconds: How long the run may take, least and most.
        basis: From what this is computed, a sentence each.
    """

    tasks: int
    done: int
    least: Usage
    most: Usage
    priced: bool
    seconds: tuple[float, float]
    basis: tuple[str, ...]

    @property
    def usd(self) -> float | None:
        """The dollars at most; None if they are unknown."""
        return self.most.usd if self.priced else None

    @property
    def usd_text(self) -> str:
        """The dollars, for people."""
        if not self.priced:
            return "price unknown (see --prices)"
        return _range(_dollars, self.least.usd, self.most.usd)

    @property
    def line(self) -> str:
        """The estimate on one line."""
        left = f"{self.tasks} tasks" + (f", {self.done} more are done" if self.done else "")
        return (
            f"estimate for {left}: {self.counts('calls')} requests, {self.usd_text}, "
            f"{_range(duration, *self.seconds)}"
        )

    def counts(self, name: str) -> str:
        """Return a range of a field of `Usage`, for people."""
        return _range(_number, getattr(self.least, name), getattr(self.most, name))

    def lines(self) -> list[str]:
        """Return the whole estimate, for people."""
        return [
            f"tasks     {self.tasks} to search, {self.done} done",
            f"requests  {self.counts('calls')}",
            f"tokens    in {self.counts('prompt_tokens')}, out {self.counts('completion_tokens')}, "
            f"of those in cached {self.counts('cached_tokens')}",
            f"dollars   {self.usd_text}",
            f"time      {_range(duration, *self.seconds)}",
            "",
            "computed from:",
            *(f"- {each}" for each in self.basis),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as JSON values; each range is a list, least and most."""
        ends = asdict(self.least), asdict(self.most)
        found: dict[str, Any] = {name: [end[name] for end in ends] for name in ends[0]}
        found["usd"] = found["usd"] if self.priced else None
        kept = {"tasks": self.tasks, "done": self.done, "seconds": list(self.seconds)}
        return {**kept, **found, "basis": list(self.basis)}


def estimate(config: Config, budget: RunBudget, left: int, done: int, known: Known) -> Estimate:
    """Return what `left` tasks may cost; `done` others are finished."""
    make = _measured if known.finished else _assumed
    least, most, basis = make(config, left, known)
    bounds = _bounds(config, budget, left, known.spent)
    least, most = (_bounded(each, bounds) for each in (least, most))
    if reached := [flag for flag, bound, name in bounds if _reaches(most, name, bound)]:
        basis.append(f"the most is bounded by {' and '.join(reached)}")
    slots = min(known.slots, max(left, 1))
    if known.pace:
        seconds = least.calls / known.pace, most.calls / known.pace
        basis.append(f"time: {60 * known.pace:.0f} requests a minute, as this run has made so far")
    else:
        each = REQUEST_SECONDS / slots
        seconds = least.calls * each, most.calls * each
        basis.append(f"time: {REQUEST_SECONDS:g} s a request, as assumed; {slots} tasks at once")
    priced = known.price is not None or most.usd > 0
    return Estimate(left, done, least, most, priced, seconds, tuple(basis))


_Ends = tuple[Usage, Usage, list[str]]


def _assumed(config: Config, left: int, known: Known) -> _Ends:
    search, first = config.search, known.first_tokens or FIRST_TOKENS
    choices = search.width if getattr(search, "siblings", "") == "sample" else 1
    asked = 2 if config.student else 1  # the teacher, after the student
    bound = _UNBOUNDED if config.budget.calls is None else config.budget.calls
    most = min(asked * search.most_requests, bound)
    fewest = min(1 if choices > 1 else search.max_solutions, most)
    least = Usage(fewest, fewest * first, fewest * REPLY_TOKENS)
    deepest = first + (search.depth - 1) * STEP_TOKENS
    longest = Usage(most, most * deepest, most * choices * config.max_reply_tokens)
    ends = [_priced(_times(each, left), known.price) for each in (least, longest)]
    cached = ends[1].prompt_tokens - left * first - ends[1].calls * STEP_TOKENS
    basis = [
        f"{search.name}, width {search.width}, depth {search.depth}, solutions wanted "
        f"{search.max_solutions}: {_range(_number, fewest, most)} requests a task",
        f"a first request of {_number(first)} tokens "
        + ("(characters / 4)" if known.first_tokens else "(assumed)")
        + f", and {STEP_TOKENS} more for each step before, as assumed; replies of {REPLY_TOKENS} "
        f"tokens (assumed) to {config.max_reply_tokens} (--max-reply-tokens)",
        "tokens in the server's cache: none to all that were sent before; the dollars count none",
    ]
    return ends[0], replace(ends[1], cached_tokens=max(0, cached)), basis


def _measured(config: Config, left: int, known: Known) -> _Ends:
    number, lows, highs = len(known.finished), {}, {}
    middle: dict[str, float] = {}
    for each in fields(Usage):
        values = [float(getattr(used, each.name)) for used in known.finished]
        middle[each.name] = mean(values)
        # Of the sum over the tasks left: their own spread, and that of the mean they are told by.
        spread = stdev(values) if number > 1 else mean(values)
        off = 2 * spread * sqrt(left + left * left / number)
        lows[each.name] = max(left * min(values), left * middle[each.name] - off)
        highs[each.name] = left * middle[each.name] + off
    ends = [_usage(values) for values in (lows, highs)]
    if not highs["usd"]:
        ends = [_priced(each, known.price) for each in ends]
    tokens = f"{middle['prompt_tokens']:.0f} tokens in, {middle['completion_tokens']:.0f} out"
    basis = [
        f"the means of {number} finished tasks: {middle['calls']:.1f} requests, {tokens}, "
        f"{middle['cached_tokens']:.0f} cached; the range is two standard errors to each side"
    ]
    return ends[0], ends[1], basis


_Bounds = list[tuple[str, float, str]]


def _bounds(config: Config, budget: RunBudget, left: int, spent: Usage) -> _Bounds:
    """Return each bound of the tasks' and the run's budget: its flag, what it allows, of what."""
    found: _Bounds = []
    for name in ("calls", "tokens", "usd"):
        if (each := getattr(config.budget, name)) is not None:
            found.append((f"--task-budget-{name}", left * each, name))
        if (whole := getattr(budget, name)) is not None:
            found.append((f"--budget-{name}", max(0, whole - getattr(spent, name)), name))
    return found


def _bounded(usage: Usage, bounds: _Bounds) -> Usage:
    """Return `usage`, or as large a part of it as all bounds allow."""
    shares = [bound / used for _, bound, name in bounds if (used := getattr(usage, name))]
    share = min([1.0, *shares])
    return usage if share == 1 else _times(usage, share)


def _reaches(usage: Usage, name: str, bound: float) -> bool:
    return bool(getattr(usage, name) >= 0.999 * bound)


def _times(usage: Usage, factor: float) -> Usage:
    return _usage({each.name: getattr(usage, each.name) * factor for each in fields(usage)})


def _usage(values: dict[str, float]) -> Usage:
    whole = {name: round(value) for name, value in values.items() if name != "usd"}
    return Usage(**whole, usd=values["usd"])


def _priced(usage: Usage, price: Price | None) -> Usage:
    return replace(usage, usd=cost(price, usage)) if price else usage


def duration(seconds: float) -> str:
    """Return a length of time for people: "40 s", "12 min", "3.5 h", "2 days"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{_number(seconds / 86400)} days"


def _number(number: float) -> str:
    return f"{number:,.0f}" if number < 1e15 else f"{number:.0e}"


def _dollars(usd: float) -> str:
    return f"${usd:,.2f}" if usd >= 0.01 or not usd else "under $0.01"


def _range(text: Callable[[float], str], least: float, most: float) -> str:
    ends = text(least), text(most)
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)
