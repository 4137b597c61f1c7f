"""Hard negatives: made of a world's tasks, checked by playing, reworded, exported as a share."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import environments
from engine.api import aexplore
from engine.export.export import ExportSettings, export_rows
from engine.export.filters import Counts
from engine.export.negatives import is_negative
from engine.make.asker import AskerSettings
from engine.make.negatives.check import fault
from engine.make.negatives.make import Negatives, NegativeSettings, Worlds, make_negatives, reword
from engine.runs.build_executor import RunBudget
from environments import Step, Task
from environments.demonstrable import gold_actions
from environments.negatives import SUFFIX, with_answer
from environments.plays import play
from environments.task_files import write_tasks
from tests.support.chat_server import ChatServer, Json
from tests.support.commands import run as engine_main
from tests.support.stored import answer, store, tree


@pytest.fixture(scope="module")
def kg() -> Iterator[Worlds]:
    with_them = environments.make(f"kg{SUFFIX}", split="train")
    worlds = Worlds("kg", environments.make("kg", split="train"), with_them)
    yield worlds
    worlds.base.close()
    worlds.world.close()


@pytest.fixture(scope="module")
def made(kg: Worlds) -> list[Task]:
    return make_negatives(kg, kg.base.tasks, NegativeSettings(n=9)).tasks


def solved(kg: Worlds, task: Task) -> list[Step]:
    (of,) = (each for each in kg.base.tasks if each.id == task.made["from"][0])
    return play(kg.base, of, gold_actions(kg.base, of))


@pytest.mark.parametrize("name", ["api", "search-qa", "webshop"])
def test_every_world_makes_negatives_of_its_own_tasks(name: str) -> None:
    worlds = Worlds(name, environments.make(name), environments.make(f"{name}{SUFFIX}"))
    found = make_negatives(worlds, worlds.base.tasks, NegativeSettings(n=6))
    kinds = {"talk": 3, "missing": 3} if name == "webshop" else dict.fromkeys(
        ("given", "talk", "missing"), 2
    )  # fmt: skip
    assert found.counts() == kinds, found.dropped
    for task in found.tasks:
        assert (task.split, task.tags["call"]) == (worlds.base.tasks[0].split, "none")
        assert task.tools and {tool.name for tool in task.tools} >= {"say", "give_up"}
        if task.tags["negative"] == "missing":
            assert len(task.tools) > 2  # it looks as if something could be done
    worlds.base.close()
    worlds.world.close()


def test_what_is_made_depends_on_the_seed_and_not_on_the_order(kg: Worlds) -> None:
    tasks, settings = list(kg.base.tasks)[:12], NegativeSettings(n=4)
    one, other, third = (
        [task.prompt for task in make_negatives(kg, given, settings, seed).tasks]
        for given, seed in ((tasks, 1), (tasks[::-1], 1), (tasks, 2))
    )
    assert one == other != third


def test_only_the_kinds_that_are_asked_for(kg: Worlds) -> None:
    settings = NegativeSettings(n=3, kinds=("missing",))
    found = make_negatives(kg, kg.base.tasks, settings)
    assert found.counts() == {"missing": 3}


def of_kind(made: list[Task], kind: str) -> Task:
    return next(task for task in made if task.tags["negative"] == kind)


def test_unsound_negatives_are_named(kg: Worlds, made: list[Task]) -> None:
    given, missing = of_kind(made, "given"), of_kind(made, "missing")
    steps = solved(kg, given)
    assert fault(kg.world, given, steps) == ""
    assert fault(kg.world, given, steps[:-1]) == "unsolved"
    assert fault(kg.world, replace(given, prompt="How many?"), steps) == "no answer in it"
    wrong = replace(given, secret={**given.secret, "reply": list("I do not know.")})
    assert fault(kg.world, wrong, steps) == "reply not right"
    known = replace(given, prompt="As you know.", secret={"reply": "I know"})
    vague = with_answer(known, "know", [])
    assert fault(kg.world, vague, steps) == "wrong is right"
    steps = solved(kg, missing)
    still_there = replace(missing, tools=kg.base.tools)
    assert fault(kg.world, still_there, steps) == "not refused"


def model(word: str = "{0}, please.", needs: str = "no") -> object:
    def brain(body: Json) -> Json:
        system, asked = (message["content"] for message in body["messages"])
        text = word.format(asked) if system.startswith("You write") else needs
        return {"role": "assistant", "content": text}

    return brain


@pytest.mark.parametrize(
    ("kind", "brain", "why"),
    [
        ("given", model(), ""),
        ("talk", model(), ""),
        ("missing", model(needs="Yes."), ""),
        ("given", model("Tell me."), "given: answer lost"),
        ("talk", model(needs="yes"), "talk: another sense"),
        ("missing", model(needs="no"), "missing: another sense"),
        ("talk", model(""), "talk: no new words"),
    ],
)
async def test_a_model_words_them_anew(
    made: list[Task], kind: str, brain: object, why: str, tmp_path: Path
) -> None:
    task = of_kind(made, kind)
    with ChatServer(brain) as server:  # type: ignore[arg-type]
        asking = AskerSettings(model="m", base_url=server.base_url)
        found = await reword(Negatives([task]), asking, RunBudget(), tmp_path / "out.jsonl")
    assert found.dropped == Counter([why] if why else [])
    if not why:
        (new,) = found.tasks
        assert new.prompt == f"{task.prompt}, please." and new.made["by"] == "m"
        assert len(new.made["replies"]) == 2


def negatives_run(folder: Path, number: int) -> Path:
    trees = [tree(f"n{each}", answer("no"), prompt=f"Hi {each}.") for each in range(number)]
    for each in trees:
        each.task = replace(each.task, made={"by": "rules", "how": "negative: talk"})
    return store(folder, trees)


@pytest.mark.parametrize(
    ("share", "others", "negatives", "kept"),
    [
        (0.2, 8, 6, 2),
        (0.5, 4, 6, 4),
        (0.2, 8, 1, 1),
        (0.0, 4, 3, 0),
        (1.0, 2, 3, 3),
        (0.2, 0, 3, 3),
    ],
)
def test_negatives_are_a_share_of_the_rows(
    share: float, others: int, negatives: int, kept: int, tmp_path: Path
) -> None:
    names = (tree(f"p{each}", answer("yes"), prompt=f"Do {each}.") for each in range(others))
    runs = [negatives_run(tmp_path / "n", negatives), store(tmp_path / "p", list(names))]
    counts, again = Counts(), Counts()
    rows = list(export_rows(runs, ExportSettings(negatives=share), counts))
    assert [is_negative(row) for row in rows] == [False] * others + [True] * kept
    assert (counts.rows, counts.dropped["too many negatives"]) == (others + kept, negatives - kept)
    assert rows == list(export_rows(runs, ExportSettings(negatives=share), again))
    other = [row["id"] for row in export_rows(runs, ExportSettings(negatives=share, seed=5))]
    assert len(other) == len(rows)


async def test_from_the_command_to_rows(kg: Worlds, made: list[Task], tmp_path: Path) -> None:
    file = tmp_path / "negatives.jsonl"
    write_tasks(file, made[:3], world=f"kg{SUFFIX}")
    run = await aexplore(
        f"kg{SUFFIX}", out=tmp_path / "run", task_file=file, mistake_rate=1.0, max_solutions=1
    )
    assert run.stats["solved"] == 3
    rows = list(export_rows([run.path], ExportSettings()))
    assert all(json.loads(row["made"])["task"]["how"].startswith("negative:") for row in rows)
    pairs = list(export_rows([run.path], ExportSettings("dpo")))
    assert {pair["rejected_reward"] for pair in pairs} == {0.0}


def test_the_command_writes_a_task_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "n.jsonl"
    how = ("--env", "search-qa", "--split", "train", "--n", "3", "--output", out, "--json")
    assert engine_main("engine", "make", "negatives", *how) == 0
    assert json.loads(capsys.readouterr().out)["negatives"] == 3
    assert len(out.read_text("utf-8").splitlines()) == 3
