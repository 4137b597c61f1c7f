"""Products as they are made of records, and files that are not as they should be."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from environments.errors import DataError
from environments.webshop.shop import json_stream
from environments.webshop.shop.files import Files, find_files
from environments.webshop.shop.listings import Instruction, Listing, listings
from environments.webshop.shop.products import make_product, read_prices

RECORD: dict[str, Any] = {
    "asin": "A000000001",
    "name": "Linen Shirt",
    "full_description": "A shirt.",
    "small_description": ["Cool.", "Light."],
    "category": "fashion",
    "query": " Linen Shirts ",
    "product_category": "Clothing › Men › Shirts",
    "customization_options": "",
    "images": ["front.jpg"],
    "pricing": "$19.99",
}


def record(**changes: Any) -> dict[str, Any]:
    return RECORD | changes


def write_shop(
    folder: Path,
    products: object,
    attributes: object = None,
    human: object = None,
) -> Files:
    given = {"items_shuffle": products, "items_ins_v2": attributes or {}, "items_human_ins": human}
    for name, value in given.items():
        if value is not None:
            (folder / f"{name}.json").write_text(json.dumps(value))
    return find_files(folder)


def sold(folder: Path, *records: Any, **files: Any) -> list[Listing]:
    return list(listings(write_shop(folder, list(records), **files)))


@pytest.mark.parametrize(
    ("pricing", "prices", "shown"),
    [
        ("$19.99", (19.99,), "$19.99"),
        ("$1,027.5", (1027.5,), "$1027.5"),
        ("$16.82 - $35.0", (16.82, 35.0), "$16.82 to $35.0"),
        ("$1.0 - $2.0 - $3.0", (1.0, 2.0), "$1.0 to $2.0"),
        ("", (100.0,), "$100.0"),
        (None, (100.0,), "$100.0"),
    ],
)
def test_prices(pricing: str | None, prices: tuple[float, ...], shown: str) -> None:
    product = make_product(record(pricing=pricing))
    assert (product.prices, product.price_text) == (prices, shown)


@given(st.lists(st.floats(0.01, 99999).map(lambda price: round(price, 2)), min_size=1, max_size=2))
def test_prices_are_read_as_written(prices: list[float]) -> None:
    assert read_prices(" - ".join(f"${price:,.2f}" for price in prices)) == tuple(prices)


def test_options_are_lower_case_and_slashes_stand_apart() -> None:
    product = make_product(
        record(
            customization_options={
                "Color": [
                    {"value": " Black/Red ", "image": "1.jpg"},
                    {"value": "Blue", "image": None},
                ],
                "Size": None,
                "Style": [],
            }
        )
    )
    assert product.options == {"color": ("black | red", "blue"), "style": ()}
    assert product.option_images == {"black | red": "1.jpg"}


def test_the_later_of_options_that_differ_in_case_only() -> None:
    options = {"Size": [{"value": "S"}], "COLOR": [{"value": "red"}], "size": [{"value": "M"}]}
    product = make_product(record(customization_options=options))
    assert list(product.options.items()) == [("size", ("m",)), ("color", ("red",))]


def test_a_text_for_bullets_is_one_bullet() -> None:
    product = make_product(record(small_description="Cool."))
    assert (product.bullets, product.query, product.rating) == (("Cool.",), "linen shirts", "N.A.")


def test_what_is_not_sold(tmp_path: Path) -> None:
    records = [
        record(asin="nan"),
        record(asin="ELEVENCHARS"),
        record(),
        record(name="again"),
        record(asin="B"),
    ]
    found = sold(tmp_path, *records)
    assert [(each.product.asin, each.product.title) for each in found] == [
        ("A000000001", "Linen Shirt"),
        ("B", "Linen Shirt"),
    ]
    assert len(list(listings(find_files(tmp_path), count=3))) == 1


def test_attributes(tmp_path: Path) -> None:
    about = {"A000000001": {"attributes": ["cool"]}, "B": {}}
    found = sold(tmp_path, record(), record(asin="B"), record(asin="C"), attributes=about)
    assert [each.product.attributes for each in found] == [
        ("cool",),
        ("DUMMY_ATTR",),
        ("DUMMY_ATTR",),
    ]


def test_instructions(tmp_path: Path) -> None:
    sizes = {"Size": [{"value": "S"}, {"value": "M"}], "Fit": [{"value": "slim"}]}
    written = [
        {"instruction": "a", "instruction_attributes": [], "instruction_options": ["s"]},
        {"instruction": "b", "instruction_attributes": ["cool"], "instruction_options": ["s"]},
    ]
    mined = {"instruction": "Find", "instruction_attributes": ["cool"]}
    (listing,) = sold(
        tmp_path,
        record(customization_options=sizes),
        attributes={"A000000001": mined},
        human={"A000000001": written, "NOTSOLD": [3]},
    )
    assert listing.instructions == (
        Instruction(False, "Find", ("cool",), (), 2),
        Instruction(True, "b", ("cool",), ("s",), 1),
    )


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"name": None}, "'name' must be text"),
        ({"small_description": [1]}, "'small_description' must be"),
        ({"pricing": "free"}, "no price in 'free'"),
        ({"pricing": "$"}, "could not convert"),
        ({"customization_options": {"Size": [{}]}}, "no field 'value'"),
        ({"customization_options": "red"}, "items"),
    ],
)
def test_malformed_product(tmp_path: Path, bad: dict[str, Any], why: str) -> None:
    with pytest.raises(DataError, match=why) as caught:
        sold(tmp_path, record(asin="B"), record(**bad))
    assert f"{tmp_path / 'items_shuffle.json'}: record 1 (A000000001): " in str(caught.value)


@pytest.mark.parametrize(
    ("file", "content", "place"),
    [
        ("items_shuffle.json", [3], "record 0: "),
        ("items_shuffle.json", [{}], "record 0: no field 'asin'"),
        ("items_shuffle.json", {}, r"record 0: .*'\[' is missing"),
        ("items_ins_v2.json", [], r"record 0: .*'{' is missing"),
        ("items_ins_v2.json", {"A000000001": {"attributes": 3}}, "record A000000001: "),
        ("items_ins_v2.json", {"A000000001": {"instruction": "Find"}}, "no field 'instruction_att"),
        (
            "items_ins_v2.json",
            {"A000000001": {"instruction": "Find", "instruction_attributes": []}},
            "no attribute",
        ),
        ("items_human_ins.json", {"A000000001": [{}]}, "record A000000001: no field"),
    ],
)
def test_malformed_files(tmp_path: Path, file: str, content: object, place: str) -> None:
    write_shop(tmp_path, [record()])
    (tmp_path / file).write_text(json.dumps(content))
    with pytest.raises(DataError, match=place) as caught:
        list(listings(find_files(tmp_path)))
    assert str(tmp_path / file) in str(caught.value)


def test_files_that_are_not_json_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no items_shuffle"):
        find_files(tmp_path)
    (tmp_path / "items_shuffle_9.json").write_bytes(json.dumps([RECORD]).encode()[:-1] + b", \xff]")
    with pytest.raises(DataError, match="no items_ins_v2"):
        find_files(tmp_path)
    (tmp_path / "items_ins_v2_9.json").write_text("{}")
    with pytest.raises(DataError, match="items_shuffle_9.json: record 1: not JSON"):
        list(listings(find_files(tmp_path)))


def test_a_folder_with_two_shops(tmp_path: Path) -> None:
    for name in ("items_shuffle_9.json", "items_shuffle.json", "items_ins_v2_9.json"):
        (tmp_path / name).write_text("[]")
    with pytest.raises(DataError, match="items_shuffle.json, items_shuffle_9.json"):
        find_files(tmp_path)
    chosen = find_files(tmp_path / "items_shuffle_9.json")
    assert chosen.attributes == tmp_path / "items_ins_v2_9.json"


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    first = write_shop(folders[0], [record()]).fingerprint
    assert write_shop(folders[1], [record()]).fingerprint == first
    assert write_shop(folders[2], [record()], human={}).fingerprint != first


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(1 - 2**63, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(deadline=None, max_examples=40)
@given(
    values=st.lists(JSON), indent=st.sampled_from([None, 1]), mark=st.sampled_from(["", "\ufeff"])
)
def test_json_files_are_read_as_json_reads_them(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], indent: int | None, mark: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "values.json"
    path.write_text(mark + json.dumps(values, indent=indent))
    assert list(json_stream.elements(path)) == values
    named = {str(index): value for index, value in enumerate(values)}
    path.write_text(mark + json.dumps(named, indent=indent))
    assert dict(json_stream.members(path)) == named


@pytest.mark.parametrize("broken", ["[1,2", "[1,2,]", '[1,2,"a', "[1,2] x"])
def test_what_comes_before_a_broken_record_is_read(tmp_path: Path, broken: str) -> None:
    """Elements are yielded while the file is read, so a fault shows after those before it."""
    path = tmp_path / "values.json"
    first = ["x" * 100_000, *range(50_000)]
    path.write_text("[" + json.dumps(first)[1:-1] + "," + broken[1:])
    read = json_stream.elements(path)
    assert [next(read) for _ in range(3)] == first[:3]
    with pytest.raises(DataError, match=r"values.json: record \d+: not JSON") as caught:
        list(read)
    assert "\n" not in str(caught.value)
