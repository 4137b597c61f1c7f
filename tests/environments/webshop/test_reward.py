"""The reward against the original's, and its laws."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.webshop.goals import Goal
from environments.webshop.reward.matching import alike, colour_in, colour_of_pair
from environments.webshop.reward.noun_rules import lexicon_nouns
from environments.webshop.reward.reward import Kinship, Reward, grade
from environments.webshop.reward.title_nouns import Nouns
from environments.webshop.shop.catalogue import Catalogue, load
from environments.webshop.shop.products import Product
from tests.support.parts import DATA, needs_data

WEBSHOP = DATA / "webshop"
TAGGED = Path(__file__).parents[2] / "golden" / "webshop_nouns.json"
"""The nouns of each title of the published shop by en_core_web_sm 3.8.0."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return load(WEBSHOP, folder=tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def tagged(shop: Catalogue) -> Nouns:
    read: Mapping[str, str] = json.loads(TAGGED.read_text("utf-8"))
    return {shop.products[asin].title: nouns.split() for asin, nouns in read.items()}.__getitem__


@pytest.fixture(scope="module")
def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((WEBSHOP / "golden/rewards.json").read_text("utf-8"))
    return found


def judged(shop: Catalogue, case: Mapping[str, Any], nouns: Nouns) -> Reward:
    product, goal = shop.products[case["asin"]], shop.goals("synthetic")[case["goal_idx"]]
    return grade(product, goal, shop.prices[case["asin"]], case["options"], nouns)


@needs_data
def test_rewards_and_parts_are_the_originals(
    shop: Catalogue, cases: list[dict[str, Any]], tagged: Nouns
) -> None:
    for case in cases:
        reward = judged(shop, case, tagged)
        assert reward.value == pytest.approx(case["reward"], abs=1e-9), case
        assert reward.parts == pytest.approx(case["info"], abs=1e-9), case


@needs_data
def test_rewards_by_the_lexicon_alone(shop: Catalogue, cases: list[dict[str, Any]]) -> None:
    """The figures that `noun_rules` gives."""
    rewards = [judged(shop, case, lexicon_nouns) for case in cases]
    pairs = list(zip(rewards, cases, strict=True))
    assert sum(abs(got.value - case["reward"]) < 1e-9 for got, case in pairs) == 1489
    scores = [(got.kinship.title_score, case["info"]["title_score"]) for got, case in pairs]
    assert sum(abs(score - original) < 1e-9 for score, original in scores) == 1099


@needs_data
def test_458_goals_cannot_be_met_in_full(shop: Catalogue, tagged: Nouns) -> None:
    """And only because of their options."""
    missed = []
    for goal in shop.goals("synthetic"):
        assert isinstance(goal.options, Mapping)
        product, price = shop.products[goal.asin], shop.prices[goal.asin]
        reward = grade(product, goal, price, goal.options, tagged)
        if reward.value < 1:
            missed.append(reward)
    assert len(missed) == 458
    assert all(reward.options < len(reward.goal.options) for reward in missed)
    assert all(reward.attributes == len(reward.goal.attributes) for reward in missed)


PRODUCT = Product(
    asin="A",
    title="Linen Shirt",
    description="Machine Washable.",
    bullets=("Quick", "drying."),
    category="fashion",
    query="shirts",
    product_category="Clothing › Men › Shirts",
    attributes=("long lasting",),
)
GOAL = Goal(
    asin="A",
    instruction="Find me a shirt",
    attributes=("long lasting",),
    options={},
    price_upper=30.0,
    title="Linen Shirt",
    query="shirts",
    product_category="Clothing › Men › Shirts",
    category="fashion",
)


NONE_CHOSEN: Mapping[str, str] = {}


def reward_of(
    goal: Goal = GOAL,
    product: Product = PRODUCT,
    price: float = 20.0,
    options: Mapping[str, str] = NONE_CHOSEN,
) -> Reward:
    return grade(product, goal, price, options, lexicon_nouns)


@pytest.mark.parametrize(
    ("attribute", "hit"),
    [
        ("lasting long", True),
        ("long lasting battery", True),
        ("long lastin", True),
        ("machine washable", True),
        ("quick drying", True),
        ("linen", True),
        ("silk", False),
    ],
)
def test_attributes(attribute: str, hit: bool) -> None:
    reward = reward_of(replace(GOAL, attributes=(attribute, "long lasting")))
    assert reward.attributes == 1 + hit
    assert reward.value == pytest.approx((2 + hit) / 3)


@pytest.mark.parametrize(
    ("wanted", "chosen", "hits"),
    [
        ({"color": "blue"}, {"color": "blue"}, 1),
        ({"color": "dark blue"}, {"color": "dark blue"}, 1),
        ({"color": "r.brown2070"}, {"color": "r.brown2070"}, 0),
        ({"item shape": "rectangular"}, {"item shape": "rectangular"}, 0),
        ({"size": "small"}, {"style": "small"}, 1),
        ({"size": "small"}, {}, 0),
        (("r.brown2070",), {"color": "r.brown2070"}, 1),
        (("small", "heather charcoal"), {"size": "small", "color": "charcoal"}, 2),
    ],
)
def test_options(wanted: Any, chosen: dict[str, str], hits: int) -> None:
    assert reward_of(replace(GOAL, options=wanted), options=chosen).options == hits


def test_parts_without_options() -> None:
    assert reward_of(price=31.0).parts == {
        "r_type": 1.0,
        "r_att": 1.0,
        "w_att": 0.5,
        "query_match": True,
        "category_match": True,
        "title_score": 1.0,
        "r_price": False,
        "w_price": 0.5,
    }
    assert reward_of(price=30.0).price_ok


@pytest.mark.parametrize(
    ("related", "score", "factor"),
    [
        (True, 1.0, 1.0),
        (True, 0.1, 1.0),
        (True, 0.09, 0.1),
        (True, 0.0, 0.0),
        (False, 0.21, 1.0),
        (False, 0.2, 0.5),
        (False, 0.1, 0.5),
        (False, 0.09, 0.1),
        (False, 0.0, 0.0),
    ],
)
def test_type(related: bool, score: float, factor: float) -> None:
    assert Kinship(related, False, score).r_type == factor
    assert Kinship(False, related, score).r_type == factor


def test_title_score_counts_a_repeated_noun_as_often_as_it_stands() -> None:
    goal = replace(GOAL, title="Shirt Shirt of Linen and Silk")
    assert reward_of(goal).kinship.title_score == 0.5
    assert reward_of(replace(GOAL, title="3 - 4")).kinship.title_score == 0.2


def test_one_common_category_is_not_enough() -> None:
    other = replace(PRODUCT, product_category="Clothing › Women › Tops")
    assert not reward_of(product=other).kinship.category_match
    other = replace(PRODUCT, product_category="Shirts ›Clothing")
    assert reward_of(product=other).kinship.category_match


def test_alike_is_over_85_after_rounding() -> None:
    assert alike("rubber sole", "Sole: Rubber!")
    assert alike("abcdefg", "abcdefgh")  # 93
    assert alike("abcdef", "abcdefgh")  # 85.7, rounds to 86
    assert not alike("abcde", "abcdefgh")  # 77
    assert not alike("", "") and not alike("!!", "??")
    assert not alike("a" * 47 + "b" * 3, "a" * 47 + "c" * 13)  # 85.45, rounds to 85


def test_alike_drops_letters_of_latin_1_only() -> None:
    assert alike("é", "") is alike("é", "é") is False
    assert alike("aé", "a")
    assert not alike("aā", "a")


def test_colours() -> None:
    assert colour_in("layered top") == "red"
    assert colour_in("rectangular") == "tan"
    assert (colour_in("walnut, dark"), colour_in("oak")) == ("dark", "oak")
    assert colour_of_pair("color", "navy") == "navy"
    assert colour_of_pair("color", "navy blue") == "('color', 'navy blue')"


TEXTS = st.text("abc dé'›-", max_size=12)


@given(
    product=st.builds(
        Product,
        asin=st.just("A"),
        title=TEXTS,
        description=TEXTS,
        bullets=st.tuples(TEXTS),
        category=TEXTS,
        query=TEXTS,
        product_category=TEXTS,
        attributes=st.tuples(TEXTS, TEXTS),
    ),
    goal=st.builds(
        Goal,
        asin=st.just("A"),
        instruction=TEXTS,
        attributes=st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
        options=st.dictionaries(TEXTS, TEXTS, max_size=3) | st.lists(TEXTS).map(tuple),
        price_upper=st.floats(10, 1000),
        title=TEXTS,
        query=TEXTS,
        product_category=TEXTS,
        category=TEXTS,
    ),
    price=st.floats(0, 2000),
    options=st.dictionaries(TEXTS, TEXTS, max_size=3),
)
def test_a_reward_is_a_share(
    product: Product, goal: Goal, price: float, options: dict[str, str]
) -> None:
    reward = grade(product, goal, price, options, lexicon_nouns)
    assert 0 <= reward.value <= 1
    assert all(0 <= part <= 1 for part in reward.parts.values())
    shares = sum(reward.parts.get(f"w_{name}", 0) for name in ("att", "option", "price"))
    assert shares == pytest.approx(1)
    dearer = grade(product, goal, price + 1000, options, lexicon_nouns)
    assert dearer.value <= reward.value
