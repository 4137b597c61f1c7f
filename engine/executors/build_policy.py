"""Build the policy and the judge that a run's config names."""

from engine.chat.base import Chat
from engine.config import Config
from engine.errors import UsageError
from engine.policies.demonstration import NAME as DEMONSTRATION
from engine.policies.demonstration import DemonstrationPolicy
from engine.policies.judge import ModelJudge
from engine.policies.student_endpoint import extra
from engine.policies.student_first import StudentFirst
from engine.policies.teacher import Teacher
from engine.templates import get as get_template
from engine.templates.base import Template, world_of
from engine.templates.nearest import Nearest
from environments import ToolEnv
from search import Judge, Policy


def build_policy(
    config: Config, env: ToolEnv, chat: Chat | None, student_chat: Chat | None = None
) -> Policy:
    """Return the policy that `config` names, for the instructions and tools of `env`.

    The demonstration teacher needs no chat, and asks `env` for solutions.

    Raises:
        UsageError: the policy needs a chat that is not given.
    """
    teacher = _teacher(config, env, chat)
    endpoint, threshold = config.student_endpoint, config.student_threshold
    if endpoint is None:
        return teacher
    if student_chat is None:
        raise UsageError(f"--student {endpoint.public} needs an endpoint")
    template = _template(config, config.student_template)
    sampling = {**config.student_parameters, **extra(threshold)}
    student = Teacher(
        student_chat, template, world_of(env), endpoint.model, sampling, config.examples
    )
    return StudentFirst(student, teacher, [tool.name for tool in env.tools], threshold)


def _teacher(config: Config, env: ToolEnv, chat: Chat | None) -> Policy:
    if config.teacher == DEMONSTRATION:
        return DemonstrationPolicy(env, mistake_rate=config.mistake_rate, seed=config.seed)
    if chat is None:
        raise UsageError(f"--teacher {config.teacher} needs an endpoint")
    template = _template(config, config.template)
    return Teacher(
        chat, template, world_of(env), config.teacher, config.parameters, config.examples
    )


def _template(config: Config, name: str) -> Template:
    template = get_template(name)
    return Nearest(template) if config.repair == "nearest" else template


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
