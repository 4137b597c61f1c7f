"""The bundled shop: files match their generator, and every instruction has one right product."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from environments.webshop.goals import Goal
from environments.webshop.reward.matching import alike, colour_in
from environments.webshop.reward.reward import grade
from environments.webshop.shop.catalogue import BUNDLED
from environments.webshop.shop.catalogue import load as open_shop
from environments.webshop.shop.products import Product, make_product
from environments.webshop.tasks import split_of
from tools.bundled.webshop.__main__ import kinds, texts
from tools.bundled.webshop.kind import Kind, phrase

DATA = BUNDLED
LARGEST = 1_000_000
CAPS_ABOVE = 4
"""The original draws a cap of the four tens above a price."""


def load(name: str) -> Any:
    return json.loads((DATA / name).read_text("utf-8"))


@pytest.fixture(scope="module")
def products() -> dict[str, Product]:
    attributes = load("items_ins_v2.json")
    records = load("items_shuffle.json")
    return {
        record["asin"]: make_product(record, tuple(attributes[record["asin"]]["attributes"]))
        for record in records
    }


@pytest.fixture(scope="module")
def instructions() -> list[dict[str, Any]]:
    human: dict[str, list[dict[str, Any]]] = load("items_human_ins.json")
    assert all(record["asin"] == asin for asin, records in human.items() for record in records)
    return [record for records in human.values() for record in records]


def goal_of(record: Mapping[str, Any], product: Product) -> Goal:
    """With the highest cap that can be drawn for the product, whatever the seed."""
    return Goal(
        asin=product.asin,
        instruction=record["instruction"],
        attributes=tuple(record["instruction_attributes"]),
        options=tuple(record["instruction_options"]),
        price_upper=(product.prices[-1] // 10 + CAPS_ABOVE) * 10,
        title=product.title,
        query=product.query,
        product_category=product.product_category,
        category=product.category,
        human=True,
    )


def title_words(title: str) -> list[str]:
    """More than the nouns, so that titles look more alike than they are to the reward."""
    return title.lower().replace(",", "").split()


def most(product: Product, goal: Goal) -> float:
    """No purchase of `product` earns more: it is at its cheapest, with every value chosen."""
    values = [value for offered in product.options.values() for value in offered]
    chosen = {str(number): value for number, value in enumerate(values)}
    return grade(product, goal, product.prices[0], chosen, title_words).value


def chosen_by(record: Mapping[str, Any]) -> dict[str, str]:
    return dict(text.split(": ", 1) for text in record["options"])


def test_generator_gives_the_committed_files() -> None:
    made = texts()
    assert made == {path.name: path.read_text("utf-8") for path in DATA.glob("items_*.json")}
    assert made == texts(), "the second time it is different"
    assert sum(len(text.encode()) for text in made.values()) < LARGEST


def test_shop_is_large_and_varied(products: Mapping[str, Product]) -> None:
    assert len(load("items_shuffle.json")) == len(products) >= 300
    assert len({product.title for product in products.values()}) == len(products)
    assert all(len(asin) == 10 and asin == asin.upper() for asin in products)
    by_kind = Counter(product.query for product in products.values())
    assert len(by_kind) >= 30 and min(by_kind.values()) >= 8
    paths = [product.product_category.split(" › ") for product in products.values()]
    assert len({path[0] for path in paths}) >= 10
    assert {len(path) for path in paths} == {4}


def test_options_are_skewed_and_some_prices_ranges(products: Mapping[str, Product]) -> None:
    counts = [sum(map(len, product.options.values())) for product in products.values()]
    assert counts.count(0) >= 2
    assert max(counts) > 3 * sorted(counts)[len(counts) // 2] - 5
    assert len({name for product in products.values() for name in product.options}) >= 15
    ranged = [product for product in products.values() if len(product.prices) == 2]
    assert 0.05 < len(ranged) / len(products) < 0.25
    assert all(product.prices[0] < product.prices[1] for product in ranged)


def test_attributes_stand_in_the_texts_of_most_products(products: Mapping[str, Product]) -> None:
    stands = [
        attribute in text_of(product)
        for product in products.values()
        for attribute in product.attributes
    ]
    assert 0.85 < sum(stands) / len(stands) < 0.99


def text_of(product: Product) -> str:
    return " ".join((product.title, *product.bullets, product.description)).lower()


def test_no_text_claims_what_a_product_lacks(products: Mapping[str, Product]) -> None:
    known = {kind.query: [phrase(attribute) for attribute in kind.attributes] for kind in kinds()}
    for product in products.values():
        for attribute in set(known[product.query]) - set(product.attributes):
            assert attribute not in text_of(product), (product.asin, attribute)


def each_pair(kind: Kind) -> Iterator[tuple[str, str]]:
    """Values and attributes of a kind that the reward must tell apart."""
    values = [value for offered in kind.options.values() for value in offered]
    yield from combinations(map(colour_in, values), 2)
    yield from combinations(map(phrase, kind.attributes), 2)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.noun)
def test_words_of_a_kind_are_told_apart(kind: Kind) -> None:
    assert not [pair for pair in each_pair(kind) if alike(*pair)]
    for values in kind.options.values():
        assert all(colour_in(value) == value for value in values), "reads as another color"
    for attribute, line in kind.attributes.items():
        assert phrase(attribute) in line.lower()
    assert kind.noun.lower() in kind.asked


def test_every_split_has_some_of_every_kind(
    products: Mapping[str, Product], instructions: list[dict[str, Any]]
) -> None:
    sold = Counter((product.query, split_of(asin)) for asin, product in products.items())
    for query in {query for query, _ in sold}:
        assert (sold[query, "train"], sold[query, "dev"], sold[query, "test"]) == (7, 1, 2)
    asked = Counter(split_of(record["asin"]) for record in instructions)
    assert asked.total() >= 400
    assert 0.15 < asked["test"] / asked.total() < 0.25


def test_instruction_says_all_that_it_asks_for(
    products: Mapping[str, Product], instructions: list[dict[str, Any]]
) -> None:
    asked = {kind.query: kind.asked for kind in kinds()}
    for record in instructions:
        text, product = record["instruction"], products[record["asin"]]
        assert asked[product.query] in text
        assert not text.endswith((".", "?")), "the price follows"
        for word in (*record["instruction_attributes"], *record["instruction_options"]):
            assert word in text
        assert set(record["instruction_attributes"]) <= set(product.attributes)
        for name, value in chosen_by(record).items():
            assert value in product.options[name]
        assert list(chosen_by(record).values()) == record["instruction_options"]


def test_instructions_are_worded_in_many_ways(instructions: list[dict[str, Any]]) -> None:
    texts = [record["instruction"] for record in instructions]
    assert len(set(texts)) == len(texts)
    assert len({tuple(text.split()[:3]) for text in texts}) >= 10
    assert {len(record["instruction_attributes"]) for record in instructions} == {1, 2, 3}
    with_options = sum(bool(record["instruction_options"]) for record in instructions)
    assert with_options / len(texts) > 0.9


def test_what_is_asked_for_earns_all_and_less_does_not(
    products: Mapping[str, Product], instructions: list[dict[str, Any]]
) -> None:
    for record in instructions:
        product = products[record["asin"]]
        goal, right = goal_of(record, product), chosen_by(record)
        price = product.prices[-1]
        assert grade(product, goal, price, right, title_words).value == 1.0
        for name, value in right.items():
            fewer = {other: kept for other, kept in right.items() if other != name}
            assert grade(product, goal, price, fewer, title_words).value < 1.0
            for wrong in set(product.options[name]) - {value}:
                other = right | {name: wrong}
                assert grade(product, goal, price, other, title_words).value < 1.0


def test_no_rival_earns_all_and_some_nearly_do(
    products: Mapping[str, Product], instructions: list[dict[str, Any]]
) -> None:
    near = 0
    for record in instructions:
        goal = goal_of(record, products[record["asin"]])
        rivals = [p for p in products.values() if p.query == goal.query and p.asin != goal.asin]
        earned = [most(rival, goal) for rival in rivals]
        assert max(earned) < 1.0, record
        # One thing short: an attribute, an option or the price.
        short = len(goal.attributes) + len(goal.options)
        near += any(reward >= short / (short + 1) - 1e-9 for reward in earned)
    assert near / len(instructions) > 0.8


def test_what_no_text_tells_is_not_needed_to_choose(
    products: Mapping[str, Product], instructions: list[dict[str, Any]]
) -> None:
    untold = 0
    for record in instructions:
        product = products[record["asin"]]
        goal = goal_of(record, product)
        told = tuple(attribute for attribute in goal.attributes if attribute in text_of(product))
        untold += told != goal.attributes
        goal = replace(goal, attributes=told)
        rivals = [p for p in products.values() if p.query == goal.query and p.asin != goal.asin]
        assert max(most(rival, goal) for rival in rivals) < 1.0, record
    assert 0 < untold / len(instructions) < 0.2


def test_no_product_of_another_kind_earns_all(
    products: Mapping[str, Product], instructions: list[dict[str, Any]]
) -> None:
    for record in instructions[::20]:
        goal = goal_of(record, products[record["asin"]])
        others = [product for product in products.values() if product.query != goal.query]
        assert all(most(other, goal) < 1.0 for other in others)


@pytest.mark.parametrize(("kind", "every"), [("human", 1), ("synthetic", 8)])
def test_oracle_earns_all_and_nothing_is_no_purchase(kind: str, every: int) -> None:
    """As the shop itself draws prices and caps; synthetic goals ask for all options."""
    shop = open_shop()
    goals = shop.goals(kind)
    for number in range(0, len(goals), every):
        goal = goals[number]
        offered = shop.products[goal.asin].options.items()
        wanted = goal.options.values() if isinstance(goal.options, Mapping) else goal.options
        right = {name: value for name, values in offered for value in values if value in wanted}
        assert len(right) == len(wanted)
        assert shop.grade(goal.asin, goal, right).value == 1.0
        assert goal.price_upper < 1000, "no price is asked for"
        assert f"price lower than {goal.price_upper:.2f} dollars" in goal.instruction
