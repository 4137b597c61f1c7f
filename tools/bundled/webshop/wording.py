"""Say in plain words what a shopper wants, as people type it."""

from collections.abc import Mapping, Sequence
from random import Random

from tools.bundled.webshop.kind import WITH, Kind, phrase

_OPENINGS = (
    "i am looking for {asked}",
    "i need {asked}",
    "find me {asked}",
    "please show me {asked}",
    "i want to buy {asked}",
    "can you get me {asked}",
    "it is my sister's birthday, so i am after {asked}",
    "do you sell {asked}",
    "i would like {asked}",
    "help me find {asked}",
)
_OPTIONS = {
    "base": "{} base",
    "capacity": "{} capacity",
    "color": "in {}",
    "connector": "{} connector",
    "flavor": "{} flavor",
    "length": "{} length",
    "model": "for the {}",
    "pack": "sold as {}",
    "picture": "{} picture",
    "pieces": "{} pieces",
    "power": "{} power",
    "roast": "{} roast",
    "ruling": "{} pages",
    "scent": "{} scent",
    "set": "{} set",
    "size": "size {}",
    "skin": "for {} skin",
    "thickness": "{} thick",
    "voltage": "{}",
    "width": "{} wide",
}


def instruction(
    kind: Kind, attributes: Sequence[str], options: Mapping[str, str], random: Random
) -> str:
    """Names the kind, every attribute and every value word for word; no price, no full stop.

    attributes: as `Kind` writes them.   options: the value wanted by name.
    """
    opening = random.choice(_OPENINGS).format(asked=kind.asked)
    qualities = random.choice((_which, _wish))(kind, attributes)
    return opening + qualities + random.choice((_aside, _demand))(options)


def synthetic(kind: Kind, attributes: Sequence[str]) -> str:
    """The instruction without options that the attribute file holds, in the original's form."""
    before = ", ".join(a for a in attributes if not a.startswith(WITH))
    after = ", ".join(phrase(a) for a in attributes if a.startswith(WITH))
    return " ".join(filter(None, ("Find me", before, kind.query, after and f"with {after}")))


def _which(kind: Kind, attributes: Sequence[str]) -> str:
    """ "... that is dimmable, with foot switch"."""
    are, have = _parted(attributes)
    text = f" that {_be(kind)} {_listed(are)}" if are else ""
    return text + ("," if are and have else "") + (f" with {_listed(have)}" if have else "")


def _wish(kind: Kind, attributes: Sequence[str]) -> str:
    """ "... with foot switch. it should be dimmable"."""
    are, have = _parted(attributes)
    text = f" with {_listed(have)}" if have else ""
    subject = "they" if _be(kind) == "are" else "it"
    return text + (f". {subject} should be {_listed(are)}" if are else "")


def _parted(attributes: Sequence[str]) -> tuple[list[str], list[str]]:
    """What the product is, and what it has."""
    are = [attribute for attribute in attributes if not attribute.startswith(WITH)]
    return are, [phrase(a) for a in attributes if a.startswith(WITH)]


def _be(kind: Kind) -> str:
    plural = kind.asked.endswith("s") and not kind.asked.startswith(("a ", "an "))
    return "are" if plural else "is"


def _aside(options: Mapping[str, str]) -> str:
    """ ", in black, size 60 inch"."""
    return "".join(f", {_OPTIONS[name].format(value)}" for name, value in options.items())


def _demand(options: Mapping[str, str]) -> str:
    """ ". i want the color black and the size 60 inch"."""
    wanted = [f"the {name} {value}" for name, value in options.items()]
    return f". i want {_listed(wanted)}" if wanted else ""


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
