"""A policy that asks a chat model: any OpenAI-compatible endpoint, or a model in this process."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.chat import Chat, ChatRequest
from engine.journal import request_key
from engine.templates.base import Message, Template, World
from environments.types import Step, Task
from search.policy import Proposal

DIVERSITY = "These were already tried at this point and did not solve the task:"
"""Opens the text that asks for a different action. It is part of a request only: neither the tree
nor a row ever holds it."""

_LONGEST = 300  # characters of an observation that the diversity text quotes


class Teacher:
    """Proposes by asking `chat`.

    sampling: parameters for every request (temperature, max_tokens, seed, ...).
    """

    def __init__(
        self,
        chat: Chat,
        template: Template,
        world: World,
        model: str,
        sampling: Mapping[str, Any],
    ) -> None:
        self.chat, self.template, self.world = chat, template, world
        self.name, self.sampling = model, dict(sampling)
        if template.stop:
            self.sampling["stop"] = list(template.stop)

    async def propose(
        self, task: Task, path: Sequence[Step], *, tried: Sequence[Step], count: int, attempt: int
    ) -> Proposal:
        """See `search.Policy`. A reply that is not a call becomes a malformed action."""
        messages = self.template.render(self.world, task, path)
        sampling = self.sampling | ({"n": count} if count > 1 else {})
        request = ChatRequest(
            self.name,
            differently(messages, tried) if tried else messages,
            self.template.tools(self.world),
            sampling,
            attempt,
        )
        reply = await self.chat.complete(request)
        actions = tuple(self.template.parse(message) for message in reply.messages[:count])
        return Proposal(actions, reply.usage, request_key(self.chat.base_url, request))


def differently(messages: list[Message], tried: Sequence[Step]) -> list[Message]:
    """`messages`, ending with the request for another action than those `tried`.

    Everything before the last message stays as it is, so that prefix caches hit.
    """
    lines = [f"- {_brief(step)}" for step in tried]
    text = "\n".join([DIVERSITY, *lines, "Make a different call."])
    last = messages[-1]
    if last["role"] != "user":
        return [*messages, {"role": "user", "content": text}]
    # Many chat templates refuse two user messages in a row.
    return [*messages[:-1], {**last, "content": f"{last['content']}\n\n{text}"}]


def _brief(step: Step) -> str:
    action = step.action
    what = f"{action.tool} {dict(action.arguments)}" if action.tool else action.thought[:_LONGEST]
    came = " ".join(step.observation.split())
    return f"{what} -> {came[:_LONGEST]}"
