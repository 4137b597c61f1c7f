"""From a run's config to the search of a task."""

from dataclasses import fields

from engine.config import Config
from engine.errors import UsageError
from engine.policies.demonstration import DemonstrationPolicy
from engine.policies.judge import ModelJudge
from engine.policies.student_first import StudentFirst
from engine.policies.teacher import Teacher
from environments import Task, ToolEnv
from search import Judge, Policy, Tree
from search.registry import SEARCHES


async def search(config: Config, env: ToolEnv, task: Task, policy: Policy) -> Tree:
    """Search `task` as `config` says.

    Raises:
        PolicyError, sandbox.SandboxError: the task has no tree.
        UsageError: the search needs a judge, and `policy` brings none.
    """
    chosen = SEARCHES[config.search]
    if chosen.how is None:
        return await chosen.run(env, task, policy, config.limits)
    given = {name: getattr(config, name) for name in chosen.options}
    if any(option.name == "judge" for option in fields(chosen.how)):
        given["judge"] = judge_of(policy)
    return await chosen.run(env, task, policy, config.limits, chosen.how(**given))


def judge_of(policy: Policy) -> Judge:
    """Whoever proposes judges as well: the model over the same chat, or the demonstration. A
    student that acts first judges nothing: its teacher does."""
    if isinstance(policy, StudentFirst):
        return judge_of(policy.teacher)
    if isinstance(policy, Teacher):
        return ModelJudge(policy)
    if isinstance(policy, DemonstrationPolicy):
        return policy
    raise UsageError(f"{policy.name} judges nothing: use --search dfsdt or react")
