"""What the tools do: calls over variables, each of which holds a set of entities or a count."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from environments.kg.graph import Entities, Graph

Value = Entities | int
"""What a variable holds."""
Call = tuple[str, ...]
"""A tool's name and its arguments in the order of `ARGUMENTS`; "#0" is the first call's result."""

ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "get_relations": ("variable",),
    "get_neighbors": ("variable", "relation"),
    "intersection": ("variable", "other"),
    "get_attributes": ("variable",),
    "argmax": ("variable", "attribute"),
    "argmin": ("variable", "attribute"),
    "count": ("variable",),
}
"""The arguments of each tool but `answer`."""
SHOWN = 10
"""Entities of a variable that are named."""

_VARIABLE = re.compile(r"\s*#(\d+)\s*")


class Slip(Exception):
    """The agent's mistake: its kind, for `info["error"]`, and a message, for the observation."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind, self.message = kind, message


@dataclass(frozen=True, slots=True)
class Result:
    """A text to show, and the value of the new variable; None if the call makes none."""

    text: str
    value: Value | None = None


def run(graph: Graph, variables: Sequence[Value], call: Call) -> Result:
    """Return what a call gives.

    Raises:
        Slip: a variable, entity, relation or attribute that there is not.
    """
    tool, operand, *rest = call
    entities = entities_of(graph, variables, operand)
    match tool:
        case "get_relations":
            return Result(f"relations of {operand}: {_listed(graph.relations_of(entities))}")
        case "get_attributes":
            return Result(f"attributes of {operand}: {_listed(graph.attributes_of(entities))}")
        case "count":
            return Result(_told(variables, len(entities)), len(entities))
        case "get_neighbors":
            _require("relation", rest[0], graph.relations_of(entities), operand)
            return _made(variables, graph.neighbors(entities, rest[0]), operand)
        case "intersection":
            others = set(entities_of(graph, variables, rest[0]))
            both = tuple(entity for entity in entities if entity in others)
            return _made(variables, both, f"both {operand} and {rest[0]}")
        case _:
            _require("attribute", rest[0], graph.attributes_of(entities), operand)
            best = graph.extreme(entities, rest[0], 1 if tool == "argmax" else -1)
            value = graph.value(best[0], rest[0])
            made = _made(variables, best, operand)
            return Result(f"{made.text} ({rest[0]}: {value})", made.value)


def play(graph: Graph, program: Sequence[Call]) -> list[Value]:
    """Return the variables that the calls of a program make, one each.

    Raises:
        Slip: a call fails, or makes none.
    """
    variables: list[Value] = []
    for call in program:
        value = run(graph, variables, call).value
        if value is None:
            raise Slip("empty", f"{call[0]} gives no entity")
        variables.append(value)
    return variables


def value_of(variables: Sequence[Value], name: str) -> Value:
    """Return what a variable holds; raise `Slip` if there is no such variable."""
    found = _VARIABLE.fullmatch(name)
    if found is None or int(found[1]) >= len(variables):
        those = f"the variables: {_names(variables)}" if variables else "there is no variable yet"
        raise Slip("bad_variable", f"no variable {name[:100]!r}; {those}")
    return variables[int(found[1])]


def entities_of(graph: Graph, variables: Sequence[Value], operand: str) -> Entities:
    """Return the entities of an operand: a variable, or the name of an entity.

    Raises:
        Slip: there is no such variable or entity, or it holds a count.
    """
    if operand in graph:
        return (operand,)
    if not operand.lstrip().startswith("#"):
        near = graph.near(operand[:100])
        hint = f"; nearly: {', '.join(near)}" if near else ""
        raise Slip("bad_entity", f"no entity {operand[:100]!r} in the graph{hint}")
    value = value_of(variables, operand)
    if isinstance(value, int):
        raise Slip("bad_variable", f"{operand.strip()} is a number, not a set of entities")
    return value


def answers_of(value: Value) -> list[str]:
    """Return the answers that a variable stands for: its entities, or its number."""
    return [str(value)] if isinstance(value, int) else list(value)


def _made(variables: Sequence[Value], entities: Entities, operand: str) -> Result:
    if not entities:
        return Result(f"no entity is in {operand}; no variable was made")
    return Result(_told(variables, entities), entities)


def _told(variables: Sequence[Value], value: Value) -> str:
    name = f"#{len(variables)}"
    if isinstance(value, int):
        return f"{name} = the number {value}"
    more = f", ... ({len(value) - SHOWN} more)" if len(value) > SHOWN else ""
    return f"{name} = {', '.join(value[:SHOWN])}{more}"


def _require(kind: str, name: str, known: Sequence[str], operand: str) -> None:
    if name not in known:
        message = f"{operand} has no {kind} {name[:100]!r}; its {kind}s: {_listed(known)}"
        raise Slip(f"bad_{kind}", message)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _names(variables: Sequence[Value]) -> str:
    return ", ".join(f"#{number}" for number in range(len(variables)))
