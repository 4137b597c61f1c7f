"""What a kind of product is made of: the words that its rivals share and those that part them."""

from collections.abc import Mapping
from dataclasses import dataclass

WITH = "with "
"""Begins an attribute that a product has; one without it is something that a product is."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A vocabulary by hand, from which several close rivals are combined.

    noun: names the kind in every title.  query: what a shopper types, as the data has it.
    asked: how an instruction asks for one.  path: the product category, "A › B › C".
    shelf: the coarse category of the original data.  prices: lowest and highest, in dollars.
    styles, materials, uses: what else a title says; not asked for.
    attributes: what may be asked for, each with the line that tells of it, which holds it word for
        word. One that begins with "with " is a thing the product has, else an adjective.
    options: values by name, the common ones first; as the original's matching of options is
        lenient (`matching`), no two values of a kind may be alike.
    stories: sentences of descriptions; they hold no attribute.
    """

    noun: str
    query: str
    asked: str
    path: str
    shelf: str
    prices: tuple[float, float]
    styles: tuple[str, ...]
    materials: tuple[str, ...]
    uses: tuple[str, ...]
    attributes: Mapping[str, str]
    options: Mapping[str, tuple[str, ...]]
    stories: tuple[str, ...]


def phrase(attribute: str) -> str:
    """The attribute as the data files name it."""
    return attribute.removeprefix(WITH)
