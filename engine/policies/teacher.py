"""A policy that asks a chat model: an OpenAI-compatible endpoint, or a model in this process."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from engine.chat.base import Chat, ChatReply, ChatRequest
from engine.chat.incomplete import asked_again, described, incomplete, may_differ, noted
from engine.policies.answer_only import ANSWER_NOW, answering, only_answer
from engine.policies.shots import NO_SHOTS, Shots, shows_secret
from engine.templates.base import Message, Template, World
from engine.templates.context import Context
from environments.tools import Tool
from environments.types import Action, Step, Task, Trajectory
from search.policy import BudgetSpent, PolicyError, Proposal, Request
from search.tree import ROOT, Call
from search.usage import Usage

T = TypeVar("T")

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
        shots: examples that stand before every task.
    """

    def __init__(
        self,
        chat: Chat,
        template: Template,
        world: World,
        model: str,
        sampling: Mapping[str, Any],
        shots: Shots = NO_SHOTS,
    ) -> None:
        self.shots, self._examples = shots, dict[str, tuple[Trajectory, ...]]()
        self.chat, self.template, self.world = chat, template, world
        self.name, self.sampling = model, dict(sampling)
        if template.stop:
            self.sampling["stop"] = list(template.stop)

    async def propose(self, request: Request) -> Proposal:
        """See `search.Policy`.

        A reply that is not a call, or not complete, becomes a malformed action. One that is not
        complete is asked for again first.
        """
        task, now = request.task, request.answer_only
        if now:
            task = answering(task, self.world.of(task).tools)
        world = self.world.of(task)
        context = Context(self.examples(task), tuple(map(tuple, request.attempts)))
        messages = self.template.request(world, task, request.path, context)
        messages = with_note(messages, ANSWER_NOW) if now else messages
        if request.lessons:
            lines = [LESSONS, *(f"- {text}" for text in request.lessons)]
            messages = with_note(messages, "\n".join(lines))
        asked = ChatRequest(
            self.name,
            ask_differently(messages, request.tried) if request.tried else messages,
            self.template.tools(world),
            self._sampling(request.count, request.attempt),
            request.attempt,
        )
        drawn = await self._draw(asked, request)
        actions = [_action(self.template, world.tools, one) for one in drawn.choices]
        for place, action in enumerate(actions):
            more = self.template.conclusion(world, task, request.path, action, context)
            if not more:
                continue
            if not request.affords(drawn.usage):
                actions = actions[:place]
                break
            said = await self._conclude(more, request, drawn)
            actions[place] = _concluded(self.template, action, world.tools, said)
        if now:
            actions = [only_answer(one, world.tools) for one in actions]
        return Proposal(tuple(actions), drawn.calls, tuple(drawn.logprobs[: len(actions)]))

    async def _conclude(
        self, messages: list[Message], request: Request, drawn: "_Drawn"
    ) -> "_Choice":
        """Return the reply in words to `messages`; what it costs is added to `drawn`.

        Raises:
            PolicyError, BudgetSpent: See `search.Policy`.
        """
        sampling = self._sampling(1, request.attempt)
        sampling.pop("stop", None)  # the template's stop strings are for calls
        asked = ChatRequest(self.name, messages, [], sampling, request.attempt)
        rest = replace(request, affords=lambda more: request.affords(drawn.usage + more), count=1)
        try:
            answered = await self._draw(asked, rest)
        except BudgetSpent as error:
            raise BudgetSpent(str(error), drawn.calls + error.calls) from error
        drawn.calls += answered.calls
        return answered.choices[0]

    def examples(self, task: Task) -> tuple[Trajectory, ...]:
        """Return the examples that stand before `task` in every request."""
        if task.id not in self._examples:
            tools = self.world.of(task).tools
            self._examples[task.id] = self.shots.of(task, tools, shows_secret(task))
        return self._examples[task.id]

    async def _draw(self, asked: ChatRequest, request: Request) -> "_Drawn":
        """Ask, and ask again for what is not complete.

        Raises:
            PolicyError, BudgetSpent: See `search.Policy`.
        """
        drawn = _Drawn()
        drawn.take(await self.chat.complete(asked), range(request.count))
        for number in range(1, request.retries + 1):
            places = drawn.incomplete
            if not (places and may_differ(self.chat, asked) and request.affords(drawn.usage)):
                break
            try:
                reply = await self.chat.complete(asked_again(asked, number, len(places)))
            except BudgetSpent as error:
                raise BudgetSpent(str(error), drawn.calls) from error
            except PolicyError:  # what was paid for is kept; the next request meets it again
                break
            drawn.take(reply, places)
        return drawn

    def _sampling(self, count: int, attempt: int) -> dict[str, Any]:
        """Return the parameters, with a seed per attempt: equal seeds give equal replies."""
        sampling = self.sampling | ({"n": count} if count > 1 else {})
        if "seed" in sampling:
            sampling["seed"] = (sampling["seed"] + attempt * SEED_STRIDE) % 2**31
        return sampling


@dataclass(frozen=True, slots=True)
class _Choice:
    """A reply, and why it is not complete ("" if it is)."""

    message: Message
    incomplete: str


@dataclass(slots=True)
class _Drawn:
    """The replies to a request, and what it cost to get them.

    calls: the requests made.
    choices: the replies.
    logprobs: one per reply, or none at all.
    """

    calls: tuple[Call, ...] = ()
    choices: list[_Choice] = field(default_factory=list)
    logprobs: list[float | None] = field(default_factory=list)

    @property
    def usage(self) -> Usage:
        """What all requests cost."""
        return sum((call.usage for call in self.calls), Usage())

    @property
    def incomplete(self) -> list[int]:
        """The places of the replies that are not complete."""
        return [place for place, each in enumerate(self.choices) if each.incomplete]

    def take(self, reply: ChatReply, places: Sequence[int]) -> None:
        """Put the messages of `reply` at `places`; those that are left keep what they have."""
        reasons = incomplete(reply)
        self.calls += (Call(ROOT, reply.key, reply.usage, incomplete=noted(reasons)),)
        choices = map(_Choice, reply.messages, reasons)
        _put(self.choices, places, choices)
        _put(self.logprobs, places, reply.logprobs)


def _put(values: list[T], places: Sequence[int], new: Iterable[T]) -> None:
    """Set the values at `places`, which are in order; one past the end is appended."""
    for place, value in zip(places, new, strict=False):
        values[place : place + 1] = [value]


def _action(template: Template, tools: Sequence[Tool], choice: _Choice) -> Action:
    """Return the action in a reply; malformed if it is not complete."""
    if choice.incomplete:
        text = _text(choice.message)
        return Action.malformed(text, described(choice.incomplete), finish=choice.incomplete)
    return template.parse(choice.message, tools)


def _concluded(template: Template, action: Action, tools: Sequence[Tool], said: _Choice) -> Action:
    """Return an action with its answer in words; malformed if that is not complete."""
    if said.incomplete:
        text = _text(said.message)
        return Action.malformed(text, described(said.incomplete), finish=said.incomplete)
    return template.concluded(action, said.message, tools)


def _text(message: Message) -> str:
    """Return all that a message says, calls included, as text."""
    calls = [call.get("function") or {} for call in message.get("tool_calls") or []]
    called = [f"{call.get('name') or ''}({call.get('arguments') or ''})" for call in calls]
    return "\n".join([str(message.get("content") or ""), *called]).strip()


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
