"""An index over runs: totals, tasks gained and lost, links to the runs' pages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from search import ROOT, Tree
from tests.support import commands
from tests.support.viewed import ATTACK, answer, grow, run_of, searched
from tests.support.viewer_page import serious, window_on_pages


@pytest.fixture(scope="module")
def window() -> Iterator[Page]:
    with window_on_pages() as page:
        page.context.set_offline(True)
        yield page


def lost(id: str) -> Tree:
    tree = Tree(searched(id, f"Who? {ATTACK}").task, "teacher-1", stopped="exhausted")
    grow(tree, ROOT, answer("SELECT 1", 0.5))
    return tree


def test_two_runs_stand_side_by_side(window, tmp_path, capsys):
    folder = tmp_path / "runs"
    run_of(folder / "a", searched("t1"), lost("t2"), searched("t3"))
    run_of(folder / "b'#%<", lost("t1"), searched("t2"), searched("t3"), searched("t4"))
    assert commands.run("engine view", folder, "--json") == 0
    assert f'"file": "{folder}/index.html", "runs": 2, "tasks": 7' in capsys.readouterr().out
    window.goto((folder / "index.html").as_uri())
    lines = window.locator("#runs tr").all_inner_texts()
    assert "2 of 3 (67 %)" in lines[1] and "3 of 4 (75 %)" in lines[2]
    sums = "gained: 1 · lost: 1 · solved in both: 1 · solved in neither: 0 · in one run only: 1"
    assert window.inner_text("#sums") == sums
    kinds = [text.split("\t")[:2] for text in window.locator("#both tr").all_inner_texts()[1:]]
    assert kinds == [["gained", "t2"], ["lost", "t1"]]
    for width in (1280, 390):
        window.set_viewport_size({"width": width, "height": 800})
        assert serious(window) == [] and window.title() == "Runs"
    window.set_viewport_size({"width": 1280, "height": 800})
    window.locator("#kind").select_option("lost")
    window.reload()
    expect(window.locator("#both tr")).to_have_count(2)
    window.get_by_role("link", name="not solved, reward 0.5").click()
    expect(window.locator("#which")).to_have_text("t1")
    assert window.title() == "b'#%<"


@pytest.mark.parametrize("flags", [["--serve"], ["--tasks", "t1"], ["--import-marks", "x"]])
def test_flags_for_one_run_are_refused_for_several(tmp_path, capsys, flags):
    runs = [run_of(tmp_path / name, searched()) for name in ("a", "b")]
    assert commands.run("engine view", *runs, *flags) == 2
    assert "take one run" in capsys.readouterr().err
    assert not (tmp_path / "index.html").exists()
