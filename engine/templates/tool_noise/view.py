"""What an agent sees of a task's tools under noise, and the way back to the true calls.

Names are swapped: where a true name gets a shown one, a call by the true name, which the agent
does not see, becomes a call by the shown one, which the world does not know. So who remembers a
name fails as with any unknown one, and every call can be shown again as it was made.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random

from engine.templates.reading.names import is_answer
from engine.templates.tool_noise import distractors, new_names, schemas, wording
from engine.templates.tool_noise.distractors import fold
from engine.templates.tool_noise.mentions import Mentions
from engine.templates.tool_noise.noise import ToolNoise
from engine.templates.tool_noise.observations import STYLES, restyled
from environments.tools import GIVE_UP, SAY, Tool, is_say, violation
from environments.types import Action, Step

_UNAVAILABLE = "error: {} is not available for this task; use another tool"
_KEPT = frozenset({GIVE_UP.name, SAY.name})
"""Names that mean the same in every world; templates and readers know them."""

_DROPPED = 0.5  # share of the optional arguments that `drop` takes away


@dataclass(frozen=True, slots=True)
class ToolView:
    """The tools of a task as they are shown.

    Attributes:
        tools: those shown, with distractors.
        true: those of the task.
        mentions: swaps names in texts, and holds the shown names of tools.
        arguments: by true name of a tool, the shown names of its arguments.
        distractors: names of shown tools that the task does not have.
        style: of the observations; "" leaves them as they are.
    """

    tools: tuple[Tool, ...]
    true: tuple[Tool, ...]
    mentions: Mentions
    arguments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    distractors: frozenset[str] = frozenset()
    style: str = ""

    def shown_action(self, action: Action) -> Action:
        """Return a true action as the agent made it."""
        return self._swapped(action, self.arguments.get(action.tool))

    def true_action(self, action: Action) -> Action:
        """Return the true action that the agent's is; the inverse of `shown_action`."""
        tool = self._tool(action.tool)
        return self._swapped(action, self.arguments.get(tool))

    def shown_step(self, step: Step) -> Step:
        """Return a step of the tree as the agent sees it."""
        action, text = self.shown_action(step.action), step.observation
        if self._is_speech(step.action):
            return replace(step, action=action)
        error = step.info.get("error")
        if error:
            text = self._shown_error(step, action)
        if self.style:
            text = restyled(self.style, text, bool(error))
        return replace(step, action=action, observation=text)

    def _tool(self, name: str) -> str:
        """Return the other name of a tool, be `name` true or shown; its own if it has no other."""
        return self.mentions.tool_swaps.get(name, name)

    def _swapped(self, action: Action, names: Mapping[str, str] | None) -> Action:
        thought = self.mentions.shown(action.thought)
        error = self.mentions.shown(action.error)
        if not action.tool:
            return replace(action, thought=thought, error=error)
        given = action.arguments
        if names:
            swaps = dict(names) | {shown: true for true, shown in names.items()}
            given = {swaps.get(name, name): value for name, value in given.items()}
        return replace(
            action, tool=self._tool(action.tool), arguments=given, thought=thought, error=error
        )

    def _is_speech(self, action: Action) -> bool:
        return action.tool == SAY.name and any(map(is_say, self.true))

    def _shown_error(self, step: Step, shown: Action) -> str:
        """Return an error as the world would say it of the shown tools.

        What `violation` says is said again of them; in any other error, names are swapped.
        """
        if shown.tool in self.distractors and step.info.get("error") == "unknown_tool":
            return _UNAVAILABLE.format(shown.tool)
        true = violation(step.action, self.true) if step.action.tool else None
        if true is not None and step.observation == f"error: {true.message}":
            seen = violation(shown, self.tools)
            if seen is not None:
                return f"error: {seen.message}"
        return self.mentions.shown(step.observation)


def make_view(
    noise: ToolNoise, tools: Sequence[Tool], task: str, used: Sequence[Action] = ()
) -> ToolView:
    """Return the view of `tools`, those of the task with the id `task`; see `under_noise`."""
    taken = {fold(name) for name in (*_KEPT, *(tool.name for tool in tools))}
    rng = _random(noise, task, "distract")
    others = distractors.choose(noise.distract, rng, taken) if noise.distract else []
    renamable = {tool.name: _renamable(tool) for tool in tools} if noise.rename else {}
    taken |= {fold(tool.name) for tool in others}
    mentions = _renaming(partial(_random, noise, task), tools, renamable, taken)
    arguments, shown = {}, []
    for tool in tools:
        names = {name: mentions.arguments[name] for name in renamable.get(tool.name, ())}
        dropped = _dropped(noise, tool, task, used)
        shown.append(_shown(tool, mentions, names, dropped))
        # A call with a dropped argument must not work: it becomes one with an unknown argument.
        arguments[tool.name] = names | {name: schemas.unknown(name, tool) for name in dropped}
    return ToolView(
        tuple(_arranged(noise, shown, others, task)),
        tuple(tools),
        mentions,
        arguments,
        frozenset(tool.name for tool in others),
        _random(noise, task, "observe").choice(list(STYLES)) if noise.observe else "",
    )


def _renaming(
    random: Callable[[str], Random],
    tools: Sequence[Tool],
    renamable: Mapping[str, Sequence[str]],
    taken: set[str],
) -> Mentions:
    """Return other names for the tools in `renamable`, and for their arguments that it lists.

    An argument that several tools have gets the same name in all of them. Each name is drawn for
    itself, so that a task with fewer tools (see `answer_only`) shows them under the same names.
    """
    names, arguments = {}, {}
    for tool in tools:
        if tool.name in renamable and tool.name not in _KEPT:
            names[tool.name] = new_names.tool_name(tool, random(f"rename|{tool.name}"), taken)
            taken.add(fold(names[tool.name]))
    taken |= {fold(name) for tool in tools for name in schemas.properties(tool)}
    for name in dict.fromkeys(name for each in renamable.values() for name in each):
        arguments[name] = new_names.argument_name(name, random(f"rename|{name}"), taken)
        taken.add(fold(arguments[name]))
    return Mentions(names, arguments)


def _shown(
    tool: Tool, mentions: Mentions, names: Mapping[str, str], dropped: Sequence[str]
) -> Tool:
    left = {name: shown for name, shown in names.items() if name not in dropped}
    parameters = schemas.renamed(schemas.without(tool.parameters, dropped), left)
    name = mentions.tools.get(tool.name, tool.name)
    return Tool(name, mentions.shown(tool.description), parameters)


def _arranged(
    noise: ToolNoise, shown: Sequence[Tool], others: Sequence[Tool], task: str
) -> list[Tool]:
    """Return the shown tools with distractors, in order and in words of their own."""
    found, places = list(shown), _random(noise, task, "places")
    for tool in others:  # at the end, their place would tell them
        found.insert(places.randint(0, len(found)), tool)
    if noise.reword:
        found = [_reworded(tool, _random(noise, task, f"reword|{tool.name}")) for tool in found]
    if noise.shuffle:
        rng = _random(noise, task, "shuffle")
        rng.shuffle(found)
        found = [_shuffled(tool, rng) for tool in found]
    return found


def _random(noise: ToolNoise, task: str, kind: str) -> Random:
    return Random(f"{noise.seed}|{task}|{kind}")


def _renamable(tool: Tool) -> list[str]:
    """Return the arguments whose names can be changed in all places that name them.

    The description of a tool may explain an argument that has no description of its own.
    """
    if tool.name in _KEPT or schemas.holds(tool.parameters, schemas.UNREADABLE):
        return []
    words = set(re.findall(r"\w+", tool.description))
    return [
        name
        for name, schema in schemas.properties(tool).items()
        if name not in words or (isinstance(schema, Mapping) and schema.get("description"))
    ]


def _dropped(noise: ToolNoise, tool: Tool, task: str, used: Sequence[Action]) -> tuple[str, ...]:
    """Return the optional arguments that are not shown.

    None of a tool that answers, that needs no argument at all, or whose arguments depend on each
    other; and none that a call in `used` has.
    """
    required = tool.parameters.get("required") or ()
    if not noise.drop or not required or is_answer(tool.name) or tool.name in _KEPT:
        return ()
    tied = ("dependentRequired", "dependentSchemas", "minProperties", *schemas.UNREADABLE)
    if schemas.holds(tool.parameters, (*tied, *schemas.BESIDE, *schemas.BELOW)):
        return ()
    needed = {name for call in used if call.tool == tool.name for name in call.arguments}
    rng = _random(noise, task, f"drop|{tool.name}")
    optional = [name for name in schemas.properties(tool) if name not in required]
    drawn = [name for name in optional if rng.random() < _DROPPED]
    return tuple(name for name in drawn if name not in needed)


def _reworded(tool: Tool, rng: Random) -> Tool:
    properties = {
        name: {**schema, "description": wording.reworded_argument(schema["description"], rng)}
        if isinstance(schema, Mapping) and isinstance(schema.get("description"), str)
        else schema
        for name, schema in schemas.properties(tool).items()
    }
    parameters = {**tool.parameters, "properties": properties} if properties else tool.parameters
    if is_say(tool):  # it is known by its arguments
        parameters = tool.parameters
    return Tool(tool.name, wording.reworded(tool.description, rng), parameters)


def _shuffled(tool: Tool, rng: Random) -> Tool:
    items = list(schemas.properties(tool).items())
    if len(items) < 2:
        return tool
    rng.shuffle(items)
    return Tool(tool.name, tool.description, {**tool.parameters, "properties": dict(items)})
