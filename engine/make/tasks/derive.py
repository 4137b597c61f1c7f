"""Task Derivation (AgentTuning, Zeng et al. 2023, arXiv:2310.12823, section 2).

Data with gold answers have no trajectories. The gold answer is played, or a model solves the task
and its result is compared with the gold one; either way the task then brings its trajectory along.
"""

from collections.abc import AsyncIterator

from engine.chat.base import EndpointUnusable
from engine.make.asker import RULES
from engine.make.tasks.candidates import Candidate, finished
from engine.make.tasks.solver import Solver
from environments.base import ToolEnv
from environments.demonstrable import gold_actions, with_trajectory
from environments.errors import NoSolution
from environments.task_making import Doubt
from environments.types import Task
from search.policy import PolicyError

HOW = "derive"


def derived(env: ToolEnv, task: Task) -> Candidate:
    """Return a task of the data with the trajectory of its own solution."""
    try:
        actions = gold_actions(env, task)
    except NoSolution as error:
        return Candidate(task, Doubt("unsolvable", f"{error}; or name a --model"))
    return Candidate(finished(with_trajectory(task, actions), HOW, RULES, from_=[task.id]))


async def solved(solver: Solver, tasks: list[Task]) -> AsyncIterator[Candidate]:
    """Yield the tasks of the data with trajectories of a model that solves them."""
    for task in tasks:
        try:
            played = await solver.play(task)
        except EndpointUnusable:
            raise
        except PolicyError as error:
            yield Candidate(task, Doubt("unanswered", str(error)))
            continue
        if played.why:
            yield Candidate(task, Doubt("disagreement", f"the model: {played.why}"))
            continue
        made = with_trajectory(task, played.actions)
        by = solver.asker.name
        yield Candidate(finished(made, HOW, by, from_=[task.id], replies=played.replies))
