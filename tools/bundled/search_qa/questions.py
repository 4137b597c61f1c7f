"""Multi-hop questions over the pages. Each has one short answer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from environments.kg.generate import is_held_out
from environments.kg.graph import Graph
from tools.bundled.search_qa.pages import sentences, value

Draw = Callable[["Facts", Random], "Asked | None"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question.

    Attributes:
        topics: the entities that it names.
        facts: entity and relation of each fact that the answer follows from.
    """

    text: str
    answer: str
    topics: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Form:
    """A form of questions: the facts' relations, in words that name it, and how to draw one.

    Forms are held out, too: those of the test split have no question in the training split.
    """

    name: str
    kind: str
    split: str
    draw: Draw


class Facts:
    """The graph, as the forms ask it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.capitals = self._with("capital of")
        self.cities = [city for city in self._with("country") if city not in self.capitals]
        self.countries = self._with("capital")
        self._ends: dict[tuple[str, str, str], dict[str, str]] = {}

    def _with(self, relation: str) -> list[str]:
        return [each for each in self.graph if relation in self.graph.relations_of((each,))]

    def all(self, entity: str, relation: str) -> tuple[str, ...]:
        """Return what a relation leads to."""
        return self.graph.neighbors((entity,), relation)

    def one(self, entity: str, relation: str) -> str:
        """Return what a relation or attribute leads to if that is one; "" if not."""
        if relation in self.graph.attributes:
            has = relation in self.graph.attributes_of((entity,))
            return value(self.graph, entity, relation) if has else ""
        found = self.all(entity, relation)
        return found[0] if len(found) == 1 else ""

    def ends(self, start: str, relation: str, before: str = "") -> dict[str, str]:
        """Return where one or two relations lead to from each entity that forms may start from."""
        key = (start, relation, before)
        if key not in self._ends:
            self._ends[key] = {
                each: self.one(self.one(each, before) if before else each, relation)
                for each in getattr(self, start)
            }
        return self._ends[key]

    def sentence(self, entity: str, relation: str) -> int:
        """Return the number of the sentence of a page that says a fact."""
        names = (
            [value(self.graph, entity, relation)]
            if relation in self.graph.attributes
            else self.all(entity, relation)
        )
        written = sentences(self.graph, entity)
        fitting = [n for n, text in enumerate(written) if all(name in text for name in names)]
        return min(fitting, key=lambda n: (_SAYS.get(relation, "") not in written[n], n))


_SAYS = {
    "country of": "Cities in",
    "borders": "land borders",
    "capital": "The capital of",
    "continent": "the continent of",
    "currency": "The currency of",
    "language": "Languages spoken",
    "population": "population",
    "area": "area",
}
"""Words of the sentence that says a fact of a country, where names may stand in others, too."""


def chain(text: str, *relations: str, start: str = "cities") -> Draw:
    """Make a form that follows relations, each to one entity, from one that is drawn."""

    def draw(facts: Facts, random: Random) -> Asked | None:
        topic = place = random.choice(getattr(facts, start))
        known = []
        for relation in relations:
            known.append((place, relation))
            place = facts.one(place, relation)
            if not place:
                return None
        return Asked(text.format(topic), place, (topic,), tuple(known))

    return draw


def number(text: str, *relations: str, start: str = "cities") -> Draw:
    """Make a form that counts what the last relation leads to."""

    def draw(facts: Facts, random: Random) -> Asked | None:
        topic = place = random.choice(getattr(facts, start))
        for relation in relations[:-1]:
            place = facts.one(place, relation)
        found = facts.all(place, relations[-1]) if place else ()
        if not 2 <= len(found) <= 12:
            return None
        middle = facts.one(topic, relations[0])
        known = ((topic, relations[0]), (middle, relations[1]))
        return Asked(text.format(topic), str(len(found)), (topic,), known)

    return draw


def larger(text: str, attribute: str, start: str, before: str = "") -> Draw:
    """Make a form that compares two entities, or what a relation leads to from them."""

    def draw(facts: Facts, random: Random) -> Asked | None:
        topics = tuple(random.sample(getattr(facts, start), 2))
        places = [facts.one(topic, before) if before else topic for topic in topics]
        if len(set(places)) < 2 or not all(facts.one(place, attribute) for place in places):
            return None
        values = [float(facts.graph.value(place, attribute)) for place in places]
        if max(values) < 1.5 * min(values):
            return None
        known = [(topic, before) for topic in topics if before]
        known += [(place, attribute) for place in places]
        answer = topics[values.index(max(values))]
        return Asked(text.format(*topics), answer, topics, tuple(known))

    return draw


def same(text: str, relation: str, start: str, before: str = "") -> Draw:
    """Make a form that asks whether a relation leads to the same from two entities."""

    def draw(facts: Facts, random: Random) -> Asked | None:
        ends = facts.ends(start, relation, before)
        first = random.choice(getattr(facts, start))
        wanted = random.random() < 0.5
        alike = (each for each, end in ends.items() if (end == ends[first]) == wanted)
        others = [each for each in alike if each != first and ends[each]]
        if not ends[first] or not others:
            return None
        topics = (first, random.choice(others))
        places = [facts.one(topic, before) if before else topic for topic in topics]
        known = [(topic, before) for topic in topics if before]
        known += [(place, relation) for place in places]
        return Asked(text.format(*topics), "yes" if wanted else "no", topics, tuple(known))

    return draw


FORMS = (
    Form(
        "city > country > capital",
        "bridge",
        "train",
        chain("What is the capital of the country in which {} lies?", "country", "capital"),
    ),
    Form(
        "city > country > currency",
        "bridge",
        "train",
        chain("Which currency is used in the country that {} is a city of?", "country", "currency"),
    ),
    Form(
        "city > country > population",
        "bridge",
        "train",
        chain("How many people live in the country where {} is?", "country", "population"),
    ),
    Form(
        "country > capital > time zone",
        "bridge",
        "train",
        chain(
            "Which time zone does the capital of {} follow?",
            "capital",
            "time zone",
            start="countries",
        ),
    ),
    Form(
        "country > capital > population",
        "bridge",
        "train",
        chain(
            "How many people live in the capital of {}?", "capital", "population", start="countries"
        ),
    ),
    Form(
        "country > neighbour > currency",
        "bridge",
        "train",
        chain(
            "Which currency is used in the only country that has a land border with {}?",
            "borders",
            "currency",
            start="countries",
        ),
    ),
    Form(
        "city > country > capital > population",
        "bridge",
        "train",
        chain(
            "What is the population of the capital of the country in which {} lies?",
            "country",
            "capital",
            "population",
        ),
    ),
    Form(
        "compare area of countries",
        "comparison",
        "train",
        larger("Which country covers the larger area, {} or {}?", "area", "countries"),
    ),
    Form(
        "compare population of cities",
        "comparison",
        "train",
        larger("Which city has more people, {} or {}?", "population", "cities"),
    ),
    Form(
        "compare area of cities' countries",
        "comparison",
        "train",
        larger(
            "Which of the two cities lies in the country with the larger area, {} or {}?",
            "area",
            "cities",
            "country",
        ),
    ),
    Form(
        "same currency of countries",
        "comparison",
        "train",
        same("Do {} and {} have the same currency?", "currency", "countries"),
    ),
    Form(
        "same continent of cities",
        "comparison",
        "train",
        same("Do {} and {} lie on the same continent?", "continent", "cities", "country"),
    ),
    Form(
        "city > country > count neighbours",
        "count",
        "train",
        number(
            "With how many countries does the country of {} share a land border?",
            "country",
            "borders",
        ),
    ),
    Form(
        "capital > country > count languages",
        "count",
        "train",
        number(
            "How many languages are listed for the country whose capital is {}?",
            "country",
            "language",
            start="capitals",
        ),
    ),
    Form(
        "city > country > area",
        "bridge",
        "test",
        chain(
            "What area, in square kilometres, has the country to which {} belongs?",
            "country",
            "area",
        ),
    ),
    Form(
        "capital > country > currency",
        "bridge",
        "test",
        chain(
            "{} is the capital of a country. What is the currency of that country?",
            "country",
            "currency",
            start="capitals",
        ),
    ),
    Form(
        "city > country > capital > time zone",
        "bridge",
        "test",
        chain(
            "Which time zone does the capital of the country in which {} lies follow?",
            "country",
            "capital",
            "time zone",
        ),
    ),
    Form(
        "compare population of capitals' countries",
        "comparison",
        "test",
        larger(
            "Which of the two capitals is that of the country with more people, {} or {}?",
            "population",
            "capitals",
            "country",
        ),
    ),
    Form(
        "same country of cities",
        "comparison",
        "test",
        same("Are {} and {} cities of the same country?", "country", "cities"),
    ),
    Form(
        "capital > country > count neighbours",
        "count",
        "test",
        number(
            "How many countries have a land border with the country whose capital is {}?",
            "country",
            "borders",
            start="capitals",
        ),
    ),
)
PER_FORM = {"train": 10, "test": 8}
TRIES = 400


def questions(graph: Graph) -> Iterator[tuple[Form, Asked]]:
    """Yield the questions of each form, whose topics are in its split."""
    facts = Facts(graph)
    for form in FORMS:
        random = Random(form.name)
        found: dict[str, Asked] = {}
        for _ in range(TRIES):
            asked = form.draw(facts, random)
            if asked is None or {is_held_out(t) for t in asked.topics} != {form.split == "test"}:
                continue
            if asked.answer not in asked.topics or len(asked.topics) > 1:
                found.setdefault(asked.text, asked)
            if len(found) == PER_FORM[form.split]:
                break
        yield from ((form, asked) for asked in found.values())
