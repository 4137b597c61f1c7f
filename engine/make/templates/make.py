"""Make templates for a world: write or put together, check, score, keep."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from engine.errors import UsageError
from engine.make.asker import Asker, AskerSettings, open_asker
from engine.make.templates import grammar, writer
from engine.make.templates.candidate import Candidate, Decision, benchmark_named, flaw
from engine.make.templates.scores import Scorer
from engine.runs.build_executor import RunBudget
from engine.runs.store import FILE, Store
from engine.templates.base import World
from environments.types import Task
from search.policy import BudgetSpent, PolicyError
from treegraft.file_errors import FileError
from treegraft.ranges import check_ranges
from treegraft.text_files import read_lines

DECISIONS = "templates.jsonl"
"""The file of an output folder that holds every candidate, its scores and what became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateMaking:
    """How templates are made, and which are kept.

    Attributes:
        queries: A run, or a file with one query per line, that templates are written for; the
            world's own tasks by default. Never of a test split.
        n: Candidates to make.
        per_template: Queries that each candidate is scored on.
        benchmark: Template that candidates are compared with.
        epsilon: A query counts for a candidate if its score, 0 to 1, is higher by more than this.
        threshold: Least mean gain of a template that is kept.
    """

    queries: Path | None = field(default=None, metadata={"default": "the world's tasks"})
    n: int = field(default=50, metadata={"min": 1})
    per_template: int = field(default=3, metadata={"min": 1})
    benchmark: str = "react"
    epsilon: float = field(default=0.0, metadata={"min": 0, "max": 1})
    threshold: float = field(default=0.0, metadata={"min": -1, "max": 1})

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(slots=True)
class MadeTemplates:
    """What became of the candidates.

    Attributes:
        stopped: why it ended early; "" if it did not.
    """

    decisions: list[Decision] = field(default_factory=list)
    stopped: str = ""

    @property
    def kept(self) -> list[Candidate]:
        """The templates that are kept."""
        return [one.candidate for one in self.decisions if not one.why]

    @property
    def counts(self) -> Counter[str]:
        """How many candidates were dropped, by kind of reason."""
        return Counter(one.why.partition(":")[0] for one in self.decisions if one.why)


def read_queries(making: TemplateMaking, tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks whose queries templates are made for.

    Raises:
        UsageError: the file or run cannot be read, or there are none that may be trained on.
    """
    place = making.queries
    if place is None:
        found = list(tasks)
    elif (place / FILE).exists():
        with Store.open(place) as store:
            found = list(store.tasks())
    else:
        try:
            lines = [line.strip() for line in read_lines(place) if line.strip()]
        except FileError as error:
            raise UsageError(f"--queries {place}: {error}") from error
        found = [Task(f"query-{number}", _query(line)) for number, line in enumerate(lines, 1)]
    usable = [task for task in found if task.split != "test"]
    if not usable:
        why = "all of them are of a test split" if found else "there are none"
        raise UsageError(f"no query can be used: {why}; see --queries and --split")
    return usable


def _query(line: str) -> str:
    """Return the query in a line: the text, or the prompt of a JSON object."""
    try:
        value = json.loads(line)
    except ValueError:
        return line
    names = ("prompt", "query", "question", "instruction")
    texts = [value[name] for name in names if name in value] if isinstance(value, dict) else []
    return str(texts[0]) if texts else line


async def make_templates(
    world: World,
    tasks: Sequence[Task],
    making: TemplateMaking,
    asking: AskerSettings,
    budget: RunBudget,
    output: Path,
) -> MadeTemplates:
    """Return `making.n` candidates and what became of them.

    Args:
        world: The instructions and tools that the templates show.
        tasks: Whose queries they are made for; see `read_queries`.
        making: How many, and which are kept.
        asking: Whom to ask; by rules, nobody is asked and nothing is scored.
        budget: What asking may cost; when it is spent, what was decided is returned.
        output: The folder; the journal stands beside it.

    Raises:
        PolicyError: The model cannot be reached.
    """
    made = MadeTemplates()
    if asking.by_rules:
        for candidate, _ in zip(grammar.by_rules(asking.seed), range(making.n), strict=False):
            made.decisions.append(Decision(candidate, flaw(candidate, world, tasks[0])))
        return made
    benchmark = benchmark_named(making.benchmark)
    async with open_asker(asking, budget, output) as asker:
        scorer = Scorer(asker, asker, world, benchmark, making.epsilon, making.threshold)
        work = [
            asyncio.create_task(_decided(number, asker, scorer, tasks, making, asking.seed))
            for number in range(1, making.n + 1)
        ]
        try:
            for one in asyncio.as_completed(work):
                made.decisions.append(await one)
        except BudgetSpent as error:
            made.stopped = str(error)
        finally:
            for one in work:
                one.cancel()
            await asyncio.gather(*work, return_exceptions=True)
    made.decisions.sort(key=lambda decision: decision.candidate.name)
    return made


async def _decided(
    number: int,
    asker: Asker,
    scorer: Scorer,
    tasks: Sequence[Task],
    making: TemplateMaking,
    seed: int,
) -> Decision:
    try:
        candidate = await writer.write(asker, [task.prompt for task in tasks], number, seed)
        if why := flaw(candidate, scorer.world, tasks[0]):
            return Decision(candidate, why)
        near = [task for task in tasks if task.prompt in candidate.seeds]
        random = Random(f"{seed}|scored|{number}")
        chosen = random.sample(near, min(making.per_template, len(near)))
        return await scorer.decide(candidate, chosen)
    except BudgetSpent:
        raise
    except PolicyError as error:
        name = f"made-{seed}-{number:03}"
        return Decision(Candidate(name, "", {"by": asker.name}), f"unanswered: {error}")
