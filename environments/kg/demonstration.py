"""What the demonstration teacher does: a program's calls, with a look before each; and mistakes."""

from collections.abc import Iterator, Sequence

from environments.kg.calls import ARGUMENTS, Call, Slip, Value, entities_of, play, run
from environments.kg.graph import Graph
from environments.types import Action, Step

ANSWER = "answer"
MOST_MISTAKES = 4
_LOOKS = {"get_neighbors": "get_relations", "argmax": "get_attributes", "argmin": "get_attributes"}
"""The tool that tells the names that another one takes."""


def solution(program: Sequence[Call]) -> list[Action]:
    """Return actions that earn 1.0."""
    steps: list[Action] = []
    while not steps or steps[-1].tool != ANSWER:
        steps.append(_next(program, steps, {n: n for n in range(_made(steps))}))
    return steps


def next_step(graph: Graph, program: Sequence[Call], path: Sequence[Step]) -> Action:
    """Return the right action after a path, whose mistakes have made variables, too."""
    variables: list[Value] = []
    places: dict[int, int] = {}
    for step in path:
        call = _call(step.action)
        if call is None:
            continue
        try:
            value = run(graph, variables, call).value
        except Slip:
            continue
        if value is not None:
            wanted = len(places)
            if wanted < len(program) and call == _renamed(program[wanted], places):
                places[wanted] = len(variables)
            variables.append(value)
    return _next(program, [step.action for step in path], places)


def mistakes(graph: Graph, program: Sequence[Call], action: Action) -> list[Action]:
    """Return wrong versions of a step: other names, other variables.

    After a mistake, the step's variables have other numbers than in the program: then other names
    only.
    """
    given = _given(action)
    calls = [*program, (ANSWER, f"#{len(program) - 1}")]
    alike = [call for call in calls if (call[0], call[2:]) == (given[0], given[2:])]
    if not alike:
        return []
    right = given if given in alike else alike[0]
    variables = play(graph, program)
    known: list[Value | None] = [(), None, _value(graph, variables, right)]
    found: dict[Call, None] = {}
    for wrong in _wrong(graph, program, variables, right):
        try:
            value = _value(graph, variables, wrong)
        except Slip:
            continue
        if value not in known and (right == given or wrong[1] == right[1]):
            found.setdefault((wrong[0], given[1], *wrong[2:]) if right != given else wrong)
    return [_action(call) for call in list(found)[:MOST_MISTAKES]]


def _wrong(
    graph: Graph, program: Sequence[Call], variables: Sequence[Value], right: Call
) -> Iterator[Call]:
    tool, operand, *rest = right
    starts = [call[1] for call in program if not call[1].startswith("#")]
    before = [f"#{number}" for number in range(len(variables))]
    if tool == "get_neighbors":
        names = graph.relations_of(entities_of(graph, variables, operand))
        yield from ((tool, operand, name) for name in names)
    if tool in ("argmax", "argmin"):
        yield {"argmax": "argmin", "argmin": "argmax"}[tool], operand, rest[0]
        names = graph.attributes_of(entities_of(graph, variables, operand))
        yield from ((tool, operand, name) for name in names)
    if tool != ANSWER:
        known = before[: program.index(right)]
        others = [name for name in [*reversed(known), *starts] if [name] != rest]
        yield from ((tool, name, *rest) for name in others)
    else:
        yield from ((tool, name) for name in reversed(before))


def _value(graph: Graph, variables: Sequence[Value], call: Call) -> Value | None:
    if call[0] == ANSWER:
        return variables[int(call[1][1:])]
    return run(graph, variables, call).value


def _next(program: Sequence[Call], before: Sequence[Action], places: dict[int, int]) -> Action:
    """Return the next action, looking first; `places` are the variables of the calls played."""
    if len(places) == len(program):
        return _action((ANSWER, f"#{places[len(program) - 1]}"))
    call = _renamed(program[len(places)], places)
    look = (_LOOKS.get(call[0], ""), call[1])
    if look[0] and look not in map(_call, before):
        return _action(look)
    return _action(call)


def _renamed(call: Call, places: dict[int, int]) -> Call:
    return (
        call[0],
        *(f"#{places[int(each[1:])]}" if each.startswith("#") else each for each in call[1:]),
    )


def _made(steps: Sequence[Action]) -> int:
    return sum(step.tool not in _LOOKS.values() for step in steps)


def _action(call: Call) -> Action:
    names = ARGUMENTS.get(call[0], ("variable",))
    return Action(call[0], dict(zip(names, call[1:], strict=True)))


def _call(action: Action) -> Call | None:
    """Return the call that an action is; None for another tool, or wrong arguments."""
    names = ARGUMENTS.get(action.tool)
    if names is None or set(action.arguments) != set(names):
        return None
    texts = [action.arguments[name] for name in names]
    return (action.tool, *texts) if all(isinstance(text, str) for text in texts) else None


def _given(action: Action) -> Call:
    names = ARGUMENTS.get(action.tool, ("variable",))
    return (action.tool, *(action.arguments[name] for name in names))
