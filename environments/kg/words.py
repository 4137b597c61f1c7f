"""Questions in words, from programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from environments.kg.calls import Call
from environments.kg.graph import Graph


@dataclass(frozen=True, slots=True)
class Words:
    """How a relation, in one direction, is said of what it leads to.

    Attributes:
        one: what it leads to, "country".
        many: the same, more of it, "countries".
        after: what follows, with a place for one entity, "whose currency is {}".
        after_many: the same for several, "whose currency is one of {}".
    """

    one: str
    many: str
    after: str
    after_many: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """The words for a set of entities: "the" noun, and what follows it.

    Attributes:
        is_joint: whether "and" in it could be read as part of what stands before it.
    """

    noun: str
    after: str
    is_single: bool
    is_joint: bool = False

    def __str__(self) -> str:
        return f"the {self.noun} {self.after}" if self.noun else self.after


def default_words(graph: Graph, relation: str) -> Words:
    """Return words that fit most relations, from a relation's name."""
    name = relation.replace("_", " ")
    if relation in graph.backward:
        name = graph.inverses[relation].replace("_", " ")
        return Words("entity", "entities", f"whose {name} is {{}}", f"whose {name} is one of {{}}")
    many = f"{name[:-1]}ies" if name.endswith("y") else name if name.endswith("s") else f"{name}s"
    return Words(name, many, "of {}", "of {}")


def question(graph: Graph, words: Mapping[str, Words], program: Sequence[Call]) -> str:
    """Return the question that a program answers."""
    phrases: list[Phrase] = []
    for call in program:
        phrases.append(_phrase(graph, words, phrases, call))
    last = program[-1]
    if last[0] == "count":
        return f"How many {str(phrases[-1]).removeprefix('the ')} are there?"
    if last[0] in _EXTREMES:
        operand = _of(phrases, last[1])
        return f"Which of {operand} has the {_EXTREMES[last[0]]} {last[2].replace('_', ' ')}?"
    return f"What {'is' if phrases[-1].is_single else 'are'} {phrases[-1]}?"


_EXTREMES = {"argmax": "largest", "argmin": "smallest"}


def _phrase(
    graph: Graph, words: Mapping[str, Words], known: Sequence[Phrase], call: Call
) -> Phrase:
    tool, operand = call[0], _of(known, call[1])
    if tool == "get_neighbors":
        said = words.get(call[2]) or default_words(graph, call[2])
        single = operand.is_single and graph.is_single(call[2])
        after = said.after if operand.is_single else said.after_many
        place = f"these: {operand}" if operand.is_joint else operand
        return Phrase(said.one if single else said.many, after.format(place), single)
    if tool == "intersection":
        other = _of(known, call[2])
        if operand.noun and operand.noun == other.noun:
            return Phrase(operand.noun, f"{operand.after} and {other.after}", False, True)
        return Phrase("entities", f"that are both among {operand} and among {other}", False, True)
    if tool in _EXTREMES:
        size = f"with the {_EXTREMES[tool]} {call[2].replace('_', ' ')} among {operand}"
        return Phrase("one", size, True)
    return operand


def _of(known: Sequence[Phrase], operand: str) -> Phrase:
    if operand.startswith("#"):
        return known[int(operand[1:])]
    return Phrase("", operand, True)
