"""Build the policy, the judge and the grader that a run's config names."""

from dataclasses import replace

from engine.chat.base import Chat
from engine.config import Config
from engine.errors import UsageError
from engine.policies.answer_grader import AnswerGrader, named_grader
from engine.policies.demonstration import NAME as DEMONSTRATION
from engine.policies.demonstration import DemonstrationPolicy
from engine.policies.judge import ModelJudge
from engine.policies.student_endpoint import extra
from engine.policies.student_first import StudentFirst
from engine.policies.teacher import Teacher
from engine.templates import get as get_template
from engine.templates.base import Template, World, world_of
from engine.templates.nearest import Nearest
from engine.templates.tool_noise import ToolNoise
from environments import ToolEnv
from search import PLAYED_ON, Judge, Policy


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
    template = _template(config, get_template(config.student_template))
    sampling = {**config.student_parameters, **extra(threshold)}
    world = _world(config, env)
    student = Teacher(student_chat, template, world, endpoint.model, sampling, config.examples)
    return StudentFirst(student, teacher, [tool.name for tool in env.tools], threshold)


def _teacher(config: Config, env: ToolEnv, chat: Chat | None) -> Policy:
    if config.teacher == DEMONSTRATION:
        redraw = config.search.name in PLAYED_ON
        return DemonstrationPolicy(
            env, mistake_rate=config.mistake_rate, seed=config.seed, redraw=redraw
        )
    if chat is None:
        raise UsageError(f"--teacher {config.teacher} needs an endpoint")
    template = _template(config, get_template(config.template, config.dialect))
    world = _world(config, env)
    return Teacher(chat, template, world, config.teacher, config.parameters, config.examples)


def _world(config: Config, env: ToolEnv) -> World:
    return replace(world_of(env), noise=ToolNoise.parse(config.tool_noise))


def _template(config: Config, template: Template) -> Template:
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


def build_grader(config: Config, chat: Chat | None) -> AnswerGrader | None:
    """Return the grader that `config` names; None without one."""
    if not config.grader:
        return None
    if chat is None:
        raise UsageError(f"--grader {config.grader} needs an endpoint")
    return AnswerGrader(chat, named_grader(config.grader)[0], config.grader_votes)
