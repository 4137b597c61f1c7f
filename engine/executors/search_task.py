"""From a run's config to the search of a task."""

from engine.config import Config
from engine.errors import UsageError
from engine.policies.demonstration import DemonstrationPolicy
from engine.policies.judge import ModelJudge
from engine.policies.student_first import StudentFirst
from engine.policies.teacher import Teacher
from environments import Task, ToolEnv
from search import Judge, Policy, Tree


async def search(config: Config, env: ToolEnv, task: Task, policy: Policy) -> Tree:
    """Search `task` as `config` says.

    Raises:
        PolicyError, sandbox.SandboxError: The task has no tree.
        UsageError: The search needs a judge, and `policy` brings none.
    """
    judge = judge_of(policy) if config.search.needs_judge else None
    return await config.search.search(env, task, policy, config.budget, judge)


def judge_of(policy: Policy) -> Judge:
    """Return the judge that goes with a policy.

    The model judges over the same chat; the demonstration teacher judges by the solution. A student
    that acts first judges nothing: its teacher does.
    """
    if isinstance(policy, StudentFirst):
        return judge_of(policy.teacher)
    if isinstance(policy, Teacher):
        return ModelJudge(policy)
    if isinstance(policy, DemonstrationPolicy):
        return policy
    raise UsageError(f"{policy.name} is not a judge: use --search dfsdt or react")
