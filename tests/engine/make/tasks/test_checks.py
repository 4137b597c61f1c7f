"""Each check of a made task, with a defect that it must catch."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import pytest

import environments
from engine.make.tasks.candidates import REASONS
from engine.make.tasks.checks import Checks
from environments import Task, ToolEnv
from environments.os.tasks import task_from as os_task
from environments.python.formats import task_from as python_task
from environments.task_making import NotATask, Scene, maker_of
from environments.webshop.goals import goal_text

OPENED: list[ToolEnv] = []


@cache
def world(name: str) -> ToolEnv:
    OPENED.append(environments.make(name))
    return OPENED[-1]


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    yield
    for env in OPENED:
        env.close()
    OPENED.clear()
    world.cache_clear()


def checks(name: str, **more: Any) -> Checks:
    maker = maker_of(world(name))
    assert maker is not None
    return Checks(world(name), maker, **more)


def sql(question: str, query: str) -> Task:
    maker = maker_of(world("bird"))
    assert maker is not None
    return maker.written(Scene("", "town_library", "train"), {"question": question, "sql": query})


CAPITAL = ["get_neighbors", "France", "capital"]
SHEARS = ["safety lock", "one handed", "rotating handle", "sap groove"]


def with_program(task: Task, program: list[list[str]]) -> Task:
    return replace(task, secret={**task.secret, "program": [json.dumps(call) for call in program]})


def kg(question: str, *program: list[str]) -> Task:
    maker = maker_of(world("kg"))
    assert maker is not None
    return maker.written(Scene(""), {"question": question, "program": list(program)})


def files(prompt: str, command: str, **end: Any) -> Task:
    steps = [{"command": command}]
    record = {"id": "a", "prompt": prompt, "files": {"a.txt": "one\ntwo\n"}, "solution": steps}
    return os_task({**record, **end})


def shop(instruction: str, attributes: list[str], options: list[str]) -> Task:
    env = world("webshop")
    product = env.shop.products["T6BK20XD20"]  # type: ignore[attr-defined]
    goal = goal_text(product.asin, attributes, options, 40.0)
    return replace(env.tasks[0], secret={"goal": goal}, details={"instruction": instruction})


def function(tests: list[str]) -> Task:
    code = "def f(n: int) -> int:\n    return n * 3 if n > 10 else n + 1"
    prompt = "Triple numbers above 10, and add 1 to others.\nWrite the function `def f(n)`."
    return python_task({"id": "a", "prompt": prompt, "tests": tests, "solution": code})


Make = Callable[[], Task]
PEARLS = "What is the highest price of the books written in Italian?"
GOOD: dict[str, tuple[str, Make]] = {
    "sql": ("bird", lambda: sql("How many books are there?", "SELECT COUNT(*) FROM books")),
    "kg": ("kg", lambda: kg("What is the capital of France?", CAPITAL)),
    "question": ("os", lambda: files("How many lines has a.txt?", "wc -l < a.txt", answer=2)),
    "operation": (
        "os",
        lambda: files("Remove a.txt.", "rm a.txt", checks=[{"check": "absent", "path": "a.txt"}]),
    ),
    "shop": (
        "webshop",
        lambda: shop("red pruning shears: " + ", ".join(SHEARS), SHEARS, ["red"]),
    ),
    "function": ("python", lambda: function(["assert f(11) == 33", "assert f(10) == 11"])),
}  # fmt: skip

BAD: dict[str, tuple[str, str, Make]] = {
    "sql that fails": ("unsolvable", "bird", lambda: sql("How?", "SELECT x FROM books")),
    "sql without rows": (
        "unsolvable", "bird", lambda: sql("Which?", "SELECT title FROM books WHERE pages < 0")),
    "nothing but NULL": (
        "trivial", "bird",
        lambda: sql("How long?", "SELECT MAX(pages) FROM books WHERE pages < 0")),
    "a tie": (
        "ambiguous", "bird",
        lambda: sql("Which is the commonest language?",
                    "SELECT title FROM books ORDER BY language LIMIT 1")),
    "an idle condition": (
        "ambiguous", "bird",
        lambda: sql("How many books of more than no page are there?",
                    "SELECT COUNT(*) FROM books WHERE pages > 0")),
    "the gold query": (
        "leaked", "bird",
        lambda: sql("What does SELECT MAX(price) FROM books return?",
                    "SELECT MAX(price) FROM books")),
    "the answer in the prompt": (
        "leaked", "kg",
        lambda: kg("Is Paris the capital of France?", CAPITAL)),
    "an idle step": (
        "ambiguous", "kg",
        lambda: with_program(kg("Which?", CAPITAL), [
            CAPITAL, ["get_neighbors", "#0", "country"], ["get_neighbors", "#1", "capital"]])),
    "done before it begins": (
        "trivial", "os",
        lambda: files("Keep a.txt.", "ls", checks=[{"check": "text", "path": "a.txt",
                                                    "is_": "one\ntwo"}])),
    "another answer": (
        "ambiguous", "os",
        lambda: files("How many lines?", "wc -l < a.txt", answer=[2, 3], wrong_answers=["3"])),
    "an answer that is not printed": (
        "unsolvable", "os", lambda: files("How many lines?", "wc -l < a.txt", answer=3)),
    "another product": (
        "ambiguous", "webshop", lambda: shop("pruning shears, one handed", ["one handed"], [])),
    "weak tests": ("ambiguous", "python", lambda: function(["assert f(0) in (0, 1, 2, -1)"])),
    "wrong code": ("unsolvable", "python", lambda: function(["assert f(0) == 7"])),
    "a world that draws": (
        "unsound", "os", lambda: files("How many?", "date +%N; wc -l < a.txt", answer=2)),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_good_task_passes(name: str) -> None:
    of, make = GOOD[name]
    assert checks(of).doubt(make()) is None


@pytest.mark.parametrize("name", BAD)
def test_a_defect_is_caught(name: str) -> None:
    reason, of, make = BAD[name]
    found = checks(of).doubt(make())
    assert found is not None
    assert found.reason == reason, found.why
    assert reason in REASONS


def test_the_same_words_about_other_files_are_another_task() -> None:
    first, checked = files("How many lines?", "wc -l < a.txt", answer=2), checks("os")
    checked.know([first])
    duplicate = checked.doubt(replace(first, prompt=" how many  LINES?"))
    assert duplicate is not None
    assert duplicate.reason == "duplicate"
    other = {**first.details, "files": {"a.txt": "1\n2\n", "b.txt": ""}}
    assert checked.doubt(replace(first, details=other)) is None


@pytest.mark.parametrize(
    ("question", "similar"),
    [
        ("What is the highest price of the books that are written in French?", True),
        ("How many members live in Ashford?", False),
    ],
)
def test_a_question_like_an_earlier_one_is_similar(question: str, similar: bool) -> None:
    checked = checks("bird", most_alike=0.7)
    checked.know([sql(PEARLS, "SELECT 1")])
    query = "SELECT COUNT(*) FROM members WHERE town = 'Ashford'"
    found = checked.doubt(sql(question, query))
    assert (found is not None and found.reason == "similar") is similar


WRITTEN: dict[str, tuple[str, dict[str, Any], str]] = {
    "bird": ("bird", {"question": "How many?", "sql": "```sql\nSELECT 1;\n```"}, ""),
    "no statement": ("bird", {"question": "How many?", "sql": "none"}, "is no statement"),
    "no question": ("bird", {"sql": "SELECT 1"}, "'question' must be text"),
    "of the other split": (
        "kg", {"question": "Q", "program": [["get_neighbors", "Spain", "capital"],
                                            ["get_neighbors", "#0", "country"]]}, "of the split"),
    "no tool": ("kg", {"question": "Q", "program": [["fly", "Spain"]]}, "'program' must be"),
    "shop": (
        "webshop",
        {"instruction": "shears", "attributes": ["safety lock"], "options": ["red"], "price": 40},
        ""),
    "no such attribute": (
        "webshop", {"instruction": "shears", "attributes": ["edible"]}, "has no 'edible'"),
    "os": ("os", {"prompt": "P", "answer": 1, "solution": [{"command": "echo 1"}]}, ""),
    "no such check": (
        "os", {"prompt": "P", "checks": [{"check": "x"}], "solution": [{"command": "ls"}]},
        "'x' is not one of"),
    "no solution": ("os", {"prompt": "P", "answer": 1}, "no field 'solution'"),
    "python": ("python", {"prompt": "P", "tests": ["assert f()"], "solution": "def f(): pass"}, ""),
    "no Python": ("python", {"prompt": "P", "tests": ["assert f("], "solution": "f"}, "not Python"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_model_wrote_becomes_a_task_or_is_refused_in_words(name: str) -> None:
    of, fields, says = WRITTEN[name]
    maker = maker_of(world(of))
    assert maker is not None
    scene = maker.scene(Random(0))
    if of == "webshop":
        scene = replace(scene, group="T6BK20XD20")
    if says:
        with pytest.raises(NotATask, match=says):
            maker.written(scene, fields)
        return
    task = maker.written(scene, fields)
    assert task.split == "train"
    assert task.secret
    shown = maker.example(replace(task, details={"files": {"a": ""}, **task.details}))
    assert shown is not None
    assert shown.keys() >= fields.keys()
