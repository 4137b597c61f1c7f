"""Held-out tasks are found in whatever form they come."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.templates import NAMES, get
from engine.templates.base import World
from environments import GIVE_UP, Task, Tool
from treegraft.rounds.held_out import HeldOut, check_rows, check_tasks, held_out, normalized
from treegraft.rounds.settings import TaskSettings
from treegraft.rounds.tasks import choose

LOOK = Tool("look", "Look.", {"type": "object", "properties": {}})
WORLD = World("Be brief.", (LOOK, GIVE_UP))
TRAIN = [
    Task("a/1", "How many books?\nDatabase: shop", group="shop", split="train"),
    Task("a/2", "Who wrote most?\nDatabase: shop", group="shop", split="train"),
]
TEST = [
    Task("b/1", "How many boats?\nDatabase: port", group="port", split="test"),
    Task("b/2", "How many?", group="lake", split="test"),
]


def known(test: Sequence[Task] = TEST, *, groups: bool = False, questions: bool = False) -> HeldOut:
    return held_out(test, TRAIN, groups=groups, questions=questions)


def row(task: Task, template: str = "react", **changed: object) -> dict[str, object]:
    """As `engine export --to sft` writes it."""
    messages = get(template).render(WORLD, task, ())
    said = {"role": "assistant", "content": "How many boats?\nDatabase: port"}
    origin = {"id": f"run/{task.id}/7", "split": task.split, "group": task.group}
    return {**origin, "messages": [*messages, said], **changed}


def write(folder: Path, *rows: dict[str, object]) -> Path:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    return file


@pytest.mark.parametrize("template", NAMES)
def test_rows_of_train_tasks_pass_and_each_sign_of_a_held_out_task_does_not(
    template: str, tmp_path: Path
) -> None:
    """What the agent itself wrote is no sign: it may say anything."""
    good = [row(task, template) for task in TRAIN]
    check_rows(known(), write(tmp_path, *good))
    disguise = {"id": "run/a/1/7", "split": "train", "group": "shop"}
    for task in TEST:
        signs = {
            "is the held-out task": {"id": f"run/{task.id}/3"},
            "is of the held-out split": {"split": task.split},
            "is of group": {"group": task.group},
        }
        for words, sign in signs.items():
            leak = row(TRAIN[0], template, **{**disguise, **sign})
            with pytest.raises(UsageError, match=f"line 3 {words}"):
                check_rows(known(), write(tmp_path, *good, leak))
        with pytest.raises(UsageError, match="line 1 asks what the held-out task b/"):
            check_rows(known(), write(tmp_path, row(task, template, **disguise)))


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.sampled_from(["one", "two", "Três", "4"]), min_size=1, max_size=5), st.data())
def test_a_question_is_known_by_its_words(
    tmp_path: Path, words: list[str], data: st.DataObject
) -> None:
    marks = st.text(" \t,.?!'\"", min_size=1, max_size=3)
    said = "".join(f"{word.upper()}{data.draw(marks)}" for word in words)
    test = [Task("t", " ".join(words), split="test")]
    disguised = row(Task("x", said), id="run/x/1", split="train")
    assert normalized(said) == normalized(" ".join(words))
    with pytest.raises(UsageError, match="asks what the held-out task t asks"):
        check_rows(known(test), write(tmp_path, disguised))
    longer = row(Task("x", f"{said} and no more"), id="run/x/1", split="train")
    check_rows(known(test), write(tmp_path, longer))


def test_a_pair_is_looked_at_too(tmp_path: Path) -> None:
    made = row(TEST[0], id="run/a/1/7", split="train", group="shop")
    prompt = made.pop("messages")
    pair = {**made, "prompt": prompt, "chosen": [], "rejected": []}
    with pytest.raises(UsageError, match="asks what the held-out task b/1 asks"):
        check_rows(known(), write(tmp_path, pair))


def test_a_part_of_a_held_out_question_is_a_sign(tmp_path: Path) -> None:
    words = "ferries that were built before 1990 and still carry more than two hundred people"
    test = [Task("b/7", f"Which are the {words} a day?", split="test")]
    leak = row(Task("x", f"Count {words}."), id="run/a/1/7", split="train", group="shop")
    with pytest.raises(UsageError, match="line 2 has 13 words in a row: .*b/7 of the held-out"):
        check_rows(known(test), write(tmp_path, row(TRAIN[0]), leak))
    check_rows(known(test, questions=True), write(tmp_path, leak))
    allowed = held_out(test, [Task("x", f"Count {words}.")], groups=False, questions=False)
    check_rows(allowed, write(tmp_path, leak))


def test_what_cannot_be_read_is_not_trained_on(tmp_path: Path) -> None:
    for line in ("{", "[]", '"x"'):
        (tmp_path / "rows.jsonl").write_text(line)
        with pytest.raises(UsageError, match="line 1 is not a row"):
            check_rows(known(), tmp_path / "rows.jsonl")
    with pytest.raises(UsageError, match="line 1 has no id"):
        check_rows(known(), write(tmp_path, {"messages": []}))


def test_groups_and_questions_may_be_shared_by_the_users_own_word(tmp_path: Path) -> None:
    twin = Task("b/3", TRAIN[0].prompt, group="shop", split="test")
    for groups, questions, words in (
        (False, False, "is of group 'shop'.*tasks.shared_groups = true"),
        (True, False, "asks what the held-out task b/3 asks.*tasks.shared_questions = true"),
    ):
        strict = known([twin], groups=groups, questions=questions)
        with pytest.raises(UsageError, match=words):
            check_tasks(strict, TRAIN)
        with pytest.raises(UsageError, match=words):
            check_rows(strict, write(tmp_path, row(TRAIN[0])))
    allowed = known([twin], groups=True, questions=True)
    check_tasks(allowed, TRAIN)
    check_rows(allowed, write(tmp_path, row(TRAIN[0])))
    with pytest.raises(UsageError, match="is the held-out task b/3"):
        check_tasks(allowed, [twin])


def test_one_split_for_both_sides(tmp_path: Path) -> None:
    """Where there is but one split, it says nothing of a row; the ids do."""
    chosen = choose(
        TaskSettings(
            env="bird",
            held_out="train",
            train_tasks="bird-train-0,bird-train-1",
            held_out_tasks="bird-train-3",
            shared_groups=True,
        )
    )
    assert chosen.known.split == ""
    check_rows(chosen.known, write(tmp_path, row(Task("bird-train-0", "?", split="train"))))
    with pytest.raises(UsageError, match="bird-train-1, a task to train on, is the held-out"):
        choose(
            TaskSettings(
                env="bird",
                held_out="train",
                train_limit=2,
                held_out_tasks="bird-train-1",
                shared_groups=True,
            )
        )
