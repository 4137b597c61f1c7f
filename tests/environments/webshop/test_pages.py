"""Pages, observations and clicks, against episodes of the original environment.

`golden/webshop_pages.json` was made by running it over products made at random, with blanks,
quotes, markup and letters of many kinds where a shop would have words.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import pytest

from environments.webshop.env import parse_text_action
from environments.webshop.pages.html import shop_page
from environments.webshop.pages.pages import Page, make_page
from environments.webshop.pages.parts import Part
from environments.webshop.pages.session import START, Session, click, search
from environments.webshop.pages.text import plain, rich
from environments.webshop.shop.products import Product, Review

EPISODES = json.loads((Path(__file__).parents[2] / "golden" / "webshop_pages.json").read_text())[
    "episodes"
]
PURCHASE = 0.5  # what the golden run rewarded every purchase with


def product(record: Mapping[str, Any]) -> Product:
    reviews = [Review(r["title"], r["score"], r["body"]) for r in record["Reviews"]]
    return Product(
        asin=record["asin"],
        title=record["Title"],
        description=record["Description"],
        bullets=tuple(record["BulletPoints"]),
        category=record["category"],
        query=record["query"],
        product_category=record["product_category"],
        attributes=tuple(record["Attributes"]),
        options={name: tuple(values) for name, values in record["options"].items()},
        price_text=record["Price"],
        rating=record["Rating"],
        reviews=tuple(reviews),
    )


def act(session: Session, page: Page, text: str, searches: Mapping[str, list[str]]) -> Session:
    """As the environment does."""
    action = parse_text_action(text)
    if action.tool == "search":
        return search(session, action.arguments["query"], searches.__getitem__)
    part = page.clickables.get(action.arguments["element"].lower()) if action.tool else None
    return click(session, part) if part and part.text != "Search" else session


def replayed(episode: Mapping[str, Any]) -> Iterator[tuple[Session, Page, Mapping[str, Any]]]:
    """Each moment of an episode, and what the original showed there."""
    products = {record["asin"]: product(record) for record in episode["products"]}
    session, page = START, None
    for step in episode["steps"]:
        if page is not None:
            session = act(session, page, step["action"], episode["searches"])
        if session.page == "done":
            session = replace(session, reward=PURCHASE)
        shown = episode["show_attributes"]
        page = make_page(session, episode["instruction"], products, show_attributes=shown)
        yield session, page, step


@pytest.mark.parametrize("episode", EPISODES)
def test_observations_and_clickables_are_the_originals(episode: Mapping[str, Any]) -> None:
    for session, page, step in replayed(episode):
        assert plain(page, session) == step["text"], step["action"]
        assert rich(page, session) == step["text_rich"], step["action"]
        assert list(page.clickables) == step["clickables"], step["action"]
        assert page.has_search_bar == step["has_search_bar"]
        assert (session.page == "done") == step["done"]


def test_the_golden_episodes_meet_every_page_and_the_quirks() -> None:
    moments = [moment for episode in EPISODES for moment in replayed(episode)]
    assert {session.page for session, _, _ in moments} == {
        *("index", "results", "item", "description", "features", "reviews", "attributes", "done")
    }
    assert any(step["text"].endswith("Next >") for _, _, step in moments), "an empty last page"
    assert any(len(session.options) > 1 for session, _, _ in moments)
    assert any('"' in value for session, _, _ in moments for _, value in session.options)


SHIRT = Product(
    asin="B000000001",
    title="A <script>alert(1)</script> shirt",
    description="d",
    bullets=("b",),
    category="fashion",
    query="shirts",
    product_category="Clothing",
    options={"size": ("small", 'large "l"'), "color": ("red", "small")},
    option_images={"red": "https://pictures/red.jpg"},
    images=("javascript:alert(1)",),
)
ITEM = Session(page="item", asin=SHIRT.asin)


def item(session: Session) -> Page:
    return make_page(session, "buy <b>", {SHIRT.asin: SHIRT})


def test_a_value_that_two_options_share_is_the_later_options() -> None:
    assert click(ITEM, item(ITEM).clickables["small"]).options == (("color", "small"),)


def test_html_shows_what_text_shows_and_escapes_it() -> None:
    html = shop_page(item(ITEM), ITEM)
    for part in item(ITEM).clickables.values():
        assert f'value="{escape(part.text)}"' in html
    assert "&lt;script&gt;" in html and "<script" not in html and "buy &lt;b&gt;" in html


def test_html_marks_the_chosen_option_and_shows_its_picture() -> None:
    assert "<img" not in shop_page(item(ITEM), ITEM), "no address that runs something"
    chosen = click(ITEM, Part("option", "red", "color"))
    html = shop_page(item(chosen), chosen)
    assert html.count('aria-pressed="true"') == 1
    assert '<img src="https://pictures/red.jpg"' in html


def test_the_receipt_writes_options_as_json_that_html_does_not_mind() -> None:
    bought = replace(ITEM, page="done", options=(("size", "<a> & 'b' é"), ("color", "red")))
    written = '{"color": "red", "size": "\\u003ca\\u003e \\u0026 \\u0027b\\u0027 \\u00e9"}'
    assert Part("hidden", written) in item(bought).parts


def test_html_keeps_what_the_original_hides_hidden() -> None:
    done = replace(ITEM, page="done", reward=0.25)
    html = shop_page(item(done), done)
    assert "0.25" in html and "Thank you" in html and "MTurk" not in html
