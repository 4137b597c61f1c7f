"""A policy that asks a chat model: an OpenAI-compatible endpoint, or a model in this process."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.chat.base import Chat, ChatRequest
from engine.templates.base import Message, Template, World
from environments.types import Step
from search.policy import Proposal, Request
from search.tree import ROOT, Call

DIVERSITY = "These were already tried at this point and did not solve the task:"
"""First line of the text that asks for a different action. It is part of a request only, never of
the tree or of a row."""

LESSONS = "Earlier attempts at this task failed. What was learned from them:"
"""First line of the text with reflections on them, which is part of a request only, too."""

SEED_STRIDE = 7919
"""Distance between the seeds of two attempts; servers count up from it for a request's choices."""

_MAX_QUOTE = 300  # characters of an observation or a thought in such a text


class Teacher:
    """Proposes the actions in the replies of a chat model.

    Args:
        model: name for the requests, and of the policy.
        sampling: parameters of every request (temperature, max_tokens, seed, ...).
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

    async def propose(self, request: Request) -> Proposal:
        """See `search.Policy`. A reply that is not a call becomes a malformed action."""
        messages = self.template.render(self.world, request.task, request.path)
        if request.lessons:
            lines = [LESSONS, *(f"- {text}" for text in request.lessons)]
            messages = with_note(messages, "\n".join(lines))
        asked = ChatRequest(
            self.name,
            ask_differently(messages, request.tried) if request.tried else messages,
            self.template.tools(self.world),
            self._sampling(request.count, request.attempt),
            request.attempt,
        )
        reply = await self.chat.complete(asked)
        tools = self.world.tools
        actions = tuple(self.template.parse(m, tools) for m in reply.messages[: request.count])
        calls = (Call(ROOT, reply.key, reply.usage),)
        return Proposal(actions, calls, reply.logprobs[: request.count])

    def _sampling(self, count: int, attempt: int) -> dict[str, Any]:
        """Return the parameters, with a seed per attempt: equal seeds give equal replies."""
        sampling = self.sampling | ({"n": count} if count > 1 else {})
        if "seed" in sampling:
            sampling["seed"] = (sampling["seed"] + attempt * SEED_STRIDE) % 2**31
        return sampling


def ask_differently(messages: list[Message], tried: Sequence[Step]) -> list[Message]:
    """Return `messages`, ending with the request for another action than those `tried`."""
    lines = [f"- {describe_step(step)}" for step in tried]
    return with_note(messages, "\n".join([DIVERSITY, *lines, "Make a different call."]))


def with_note(messages: list[Message], text: str) -> list[Message]:
    """Return `messages`, ending with a user's `text` for this request only.

    All messages before the last stay as they are, so prefix caches hit.
    """
    last = messages[-1]
    if last["role"] != "user":
        return [*messages, {"role": "user", "content": text}]
    # Many chat templates reject two user messages in a row.
    return [*messages[:-1], {**last, "content": f"{last['content']}\n\n{text}"}]


def describe_step(step: Step) -> str:
    """Return a step as one line, shortened."""
    action = step.action
    call = f"{action.tool} {dict(action.arguments)}" if action.tool else action.thought[:_MAX_QUOTE]
    observation = " ".join(step.observation.split())
    return f"{call} -> {observation[:_MAX_QUOTE]}"
