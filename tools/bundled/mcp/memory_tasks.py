"""Tasks of the server for memory: remember, correct, answer from what is known, forget."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.bundled.mcp.task import call, task, wrong

SERVER = {
    "command": "mcp-server-memory",
    "args": [],
    "env": {"MEMORY_FILE_PATH": "{work}/memory.jsonl"},
    "state": "folder",
}
CHECK = """\
import json
lines = [json.loads(line) for line in open("memory.jsonl") if line.strip()]
nodes = [e for e in lines if e["type"] == "entity"]
entities = {e["name"]: (e["entityType"], sorted(e["observations"])) for e in nodes}
edges = [e for e in lines if e["type"] == "relation"]
relations = sorted((e["from"], e["relationType"], e["to"]) for e in edges)
"""


@dataclass(frozen=True)
class Theme:
    """A graph of three people or things.

    Attributes:
        entities: name, type and observations; the second one's first observation is out of date.
        relations: from, type, to.
        new: an entity to remember, its type, an observation, its relation and to whom.
    """

    name: str
    entities: tuple[tuple[str, str, tuple[str, ...]], ...]
    relations: tuple[tuple[str, str, str], ...]
    new: tuple[str, str, str, str, str]
    now: str
    question: str
    answer: str


THEMES = [
    Theme(
        "office",
        (
            ("Mara", "person", ("runs the sales team", "speaks Polish")),
            ("Jon", "person", ("works on Mondays", "likes chess")),
            ("Ines", "person", ("writes the reports",)),
        ),
        (("Jon", "reports_to", "Ines"), ("Ines", "reports_to", "Mara")),
        ("Tariq", "person", "repairs the printers", "reports_to", "Mara"),
        "works on Fridays",
        "To whom does the boss of Jon report?",
        "Mara",
    ),
    Theme(
        "football",
        (
            ("Lena", "player", ("keeps the goal", "wears number 1")),
            ("Bo", "player", ("plays in midfield", "wears number 8")),
            ("FC Delta", "club", ("plays in blue",)),
        ),
        (("Lena", "plays_for", "FC Delta"), ("Bo", "plays_for", "FC Delta")),
        ("Sven", "coach", "trained in Oslo", "coaches", "FC Delta"),
        "plays in defence",
        "Which player who plays for FC Delta keeps the goal?",
        "Lena",
    ),
    Theme(
        "library",
        (
            ("The Long Tide", "book", ("has 310 pages", "is about sailors")),
            ("Green Glass", "book", ("costs 12 euros", "has 190 pages")),
            ("Ada Brandt", "author", ("lives in Bergen",)),
        ),
        (("Ada Brandt", "wrote", "The Long Tide"), ("Ada Brandt", "wrote", "Green Glass")),
        ("Night Ferry", "book", "has 220 pages", "sequel_of", "The Long Tide"),
        "costs 15 euros",
        "Which book of Ada Brandt has more than 300 pages?",
        "The Long Tide",
    ),
    Theme(
        "planets",
        (
            ("Oro", "planet", ("has two moons", "is cold")),
            ("Velt", "planet", ("has one moon", "has rings")),
            ("Sola", "star", ("is yellow",)),
        ),
        (("Oro", "orbits", "Sola"), ("Velt", "orbits", "Sola")),
        ("Pim", "moon", "is covered with ice", "orbits", "Velt"),
        "has three moons",
        "Which planet that orbits Sola is cold?",
        "Oro",
    ),
]
NAMES = [theme.name for theme in THEMES]


def tasks() -> Iterator[dict[str, Any]]:
    """Yield the tasks."""
    for theme in THEMES:
        for made in (_remember, _correct, _ask, _forget):
            kind = made.__name__.strip("_")
            before = {"memory.jsonl": _memory(theme)}
            yield task("memory", theme.name, kind, NAMES, files_before=before, **made(theme))


def _entity(name: str, kind: str, *observations: str) -> dict[str, Any]:
    return {"name": name, "entityType": kind, "observations": list(observations)}


def _relation(source: str, kind: str, target: str) -> dict[str, str]:
    return {"from": source, "to": target, "relationType": kind}


def _memory(theme: Theme) -> str:
    found = [{"type": "entity"} | _entity(n, k, *o) for n, k, o in theme.entities]
    found += [{"type": "relation"} | _relation(*each) for each in theme.relations]
    return "\n".join(json.dumps(each) for each in found)


def _check(entities: dict[str, Any], relations: list[tuple[str, str, str]]) -> str:
    wanted = {name: (kind, sorted(seen)) for name, (kind, seen) in entities.items()}
    edges = sorted(relations)
    return f"{CHECK}assert entities == {wanted!r}, entities\nassert relations == {edges!r}\n"


def _known(theme: Theme) -> dict[str, Any]:
    return {name: (kind, list(seen)) for name, kind, seen in theme.entities}


def _remember(theme: Theme) -> dict[str, Any]:
    name, kind, fact, relation, other = theme.new
    added = _known(theme) | {name: (kind, [fact])}
    creating, relating = "create_entities", "create_relations"
    related = [_relation(name, relation, other)]
    return {
        "prompt": f"Remember this: {name} is a new entity of type '{kind}' with the observation "
        f"'{fact}'; and there is a relation '{relation}' from {name} to {other}.",
        "check": _check(added, [*theme.relations, (name, relation, other)]),
        "solution": [
            call(creating, f"{name} is not known yet.", entities=[_entity(name, kind, fact)]),
            call(relating, "Now both ends exist.", relations=related),
        ],
        "mistakes": [
            wrong(0, creating, f"{name} is new.", entities=[_entity(name, "thing", fact)]),
            wrong(1, relating, "Now the relation.", relations=[_relation(other, relation, name)]),
            wrong(
                1,
                "add_observations",
                "Note the relation.",
                observations=[{"entityName": name, "contents": [f"{relation} {other}"]}],
            ),
        ],
    }


def _correct(theme: Theme) -> dict[str, Any]:
    name, kind, seen = theme.entities[1]
    old = seen[0]
    changed = _known(theme) | {name: (kind, [*seen[1:], theme.now])}
    deleting, adding = "delete_observations", "add_observations"
    gone = [{"entityName": name, "observations": [old]}]
    return {
        "prompt": f"What is remembered about {name} is out of date: '{old}' is no longer true; "
        f"now it is '{theme.now}'. Correct it, and keep everything else.",
        "check": _check(changed, list(theme.relations)),
        "solution": [
            call("open_nodes", f"See what is known about {name}.", names=[name]),
            call(deleting, "The old observation goes.", deletions=gone),
            call(
                adding,
                "The new one comes.",
                observations=[{"entityName": name, "contents": [theme.now]}],
            ),
        ],
        "mistakes": [
            wrong(
                1,
                deleting,
                "The old observations go.",
                deletions=[{"entityName": name, "observations": list(seen)}],
            ),
            wrong(1, "delete_entities", "Start anew.", entityNames=[name]),
        ],
    }


def _ask(theme: Theme) -> dict[str, Any]:
    others = [name for name, _, _ in theme.entities if name != theme.answer]
    return {
        "prompt": f"{theme.question} Answer from memory, with the name alone.",
        "answer": theme.answer,
        "solution": [call("read_graph", "The graph is small: read all of it.")],
        "mistakes": [
            wrong(0, "search_nodes", "Search for it.", query=theme.question),
            *(wrong(1, "finish", "That is the one.", answer=name) for name in others),
        ],
    }


def _forget(theme: Theme) -> dict[str, Any]:
    name = theme.entities[0][0]
    left = {key: value for key, value in _known(theme).items() if key != name}
    deleting = "delete_entities"
    return {
        "prompt": f"Forget everything about {name}, its relations too.",
        "check": _check(left, [each for each in theme.relations if name not in each]),
        "solution": [call(deleting, "Its relations go with it.", entityNames=[name])],
        "mistakes": [
            wrong(
                0,
                "delete_observations",
                "What is known about it goes.",
                deletions=[{"entityName": name, "observations": list(theme.entities[0][2])}],
            ),
            wrong(
                0,
                "delete_relations",
                "Its relations go.",
                relations=[_relation(*each) for each in theme.relations if name in each],
            ),
            wrong(0, deleting, "This one goes.", entityNames=[theme.entities[1][0]]),
        ],
    }
