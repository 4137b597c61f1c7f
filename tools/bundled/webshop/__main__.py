"""Write the shop in the original's own files: `python -m tools.bundled.webshop`."""

import importlib
import json
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from environments.webshop.shop.catalogue import BUNDLED
from tools.bundled.webshop.combine import Item, rivals
from tools.bundled.webshop.instructions import Wish, wishes
from tools.bundled.webshop.kind import Kind, phrase
from tools.bundled.webshop.wording import instruction, synthetic

DATA = BUNDLED
SHELVES = (
    "beauty",
    "clothing",
    "electronics",
    "garden",
    "grocery",
    "home",
    "kitchen",
    "office",
    "outdoors",
    "pets_and_toys",
)
_SERVICE = (
    "Write to us about anything; a person answers.",
    "Thirty days to change your mind.",
    "Packed in paper, without plastic.",
    "Spare parts and advice for years.",
    "Designed and checked in our own workshop.",
)


def kinds() -> list[Kind]:
    """Every kind of product, shelf by shelf."""
    modules = (importlib.import_module(f"tools.bundled.webshop.{name}") for name in SHELVES)
    return [kind for module in modules for kind in module.KINDS]


def texts() -> dict[str, str]:
    """The files' contents by name; the same sources give the same bytes."""
    products: list[dict[str, Any]] = []
    attributes: dict[str, Any] = {}
    human: dict[str, Any] = {}
    for kind in kinds():
        items = rivals(kind)
        random = Random(f"{kind.noun} texts")
        for number, item in enumerate(items):
            products.append(_product(item, random))
            attributes[item.asin] = _attributes(item)
            wanted = wishes(item, items, 1 + number % 2, random)
            human[item.asin] = [_asked(item, wish, random) for wish in wanted]
    Random(0).shuffle(products)
    return {
        "items_shuffle.json": _listed("[", map(_json, products), "]"),
        "items_ins_v2.json": _listed("{", _members(attributes), "}"),
        "items_human_ins.json": _listed("{", _members(human), "}"),
    }


def _product(item: Item, random: Random) -> dict[str, Any]:
    kind = item.kind
    told = [kind.attributes[a] for a in item.attributes if a in item.spoken]
    random.shuffle(told)
    # One line in five stands in the description only, which the index holds whole.
    below = [line for line in told if random.random() < 0.2]
    bullets = [line for line in told if line not in below]
    return {
        "asin": item.asin,
        "name": item.title,
        "full_description": " ".join((*random.sample(kind.stories, 2), *below)),
        "small_description": [*bullets, random.choice(_SERVICE)],
        "product_category": kind.path,
        "category": kind.shelf,
        "query": kind.query,
        "average_rating": random.choice(("", 3.9, 4.1, 4.3, 4.4, 4.6, 4.8)),
        "images": [],
        "customization_options": {
            name: [{"value": value, "image": None} for value in values]
            for name, values in item.options.items()
        }
        or "",
        "pricing": " - ".join(f"${price:.2f}" for price in item.prices),
    }


def _attributes(item: Item) -> dict[str, Any]:
    asked = item.attributes[:3]
    return {
        "attributes": [phrase(attribute) for attribute in item.attributes],
        "instruction": synthetic(item.kind, asked),
        "instruction_attributes": [phrase(attribute) for attribute in asked],
    }


def _asked(item: Item, wish: Wish, random: Random) -> dict[str, Any]:
    return {
        "asin": item.asin,
        "instruction": instruction(item.kind, wish.attributes, wish.options, random),
        "attributes": [phrase(attribute) for attribute in item.attributes],
        "options": [f"{name}: {value}" for name, value in wish.options.items()],
        "instruction_attributes": [phrase(attribute) for attribute in wish.attributes],
        "instruction_options": list(wish.options.values()),
    }


def _members(values: Mapping[str, Any]) -> Iterable[str]:
    return (f"{_json(name)}: {_json(value)}" for name, value in values.items() if value)


def _listed(opening: str, lines: Iterable[str], closing: str) -> str:
    """A record a line, so that a change shows where it is."""
    return f"{opening}\n" + ",\n".join(lines) + f"\n{closing}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def main() -> None:
    DATA.mkdir(exist_ok=True)
    for name, text in texts().items():
        (DATA / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
