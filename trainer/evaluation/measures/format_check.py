"""Whether replies follow a template's format, without an example and without a world.

Each prompt is asked once. A prompt that has a system message of its own is sent as it is; any other
is rendered as a task, with its own tools, those of an environment, or two common ones.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from engine.chat.base import ChatReply, ChatRequest
from engine.chat.incomplete import described, incomplete
from engine.templates.base import Message, Template, World
from environments.tools import Tool, text_arguments
from environments.types import Task
from search.policy import PolicyError
from trainer.data.prompts import Prompt
from trainer.errors import TrainerError
from trainer.evaluation.measures.batch_ask import Asked, ask
from trainer.evaluation.measures.statistics import Rate

COMMON_WORLD = World(
    "Answer the question.",
    (
        Tool("search", "Search for facts.", text_arguments(query="what to search for")),
        Tool("answer", "Give the final answer.", text_arguments(answer="the answer")),
    ),
)
"""For prompts that say nothing of tools."""


@dataclass(frozen=True, slots=True)
class CheckedReply:
    """A reply to one prompt.

    Attributes:
        prompt: Id of the prompt.
        verdict: "exact", "repaired", "not read" or "failed".
        why: What was repaired, why it could not be read, or why there is no reply.
        message: The assistant's message.
    """

    prompt: str
    verdict: str
    why: str
    message: Message


@dataclass(frozen=True, slots=True)
class FormatReport:
    """How many replies follow the format.

    Attributes:
        model: Name of the student.
        template: Name of the template.
        replies: The replies, in the order of the prompts.
    """

    model: str
    template: str
    replies: Sequence[CheckedReply]

    @property
    def failed(self) -> int:
        """Number of prompts without a reply."""
        return sum(reply.verdict == "failed" for reply in self.replies)

    def rate(self, verdict: str) -> Rate:
        """Return the share of a verdict in all replies."""
        hits = sum(reply.verdict == verdict for reply in self.replies)
        return Rate(hits, len(self.replies) - self.failed)

    def why(self, verdict: str) -> dict[str, int]:
        """Return how often each reason of a verdict occurs, the most frequent first."""
        found = Counter(reply.why for reply in self.replies if reply.verdict == verdict)
        return dict(found.most_common())

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; rates carry their value and interval."""
        return {
            "model": self.model,
            "template": self.template,
            "prompts": len(self.replies),
            "failed": self.failed,
            **{name.replace(" ", "_"): _rate(self.rate(name)) for name in VERDICTS},
            "repairs": self.why("repaired"),
            "errors": self.why("not read"),
        }

    def lines(self) -> list[str]:
        """Return the report as text."""
        asked = len(self.replies) - self.failed
        lines = [f"{self.model}: {asked} replies to prompts without an example, as {self.template}"]
        for name in VERDICTS:
            lines.append(f"  {name}: {self.rate(name)}")
            why = self.why(name) if name != "exact" else {}
            lines += [f"    {number}: {reason}" for reason, number in list(why.items())[:5]]
        return lines

    def rows(self) -> list[str]:
        """Return one line of JSON per reply."""
        return [json.dumps(asdict(reply), ensure_ascii=False) for reply in self.replies]


VERDICTS = ("exact", "repaired", "not read")


def check_format(
    asked: Asked,
    prompts: Sequence[Prompt],
    template: Template,
    request: ChatRequest,
    world: World | None = None,
) -> FormatReport:
    """Ask each prompt once, and read the replies.

    Args:
        asked: Whom to ask.
        prompts: The prompts.
        template: In which the replies should be.
        request: The model and the sampling; it holds no messages.
        world: Instructions and tools for prompts that name none.

    Raises:
        TrainerError: No prompt got a reply.
        PolicyError: There is no address or no key.
    """
    requests = [_request(request, prompt, template, world) for prompt in prompts]
    replies = [
        _checked(prompt, _world(prompt, world), template, reply)
        for prompt, reply in zip(prompts, ask(asked, requests), strict=True)
    ]
    report = FormatReport(request.model, template.name, replies)
    if report.failed == len(replies):
        raise TrainerError(f"no prompt got a reply: {replies[0].why}")
    return report


def _world(prompt: Prompt, world: World | None) -> World:
    if prompt.tools:
        return World(world.instructions if world else "", tuple(map(_tool, prompt.tools)))
    return world or COMMON_WORLD


def _request(
    request: ChatRequest, prompt: Prompt, template: Template, world: World | None
) -> ChatRequest:
    known = _world(prompt, world)
    messages = prompt.messages
    if messages[0]["role"] == "user":
        rendered = template.request(known, Task(prompt.id, prompt.asked), ())
        messages = [m for m in rendered if m["role"] != "system" or m["content"].strip()]
    stop: dict[str, Any] = {"stop": list(template.stop)} if template.stop else {}
    return replace(
        request,
        messages=messages,
        tools=template.tools(known),
        sampling={**request.sampling, **stop},
    )


def _tool(definition: Mapping[str, Any]) -> Tool:
    function = definition.get("function", definition)
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise TrainerError("a prompt's tool has no name: it must be one of OpenAI's definitions")
    text = function.get("description")
    parameters = function.get("parameters") or {"type": "object", "properties": {}}
    return Tool(function["name"], str(text or ""), parameters)


def _checked(
    prompt: Prompt, world: World, template: Template, reply: ChatReply | PolicyError
) -> CheckedReply:
    if isinstance(reply, PolicyError):
        return CheckedReply(prompt.id, "failed", str(reply), {})
    message = reply.messages[0]
    if reason := incomplete(reply)[0]:
        return CheckedReply(prompt.id, "not read", described(reason), message)
    # A prompt's own system message may name tools that we do not know.
    shown = prompt.tools or prompt.messages[0]["role"] == "user"
    action = template.parse(message, world.tools if shown else ())
    if action.error or not action.tool:
        return CheckedReply(prompt.id, "not read", action.error or "it calls no tool", message)
    if repaired := action.reply.get("repaired"):
        words = repaired if isinstance(repaired, str) else ", ".join(map(str, repaired))
        return CheckedReply(prompt.id, "repaired", words, message)
    return CheckedReply(prompt.id, "exact", "", message)


def _rate(rate: Rate) -> dict[str, Any]:
    low, high = (round(bound, 4) for bound in rate.interval)
    value = round(rate.value, 4)
    return {"hits": rate.hits, "total": rate.total, "value": value, "interval": [low, high]}
