"""Questions made from a graph: random programs that have few answers, and none by the way.

A question's group is its path: the relations and operations without the entities. A question is in
the test split if both its path and its entities are; a question of which only one is, is not made.
So neither a path nor an entity to start from is in both splits.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from random import Random

from environments.kg.calls import Call, Slip, Value, play
from environments.kg.graph import Graph
from environments.kg.words import Words, question

KINDS = {"chain": (1, 2, 3), "intersection": (1,), "count": (1, 2), "argmax": (1, 2)}
"""Kinds of questions, and how many relations in a row they follow at first."""
MOST_ANSWERS = 10
MOST_ENTITIES = 40
"""Entities of a variable on the way, or to count."""
LEAST_COMPARED = 3
"""Entities among which one is the largest."""
TEST_SHARE = 3
"""One of so many entities is in the test split, and of paths."""
PER_PATH = 5
"""Questions of one path at most."""
TRIES = 100
"""Programs that are drawn for a question that is wanted."""

Program = tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question over a graph.

    Attributes:
        entities: those it names; programs start there.
        answers: the gold answers: names of entities, or one number.
        program: calls whose last variable holds the answers; () if none is known.
        group: see `environments.Task.group`.
    """

    id: str
    text: str
    entities: tuple[str, ...]
    answers: tuple[str, ...]
    program: Program = ()
    kind: str = ""
    group: str = ""
    split: str = ""

    @property
    def hops(self) -> int:
        """How many relations the program follows."""
        return sum(call[0] == "get_neighbors" for call in self.program)


def generate(
    graph: Graph, words: Mapping[str, Words], wanted: Mapping[str, int], seed: int = 0
) -> list[Question]:
    """Return questions; `wanted` says how many of each kind a split should have.

    The graph may not have as many. The same arguments give the same questions.
    """
    found: dict[tuple[Call, ...], Question] = {}
    for kind, lengths in KINDS.items():
        for length in lengths:
            part = {split: -(-number // len(lengths)) for split, number in wanted.items()}
            for program, answers in _draw(
                graph, kind, length, part, Random(f"{seed} {kind}{length}")
            ):
                found.setdefault(program, _question(graph, words, kind, program, answers))
    questions = list(found.values())
    Random(seed).shuffle(questions)
    return [replace(each, id=f"{each.kind}-{number}") for number, each in enumerate(questions)]


def _draw(
    graph: Graph, kind: str, length: int, wanted: Mapping[str, int], random: Random
) -> Iterator[tuple[Program, tuple[str, ...]]]:
    """Yield good programs and their answers, as many as are wanted of each split, if there are."""
    left, paths = Counter(wanted), Counter[str]()
    seen: set[Program] = set()
    for _ in range(TRIES * left.total()):
        program = _program(graph, kind, length, random)
        if program is None or program in seen:
            continue
        seen.add(program)
        path, split = path_of(program), split_of(program)
        if not left[split] or paths[path] >= PER_PATH:
            continue
        if answers := _answers(graph, program):
            paths[path] += 1
            left[split] -= 1
            yield program, answers
        if not left.total():
            return


def _question(
    graph: Graph,
    words: Mapping[str, Words],
    kind: str,
    program: Program,
    answers: tuple[str, ...],
) -> Question:
    text, path = question(graph, words, program), path_of(program)
    split = split_of(program)
    return Question("", text, topics(program), answers, program, kind, path, split)


def topics(program: Sequence[Call]) -> tuple[str, ...]:
    """Return the entities that a program starts from."""
    starts = [call[1] for call in program if not call[1].startswith("#")]
    return tuple(dict.fromkeys(starts))


def path_of(program: Sequence[Call]) -> str:
    """Return a program's relations and operations, without its entities."""
    paths: list[str] = []
    for tool, operand, *rest in program:
        before = f"{paths[int(operand[1:])]} > " if operand.startswith("#") else ""
        if tool == "intersection":
            both = sorted((paths[int(operand[1:])], paths[int(rest[0][1:])]))
            paths.append(f"({both[0]} & {both[1]})")
        else:
            paths.append(before + " ".join([*(() if tool == "get_neighbors" else (tool,)), *rest]))
    return paths[-1]


def split_of(program: Sequence[Call]) -> str:
    """Return "train" or "test"; "" for a program that would be partly in both."""
    held_out = {is_held_out(name) for name in (*topics(program), path_of(program))}
    return "" if len(held_out) > 1 else "test" if held_out == {True} else "train"


def is_held_out(name: str) -> bool:
    """Return whether an entity or a path belongs to the test split."""
    return int(sha256(name.encode()).hexdigest(), 16) % TEST_SHARE == 0


def _program(graph: Graph, kind: str, length: int, random: Random) -> Program | None:
    """Draw a program; None where the walk comes to an end."""
    calls: list[Call] = []
    try:
        if kind == "intersection":
            _intersect(graph, calls, random)
            _finish_intersection(graph, calls, random)
        else:
            _walk(graph, calls, random, length)
        if kind == "count":
            calls.append(("count", _last(calls)))
        if kind == "argmax":
            _compare(graph, calls, random)
    except (Slip, IndexError):  # random.choice of nothing
        return None
    return tuple(calls)


def _walk(graph: Graph, calls: list[Call], random: Random, steps: int) -> None:
    relation = random.choice(graph.relations)
    calls.append(("get_neighbors", random.choice(graph.starts(relation)), relation))
    for _ in range(steps - 1):
        _step(graph, calls, random)


def _step(graph: Graph, calls: list[Call], random: Random) -> None:
    """Follow a random relation that does not go straight back."""
    value = play(graph, calls)[-1]
    assert not isinstance(value, int)
    back = graph.inverses.get(calls[-1][-1])
    choices = [each for each in graph.relations_of(value) if each != back]
    calls.append(("get_neighbors", _last(calls), random.choice(choices)))


def _intersect(graph: Graph, calls: list[Call], random: Random) -> None:
    """Draw an entity and two ways to it from others."""
    relation = random.choice(graph.relations)
    target = (random.choice(graph.starts(relation)),)
    other = random.choice(graph.relations_of(target))
    for each in (relation, other):
        start = random.choice(graph.neighbors(target, each))
        calls.append(("get_neighbors", start, graph.inverses[each]))
    calls.append(("intersection", "#0", "#1"))


def _finish_intersection(graph: Graph, calls: list[Call], random: Random) -> None:
    way = random.random()
    if way < 0.3:
        _step(graph, calls, random)
    elif way < 0.5:
        calls.append(("count", _last(calls)))


def _compare(graph: Graph, calls: list[Call], random: Random) -> None:
    value = play(graph, calls)[-1]
    assert not isinstance(value, int)
    tool = random.choice(("argmax", "argmin"))
    calls.append((tool, _last(calls), random.choice(graph.attributes_of(value))))
    if len(calls) == 2 and random.random() < 0.5:
        _step(graph, calls, random)


def _last(calls: Sequence[Call]) -> str:
    return f"#{len(calls) - 1}"


def _answers(graph: Graph, program: Sequence[Call]) -> tuple[str, ...]:
    """Return the answers of a good question; () if it is none."""
    try:
        values = play(graph, program)
    except Slip:
        return ()
    last = values[-1]
    good = all(_is_good(graph, values, call) for call in program)
    if not good or len(set(values)) < len(values) or any(_is_bad(v, program) for v in values):
        return ()
    if isinstance(last, int):
        return (str(last),) if last > 1 else ()
    return last if len(last) <= MOST_ANSWERS else ()


def _is_good(graph: Graph, values: Sequence[Value], call: Call) -> bool:
    """Return whether a call compares some entities, all of which have the attribute, if it does."""
    if call[0] not in ("argmax", "argmin"):
        return True
    compared = values[int(call[1][1:])]
    assert not isinstance(compared, int)
    known = (call[2] in graph.attributes_of((entity,)) for entity in compared)
    return len(compared) >= LEAST_COMPARED and all(known)


def _is_bad(value: Value, program: Sequence[Call]) -> bool:
    """Return whether a variable is large, or holds an entity that the question names."""
    return not isinstance(value, int) and (
        len(value) > MOST_ENTITIES or not set(topics(program)).isdisjoint(value)
    )
