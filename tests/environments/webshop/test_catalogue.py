"""A shop as a whole: made once, opened again, shared, searched."""

import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from environments.built_files import NotWritable, build_once
from environments.errors import DataError
from environments.webshop.shop.catalogue import BUNDLED, Catalogue, load

COLOURS = ("red", "blue", "green")


def record(number: int) -> dict[str, Any]:
    return {
        "asin": f"A{number:09d}",
        "name": f"Shirt number{number}",
        "full_description": "A shirt.",
        "small_description": ["Cool."],
        "category": "fashion",
        "query": "shirts",
        "product_category": "Clothing › Shirts",
        "customization_options": {"Color": [{"value": colour} for colour in COLOURS]},
        "images": [],
        "pricing": "$5.0 - $25.0",
    }


def write_shop(folder: Path, count: int = 4) -> Path:
    folder.mkdir(exist_ok=True)
    records = [record(number) for number in range(count)]
    (folder / "items_shuffle.json").write_text(json.dumps(records))
    about = {
        each["asin"]: {
            "attributes": ["cool"],
            "instruction": "Find me shirts",
            "instruction_attributes": ["cool"],
        }
        for each in records
    }
    (folder / "items_ins_v2.json").write_text(json.dumps(about))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_shop(tmp_path / "data")


@pytest.fixture
def shop(data: Path, tmp_path: Path) -> Catalogue:
    return load(data, folder=tmp_path / "kept")


def test_products_and_prices(shop: Catalogue) -> None:
    asins = [f"A{number:09d}" for number in range(4)]
    assert list(shop.products) == asins == list(shop.prices)
    assert len(shop.products) == len(shop.prices) == 4
    assert all(5 <= price <= 25 for price in shop.prices.values())
    assert shop.products[asins[2]].title == "Shirt number2"
    assert "B" not in shop.products and shop.prices.get("B") is None
    with pytest.raises(KeyError):
        shop.products["B"]


def test_search_finds_by_words(shop: Catalogue) -> None:
    assert shop.search("number3") == ("A000000003",)
    assert len(shop.search("shirts")) == 4
    assert shop.search("trousers") == ()


def test_buying_what_is_asked_for(shop: Catalogue) -> None:
    for goal in shop.goals("synthetic"):
        assert isinstance(goal.options, dict)
        assert shop.grade(goal.asin, goal, goal.options).value == 1.0
        assert shop.grade(goal.asin, goal, {}).value == pytest.approx(2 / 3)
    assert len(shop.goals("synthetic")) == 12
    assert len(shop.goals("human")) == 0


def test_goals_do_not_depend_on_what_was_asked_for_before(data: Path, tmp_path: Path) -> None:
    once, again = (load(data, folder=tmp_path / name) for name in ("once", "again"))
    first = list(once.goals("synthetic"))
    again.goals("human")
    assert list(again.goals("synthetic")) == first


def test_one_for_the_process_until_the_files_change(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    shop = load(data, folder=folder)
    assert load(str(data), folder=folder) is shop
    assert load(data, seed=1, folder=folder) is not shop
    assert len(load(data, count=2, folder=folder).products) == 2
    write_shop(data, 3)
    changed = load(data, folder=folder)
    assert len(changed.products) == 3 and len(shop.products) == 4


def test_the_same_content_is_made_once(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    first = load(data, folder=folder)
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("*.shop")}
    assert len(kept) == 1
    elsewhere = load(write_shop(tmp_path / "elsewhere"), folder=folder)
    assert elsewhere.fingerprint == first.fingerprint
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.shop")} == kept


def test_a_malformed_record_leaves_nothing(data: Path, tmp_path: Path) -> None:
    (data / "items_shuffle.json").write_text(json.dumps([record(0) | {"name": 1}]))
    with pytest.raises(DataError, match="record 0"):
        load(data, folder=tmp_path / "kept")
    assert [path.suffix for path in (tmp_path / "kept").iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_written(data: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    with pytest.raises(NotWritable, match="XDG_CACHE_HOME"):
        load(data, folder=tmp_path / "kept")


def test_what_a_killed_process_left_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "it.making").write_text("half")
    made = build_once("it", Path.mkdir, tmp_path)
    assert made.is_dir()
    assert build_once("it", Path.unlink, tmp_path) == made, "it is there, so nothing is made"


def titles(shop: Catalogue) -> list[str]:
    return [product.title for product in shop.products.values()]


def test_threads_share_a_shop(shop: Catalogue) -> None:
    wanted = [f"Shirt number{number}" for number in range(4)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(titles, [shop] * 40)) == [wanted] * 40


def test_forked_processes_share_a_shop(shop: Catalogue) -> None:
    wanted = [f"Shirt number{number}" for number in range(4)]

    def tell() -> None:
        sender.send((titles(shop), shop.search("number1"), os.getpid()))

    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe()
    for _ in range(2):
        process = context.Process(target=tell)
        process.start()
        found, hits, pid = receiver.recv()
        process.join()
        assert (found, hits) == (wanted, ("A000000001",)) and pid != os.getpid()
    assert titles(shop) == wanted


@pytest.fixture
def bundled(tmp_path: Path) -> Iterator[Catalogue]:
    yield load(folder=tmp_path)


def test_without_data_it_is_our_own_shop(bundled: Catalogue) -> None:
    assert BUNDLED.is_dir()
    assert len(bundled.products) >= 300
    for kind in ("synthetic", "human"):
        goal = bundled.goals(kind)[0]
        assert goal.asin in bundled.products
        assert goal.human == (kind == "human")
