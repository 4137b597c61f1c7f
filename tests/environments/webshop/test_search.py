"""The shop's search: what of a product is indexed, and the original's rankings."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from environments.ranking.index import Index
from environments.ranking.postings import build
from environments.webshop.shop.products import Product, indexed_text, make_product
from tests.support.parts import DATA, needs_data


@needs_data
def test_golden_searches(tmp_path: Path) -> None:
    """Of 150 queries, all 50 products in the original's order; its scores have four digits."""
    records = json.loads((DATA / "webshop/items_shuffle_1000.json").read_text())
    golden = json.loads((DATA / "webshop/golden/search_bm25_top50.json").read_text())
    products = map(make_product, records)
    documents = ((each.asin, indexed_text(each)) for each in products)
    index = Index(build(documents, tmp_path))
    for case in golden:
        found = index.search(case["q"])
        assert [asin for asin, _ in found] == [asin for asin, _ in case["hits"]]
        scores = [score for _, score in case["hits"]]
        assert [score for _, score in found] == pytest.approx(scores, rel=0, abs=6e-5)


def test_the_text_of_a_product() -> None:
    product = Product(
        asin="B1",
        title="Running Shoe",
        description="Light.",
        bullets=("Mesh", "not this"),
        category="fashion",
        query="shoes",
        product_category="Shoes",
        options={"size": ("8", "9 | wide"), "color": ("Red",), "fit": ()},
    )
    text = "running shoe light. mesh size: 8, 9 | wide, and color: red, and fit: "
    assert indexed_text(product) == text
    assert indexed_text(replace(product, bullets=(), options={})) == "running shoe light.  "
