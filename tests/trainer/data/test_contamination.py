"""Held-out tasks are found in training rows, in whatever form; rows of other tasks pass."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

import environments
from engine.export.export import ExportSettings, export_rows
from engine.templates import NAMES, get
from engine.templates.base import Message, world_of
from tests.support.configs import make_config, run
from tests.support.rows import AGENT, PAIRS, write
from tests.support.stored import answer, store, tree
from trainer.data.contamination import (
    COMMON,
    HeldOut,
    HeldOutTask,
    Source,
    TrainingRow,
    bundled,
    read_held_out,
    to_leave_out,
)
from trainer.errors import TrainerError
from trainer.training import preference_trainer
from trainer.training.dpo import dpo
from trainer.training.kto import kto
from trainer.training.options import DpoOptions, KtoOptions, SftOptions, TrainingOptions
from trainer.training.run import open_model
from trainer.training.sft import gather, sft

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:transformers")

SHORT = "How many boats does the harbour own?"
LONG = (
    "List the names of all ferries that were built before 1990 and that still carry more than two "
    "hundred passengers across the bay every day in summer."
)
CHINESE = "".join(map(chr, range(0x8BF7, 0x8BF7 + 14)))
KNOWN = HeldOut(
    [Source("test.json", [HeldOutTask(text[:4], text) for text in (SHORT, LONG, CHINESE)])]
)


def rows(*conversations: Sequence[Message]) -> list[TrainingRow]:
    return [TrainingRow(n, "", messages) for n, messages in enumerate(conversations, 1)]


def user(content: str) -> list[Message]:
    return [{"role": "user", "content": content}, {"role": "assistant", "content": "Yes."}]


@pytest.mark.parametrize(
    ("content", "how"),
    [
        (SHORT, "the same prompt"),
        ("how MANY boats   does\nthe harbour own", "the same prompt"),
        (f"\n{SHORT}\nBegin!\n", "the same prompt"),
        (f"Answer the question.\nQuestion: {SHORT}\nThought:", "the same prompt"),
        ("How many boats does\nthe harbour own?\nDatabase: port", "the same prompt"),
        (f"Please do this: {LONG.upper()} Be brief.", "the same prompt"),
        (f"Hm. {LONG[20:-20]}", "13 words in a row: "),
        (f"Hm. {LONG.replace('two hundred', '200')} Be brief.", "13 words in a row: "),
        (f"\u4f60\u597d\uff0c{CHINESE}\u3002", "the same prompt"),
        (f"{SHORT} And how many cars?", ""),
        ("List the names of all ferries that were built before 1990", ""),
        ("How many boats?", ""),
    ],
)
def test_a_task_is_found_by_its_words(content: str, how: str) -> None:
    (found,) = list(KNOWN.find(rows(user(content))).values()) or [None]
    assert (found.how if found else "").startswith(how)
    assert bool(found) == bool(how)


def test_only_what_the_agent_was_told_is_a_sign() -> None:
    said: list[Message] = [
        *user("Hi."),
        {"role": "tool", "content": LONG},
        {"role": "assistant", "content": SHORT},
    ]
    assert not KNOWN.find(rows(said))
    told: Message = {"role": "system", "content": f"Your task: {LONG}"}
    assert list(KNOWN.find(rows(said, [told, *said], [*said, *user(LONG)]))) == [1, 2]


def test_words_of_a_template_are_no_sign() -> None:
    rules = "Look at the tables first and then answer with one query whose rows are the answer: "
    tasks = [HeldOutTask(str(n), f"{rules}number {n}, please") for n in range(2)]
    other = [user(f"{rules}item {n}, please") for n in range(COMMON + 1)]
    assert not HeldOut([Source("of two", tasks)]).find(rows(*other[:1]))
    alone = HeldOut([Source("of one", tasks[:1])])
    assert len(alone.find(rows(*other[:COMMON]))) == COMMON
    assert not alone.find(rows(*other)), "in more prompts than that"
    assert not HeldOut([Source("of one", tasks[:1], [rules])]).find(rows(*other[:1]))
    whole = rows(user(tasks[0].prompt), *other)
    assert list(HeldOut([Source("of two", tasks)]).find(whole)) == [0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lines.txt", f"Why?\n{LONG}\n"),
        ("bird.json", json.dumps([{"question_id": 7, "question": LONG, "db_id": "x"}])),
        ("task.jsonl", json.dumps({"task_id": "t/1", "prompt": LONG})),
        ("mbpp.jsonl", json.dumps({"task_id": 3, "text": LONG})),
        ("sft.jsonl", json.dumps({"id": "r/t/1", "messages": user(LONG), "tools": []})),
        ("dpo.jsonl", json.dumps({"prompt": user(LONG)[:1], "chosen": [], "rejected": []})),
        ("parquet.jsonl", json.dumps({"messages": json.dumps(user(LONG)), "tools": "[]"})),
        ("share.json", json.dumps([{"conversations": [{"from": "human", "value": LONG}]}])),
        ("alpaca.json", json.dumps([{"instruction": LONG, "input": "", "output": "3"}])),
        ("tasks.csv", f'question,gold\n"{LONG}",3\n'),
        ("bom.jsonl", "\ufeff" + json.dumps({"query": LONG, "query_id": 1}) + "\r\n"),
    ],
)
def test_held_out_tasks_come_in_files_of_any_kind(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    known = read_held_out([tmp_path / name], test_splits=False)
    (found,) = known.find(rows(user(LONG))).values()
    assert found.task.endswith(f"of {tmp_path / name}")


def test_held_out_tasks_come_in_parquet(tmp_path: Path) -> None:
    table = pyarrow.table({"question": [LONG], "db_id": ["x"]})
    pyarrow.parquet.write_table(table, tmp_path / "tasks.parquet")
    known = read_held_out([tmp_path / "tasks.parquet"], test_splits=False)
    assert len(known.find(rows(user(LONG)))) == 1


def test_a_run_is_held_out_by_its_tasks(tmp_path: Path) -> None:
    store(tmp_path / "run", [tree("t/9", answer("3"), prompt=LONG)])
    known = read_held_out([tmp_path / "run"], test_splits=False)
    assert next(iter(known.find(rows(user(LONG))).values())).task.startswith("t/9 of ")
    for place, reason in ((tmp_path / "no", "no such file or run"), (tmp_path, "no run in")):
        with pytest.raises(environments.errors.TreegraftError, match=reason):
            read_held_out([place], test_splits=False)


def test_every_bundled_test_task_is_found_in_every_template_and_no_train_task() -> None:
    known = read_held_out([], test_splits=True)
    assert len(known) == sum(len(source.tasks) for source in bundled()) > 150
    for name in ("bird", "database", "python", "webshop"):
        for split in ("train", "test"):
            env = environments.make(name, split=split)
            world = world_of(env)
            shown = [get(t).render(world, task, ()) for task in env.tasks for t in NAMES]
            env.close()
            found = known.find(rows(*shown))
            assert len(found) == (len(shown) if split == "test" else 0), (name, split)


@pytest.mark.parametrize(("env", "tasks"), [("bird", 2), ("python", 1), ("webshop", 2)])
def test_rows_of_demonstration_runs_pass(env: str, tasks: int, tmp_path: Path) -> None:
    """With all that the agent reads on its way; also against a run of the test split."""
    from engine.runs.run import Selection

    config = make_config(env=env, split="train", teacher="demonstration", template="react")
    run(config, tmp_path / "train", selection=Selection(limit=tasks))
    run(replace(config, split="test"), tmp_path / "test", selection=Selection(limit=tasks))
    known = read_held_out([tmp_path / "test"], test_splits=True)
    for split, leaks in (("train", False), ("test", True)):
        made = list(export_rows([tmp_path / split], ExportSettings()))
        assert made
        found = known.find(rows(*(row["messages"] for row in made)))
        assert len(found) == len(made) * leaks


def leaky(kind: str, folder: Path) -> tuple[type[TrainingOptions], dict[str, Any]]:
    """Three clean rows, and one that holds LONG; without the label `split`."""
    leak = [{"role": "user", "content": f"Please: {LONG}"}]
    if kind == "sft":
        made = [{"id": f"r/t{n}/1", "messages": m} for n, m in enumerate(AGENT[:3])]
        bad = {"id": "r/t9/1", "messages": [*leak, AGENT[0][1]]}
        return SftOptions, {"dataset": write(folder / "rows.jsonl", [*made, bad])}
    bad = {**PAIRS[0], "id": "r/t9/1", "prompt": leak}
    kinds = {"dpo": DpoOptions, "kto": KtoOptions}
    return kinds[kind], {"dataset": write(folder / "rows.jsonl", [*PAIRS, bad])}


@pytest.mark.parametrize(("kind", "command"), [("sft", sft), ("dpo", dpo), ("kto", kto)])
def test_training_refuses_or_drops_such_rows(
    kind: str, command: Any, tiny: Path, tmp_path: Path
) -> None:
    made, given = leaky(kind, tmp_path)
    held_out = tmp_path / "test.txt"
    held_out.write_text(f"{LONG}\n")
    options = made(model=str(tiny), output_dir=tmp_path / "out", held_out=held_out, **given)
    match = (
        r"rows.jsonl: [12] of .* --drop-held-out:\n  line 4 \(r/t9/1\): line 1 of .*test.txt: the"
    )
    with pytest.raises(TrainerError, match=match):
        command(options)
    assert not options.output_dir.exists()
    options = replace(options, drop_held_out=True, max_steps=1)
    found = command(options)
    assert found.dropped == {"holds a held-out task": 2 if kind == "kto" else 1}
    assert found.used == found.rows - sum(found.dropped.values())


def test_general_data_is_looked_at_and_eval_rows_are_not(tiny: Path, tmp_path: Path) -> None:
    options = SftOptions(
        model=str(tiny),
        dataset=[{"messages": messages} for messages in AGENT],
        output_dir=tmp_path / "out",
        held_out=[write(tmp_path / "test.jsonl", [{"question": SHORT}])],  # type: ignore[arg-type]
    )
    student, leak = open_model(options), [{"messages": user(SHORT)}]
    assert len(gather(replace(options, eval_dataset=leak), student).held_out) == 1
    with pytest.raises(TrainerError, match="1 of 1 rows hold held-out tasks"):
        gather(replace(options, general_data=leak), student)


def test_bundled_test_tasks_are_held_out_unless_the_user_allows_them(
    tiny: Path, tmp_path: Path
) -> None:
    task = next(source for source in bundled() if source.name.startswith("bird's")).tasks[0]
    options = DpoOptions(
        model=str(tiny),
        dataset=[{**PAIRS[0], "prompt": [{"role": "user", "content": task.prompt}]}],
        output_dir=tmp_path / "out",
    )
    student = open_model(options)
    read = preference_trainer.gather
    from trainer.data.preferences import read_pairs

    with pytest.raises(TrainerError, match=f"{task.id} of bird's test split: the same prompt"):
        read(options, student, read_pairs)
    assert read(replace(options, allow_test_split=True), student, read_pairs).train.rows


def test_the_list_is_short_and_counts_all() -> None:
    with pytest.raises(TrainerError) as refused:
        to_leave_out(KNOWN, rows(*[user(SHORT)] * 30), "rows.jsonl", drop=False)
    lines = str(refused.value).splitlines()
    assert lines[0].startswith("rows.jsonl: 30 of 30 rows hold held-out tasks")
    assert (len(lines), lines[-1]) == (22, "  and 10 more")
