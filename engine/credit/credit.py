"""Play on from every state of a run, into a run of its own."""

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.credit.plays_on import ChosenTasks, play_on, resources_beside
from engine.credit.settings import CreditSettings
from engine.errors import UsageError
from engine.runs.build_executor import Resources, RunBudget
from engine.runs.explore import Progress, Summary
from engine.runs.plan import LOCAL, NO_BUDGET, with_examples
from engine.runs.store import Store
from engine.runs.tasks import read_ids, select
from engine.runs.world_of_run import open_world
from search import PLAYED_ON, ROOT
from search.values import Values

FOLDER = "credit"
"""In a run's folder: the run that holds its states' continuations."""

DEFAULT = CreditSettings()


async def credit(
    run: Path,
    output: Path,
    settings: CreditSettings = DEFAULT,
    budget: RunBudget = NO_BUDGET,
    resources: Resources = LOCAL,
    progress: Progress | None = None,
) -> Summary:
    """Value the states of the trees in `run`; `output` becomes a run that holds both.

    A second call goes on where the first one stopped.

    Raises:
        TreegraftError: Something the user can fix.
    """
    if resources.executor != "local":
        raise UsageError("engine credit works with --executor local only")
    progress = progress or Progress()
    with Store.open(run) as store:
        stored = store.meta()["config"]
        if stored.get("search") in PLAYED_ON:
            raise UsageError(
                "the run holds continuations already: value the one that it was made of"
            )
        config = with_examples(settings.config(stored, store.tree), progress)
        chosen = _tasks(store, stored, settings)
        resources = await resources_beside(run, settings.student(stored), resources)
        return await play_on(config, chosen, output, budget, resources, progress)


def _tasks(store: Store, stored: Mapping[str, Any], settings: CreditSettings) -> ChosenTasks:
    """Return the chosen tasks that have a tree."""
    with open_world(stored, settings.task_file) as world:
        known = [world.task(id) for id in store.task_ids()]
        data = world.env.data_state()
    if not known:
        raise UsageError("the run has no tree, so no state to value: `engine stats` says why")
    chosen = select(known, only=read_ids(settings.tasks), limit=settings.limit)
    return ChosenTasks(chosen, data)


@dataclass(slots=True)
class Credit:
    """What is known of the states of a run.

    Attributes:
        states: States in which the search's paths had not ended.
        valued: Those of them that have a value.
        pivots: Those that 30 to 70 % of the continuations solved.
        means: How many states have each mean reward, rounded to tenths.
        continuations: Paths that were played on.
    """

    states: int = 0
    valued: int = 0
    pivots: int = 0
    means: Counter[float] = field(default_factory=Counter)
    continuations: int = 0

    def add(self, values: Values) -> None:
        """Count the states of one tree."""
        tree, of = values.tree, values.states.of
        open_nodes = [node.id for node in tree.nodes[: tree.searched] if not node.step.ended]
        first = {of[node]: node for node in reversed([ROOT, *open_nodes])}
        self.states += len(first)
        self.continuations += sum(1 for _ in tree.continuations())
        for value in filter(None, map(values.of, first.values())):
            self.valued += 1
            self.pivots += 0.3 <= value.pass_rate <= 0.7
            self.means[round(value.mean, 1)] += 1

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        means = {f"{mean:g}": number for mean, number in sorted(self.means.items())}
        return {
            "states": self.states,
            "valued": self.valued,
            "pivots": self.pivots,
            "means": means,
            "continuations": self.continuations,
        }


def read_credit(run: Path) -> Credit:
    """Return what is known of the states of a run that `credit` made.

    Raises:
        UsageError: There is no run, or it holds no continuations.
    """
    found = Credit()
    with closing(Store.open(run)) as store:
        for tree in store.trees():
            found.add(Values(tree))
    return found
