"""`engine new-env` writes a world that works as it is, wherever one stands."""

import json
from pathlib import Path

import pytest

from environments.load_class import load_class
from tests.support.commands import engine


def test_a_new_world_works_at_once_and_from_any_folder(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    made = engine("new-env", "two_words", "--folder", tmp_path / "w", "--json", cwd=elsewhere)
    world = json.loads(made.stdout)["env"]
    assert world == f"{tmp_path}/w/two_words.py:TwoWordsEnv"
    for test in ("it_keeps_the_contract", "splits_share_no_group", "a_wrong_parcel_earns_nothing"):
        file = str(tmp_path / "w" / "test_two_words.py")
        load_class(file, file, f"test_{test}")()
    valid = engine("validate", "--env", world, "--json", cwd=elsewhere)
    assert json.loads(valid.stdout)["sound"] == 6, valid.stderr
    flags = ("--teacher", "demonstration", "--out", "r", "--json")
    explored = engine("explore", "--env", world, *flags, cwd=elsewhere)
    assert json.loads(explored.stdout)["solved"] == 6, explored.stderr
    again = engine("new-env", "two_words", "--folder", tmp_path / "w", cwd=elsewhere)
    assert again.returncode == 2 and "exists already" in again.stderr


@pytest.mark.parametrize("name", ["My-World", "2d", "class", "random", "bird", "tests", "../x", ""])
def test_a_bad_name_is_one_line(name: str, tmp_path: Path) -> None:
    done = engine("new-env", name, cwd=tmp_path)
    assert done.returncode == 2 and not list(tmp_path.iterdir())
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {name!r} ")
