"""A knowledge graph: entities, relations in both directions, and attributes, which are numbers."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from math import isfinite

import networkx as nx
from rapidfuzz import process

Triple = tuple[str, str, str]
"""Subject, relation, object."""
Entities = tuple[str, ...]
"""A set of entities, sorted."""


class Graph:
    """Read-only; every result is sorted, so that it is the same each time.

    A relation is an attribute if all its objects are numbers. Every other one can be followed
    backwards, too, as "... of" (from an object to its subjects), unless it holds in both directions
    anyway, as between neighbours.

    Attributes:
        relations: the names of relations, both directions.
        attributes: the names of attributes.
        inverses: the name of the other direction of each relation; its own if it is symmetric.
        backward: those names of relations that are made from another's.
    """

    def __init__(self, triples: Iterable[Triple]) -> None:
        by_relation: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for subject, relation, object in triples:
            by_relation[relation].append((subject, object))
        self._graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        self._values: dict[str, dict[str, float]] = defaultdict(dict)
        self._written: dict[tuple[str, str], str] = {}
        self._starts: dict[str, list[str]] = {}
        self._single: set[str] = set()
        self.inverses: dict[str, str] = {}
        self.backward: set[str] = set()
        self.attributes: list[str] = []
        for relation, pairs in sorted(by_relation.items()):
            if all(number(object) is not None for _, object in pairs):
                self._add_attribute(relation, pairs)
            else:
                self._add_relation(relation, pairs, by_relation.keys())
        self.relations = sorted(self.inverses)

    def _add_attribute(self, name: str, pairs: list[tuple[str, str]]) -> None:
        self.attributes.append(name)
        for subject, written in pairs:
            value = number(written)
            assert value is not None
            self._graph.add_node(subject)
            self._values[name][subject] = value
            self._written[name, subject] = written

    def _add_relation(self, name: str, pairs: list[tuple[str, str]], taken: Iterable[str]) -> None:
        inverse = f"{name} of" if f"{name} of" not in taken else f"inverse of {name}"
        if {(object, subject) for subject, object in pairs} == set(pairs):
            inverse = name
        else:
            self.backward.add(inverse)
        self.inverses |= {name: inverse, inverse: name}
        back = [(object, subject) for subject, object in pairs]
        for relation, edges in {name: pairs, inverse: back}.items():
            for start, end in edges:
                self._graph.add_edge(start, end, key=relation)
            self._starts[relation] = sorted({start for start, _ in edges})
            if len(self._starts[relation]) == len(set(edges)):
                self._single.add(relation)

    def __contains__(self, entity: str) -> bool:
        return entity in self._graph

    def __iter__(self) -> Iterator[str]:
        """Yield the entities, sorted."""
        return iter(sorted(self._graph))

    def is_single(self, relation: str) -> bool:
        """Return whether a relation leads to at most one entity from each."""
        return relation in self._single

    def starts(self, relation: str) -> list[str]:
        """Return the entities that a relation leads on from."""
        return self._starts[relation]

    def near(self, name: str) -> list[str]:
        """Return up to three entities that are spelled nearly like `name`."""
        found = process.extract(name, list(self), limit=3, score_cutoff=75)
        return [entity for entity, _, _ in found]

    def relations_of(self, entities: Entities) -> list[str]:
        """Return the relations that lead on from any of the entities."""
        around = (self._graph.adj[entity].values() for entity in entities)
        return sorted(set().union(*chain.from_iterable(around)))

    def neighbors(self, entities: Entities, relation: str) -> Entities:
        """Return the entities that the relation leads to from any of the entities."""
        around = (self._graph.adj[entity].items() for entity in entities)
        edges = chain.from_iterable(around)
        return tuple(sorted({end for end, relations in edges if relation in relations}))

    def attributes_of(self, entities: Entities) -> list[str]:
        """Return the attributes that any of the entities has."""
        has = set(entities)
        return [name for name in self.attributes if not has.isdisjoint(self._values[name])]

    def value(self, entity: str, attribute: str) -> str:
        """Return the value of an attribute as the graph writes it."""
        return self._written[attribute, entity]

    def extreme(self, entities: Entities, attribute: str, sign: int) -> Entities:
        """Return those of the entities with the largest (1) or smallest (-1) value, all that tie.

        Entities without the attribute do not count.
        """
        values = self._values[attribute]
        known = {entity: sign * values[entity] for entity in entities if entity in values}
        return tuple(entity for entity in entities if known.get(entity) == max(known.values()))


def number(text: str) -> float | None:
    """Return the number that a text is; None if it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None
