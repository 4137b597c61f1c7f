"""The page in a real Chromium: from a file without a network, and following a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Page, expect

from engine.errors import UsageError
from engine.runs.annotations import FILE, append_annotations, current_annotations, read_annotations
from engine.runs.store import Store
from engine.view.html import tree_block
from engine.view.reader import RunReader
from engine.view.static import write_page
from environments import Action
from sandbox.errors import SandboxError
from search import ROOT, Tree
from tests.engine.export.test_rows import rows_of
from tests.engine.view.test_annotations import mark
from tests.support import commands, stored
from tests.support.stored import store, valued
from tests.support.viewed import (
    ATTACK,
    GOLD,
    answer,
    bushy,
    fail,
    grow,
    look,
    run_of,
    searched,
)
from tests.support.viewer_page import choose, opened, window_on_pages

ROOT_FOLDER = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def window() -> Iterator[Page]:
    with window_on_pages() as page:
        yield page


def failed(id: str) -> Tree:
    tree = Tree(searched(id).task, "teacher-1", stopped="exhausted", closed={2: "pruned"})
    grow(tree, ROOT, look("a"))
    grow(tree, 1, look("b"))
    grow(tree, 1, answer("SELECT 1"))
    return tree


def listed(window: Page) -> list[str]:
    return [row.get_attribute("data-task") or "" for row in window.locator(".task").all()]


def test_tasks_are_searched_filtered_and_sorted(window, tmp_path):
    cut = Tree(searched("t3").task, "teacher-1", stopped="budget")
    grow(cut, ROOT, look("a"))
    run = run_of(tmp_path / "run", searched("t1", "Who is 31?"), failed("t2"), cut)
    with Store.create(run) as store:
        fail(store, searched("t4").task, SandboxError("no room"))
    append_annotations(run / FILE, [mark(2, failed("t2"), scope="node", verdict="bad")])
    page = opened(window, run)
    assert "solved 1 · not solved 1 · not finished 1 · errors 1 · calls 10" in page.inner_text(
        "#counters"
    )
    assert listed(page) == ["t1", "t2", "t3", "t4"]
    for show, left in {
        "solved": ["t1"],
        "failed": ["t2", "t4"],
        "open": ["t3"],
        "pairs": ["t1"],
        "marked": ["t2"],
        "all": ["t1", "t2", "t3", "t4"],
    }.items():
        page.select_option("#show", show)
        assert listed(page) == left, show
    page.select_option("#sort", "reward")
    assert listed(page) == ["t4", "t2", "t3", "t1"]
    page.fill("#search", "who 31")
    assert listed(page) == ["t1"]
    expect(page.locator("#found")).to_have_text("1 of 4 tasks")
    page.fill("#search", "")
    page.locator('[data-task="t4"]').click()
    expect(page.locator("#here")).to_contain_text("SandboxError: no room")


def test_a_node_shows_its_conversation_facts_and_symbol(window, tmp_path):
    tree = searched()
    tree.nodes[3] = replace(tree.nodes[3], actor="student")
    page = opened(window, run_of(tmp_path / "run", tree, failed("t2")))
    choose(page, 5)
    roles = [text.split(" ")[0] for text in page.locator(".message").all_inner_texts()]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "tool"]
    panel = page.inner_text("#panel")
    assert "Who is over 30?" in panel and "look at a" in panel and "submitted" in panel
    assert "100 + 20 tokens" in panel and "teacher-1" in panel
    assert page.inner_text("#here") == "node 5, answer · failed · reward 0 · 1 call · 120 tok"
    page.get_by_text("Step info").click()
    assert '"strict": false' in page.inner_text("#panel")
    choose(page, 4)
    assert page.inner_text("#here").endswith("3 calls · 360 tok · student")
    signs = {n: page.locator(f'[data-node="{n}"] .shape').get_attribute("class") for n in range(7)}
    assert [signs[n] for n in (1, 4)] == ["shape failed inner", "shape solved inner"]
    assert [signs[n] for n in (5, 6)] == ["shape failed", "shape solved"]
    page.locator('[data-task="t2"]').click()
    expect(page.locator('[data-node="2"] .shape')).to_have_class("shape pruned inner")
    shapes = {
        page.locator(f"#legend .shape.{kind}").get_attribute("d")
        for kind in ("solved", "failed", "pruned", "open")
    }
    assert len(shapes) == 4


def test_values_of_states_are_shown_and_continuations_stand_apart(window, tmp_path):
    run = store(tmp_path / "credit", [valued()], search="continuations")
    page = opened(window, run)
    choose(page, 1)
    assert page.inner_text("#here") == "node 1, look · best below: failed · Q 0.25 of 4"
    panel = page.inner_text("#panel")
    assert "0.250 (0.06 to 0.64), 4 continuations by hand" in panel
    assert "0.250, pivot score 0.188" in panel
    apart = [node.get_attribute("data-node") for node in page.locator(".node.continues").all()]
    assert sorted(map(int, apart)) == list(range(5, 16))


def test_values_of_two_policies_stand_side_by_side(window, tmp_path):
    other = valued()
    stored.chain(other, stored.answer("right"), at=1)
    runs = [
        store(tmp_path / teacher, [tree], search="continuations", teacher=teacher)
        for teacher, tree in (("small", valued()), ("large", other))
    ]
    page = opened(window, runs[0], values=runs[1:])
    choose(page, 1)
    assert "Q 0.25 of 4 by small · Q 0.40 of 5 by large" in page.inner_text("#here")
    plain = store(tmp_path / "plain", [valued()])
    with (
        pytest.raises(UsageError, match="holds no continuations; `engine credit` makes them"),
        RunReader.open(runs[0], values=[plain]),
    ):
        pass


def test_arrow_keys_move_in_the_tree_and_letters_in_the_list(window, tmp_path):
    page = opened(window, run_of(tmp_path / "run", searched("t1"), searched("t2")))
    page.locator("#tree").focus()
    for key, leads in [
        ("ArrowRight", 1),
        ("ArrowDown", 4),
        ("ArrowRight", 5),
        ("ArrowDown", 6),
        ("ArrowDown", 6),
        ("ArrowUp", 5),
        ("ArrowUp", 3),
        ("ArrowLeft", 1),
        ("ArrowLeft", 0),
        ("ArrowLeft", 0),
    ]:
        page.keyboard.press(key)
        expect(page.locator(".node.here")).to_have_attribute("data-node", str(leads))
    page.keyboard.press("j")
    expect(page.locator('.task[aria-selected="true"]')).to_have_attribute("data-task", "t2")
    page.keyboard.press("/")
    page.keyboard.type("j")
    assert page.input_value("#search") == "j"


def test_only_the_visible_part_of_a_large_tree_is_drawn(window, tmp_path):
    page = opened(window, run_of(tmp_path / "run", bushy("t1", 2000)))
    assert "2000 nodes" in page.inner_text('[data-task="t1"]')
    assert 10 < page.locator(".node").count() < 100
    page.evaluate("document.getElementById('tree').scrollTop = 1e9")
    expect(page.locator(".node").last).not_to_have_attribute("data-node", "0")
    assert 5 < page.locator(".node").count() < 100
    page.keyboard.press("0")
    expect(page.locator('.node[data-node="2000"]')).to_have_count(1)
    assert page.locator(".node").count() > 1900
    for _ in range(12):
        page.locator("#larger").click()
    page.locator("#tree").focus()
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".node.here")).to_be_in_viewport()


def test_a_pair_shows_how_its_halves_differ(window, tmp_path):
    page = opened(window, run_of(tmp_path / "run", searched()))
    page.locator('[data-tab="pairs"]').click()
    second = page.locator(".pair").nth(1)
    assert page.locator(".pair").count() == 2
    assert second.locator("ins").all_inner_texts() == ["30"]
    assert second.locator("del").all_inner_texts() == ["20"]
    assert GOLD in second.locator('[data-half="chosen"] pre').inner_text()
    trained = second.locator('[data-half="rejected"] .trained').all_inner_texts()
    assert "".join(trained).startswith("I know\nanswer {") and "20" in trained
    assert second.locator('[data-half="chosen"] .untrained').all_inner_texts() == ["assistant:\n"]
    second.get_by_role("button", name="node 5").click()
    expect(page.locator(".node.here")).to_have_attribute("data-node", "5")


def test_both_sides_of_a_difference_are_complete(window, tmp_path):
    """Each half shows exactly its own text, for random texts, similar and not."""
    tree, random = Tree(searched().task, "m", stopped="solved"), Random(0)
    words = ["a", "b", " ", "\n", "ü", "_1", "+", "\u4e2d"]
    texts = ["".join(random.choices(words, k=random.randrange(60))) for _ in range(40)]
    texts += ["x " * 4000, "y " * 4000]  # more edits than are searched
    for number, text in enumerate(texts):
        grow(
            tree,
            ROOT,
            replace(
                answer(str(number)),
                action=Action("answer", {"n": number}, text + str(number)),
            ),
        )
    grow(tree, ROOT, answer("right", 1.0))
    page = opened(window, run_of(tmp_path / "run", tree))
    page.locator('[data-tab="pairs"]').click()
    sides = {
        half: page.locator(f'[data-half="{half}"] pre').evaluate_all(
            "a => a.map(p => p.textContent)"
        )
        for half in ("chosen", "rejected")
    }
    wanted = [
        f'assistant:\n{text}{number}\nanswer {{\n "n": {number}\n}}'
        for number, text in enumerate(texts)
    ]
    assert sides["rejected"] == wanted and len(set(sides["chosen"])) == 1


def test_charts_count_the_run(window, tmp_path):
    page = opened(window, run_of(tmp_path / "run", searched("t1"), searched("t2"), failed("t3")))
    page.locator('[data-tab="charts"]').click()
    assert "2 of 3 trees solved (67 %)" in page.inner_text("#panel")
    bars = page.locator("[data-depth]")
    assert bars.count() == 1 and bars.get_attribute("data-depth") == "2"
    assert (bars.get_attribute("data-solved"), bars.get_attribute("data-failed")) == ("2", "7")
    for name, most in {"calls": "6", "tokens": "720", "usd": "$0.0938"}.items():
        chart = page.locator(f'[data-chart="{name}"]')
        line = chart.locator(".line").get_attribute("d") or ""
        assert line.count("H") == 2  # two tasks, and the third never
        assert float(line.rsplit("V", 1)[1]) == pytest.approx(10 + 130 / 3)
        assert chart.locator("text").last.text_content() == most


def test_what_a_model_wrote_stays_text(window, tmp_path):
    tree = Tree(
        replace(searched().task, prompt=f"Who? {ATTACK}", id=f"t{ATTACK}"), ATTACK, stopped="solved"
    )
    first = replace(look("a", ATTACK), action=Action(f"look{ATTACK}", {ATTACK: ATTACK}, ATTACK))
    grow(tree, ROOT, replace(first, info={"error": ATTACK, "why": ATTACK}))
    grow(tree, ROOT, answer(ATTACK))
    grow(tree, ROOT, answer("b", 1.0))
    page = opened(window, run_of(tmp_path / "run<", tree))
    choose(page, 1)
    assert ATTACK in page.locator("#panel").evaluate("p => p.textContent")
    for tab in ("pairs", "charts"):
        page.locator(f'[data-tab="{tab}"]').click()
    assert "onerror" in page.inner_text("#list")
    assert page.title().startswith("run<") and page.locator("img").count() == 0
    assert page.locator("script:not([type])").count() == 1
    policy = page.locator("meta[http-equiv]").get_attribute("content") or ""
    assert "default-src 'none'" in policy and "connect-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_script_injected_into_the_file_does_not_run(window, tmp_path):
    """The policy alone suffices: no script but the page's own, no request to anywhere."""
    run = run_of(tmp_path / "run", searched())
    with RunReader.open(run) as reader:
        file = write_page(run, run / "view.html", reader).file
    injected = "<script>document.title='owned'</script>" + tree_block(7, {})
    file.write_text(file.read_text().replace("</header>", f"</header>{injected}"))
    logged: list[str] = []
    with separate_page(window, logged) as page:
        page.goto(file.as_uri())
        expect(page.locator('.node[data-node="0"]')).to_be_visible()
        assert page.title() == "run" and "Content Security Policy" in "".join(logged)
        fetched = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', e => e.name)")
        assert fetched == "TypeError" and "connect-src" in "".join(logged)


@contextmanager
def separate_page(window: Page, logged: list[str]) -> Iterator[Page]:
    """Another window of the same browser, whose errors are expected."""
    assert window.context.browser is not None
    context = window.context.browser.new_context()
    page = context.new_page()
    page.on("console", lambda message: logged.append(message.text))
    try:
        yield page
    finally:
        context.close()


def test_marks_made_in_a_file_are_downloaded_added_and_respected(window, tmp_path):
    run = run_of(tmp_path / "run", searched())
    page = opened(window, run)
    choose(page, 6)
    trajectory = page.locator('[data-scope="trajectory"]')
    trajectory.get_by_role("textbox").fill("guessed <b>")
    trajectory.get_by_role("button", name="bad").click()
    trajectory.get_by_role("combobox").select_option("2")
    expect(page.locator("#here")).to_contain_text("[bad 2]")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download 3 marks").click()
    download.value.save_as(tmp_path / "marks.jsonl")
    expect(page.locator("#download")).to_be_hidden()
    assert commands.run("engine view", run, "--import-marks", tmp_path / "marks.jsonl") == 0
    (kept,) = current_annotations(read_annotations(run / FILE))["t1"]
    assert (kept.node, kept.verdict, kept.score, kept.why) == (6, "bad", 2, "guessed <b>")
    assert commands.run("engine export", run, "--output", tmp_path / "o", "--exclude-marked") == 1
    assert rows_of(tmp_path / "o") == []
    choose(opened(window, run), 6)
    trajectory.get_by_role("button", name="clear").click()
    expect(page.locator("#here")).not_to_contain_text("bad")
    with page.expect_download():
        page.locator("#download").click()
