"""Word lists and small draws that the bundled databases share; the rng given decides each draw."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import TypeVar

T = TypeVar("T")

Row = tuple[str, tuple[str | int | float | None, ...]]
"""(table, values in column order)"""


def words(text: str) -> list[str]:
    """The words of a space-separated list."""
    return text.split()


def items(text: str) -> list[str]:
    """The entries of a comma-separated list."""
    return text.split(",")


FIRST = words(
    "Aisha Alan Amara Anders Anita Arthur Beatriz Bruno Carla Cedric Chloe Dalia Daniel Dmitri "
    "Elena Emil Esther Farid Fiona Gabriel Grace Hana Henrik Ines Isaac Ivy Jamal Joanna Jonas "
    "Julia Kamal Karin Kenji Lara Leo Linnea Lucas Maeve Marco Mei Miriam Nadia Nils Noor Olga "
    "Oscar Paula Pedro Priya Quentin Rafael Rosa Samir Sofia Tariq Tess Umar Vera Victor Wanda "
    "Wei Yara Yusuf Zoe"
)
LAST = words(
    "Abbott Almeida Andersson Baker Bergman Blanco Brandt Carver Castillo Chen Cohen Dubois "
    "Eriksen Fischer Fleming Foster Fraser Garcia Grant Haddad Hansen Holloway Hughes Ibrahim "
    "Ivanov Jansen Jensen Kaplan Keller Khan Kowalski Laurent Lindqvist Lopez Marsh Mbeki Mehta "
    "Moreau Mori Nakamura Novak Okafor Olsen Ortiz Osei Pace Park Petrov Quinn Ramos Reyes Rossi "
    "Sato Schmidt Silva Singh Stone Tanaka Torres Turner Vargas Vogel Walsh Weber Yilmaz Zhang"
)


def people(rng: random.Random, count: int) -> list[str]:
    """`count` different full names."""
    names: dict[str, None] = {}
    while len(names) < count:
        names[f"{rng.choice(FIRST)} {rng.choice(LAST)}"] = None
    return list(names)


def phrases(rng: random.Random, adjectives: str, nouns: str, count: int) -> list[str]:
    """`count` different "adjective noun" phrases; both lists are space-separated words."""
    found: dict[str, None] = {}
    while len(found) < count:
        found[f"{rng.choice(words(adjectives))} {rng.choice(words(nouns))}"] = None
    return list(found)


def email(name: str, host: str) -> str:
    """first.last@host"""
    return f"{name.lower().replace(' ', '.')}@{host}"


def day(rng: random.Random, first: str, last: str) -> str:
    """An ISO date from first to last, both included."""
    span = date.fromisoformat(last) - date.fromisoformat(first)
    return later(first, rng.randint(0, span.days))


def later(day: str, days: int) -> str:
    """The ISO date `days` after `day`."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def amount(rng: random.Random, low: float, high: float, digits: int = 2) -> float:
    """A decimal number from low to high."""
    return round(rng.uniform(low, high), digits)


def maybe(rng: random.Random, share: float, value: T) -> T | None:
    """None in `share` of the draws, else the value."""
    return None if rng.random() < share else value


def links(
    rng: random.Random, left: int, right: int, low: int, high: int
) -> Iterator[tuple[int, int]]:
    """For each id 1..left, from low to high different ids of 1..right, ascending."""
    for one in range(1, left + 1):
        for other in sorted(rng.sample(range(1, right + 1), rng.randint(low, high))):
            yield one, other
