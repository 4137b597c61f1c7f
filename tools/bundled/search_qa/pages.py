"""A page for each entity of the graph."""

from random import Random

from environments.kg.graph import Graph
from environments.search_qa.corpus import Page


def pages(graph: Graph) -> list[Page]:
    """Return the pages, in the order of their titles."""
    return [Page(entity, tuple(sentences(graph, entity))) for entity in graph]


def sentences(graph: Graph, entity: str) -> list[str]:
    """Return what the graph says of an entity; the first sentence says what it is."""
    for relation, write in _WRITERS.items():
        if relation in graph.relations_of((entity,)):
            first, *others = write(graph, entity)
            Random(entity).shuffle(others)
            return [first, *others]
    raise ValueError(f"nothing to write of {entity}")


def value(graph: Graph, entity: str, attribute: str) -> str:
    """Return an attribute with commas."""
    return f"{int(graph.value(entity, attribute)):,}"


def _country(graph: Graph, name: str) -> list[str]:
    region = _listed(graph, name, "subregion") or _listed(graph, name, "continent")
    found = [
        f"{name} is a country in {region}.",
        f"The currency of {name} is the {_listed(graph, name, 'currency')}.",
        f"{name} has a population of {value(graph, name, 'population')} people.",
        f"{name} covers an area of {value(graph, name, 'area')} square kilometres.",
        f"{name} belongs to the continent of {_listed(graph, name, 'continent')}.",
    ]
    optional = {
        "capital": f"The capital of {name} is {{}}.",
        "borders": f"{name} has land borders with {{}}.",
        "language": f"Languages spoken in {name}: {{}}.",
        "country of": f"Cities in {name} include {{}}.",
    }
    return found + _optional(graph, name, optional)


def _city(graph: Graph, name: str) -> list[str]:
    country = _listed(graph, name, "country")
    capital = "capital of" in graph.relations_of((name,))
    return [
        f"{name} is the capital of {country}." if capital else f"{name} is a city in {country}.",
        f"{name} has a population of {value(graph, name, 'population')} people.",
        f"Clocks in {name} follow the time zone {_listed(graph, name, 'time zone')}.",
    ]


def _currency(graph: Graph, name: str) -> list[str]:
    return [f"The {name} is a currency.", f"It is used in {_listed(graph, name, 'currency of')}."]


def _language(graph: Graph, name: str) -> list[str]:
    return [f"{name} is a language.", f"It is spoken in {_listed(graph, name, 'language of')}."]


def _subregion(graph: Graph, name: str) -> list[str]:
    found = _listed(graph, name, "subregion of")
    return [f"{name} is a subregion of the world.", f"Its countries are {found}."]


def _continent(graph: Graph, name: str) -> list[str]:
    countries = graph.neighbors((name,), "continent of")
    regions = " and ".join(graph.neighbors(countries, "subregion"))
    return [f"{name} is a continent.", f"Its countries lie in {regions}."]


def _time_zone(graph: Graph, name: str) -> list[str]:
    return [f"{name} is a time zone.", f"Cities in it: {_listed(graph, name, 'time zone of')}."]


_WRITERS = {
    "currency": _country,
    "country": _city,
    "currency of": _currency,
    "language of": _language,
    "subregion of": _subregion,
    "continent of": _continent,
    "time zone of": _time_zone,
}
"""By a relation that only entities of one kind have."""


def _optional(graph: Graph, name: str, lines: dict[str, str]) -> list[str]:
    found = {relation: _listed(graph, name, relation) for relation in lines}
    return [lines[relation].format(names) for relation, names in found.items() if names]


def _listed(graph: Graph, entity: str, relation: str) -> str:
    *names, last = graph.neighbors((entity,), relation) or ("",)
    return f"{', '.join(names)} and {last}" if names else last
