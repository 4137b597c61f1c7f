"""Where searches and clicks lead, on a shop of a few products."""

import pickle
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from environments.webshop.pages.pages import PRODUCTS_SHOWN, Page, make_page
from environments.webshop.pages.session import START, Session, click, search
from environments.webshop.shop.products import Product

OPTIONS = {"size": ("small", "large"), "color": ("red", "buy now"), "none": ()}
PRODUCTS = {
    asin: Product(asin, f"title {asin}", "text", ("bullet",), "c", "q", "p", options=OPTIONS)
    for asin in (f"B{number:09}" for number in range(23))
}


def find(query: str) -> Sequence[str]:
    return list(PRODUCTS)[: len(query)]


def page(session: Session) -> Page:
    return make_page(session, "buy", PRODUCTS, show_attributes=True)


def go(*elements: str, start: Session = START) -> Session:
    """Click one after another, from the 23 products of a search."""
    session = search(start, "X" * 23, find)
    for element in elements:
        session = click(session, page(session).clickables[element])
    return session


def test_a_search_shows_the_first_page_and_is_in_lower_case():
    session = go()
    assert (session.page, session.number, session.query) == ("results", 1, "x" * 23)
    assert "< prev" not in page(session).clickables


def test_results_are_shown_ten_a_page_and_next_goes_beyond_the_last():
    shown = []
    for turns in range(4):
        clickables = page(go(*["next >"] * turns)).clickables
        shown.append([part.text for part in clickables.values() if part.kind == "product"])
    assert sum(shown, []) == list(PRODUCTS)
    assert [len(asins) for asins in shown] == [PRODUCTS_SHOWN, PRODUCTS_SHOWN, 3, 0]
    assert "next >" in page(go(*["next >"] * 4)).clickables


def test_prev_leads_from_results_details_and_products():
    asin = list(PRODUCTS)[10].lower()
    assert go("next >", "< prev").number == 1
    assert go("next >", asin, "features", "< prev") == go("next >", asin)
    back = go("next >", asin, "< prev")
    assert (back.page, back.number, back.asin) == ("results", 2, "")


def test_options_are_kept_by_name_until_a_search_or_the_way_back():
    asin = "b000000003"
    chosen = go(asin, "small", "red", "large", "large", "description", "< prev")
    assert chosen.options == (("size", "large"), ("color", "red"))
    for cleared in (search(chosen, "y", find), go(asin, "red", "< prev")):
        assert cleared.options == ()


def test_products_seen_are_kept_by_a_search_and_forgotten_by_the_way_back_to_search():
    seen = go("b000000001", "< prev", "b000000002")
    assert search(seen, "y", find).seen == {"B000000001", "B000000002"}
    assert go("b000000001", "back to search") == START


def test_an_option_called_like_a_button_does_what_the_button_does():
    assert go("b000000000", "buy now").page == "done"


@given(st.lists(st.integers(0, 99), max_size=12))
def test_every_click_that_a_page_offers_leads_to_a_page(choices: list[int]):
    """And a session is a value: what was saved is unharmed, and goes through a pickle."""
    session = go()
    for choice in choices:
        offered = [part for name, part in page(session).clickables.items() if name != "search"]
        if not offered:
            break
        saved = pickle.dumps(session)
        after = click(session, offered[choice % len(offered)])
        assert pickle.loads(saved) == session and hash(session) == hash(pickle.loads(saved))
        assert page(after).parts
        session = after
