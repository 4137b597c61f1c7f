"""Search QA: pages, grading, HotpotQA's file, the bundled questions, and the demonstration."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.policies.demonstration import DemonstrationPolicy
from engine.runs.fingerprints import contains_secret, fingerprints
from environments import Action, DataError, make
from environments.demonstrable import gold_actions
from environments.kg.generate import is_held_out
from environments.search_qa.data_files import BUNDLED
from environments.search_qa.env import SearchQaEnv
from environments.search_qa.grading import exact_match, f1
from search import Dfsdt
from tests.support.searching import play
from tools.bundled.search_qa.__main__ import texts

LONG_NAME = "The Free and Sovereign State of Nowhere"
HOTPOT: dict[str, Any] = {
    "_id": "5a8b",
    "question": "In which state lies the town where Ann was born?",
    "answer": LONG_NAME,
    "type": "bridge",
    "level": "hard",
    "supporting_facts": [["Ann", 4], ["Port Ann", 0], ["Missing", 1]],
    "context": [
        ["Ann", ["Ann is a painter.", " She paints.", " A.", " B.", " She was born in Port Ann."]],
        ["Port Ann", [f"Port Ann is a town in {LONG_NAME}.", " She is not from there."]],
        ["Ben", ["Ben is a painter."]],
    ],
}


def hotpot(folder: Path, *records: dict[str, Any]) -> SearchQaEnv:
    """The world over a file of HotpotQA's."""
    file = folder / "hotpot_dev_distractor_v1.json"
    file.write_text(json.dumps(records))
    return SearchQaEnv(data=str(file))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("answer", "gold", "exact", "partly"),
    [
        ("the Euro (EUR).", "Euro (EUR)", True, 1.0),
        ("1442271", "1,442,271", True, 1.0),
        ("Port of Ann", "Port Ann", False, 0.8),
        ("Ben", "Port Ann", False, 0.0),
        ("yes it is", "yes", False, 2 / 4),
        ("yes", "yes it is", False, 0.0),
        ("no", "yes", False, 0.0),
        ("", "Ann", False, 0.0),
    ],
)
def test_answers_are_compared_as_in_hotpotqa(
    answer: str, gold: str, exact: bool, partly: float
) -> None:
    if gold == "yes" and answer != "no":
        partly = 0.0  # an answer of yes or no is not right in part
    assert exact_match(answer, gold) == exact
    assert f1(answer, gold) == pytest.approx(partly)


def test_pages_are_searched_and_read(tmp_path: Path) -> None:
    env = hotpot(tmp_path, HOTPOT)
    env.reset(options={"task": env.tasks[0]})
    table = (
        ("lookup", "born", "error: no page is open; call search first", "no_page"),
        (
            "search",
            "a painter who paints",
            "Page: Ann\nAnn is a painter. She paints. A.\n(2 more sentences)\nOther pages: Ben",
            "",
        ),
        ("lookup", "ann", "(1 of 2) Ann is a painter.", ""),
        ("lookup", "Ann", "(2 of 2) She was born in Port Ann.", ""),
        ("lookup", "Ann", "no more sentences of Ann have 'Ann'", ""),
        ("lookup", "she", "(1 of 2) She paints.", ""),
        ("lookup", "zebra", "no sentence of Ann has 'zebra'", ""),
        ("lookup", " ", "error: the text to look up is empty", "bad_arguments"),
        ("search", "zebra", "error: no page has a word of 'zebra'", "nothing_found"),
        ("lookup", "she", "(2 of 2) She was born in Port Ann.", ""),
    )
    for tool, text, seen, error in table:
        name = "query" if tool == "search" else "text"
        observation, *_, info = env.step(Action(tool, {name: text}))
        assert (observation, info.get("error", "")) == (seen, error)
    assert env.step(Action("search", {"query": "port  ann"}))[0].startswith("Page: Port Ann\n")


def test_a_lookup_is_part_of_the_state(tmp_path: Path) -> None:
    env = hotpot(tmp_path, HOTPOT)
    env.reset(options={"task": env.tasks[0]})
    env.step(Action("search", {"query": "Ann"}))
    env.step(Action("lookup", {"text": "Ann"}))
    saved = env.snapshot()
    second = env.step(Action("lookup", {"text": "Ann"}))[0]
    env.step(Action("search", {"query": "Ben"}))
    env.restore(saved)
    assert (
        env.step(Action("lookup", {"text": "Ann"}))[0]
        == second
        == "(2 of 2) She was born in Port Ann."
    )


@pytest.mark.parametrize(
    ("evidence", "opened", "reward", "unread"),
    [(False, [], 1.0, None), (True, ["Ann"], 0.0, 1), (True, ["Ann", "Ben", "Port Ann"], 1.0, 0)],
)
def test_a_guess_earns_nothing_where_evidence_counts(
    evidence: bool, opened: list[str], reward: float, unread: int | None, tmp_path: Path
) -> None:
    """Of the pages that the answer follows from, one is not in the corpus."""
    env = SearchQaEnv(data=hotpot(tmp_path, HOTPOT).data, evidence=evidence)
    env.reset(options={"task": env.tasks[0]})
    for title in opened:
        env.step(Action("search", {"query": title}))
    saved = env.snapshot()
    env.step(Action("search", {"query": "Port Ann"}))
    env.restore(saved)
    _, earned, ended, _, info = env.step(Action("finish", {"answer": LONG_NAME}))
    assert (earned, ended, info.get("unread")) == (reward, True, unread)


def test_a_file_of_hotpotqa(tmp_path: Path) -> None:
    env = hotpot(tmp_path, HOTPOT)
    (task,) = env.tasks
    assert (task.id, task.tags, task.group) == (
        "5a8b",
        {"type": "bridge", "level": "hard"},
        "Ann & Missing & Port Ann",
    )
    page = f"{LONG_NAME}, of Port Ann. See also {LONG_NAME}."
    assert not contains_secret(page, fingerprints(task.secret, task.findable))
    steps = env.solution(task)
    assert [(each.tool, *each.arguments.values()) for each in steps] == [
        ("search", "Ann"),
        ("lookup", "born"),
        ("search", "Port Ann"),
        ("finish", LONG_NAME),
    ]
    env.reset(options={"task": task})
    rewards = [env.step(each)[1] for each in steps]
    assert rewards == [0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"answer": None}, "field 'answer' must be text"),
        ({"question": ""}, "field 'question' must be text"),
        ({"supporting_facts": [["Ann", "4"]]}, "pairs of a title and the number of a sentence"),
        ({"context": [["Ann", "text"]]}, "pairs of a title and a list of sentences"),
        ({"context": None}, "pairs of a title and a list of sentences"),
    ],
)
def test_bad_records_are_told(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    bad = HOTPOT | {"_id": "bad"} | change
    with pytest.raises(DataError, match=why):
        hotpot(tmp_path, bad).load_tasks()
    ids = [task.id for task in hotpot(tmp_path, bad, HOTPOT).load_tasks()]
    assert ids == (["bad", "5a8b"] if "context" in change else ["5a8b"])


def test_a_folder_with_pages_of_its_own(tmp_path: Path) -> None:
    asked = {key: value for key, value in HOTPOT.items() if key != "context"} | {"split": "test"}
    pages = [{"title": title, "sentences": text} for title, text in HOTPOT["context"]]
    (tmp_path / "questions.jsonl").write_text(json.dumps(asked))
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, [*pages, {"title": "x"}])))
    env = SearchQaEnv(data=str(tmp_path), split="test")
    assert len(env.corpus) == 3 and len(env.tasks) == 1
    with pytest.raises(DataError, match="no task of split 'train'; the splits there: test"):
        SearchQaEnv(data=str(tmp_path), split="train").load_tasks()


def test_the_bundled_files_are_what_their_sources_make() -> None:
    assert texts() == {path.name: path.read_text("utf-8") for path in BUNDLED.glob("*.jsonl")}


def test_no_form_and_no_named_entity_is_in_both_splits() -> None:
    splits = {split: make("search-qa", split=split) for split in ("train", "test")}
    assert len(splits["train"].tasks) >= 120 and len(splits["test"].tasks) >= 40
    groups = [{task.group for task in env.tasks} for env in splits.values()]
    assert groups[0] and groups[1] and not groups[0] & groups[1]
    for split, env in splits.items():
        assert {task.tags["type"] for task in env.tasks} == {"bridge", "comparison", "count"}
        for task in env.tasks:
            first = gold_actions(env, task)[0].arguments["query"]
            assert first in task.prompt and is_held_out(first) == (split == "test")


def test_mistakes_are_plausible_and_wrong() -> None:
    env = SearchQaEnv()
    by_kind = {task.tags["type"]: task for task in reversed(env.tasks)}
    for kind, task in by_kind.items():
        last = env.solution(task)[-1]
        answers = [each.arguments["answer"] for each in env.mistakes(task, last)]
        assert answers and not any(exact_match(each, last.arguments["answer"]) for each in answers)
        if kind == "count":
            right = int(last.arguments["answer"])
            assert answers[:2] == [str(right + 1), str(right - 1)]


async def test_the_teacher_solves_after_mistakes() -> None:
    env = SearchQaEnv()
    for task in env.tasks[:10]:
        tree = await play(Dfsdt, env, task, DemonstrationPolicy(env, mistake_rate=1.0))
        assert tree.solved, task.id


@pytest.mark.parametrize(
    "change",
    [
        {"context": []},
        {"context": HOTPOT["context"][:1] * 2},
        {"context": [["Ann", []], ["Port Ann", [""]]]},
        {"supporting_facts": [["Ann", 902], ["Missing", 0]]},
        {"supporting_facts": []},
        {"answer": "yes"},
        {"answer": "“Ünïcode” \ud83d 東京"},
        {"question": "\u202eWho\u0000?", "type": None, "level": ""},
    ],
)
def test_odd_records_of_hotpotqa_can_be_played(tmp_path: Path, change: dict[str, Any]) -> None:
    """HotpotQA has facts of sentences that are not there, for one."""
    env = hotpot(tmp_path, HOTPOT, HOTPOT | {"_id": "odd"} | change)
    task = next(task for task in env.tasks if task.id == "odd")
    env.reset(options={"task": task})
    steps = env.solution(task)
    assert [env.step(step)[1] for step in steps][-1] == 1.0
    assert all(step.key != wrong.key for step in steps for wrong in env.mistakes(task, step))


def test_environments_share_what_was_read(tmp_path: Path) -> None:
    env = hotpot(tmp_path, HOTPOT)
    other = SearchQaEnv(data=env.data)
    assert env.corpus is other.corpus
    hotpot(tmp_path, HOTPOT, HOTPOT | {"_id": "new"})
    assert len(SearchQaEnv(data=env.data).tasks) == 2
