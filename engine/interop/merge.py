"""Merge conversations of the same task into one tree by their equal beginnings.

Two conversations are of one task if they open alike, offer the same tools and name the same task.
Their steps are one node as long as the messages are equal, whatever ids the calls have. A step that
does the same with another thought is a node of its own, so that no text is lost: pairs and values
take the two for one state (`search.states`). Of equal steps, what the first record says of the
reply (token ids, cost) is kept.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.errors import UsageError
from engine.interop.conversation import NO_USAGE, Conversation, Record
from engine.interop.turns import Turn, read_turns
from engine.runs.codec import dumps
from engine.runs.world_of_run import IMPORTED
from engine.templates.base import Message
from engine.templates.openai_format import function
from engine.templates.recorded import MESSAGES
from environments.tools import NO_ARGUMENTS, SAY, Tool
from environments.types import Step, Task, text_of
from search.tree import ROOT, Call, Node, Tree

RECORDS = "records"
"""Key of `Step.info` of a node where conversations end: what their records hold beside messages."""


@dataclass(slots=True)
class Forest:
    """The trees of all conversations so far.

    Attributes:
        merged: nodes that a later conversation shares with an earlier one.
    """

    merged: int = 0
    _trees: dict[str, "_Growing"] = field(default_factory=dict)
    _ids: set[str] = field(default_factory=set)

    def add(self, conversation: Conversation, reward: float | None) -> None:
        """Add a conversation whose reward, on the scale of worlds, is `reward`.

        Raises:
            UsageError: it is not one of OpenAI's form.
        """
        opening, turns = read_turns(conversation)
        tools = tuple(_tool(each, conversation.place) for each in conversation.tools)
        offered = [function(tool) for tool in tools]
        key = _digest([conversation.task, _without_ids(opening), offered])
        if key not in self._trees:
            task = Task(self._id(conversation.task or key[:12]), _prompt(opening), tools=tools)
            self._trees[key] = _Growing(Tree(replace(task, opening=opening)))
        turns[-1] = replace(turns[-1], step=_ended(turns[-1].step, conversation, reward))
        self.merged += self._trees[key].add(conversation, turns, _record(conversation, offered))

    def trees(self) -> Iterator[Tree]:
        """Yield the trees, complete."""
        return (growing.finished() for growing in self._trees.values())

    def _id(self, wanted: str) -> str:
        """Return `wanted`, with a number if another task is called so."""
        id, number = wanted, 1
        while id in self._ids:
            number += 1
            id = f"{wanted}~{number}"
        self._ids.add(id)
        return id


@dataclass(slots=True)
class _Growing:
    tree: Tree
    sources: dict[str, None] = field(default_factory=dict)
    _known: dict[tuple[int, str], int] = field(default_factory=dict)

    def add(self, conversation: Conversation, turns: Sequence[Turn], record: Record) -> int:
        """Add a path; return how many of its nodes were there already."""
        at, shared = ROOT, 0
        for turn in turns:
            key = at, _same(turn.step)
            if key in self._known:
                at, shared = self._known[key], shared + 1
            else:
                at = self._known[key] = self._node(conversation, at, turn).id
        info: Any = self.tree.node(at).step.info
        info.setdefault(RECORDS, []).append(record)
        self.sources.setdefault(conversation.source or IMPORTED)
        return shared

    def _node(self, conversation: Conversation, parent: int, turn: Turn) -> Node:
        used, call = conversation.usage.get(turn.place, NO_USAGE), -1
        if used != NO_USAGE:
            call = len(self.tree.calls)
            self.tree.calls.append(Call(parent, "", used))
        return self.tree.add(parent, turn.step, call)

    def finished(self) -> Tree:
        """Return the tree, with the tool `say` if a reply is one."""
        tree, tools = self.tree, self.tree.task.tools or ()
        says = any(node.step.action.tool == SAY.name for node in tree.nodes)
        if says and all(tool.name != SAY.name for tool in tools):
            tree.task = replace(tree.task, tools=(*tools, SAY))
        tree.source = "+".join(self.sources)
        tree.stopped = "solved" if tree.solved else "exhausted"
        return tree


def _ended(step: Step, conversation: Conversation, reward: float | None) -> Step:
    """Return the last step; without a reward the path stays open."""
    if reward is None:
        return step
    cut = conversation.cut
    return replace(step, reward=reward, terminated=not cut, truncated=cut)


def _record(conversation: Conversation, offered: Sequence[Record]) -> Record:
    """Return what has no place in the tree."""
    kept = {
        "place": conversation.place,
        "reward": conversation.reward,
        "source": conversation.source,
        "kept": dict(conversation.kept),
        # What a tool's definition holds beside name, description and parameters.
        "tools": list(conversation.tools) if list(conversation.tools) != list(offered) else None,
    }
    return {name: value for name, value in kept.items() if value not in (None, "", {})}


def _prompt(opening: Sequence[Message]) -> str:
    asked = (text_of(each) for each in opening if each["role"] not in ("system", "developer"))
    return "\n\n".join(asked)


def _same(step: Step) -> str:
    end = [step.terminated, step.truncated, step.reward]
    said = [step.action.key, step.action.thought, step.observation]
    return _digest([said, _without_ids(step.info[MESSAGES]), end])


def _without_ids(messages: Sequence[Message]) -> list[Message]:
    """Return messages without the ids of calls, which differ in each conversation."""
    return [
        {name: _plain(value) for name, value in message.items() if name != "tool_call_id"}
        for message in messages
    ]


def _plain(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [
        {k: v for k, v in each.items() if k != "id"} if isinstance(each, dict) else each
        for each in value
    ]


def _digest(value: Any) -> str:
    return hashlib.sha256(dumps(value).encode()).hexdigest()


def _tool(entry: Record, place: str) -> Tool:
    given = entry.get("function", entry) if isinstance(entry, dict) else None
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise UsageError(f"{place}: a tool is no function with a name: {dumps(entry)[:80]}")
    parameters = given.get("parameters") or NO_ARGUMENTS
    if not isinstance(parameters, dict):
        raise UsageError(f"{place}: the parameters of the tool {given['name']} are no schema")
    return Tool(given["name"], str(given.get("description") or ""), parameters)
