"""Gymnasium spaces of text and tool calls; `gymnasium.spaces.Text` has a fixed alphabet."""

from collections.abc import Mapping, Sequence
from typing import Any

from gymnasium.spaces import Space

from environments.tools import Tool
from environments.types import Action


class AnyText(Space[str]):
    """Any string."""

    def __init__(self) -> None:
        super().__init__(None, None)

    def contains(self, x: Any) -> bool:
        """Return whether `x` is of this space."""
        return isinstance(x, str)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Return a random element."""
        return str(self.np_random.integers(1_000_000))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnyText)


class ToolCall(Space[Action]):
    """A call, right or wrong, to one of `tools`; samples keep to the schemas' types and enums."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        super().__init__(None, None)
        self.tools = tuple(tools)

    def contains(self, x: Any) -> bool:
        """Return whether `x` is of this space."""
        return isinstance(x, Action)

    def sample(self, mask: Any = None, probability: Any = None) -> Action:
        """Return a random element."""
        tool = self.tools[int(self.np_random.integers(len(self.tools)))]
        properties: Mapping[str, Any] = tool.parameters.get("properties", {})
        return Action(tool.name, {name: self._value(p) for name, p in properties.items()})

    def _value(self, schema: Mapping[str, Any]) -> Any:
        number = int(self.np_random.integers(100))
        if "enum" in schema:
            return schema["enum"][number % len(schema["enum"])]
        if schema.get("type") == "array":
            return [self._value(schema.get("items", {}))]
        by_type = {"integer": number, "number": number / 10, "boolean": bool(number % 2)}
        return by_type.get(schema.get("type", "string"), f"text {number}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ToolCall) and self.tools == other.tools
