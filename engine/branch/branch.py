"""Play the failed paths of a run again and branch them, into a run of its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.branch.matching import Matched, match, with_ends
from engine.branch.settings import BranchSettings
from engine.credit.plays_on import ChosenTasks, play_on, resources_beside
from engine.errors import UsageError
from engine.runs.build_executor import Resources, RunBudget
from engine.runs.explore import Progress, Summary
from engine.runs.plan import LOCAL, NO_BUDGET, with_examples
from engine.runs.store import Store
from engine.runs.tasks import read_ids, select
from engine.runs.world_of_run import open_world
from search import Tree

FOLDER = "branch"
"""In a run's folder: the run that holds its branched paths."""

DEFAULT = BranchSettings()


async def branch(
    run: Path,
    output: Path,
    settings: BranchSettings = DEFAULT,
    budget: RunBudget = NO_BUDGET,
    resources: Resources = LOCAL,
    progress: Progress | None = None,
) -> Summary:
    """Branch the failed paths of `run`; `output` becomes a run of them and of their continuations.

    A second call goes on where the first one stopped.

    Raises:
        TreegraftError: Something the user can fix.
    """
    if resources.executor != "local":
        raise UsageError("engine branch works with --executor local only")
    progress = progress or Progress()
    with Store.open(run) as store:
        stored = store.meta()["config"]
        options = settings.kept(stored)
        matched, chosen = _tasks(store, options, settings)
        if matched.unmatched:
            progress.note(_told_unmatched(matched.unmatched))

        def trees(task_id: str) -> Sequence[Tree]:
            return [with_ends(store.tree(id)) for id in matched.trees[task_id]]

        config = with_examples(settings.config(options, matched.longest, trees), progress)
        resources = await resources_beside(run, settings.student(stored), resources)
        return await play_on(config, chosen, output, budget, resources, progress)


def _tasks(
    store: Store, options: Mapping[str, Any], settings: BranchSettings
) -> tuple[Matched, ChosenTasks]:
    with open_world(options, settings.task_file) as world:
        matched = match(store, world.tasks)
        data = world.env.data_state()
    if not matched.trees:
        raise UsageError(_why_none(matched))
    known = [world.task(id) for id in matched.trees]
    chosen = select(known, only=read_ids(settings.tasks), limit=settings.limit)
    return matched, ChosenTasks(chosen, data)


def _told_unmatched(ids: Sequence[str]) -> str:
    return (
        f"left out: {len(ids)} tasks of the run that the world does not have, by id or by prompt "
        f"({ids[0]!r}, ...)"
    )


def _why_none(matched: Matched) -> str:
    if matched.unmatched:
        return (
            f"the world has none of the run's {len(matched.unmatched)} tasks with a failed path, "
            f"by id or by prompt ({matched.unmatched[0]!r}, ...): see --env, --data and --split"
        )
    return "the run has no failed path, so there is nothing to branch"
