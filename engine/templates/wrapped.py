"""A template over another one, which does what the template under it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.templates.base import Message, Template, World
from engine.templates.context import NOTHING, Context
from environments.tools import Tool
from environments.types import Action, Step, Task


@dataclass(frozen=True, slots=True)
class Wrapped:
    """The base of templates that change what another one reads or writes; see `Template`.

    Attributes:
        template: The template under it.
    """

    template: Template

    @property
    def name(self) -> str:
        """See `Template.name`."""
        return self.template.name

    @property
    def stop(self) -> tuple[str, ...]:
        """See `Template.stop`."""
        return self.template.stop

    def render(
        self, world: World, task: Task, path: Sequence[Step], context: Context = NOTHING
    ) -> list[Message]:
        """See `Template.render`."""
        return self.template.render(world, task, path, context)

    def request(
        self, world: World, task: Task, path: Sequence[Step], context: Context = NOTHING
    ) -> list[Message]:
        """See `Template.request`."""
        return self.template.request(world, task, path, context)

    def conclusion(
        self,
        world: World,
        task: Task,
        path: Sequence[Step],
        action: Action,
        context: Context = NOTHING,
    ) -> list[Message]:
        """See `Template.conclusion`."""
        return self.template.conclusion(world, task, path, action, context)

    def concluded(self, action: Action, message: Message, tools: Sequence[Tool] = ()) -> Action:
        """See `Template.concluded`."""
        return self.template.concluded(action, message, tools)

    def tools(self, world: World) -> list[dict[str, Any]]:
        """See `Template.tools`."""
        return self.template.tools(world)

    def parse(self, message: Message, tools: Sequence[Tool] = ()) -> Action:
        """See `Template.parse`."""
        return self.template.parse(message, tools)
