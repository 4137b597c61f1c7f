"""Finding out why a task failed: errors in the tree, filters, search, links, phones, axe-core."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from engine.view.outcomes import outcome_sentence
from engine.view.reader import RunReader
from engine.view.static import write_page
from environments import Action, Step, Task
from search import ROOT, Tree
from tests.support.viewed import answer, grow, look, run_of, searched
from tests.support.viewer_page import choose, serious, window_on_pages


@pytest.fixture(scope="module")
def window() -> Iterator[Page]:
    with window_on_pages() as page:
        page.context.set_offline(True)
        yield page


def troubled(id: str = "t2") -> Tree:
    """An unknown tool on the way to a wrong answer, a cut path, and one that gave up."""
    task = Task(id, "Who is tall?", tags={"difficulty": "hard"})
    tree = Tree(task, "teacher-1", stopped="calls")
    unknown = Step(Action("fly", {}), "no tool is called fly\nmore", info={"error": "unknown_tool"})
    grow(tree, ROOT, unknown)
    grow(tree, 1, answer("SELECT 1", 0.5))
    grow(tree, 1, replace(look("zebra", "striped rows"), truncated=True, info={"cut": "depth"}))
    grow(tree, ROOT, replace(answer(""), info={"gave_up": True}))
    return tree


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tagged = searched()
    tagged.task = replace(tagged.task, tags={"difficulty": "easy"})
    run = run_of(tmp_path_factory.mktemp("finding") / "run", tagged, troubled())
    with RunReader.open(run) as reader:
        return write_page(run, run / "view.html", reader).file


def at(window: Page, file: Path, link: str = "") -> Page:
    window.goto("about:blank")
    window.goto(f"{file.as_uri()}{link}")
    expect(window.locator("#which")).not_to_be_empty()
    return window


def listed(page: Page) -> list[str | None]:
    return [row.get_attribute("data-task") for row in page.locator(".task").all()]


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        (searched(), "Solved by 1 of 4 ended paths; the first is node 6."),
        (
            troubled(),
            "Not solved: of 3 ended paths, 1 gave a wrong answer and 1 gave up and "
            "1 reached a limit (cut); the best reward was 0.5; 1 of 4 steps had an error, "
            "most often unknown_tool (1); the search stopped because the task had used all its "
            "calls.",
        ),
        (
            Tree(searched().task, stopped="budget"),
            "Not finished: no path came to an end; the search stopped because the run's budget "
            "was used up; the same command with a larger one goes on.",
        ),
    ],
)
def test_one_sentence_says_why_a_task_failed(tree, sentence):
    assert outcome_sentence(tree) == sentence


def test_errors_and_ends_stand_on_the_lines_and_can_be_jumped_to(window, file):
    page = at(window, file, "#task=t2")
    assert "Not solved: of 3 ended paths" in page.inner_text("#head")
    lines = [page.locator(f'[data-node="{n}"] text').text_content() or "" for n in range(5)]
    for line, says in zip(
        lines[1:],
        (
            "error unknown_tool: no tool is called fly ",
            "failed ",
            "cut by the depth limit",
            "gave up",
        ),
        strict=True,
    ):
        assert says in line
    shapes = [page.locator(f'[data-node="{n}"] .shape').get_attribute("class") for n in range(1, 5)]
    assert shapes == ["shape error inner", "shape failed", "shape cut", "shape gave_up"]
    page.get_by_role("button", name="First failure (4)").click()
    expect(page.locator("#here")).to_contain_text("node 1, fly · error unknown_tool · best below")
    page.keyboard.press("f")
    expect(page.locator(".node.here")).to_have_attribute("data-node", "2")


@pytest.mark.parametrize(
    ("field", "value", "tasks", "says"),
    [
        ("leaf", "failed", ["t1", "t2"], "2 of 2 tasks · 4 leaves"),
        ("leaf", "cut", ["t2"], "1 of 2 tasks · 1 leaf"),
        ("tool", "look", ["t1", "t2"], "2 of 2 tasks · 3 calls"),
        ("error", "unknown_tool", ["t2"], "1 of 2 tasks · 1 error"),
        ("tag", "difficulty: easy", ["t1"], "1 of 2 tasks"),
        ("from", "0.6", ["t1"], "1 of 2 tasks"),
        ("to", "0.6", ["t2"], "1 of 2 tasks"),
        ("search", "striped ZEBRA", ["t2"], "1 of 2 tasks"),
    ],
)
def test_a_link_opens_the_filtered_state(window, file, field, value, tasks, says):
    page = at(window, file)
    page.evaluate("document.getElementById('more').open = true")
    control = page.locator(f"#{field}")
    if control.evaluate("field => field.tagName") == "SELECT":
        control.select_option(value)
    else:
        control.fill(value)
    expect(page.locator("#found")).to_have_text(says)
    assert listed(page) == tasks
    link = page.url.partition("#")[2]
    at(page, file, f"#{link}")
    expect(page.locator("#found")).to_have_text(says)
    assert listed(page) == tasks and page.input_value(f"#{field}") == value


def test_a_link_opens_task_node_and_tab_and_found_nodes_are_marked(window, file):
    page = at(window, file, "#t1/5")  # as earlier versions wrote it
    expect(page.locator("#here")).to_contain_text("node 5")
    page.locator('[data-tab="charts"]').click()
    at(page, file, "#" + page.url.partition("#")[2])
    expect(page.locator('[aria-selected="true"][data-tab]')).to_have_text("Charts")
    at(page, file, "#task=t2&search=striped")
    found = page.locator(".node.found")
    expect(found).to_have_count(1)
    page.get_by_role("button", name="Next match (1)").click()
    expect(page.locator("#here")).to_contain_text("node 3")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_one_pane_and_axe_finds_nothing_serious(window, file, scheme):
    window.emulate_media(color_scheme=scheme)
    try:
        page = at(window, file, "#task=t2&node=1&leaf=cut")
        assert serious(page) == []
        page.locator('[data-tab="pairs"]').click()
        page.set_viewport_size({"width": 390, "height": 844})
        at(page, file, "#task=t1&node=4")
        sections = page.locator("section:visible")
        expect(sections).to_have_attribute("id", "tasks")
        assert serious(page) == []
        page.locator('[data-task="t2"]').click()
        expect(sections).to_have_attribute("id", "forest")
        assert serious(page) == []
        choose(page, 1)
        expect(sections).to_have_attribute("id", "side")
        assert serious(page) == []
        page.go_back()
        expect(sections).to_have_attribute("id", "forest")
        page.locator("#panes").get_by_role("button", name="Tasks").click()
        expect(sections).to_have_attribute("id", "tasks")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
    finally:
        page.set_viewport_size({"width": 1280, "height": 800})
