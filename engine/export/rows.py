"""Rows as dicts: SFT and PRM rows from paths, DPO rows from pairs.

The columns are those of TRL, `datasets` and OpenAI's fine-tuning: one row per trajectory or, where
each request is one prompt, one row per model call. A row ends with an assistant message: nothing is
written after the last observation.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

from engine.export.leak_check import not_written
from engine.export.mixing import PLAIN, Before, Mixing, method_of
from engine.export.pairs import Pair, PairKind
from engine.policies.shots import Shows
from engine.runs.codec import dumps
from engine.runs.fingerprints import Fingerprint
from engine.templates import get as get_template
from engine.templates import phases
from engine.templates.base import Message, Template, World
from engine.templates.context import as_text
from engine.templates.model_calls import model_calls
from engine.templates.native import Native
from engine.templates.recorded import recorded, recorded_tokens
from engine.templates.registry import as_explored, is_builtin
from engine.templates.text import Text
from engine.templates.tool_noise import ToolNoise, under_noise, unwrapped
from environments.tools import Tool
from environments.types import Action, Step
from search.tree import Node, Tree

Row = dict[str, Any]

THOUGHT_BY = "thought_by"
"""Key of `Step.info` under which a step says how its thought was added to it."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What is trained of a path, and what its prompt says of it.

    Attributes:
        masked: nodes whose steps are context only.
        weights: loss weights of the other steps, by node; None for 1, and no weights in the row.
        note: the last line of the prompt; "" for none.
    """

    masked: frozenset[int] = frozenset()
    weights: Mapping[int, float] | None = None
    note: str = ""


WHOLE = Trained()
"""Every step is trained alike."""


@dataclass(frozen=True, slots=True)
class RowBuilder:
    """Renders the paths and pairs of one run as rows.

    Attributes:
        run: name of the run's folder, first part of the rows' `id`.
        templates: each row is written in one of them. The choice depends on the task and the path
            only, so that equal paths of several runs make equal rows.
        mask_errors: give `"weight": 0` to the actions of an SFT row that the environment answered
            with an error: the student reads them but is not trained on them (AgentRefine, Fu et
            al. 2025, arXiv:2501.01702, "refinement tuning"). Replies that are not complete have
            weight 0 in every row.
        secrets: of the task. Noise could hide one from the check of the row, so under noise every
            path is checked without it, too.
        mixing: what stands before each path, and the form that a row is written in.
        shows: whether a text holds the secret of the task whose rows are built.
        with_tokens: whether SFT rows have the column `completion_token_ids`: the run was imported
            with the tokens of replies.
    """

    run: str
    env: str
    world: World
    templates: tuple[Template, ...]
    mask_errors: bool = False
    secrets: Sequence[Fingerprint] = ()
    mixing: Mixing = PLAIN
    shows: Shows = field(default=lambda _: False)
    with_tokens: bool = False

    @classmethod
    def for_run(
        cls,
        run: str,
        meta: Mapping[str, Any],
        templates: Sequence[str] = (),
        dialects: Sequence[str] = (),
        mask_errors: bool = False,
        tool_noise: str = "",
    ) -> Self:
        """Build rows of the run in the folder called `run`, whose `Store.meta()` is `meta`.

        Each dialect is combined with each template (`native` takes none). The defaults are the
        template and the noise that the run was explored with, and the dialect that it had then.

        Raises:
            TemplateError: no such template or dialect, or the two do not go together.
        """
        config, world = meta["config"], meta["world"]
        own = config["template"]
        noise = ToolNoise.parse(tool_noise or config.get("tool_noise", ""))
        own_text = meta.get("template", "")  # of the file, if the run's template came from one
        own_dialect, mine = config.get("dialect", ""), (own, as_explored(own, own_text))
        loaded = tuple(
            get_template(name, dialect, own_text if name == own else "")
            for name in templates or (as_explored(own, own_text),)
            for dialect in _dialects(name, dialects, own_dialect if name in mine else "")
        )
        tools = tuple(Tool(*tool) for tool in world["tools"])
        shown = World(world["instructions"], tools, noise)
        tokens = bool(meta.get("imported", {}).get("token_ids"))
        return cls(run, config["env"], shown, loaded, mask_errors, with_tokens=tokens)

    def call_rows(self, tree: Tree, leaf: Node, trained: Trained = WHOLE) -> Iterator[Row]:
        """Yield a row for each model call of the path to `leaf`; only its reply is trained.

        Calls that are not to be trained have none.
        """
        template, before = self._template(tree, leaf), self._before(tree, leaf, trained.note)
        path, weights = before.written(tree.path(leaf.id)), self._weights(tree, leaf, trained)
        world, number = self.world.of(tree.task), 0
        for end, (step, weight) in enumerate(zip(path, weights, strict=True), 1):
            calls = model_calls(template, world, tree.task, path[:end], before.context)
            writer, seen, tools = unwrapped(template, (step,), world.tools)
            actions = _written(writer, seen, tools)
            for call, action in zip(calls, actions, strict=True):
                number += 1
                if weight == 0:
                    continue
                messages = [*map(_untrained, call[:-1]), _weighed(call[-1], weight)]
                _mark_thoughts(messages, writer, (action,), tools)
                yield {
                    **self._origin(tree, leaf, before, number),
                    "reward": leaf.step.reward,
                    "messages": messages if trained.weights is None else _all_weighed(messages),
                    "tools": template.tools(world),
                }

    def pair_of_calls(self, tree: Tree, pair: Pair) -> Row:
        """Return prompt and halves of a step pair as model calls, for one prompt per call.

        If both actions are answers in words, the words are the halves.
        """
        template, world = self._template(tree, pair.chosen_leaf), self.world.of(tree.task)
        shown, before = self._before(tree, pair.chosen_leaf), tree.path(pair.chosen.parent)
        kept, lost = (
            model_calls(
                template, world, tree.task, shown.written([*before, node.step]), shown.context
            )
            for node in (pair.chosen, pair.rejected)
        )
        place = min(len(kept), len(lost)) - 1
        *prompt, chosen = kept[place]
        return {"prompt": prompt, "chosen": [chosen], "rejected": [lost[place][-1]]}

    def is_per_call(self, tree: Tree, leaf: Node) -> bool:
        """Return whether the template for the path to `leaf` sends one prompt per call."""
        template, _, _ = unwrapped(self._template(tree, leaf), (), ())
        return isinstance(template, Text) and template.memory == "prompt"

    def sft_row(self, tree: Tree, leaf: Node, trained: Trained = WHOLE) -> Row:
        """Return the row of the path to `leaf`: origin, reward, messages, tools."""
        template, before = self._template(tree, leaf), self._before(tree, leaf, trained.note)
        path, world = before.written(tree.path(leaf.id)), self.world.of(tree.task)
        weights = self._weights(tree, leaf, trained)
        messages = self._messages(template, tree, path, before, weights)
        writer, seen, tools = unwrapped(template, path, world.tools)
        _mark_thoughts(messages, writer, list(_written(writer, seen, tools)), tools)
        messages = _to_last_reply(messages)
        return {
            **self._origin(tree, leaf, before),
            "reward": leaf.step.reward,
            "messages": messages if trained.weights is None else _all_weighed(messages),
            "tools": template.tools(world),
            **self._tokens(template, path),
        }

    def _tokens(self, template: Template, path: Sequence[Step]) -> Row:
        """Return the column of recorded tokens: a list for each step, [] where it reads otherwise.

        Only `native` writes the messages that were recorded.
        """
        if not self.with_tokens:
            return {}
        same = isinstance(template, Native)
        kept = [recorded_tokens(step) if same and recorded(step) else [] for step in path]
        return {"completion_token_ids": kept}

    def prm_row(self, tree: Tree, leaf: Node, values: Sequence[float], least: float) -> Row:
        """Return the row of the path to `leaf` in TRL's format of stepwise supervision.

        A completion is what the agent wrote in a step; that of a later step begins with the
        observation that it answers.

        Args:
            tree: its tree.
            leaf: the end of the path.
            values: of the path's actions.
            least: the value from which on a step is labelled right.
        """
        template, before = self._template(tree, leaf), self._before(tree, leaf)
        path = before.written(tree.path(leaf.id))
        messages = self._messages(template, tree, path, before)
        completions, waiting = list[str](), list[Message]()
        ends = self._ends(template, tree, path, before)
        for begin, end in zip(ends, ends[1:], strict=False):
            said = _to_last_reply(messages[begin:end])
            completions.append(as_text([*waiting, *said]))
            waiting = messages[begin + len(said) : end]
        return {
            **self._origin(tree, leaf, before),
            "reward": leaf.step.reward,
            "prompt": as_text(messages[: ends[0]]) + "\n\n",
            "completions": completions,
            "labels": [value >= least for value in values],
            "values": list(values),
        }

    def dpo_row(self, tree: Tree, pair: Pair, kind: PairKind) -> Row:
        """Return the row of `pair`: origin, prompt, chosen, rejected, tools, rewards, values."""
        template = self._template(tree, pair.chosen_leaf)
        shown = self._before(tree, pair.chosen_leaf)
        before = tree.path(pair.chosen.parent)
        prompt = self._messages(template, tree, shown.written(before), shown)
        chosen, rejected = (
            (pair.chosen_leaf, pair.rejected_leaf)
            if kind == "trajectory"
            else (pair.chosen, pair.rejected)
        )
        start, depth = len(prompt), len(before)
        # The rejected action may have a parent of its own: the same state, with other thoughts.
        halves = (
            shown.written([*before, *tree.path(end.id)[depth:]]) for end in (chosen, rejected)
        )
        kept, lost = (
            _to_last_reply(self._messages(template, tree, half, shown)) for half in halves
        )
        return {
            **self._origin(tree, pair.chosen_leaf, shown),
            "prompt": prompt,
            "chosen": kept[start:],
            "rejected": lost[start:],
            "tools": template.tools(self.world.of(tree.task)),
            "pair_kind": kind,
            "depth": depth,
            "chosen_reward": pair.rewards[0],
            "rejected_reward": pair.rewards[1],
            **_values(pair),
        }

    def _template(self, tree: Tree, leaf: Node) -> Template:
        """Return the template for rows of the path to `leaf`."""
        path = [tree.task.prompt, *(step.action.key for step in tree.path(leaf.id))]
        digest = hashlib.sha256(json.dumps(path).encode()).digest()
        chosen = self.templates[int.from_bytes(digest[:8]) % len(self.templates)]
        used = [node.step.action for node in tree.nodes]
        examples = self._before(tree, leaf).context.examples
        used += [step.action for example in examples for step in example.steps]
        return under_noise(chosen, self.world, tree.task, used)

    def _before(self, tree: Tree, leaf: Node, note: str = "") -> Before:
        """Return the form of rows of the path to `leaf`, and what stands before it."""
        before = self.mixing.before(tree, leaf, self.world.of(tree.task).tools, self.shows)
        return replace(before, context=replace(before.context, note=note))

    def _messages(
        self,
        template: Template,
        tree: Tree,
        path: Sequence[Step],
        before: Before,
        weights: Sequence[float] = (),
    ) -> list[Message]:
        """Return the conversation of `path`, with the weights of its steps where they are not 1.

        Without `weights`, what is not to be trained has weight 0.
        """
        render = partial(template.render, self.world, tree.task)
        messages = before.mark(render(path, before.context), partial(render, ()))
        plain, _, _ = unwrapped(template, path, ())
        if plain is not template:
            true = plain.render(self.world, tree.task, path, before.context)
            not_written(f"{tree.task.id}, without tool noise", true, self.secrets)
        weights = weights or [0 if self._is_untrained(step) else 1 for step in path]
        if all(weight == 1 for weight in weights):
            return messages
        ends = self._ends(template, tree, path, before)
        for weight, begin, end in zip(weights, ends, ends[1:], strict=False):
            messages[begin:end] = (_weighed(each, weight) for each in messages[begin:end])
        return messages

    def _ends(
        self, template: Template, tree: Tree, path: Sequence[Step], before: Before
    ) -> list[int]:
        """Return how many messages stand before `path`, and up to the end of each of its steps.

        Templates only append, so a step's messages are those that it adds.
        """
        render = partial(template.render, self.world, tree.task)
        return [len(render(path[:n], before.context)) for n in range(len(path) + 1)]

    def _weights(self, tree: Tree, leaf: Node, trained: Trained) -> list[float]:
        """Return the loss weight of each step of the path to `leaf`."""
        weights = trained.weights or {}
        return [
            0
            if node.id in trained.masked or self._is_untrained(node.step)
            else weights.get(node.id, 1)
            for node in tree.lineage(leaf.id)
        ]

    def _is_untrained(self, step: Step) -> bool:
        return bool(step.incomplete or (self.mask_errors and step.info.get("error")))

    def _origin(self, tree: Tree, leaf: Node, before: Before, call: int = 0) -> Row:
        return {
            "id": f"{self.run}/{tree.task.id}/{leaf.id}" + (f"#{call}" if call else ""),
            "call": call,
            "env": self.env,
            "source": tree.source,
            "split": tree.task.split,
            "group": tree.task.group,
            # Text, so that all rows have the same columns: `datasets` refuses others.
            "made": _made(tree, leaf),
            "template": self._template(tree, leaf).name,
            "form": before.form,
            "method": method_of(tree, leaf),
        }


def _dialects(template: str, chosen: Sequence[str], own: str) -> Sequence[str]:
    """Return the dialects for a template: those chosen, else its `own`; `native` takes none."""
    return ("",) if template == "native" else chosen or (own,)


def _made(tree: Tree, leaf: Node) -> str:
    """Return how the task and the thoughts of a path were made, as JSON; "" if neither was."""
    found = {"task": dict(tree.task.made), "thoughts": _thoughts_made(tree.path(leaf.id))}
    kept = {name: made for name, made in found.items() if made}
    return dumps(kept) if kept else ""


def _thoughts_made(path: Sequence[Step]) -> dict[str, Any]:
    """Return who wrote the thoughts of a path that were added to it, and in which replies."""
    made = [step.info[THOUGHT_BY] for step in path if THOUGHT_BY in step.info]
    writers = ", ".join(dict.fromkeys(str(each["by"]) for each in made))
    replies = [key for each in made for key in each.get("replies", ())]
    return {"by": writers} | ({"replies": replies} if replies else {}) if made else {}


def _values(pair: Pair) -> Row:
    """Return the columns of what the halves of a pair are worth; 0 where that is not known."""
    columns: Row = {}
    for half, place in (("chosen", 0), ("rejected", 1)):
        value = pair.values[place] if pair.values else None
        columns[f"{half}_value"] = value.mean if value else 0.0
        columns[f"{half}_continuations"] = 0 if not value or value.ended else len(value.rewards)
    return columns


def _weighed(message: Message, weight: float) -> Message:
    """Return `message` with its loss weight, if it is the assistant's and that is not 1."""
    weighed = weight != 1 and message["role"] == "assistant"
    return {**message, "weight": weight} if weighed else message


def _untrained(message: Message) -> Message:
    return _weighed(message, 0)


def _all_weighed(messages: Sequence[Message]) -> list[Message]:
    """Return `messages` with the weight of each of the assistant's as a float, also where it is 1.

    So a column of weights has one type, whatever row comes first.
    """
    return [
        {**each, "weight": float(each.get("weight", 1))} if each["role"] == "assistant" else each
        for each in messages
    ]


def _to_last_reply(messages: list[Message]) -> list[Message]:
    """Return `messages` up to the last one of the assistant."""
    while messages and messages[-1]["role"] != "assistant":
        messages.pop()
    return messages


def _mark_thoughts(
    messages: list[Message], template: Template, actions: Sequence[Action], tools: Sequence[Tool]
) -> None:
    """Mark the places of thoughts in the last `messages`, if `template` is a user's own.

    `"thought_span": [start, end]` counts characters of the content. The trainer knows the thoughts
    of built-in templates by their form.

    Args:
        messages: of a row.
        template: which wrote them.
        actions: those that the path's replies are; see `_written`.
        tools: the task's.
    """
    if not isinstance(template, Text) or is_builtin(template):
        return
    said = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
    # Those of the path are the last: what stands before it is not trained.
    for number, action in zip(reversed(said), reversed(actions), strict=False):
        span = _thought_span(messages[number]["content"], template, action, tools)
        messages[number] = {**messages[number], **span}


def _written(template: Template, path: Sequence[Step], tools: Sequence[Tool]) -> Iterator[Action]:
    """Yield the action that each reply of `path` is; a reply in words is none."""
    for action in (step.action for step in path):
        if isinstance(template, Text) and template.conclude and phases.written(action, tools):
            yield phases.completed(action)
            yield Action("", {})
        else:
            yield action


def _thought_span(content: str, template: Text, action: Action, tools: Sequence[Tool]) -> Message:
    if not action.tool or not action.thought:
        return {}
    mark = "\ufdd0"  # a noncharacter, which no template holds
    before, found, _ = template.write(replace(action, thought=mark), tools).partition(mark)
    escaped = (json.dumps(action.thought, ensure_ascii=ascii)[1:-1] for ascii in (False, True))
    for form in (action.thought, *escaped):
        if found and content.startswith(form, len(before)):
            return {"thought_span": [len(before), len(before) + len(form)]}
    return {}
