"""Goals and prices against the original's, and their laws."""

import itertools
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.webshop.goals import Goal, combination
from environments.webshop.shop.catalogue import Catalogue, load
from environments.webshop.shop.prices import NO_CAP, cap_text, draw_cap, draw_prices
from tests.support.parts import DATA, needs_data

WEBSHOP = DATA / "webshop"

HUMAN = (
    ("B09MW563KN", 60.0, ("blue",)),
    ("B003I567W4", 70.0, ("pecan",)),
    ("B07S7HDC88", 60.0, ("black1901", "10.5")),
    ("B09NTCCVGX", 180.0, ("60x40x40cm",)),
    ("B07FYPSNH8", 40.0, ()),
    ("B09R4RJSFP", 140.0, ("120ml",)),
    ("B08G14B779", 20.0, ("pink",)),
    ("B09HX5CD2D", 70.0, ("heather charcoal", "small")),
    ("B09PY89B1S", 50.0, ("1pcs",)),
    ("B09KP78G37", 90.0, ("red", "x-large")),
    ("B099231V35", 30.0, ("orange",)),
    ("B005X7IXTK", 60.0, ("woody scent", "1.6 ounce (pack of 1)")),
    ("B087Y28XLM", 20.0, ("fresh",)),
)
"""What the original's `get_human_goals` answers on the published shop, shuffled, at seed 0."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return load(WEBSHOP, folder=tmp_path_factory.mktemp("kept"))


def golden(name: str) -> Any:
    return json.loads((WEBSHOP / "golden" / name).read_text("utf-8"))


def as_original(goal: Goal) -> dict[str, Any]:
    return {
        "asin": goal.asin,
        "category": goal.category,
        "query": goal.query,
        "name": goal.title,
        "product_category": goal.product_category,
        "instruction_text": goal.instruction,
        "attributes": list(goal.attributes),
        "price_upper": goal.price_upper,
        "goal_options": goal.options,
        "weight": goal.weight,
    }


@needs_data
def test_synthetic_goals_are_the_originals(shop: Catalogue) -> None:
    wanted = golden("goals_seed0_synthetic.json")
    for index, (goal, original) in enumerate(zip(shop.goals("synthetic"), wanted, strict=True)):
        weight = original.pop("weight")
        assert as_original(goal) == original | {"weight": pytest.approx(weight)}, index
        assert list(goal.options) == list(original["goal_options"])


@needs_data
def test_prices_are_the_originals(shop: Catalogue) -> None:
    assert list(shop.prices.items()) == list(golden("product_prices_seed0.json").items())


@needs_data
def test_human_goals_are_the_originals(shop: Catalogue) -> None:
    goals = shop.goals("human")
    assert tuple((goal.asin, goal.price_upper, goal.options) for goal in goals) == HUMAN
    assert goals[0].human and goals[0].weight == 1.0
    assert goals[0].instruction == (
        "i am looking for blue color toothbrushes that helps to maintain my oral hygiene, "
        "and price lower than 60.00 dollars"
    )


@needs_data
def test_goals_are_as_a_sequence(shop: Catalogue) -> None:
    goals = shop.goals("synthetic")
    assert goals[-1] == goals[len(goals) - 1]
    assert goals[5:8] == [goals[5], goals[6], goals[7]]
    with pytest.raises(IndexError):
        goals[len(goals)]


@needs_data
def test_numbers_of_the_goals_of_some_products(shop: Catalogue) -> None:
    goals = shop.goals("synthetic")
    wanted = {goals[0].asin, goals[1].asin}
    assert list(goals.numbers(wanted.__contains__)) == [
        index for index, goal in enumerate(goals) if goal.asin in wanted
    ]
    assert list(goals.numbers(lambda asin: False)) == []


@needs_data
def test_another_seed_draws_other_prices_in_the_same_order(shop: Catalogue, tmp_path: Path) -> None:
    other = load(WEBSHOP, seed=1, folder=tmp_path)
    goals, others = shop.goals("human"), other.goals("human")
    assert [goal.asin for goal in goals] == [goal.asin for goal in others]
    assert [goal.price_upper for goal in goals] != [goal.price_upper for goal in others]


@given(
    st.dictionaries(st.text(max_size=3), st.lists(st.text(), min_size=1, max_size=4), max_size=4)
)
def test_combinations_are_the_product_of_the_values(options: dict[str, list[str]]) -> None:
    names = sorted(options)
    for number, values in enumerate(itertools.product(*(options[name] for name in names))):
        chosen = combination(options, number)
        assert list(chosen.items()) == list(zip(names, values, strict=True))


@given(price=st.floats(0.01, 2000), seed=st.integers())
def test_a_cap_is_over_the_price(price: float, seed: int) -> None:
    cap = draw_cap(price, Random(seed))
    assert cap == NO_CAP if price >= 980 else price + 10 < cap <= price + 40
    assert (cap_text(cap) == "") == (cap == NO_CAP)


@given(
    ranges=st.lists(st.tuples(st.floats(0, 500), st.none() | st.floats(500, 900))),
    seed=st.integers(),
)
def test_a_price_is_in_its_range(ranges: list[tuple[float, float | None]], seed: int) -> None:
    prices = draw_prices(ranges, Random(seed))
    for price, (low, high) in zip(prices, ranges, strict=True):
        assert low <= price <= (low if high is None else high)
