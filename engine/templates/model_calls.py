"""The requests that a step cost, each with its reply: what one row per model call holds."""

from collections.abc import Sequence

from engine.templates.base import Message, Template, World
from engine.templates.context import NOTHING, Context
from environments.types import Action, Step, Task


def model_calls(
    template: Template,
    world: World,
    task: Task,
    path: Sequence[Step],
    context: Context = NOTHING,
) -> list[list[Message]]:
    """Return the model calls that made the last step of `path`; each ends with the reply.

    They are two for an answer in a template with two phases, and one for any other step.
    """
    before = path[:-1]
    whole = template.render(world, task, path, context)
    start = len(template.render(world, task, before, context))
    replies = [message for message in whole[start:] if message["role"] == "assistant"]
    requests = [template.request(world, task, before, context)]
    if len(replies) > 1:
        first = template.parse(replies[0], world.of(task).tools)
        requests.append(template.conclusion(world, task, before, first, context))
    return [[*asked, reply] for asked, reply in zip(requests, replies, strict=True)]


def actions_in(template: Template, world: World, replies: Sequence[Message]) -> list[Action]:
    """Return the actions that `replies`, in their order, are, for the tools of `world`.

    The two replies of an answer in a template with two phases are one action.
    """
    tools, found, left = world.tools, list[Action](), list(replies)
    while left:
        action = template.parse(left.pop(0), tools)
        if left and template.conclusion(world, Task("", ""), (), action):
            action = template.concluded(action, left.pop(0), tools)
        found.append(action)
    return found
