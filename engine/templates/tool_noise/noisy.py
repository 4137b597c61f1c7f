"""A template whose tools, calls and observations are shown with noise, and read back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.templates.base import Message, Template, World
from engine.templates.context import NOTHING, Context
from engine.templates.tool_noise.view import ToolView, make_view
from engine.templates.wrapped import Wrapped
from environments.tools import Tool
from environments.types import Action, Step, Task


@dataclass(frozen=True, slots=True)
class Noisy(Wrapped):
    """A template for one task, with noise.

    Attributes:
        view: what the agent sees of the task's tools.
    """

    view: ToolView

    def render(
        self, world: World, task: Task, path: Sequence[Step], context: Context = NOTHING
    ) -> list[Message]:
        """See `Template.render`; `task` is the one that the view was made for."""
        own, seen = replace(task, tools=None, opening=None), self._seen(path)
        return self.template.render(self._shown(world.of(task)), own, seen, self._context(context))

    def tools(self, world: World) -> list[dict[str, Any]]:
        """See `Template.tools`."""
        return self.template.tools(self._shown(world))

    def parse(self, message: Message, tools: Sequence[Tool] = ()) -> Action:
        """See `Template.parse`; `tools` are the true ones, or none."""
        return self.view.true_action(self.template.parse(message, self.view.tools if tools else ()))

    def request(
        self, world: World, task: Task, path: Sequence[Step], context: Context = NOTHING
    ) -> list[Message]:
        """See `Template.request`."""
        own, seen = replace(task, tools=None, opening=None), self._seen(path)
        return self.template.request(self._shown(world.of(task)), own, seen, self._context(context))

    def conclusion(
        self,
        world: World,
        task: Task,
        path: Sequence[Step],
        action: Action,
        context: Context = NOTHING,
    ) -> list[Message]:
        """See `Template.conclusion`."""
        own, seen = replace(task, tools=None, opening=None), self._seen(path)
        made, shown = self.view.shown_action(action), self._context(context)
        return self.template.conclusion(self._shown(world.of(task)), own, seen, made, shown)

    def concluded(self, action: Action, message: Message, tools: Sequence[Tool] = ()) -> Action:
        """See `Template.concluded`."""
        made, shown = self.view.shown_action(action), self.view.tools if tools else ()
        return self.view.true_action(self.template.concluded(made, message, shown))

    def _seen(self, path: Sequence[Step]) -> tuple[Step, ...]:
        return tuple(self.view.shown_step(step) for step in path)

    def _context(self, context: Context) -> Context:
        """Return a context as the agent sees it; its examples call tools of the same names."""
        examples = (replace(each, steps=self._seen(each.steps)) for each in context.examples)
        attempts = map(self._seen, context.attempts)
        return replace(context, examples=tuple(examples), attempts=tuple(attempts))

    def _shown(self, world: World) -> World:
        return World(self.view.mentions.shown(world.instructions), self.view.tools)


def under_noise(
    template: Template, world: World, task: Task, used: Sequence[Action] = ()
) -> Template:
    """Return `template` with the noise of `world` for `task`; itself if there is none.

    Args:
        template: renders and reads the shown tools.
        world: its tools are the true ones, unless the task has its own.
        task: the only one that the result is for.
        used: calls that will be shown; no argument of theirs is dropped.
    """
    if not world.noise:
        return template
    return Noisy(template, make_view(world.noise, world.of(task).tools, task.id, used))


def seen_step(template: Template, step: Step) -> Step:
    """Return a step of the tree as the agent of `template` sees it."""
    return template.view.shown_step(step) if isinstance(template, Noisy) else step


def unwrapped(
    template: Template, path: Sequence[Step], tools: Sequence[Tool]
) -> tuple[Template, Sequence[Step], Sequence[Tool]]:
    """Return the template that writes, and the path and the tools that it sees."""
    if not isinstance(template, Noisy):
        return template, path, tools
    view = template.view
    return template.template, [view.shown_step(step) for step in path], view.tools
