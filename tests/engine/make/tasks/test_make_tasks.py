"""Tasks that are made: by rules, by a model over a real server, and from gold answers."""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import environments
from engine.errors import UsageError
from engine.make.asker import AskerSettings
from engine.make.tasks.candidates import MadeTasks
from engine.make.tasks.make import TaskMaking, make_tasks
from engine.runs.build_executor import RunBudget
from environments import Task, ToolEnv
from environments.demonstrable import TRAJECTORY, gold_actions
from environments.plays import play
from environments.task_files import read_tasks
from environments.task_making import maker_of
from tests.support.chat_server import ChatServer, Json
from tests.support.commands import engine

RULE_MADE = AskerSettings()
PROGRAM = [["get_neighbors", "France", "capital"]]
KG = {"question": "Which are the capitals of France?", "program": PROGRAM}


async def made(
    env: ToolEnv, out: Path, asking: AskerSettings = RULE_MADE, **making: Any
) -> MadeTasks:
    return await make_tasks(env, TaskMaking(**making), asking, RunBudget(), out / "t.jsonl")


@pytest.mark.parametrize("world", ["bird", "kg", "webshop", "os"])
async def test_rules_make_tasks_that_can_be_solved_and_keep_the_split(
    world: str, tmp_path: Path
) -> None:
    groups = []
    for split in ("train", "test"):
        env = environments.make(world, split=split)
        found = await made(env, tmp_path, n=2)
        assert len(found.tasks) == 2
        for task in found.tasks:
            assert task.split == split
            assert dict(task.made) == {"by": "rules", "how": "rules"}
            assert play(env, task, gold_actions(env, task))[-1].solved
        groups.append({task.group for task in [*found.tasks, *env.tasks]})
        maker = maker_of(env)
        assert maker is not None
        first, again, other = (list(islice(maker.by_rules(seed), 3)) for seed in (0, 0, 1))
        assert first == again != other
        env.close()
    assert groups[0].isdisjoint(groups[1])


def react(tool: str, **arguments: str) -> str:
    return f"Thought: I go on.\nAction: {tool}\nAction Input: {json.dumps(arguments)}"


def author(written: str | Json, answer: str = "#0") -> Callable[[Json], str]:
    """A model that writes this as its task, and follows the capital of France as its solver."""

    def reply(body: Json) -> str:
        system: str = body["messages"][0]["content"]
        if system.startswith("You write tasks"):
            return written if isinstance(written, str) else json.dumps(written)
        turn: int = sum(message["role"] == "assistant" for message in body["messages"])
        calls = [
            react("get_neighbors", variable="France", relation="capital"),
            react("get_neighbors", variable="France", relation="currency"),
            react("answer", variable=answer),
        ]
        return calls[turn]

    return reply


@pytest.fixture
def kg() -> Iterator[ToolEnv]:
    env = environments.make("kg", split="train")
    yield env
    env.close()


def asking(server: ChatServer, **more: Any) -> AskerSettings:
    return AskerSettings(model="m", base_url=server.base_url, **more)


async def test_a_written_task_that_another_solves_is_kept(kg: ToolEnv, tmp_path: Path) -> None:
    fenced = f"Here it is:\n```json\n{json.dumps(KG)}\n```"
    for _ in range(2):
        with ChatServer(author(fenced)) as server:
            found = await made(kg, tmp_path, asking(server), how="self-instruct", n=1)
            asked = [body for body in server.requests if body.get("temperature") is not None]
    assert not found.rejected
    (task,) = found.tasks
    assert task.prompt.startswith(f"Question: {KG['question']}")
    assert (task.made["by"], task.made["how"]) == ("m", "self-instruct")
    assert set(task.made["from"]) <= {each.id for each in kg.tasks}
    assert len(task.made["replies"]) == 4
    assert json.dumps(PROGRAM) not in json.dumps(asked[1:])


@pytest.mark.parametrize(
    ("written", "answer", "reason"),
    [
        (KG, "#1", "disagreement"),
        ("I would rather not.", "#0", "malformed"),
        ({**KG, "program": [["fly", "France"]]}, "#0", "malformed"),
        ({**KG, "program": [["get_neighbors", "France", "sings"]]}, "#0", "malformed"),
        ({**KG, "question": "Is it Paris, the capital of France?"}, "#0", "leaked"),
    ],
)
async def test_a_bad_written_task_is_left_out_for_a_reason(
    written: str | Json, answer: str, reason: str, kg: ToolEnv, tmp_path: Path
) -> None:
    with ChatServer(author(written, answer)) as server:
        found = await made(kg, tmp_path, asking(server), how="self-instruct", n=1, tries=1)
    assert found.counts == {reason: 1}
    assert found.stopped


async def test_a_second_task_like_the_first_is_left_out(kg: ToolEnv, tmp_path: Path) -> None:
    with ChatServer(author(KG)) as server:
        settings = asking(server, concurrency=1)
        found = await made(kg, tmp_path, settings, how="self-instruct", n=2, tries=1)
    assert len(found.tasks) == 1
    assert sum(found.counts.values()) == 1
    assert found.counts.keys() <= {"duplicate", "similar"}


async def test_half_a_reply_and_a_spent_budget_make_nothing(kg: ToolEnv, tmp_path: Path) -> None:
    half = {"message": {"role": "assistant", "content": json.dumps(KG)}, "finish_reason": "length"}
    making = TaskMaking(how="self-instruct", n=1, tries=1)
    with ChatServer(lambda body: {"choices": [{"index": 0, **half}]}) as server:
        found = await make_tasks(kg, making, asking(server), RunBudget(), tmp_path / "a" / "t")
        assert found.counts == {"unanswered": 1}
    with ChatServer(author(KG)) as server:
        budget = RunBudget(calls=2)
        found = await make_tasks(kg, making, asking(server), budget, tmp_path / "b" / "t")
    assert (found.tasks, "budget is spent" in found.stopped) == ([], True)


async def test_gold_answers_become_tasks_with_trajectories(kg: ToolEnv, tmp_path: Path) -> None:
    found = await made(kg, tmp_path, how="derive", n=2)
    for task, source in zip(found.tasks, kg.tasks, strict=False):
        assert dict(task.made) == {"by": "rules", "how": "derive", "from": [source.id]}
        assert task.prompt == source.prompt
        assert json.loads(task.secret[TRAJECTORY])[-1][0] == "answer"
        assert gold_actions(kg, task) == kg.solution(source)


@pytest.mark.parametrize("answer", ["#0", "#1"])
async def test_a_model_solves_what_has_an_answer_and_no_solution(
    answer: str, kg: ToolEnv, tmp_path: Path
) -> None:
    secret = {"answers": ["Paris"]}
    prompt = "Question: Which is the capital of France?\nEntities: France"
    kg.task_source = lambda: [Task("a", prompt, secret, group="a")]
    assert (await made(kg, tmp_path, how="derive", n=1)).counts == {"unsolvable": 1}
    with ChatServer(author("", answer)) as server:
        found = await made(kg, tmp_path, asking(server), how="derive", n=1)
    if answer == "#1":
        assert found.counts == {"disagreement": 1}
        return
    (task,) = found.tasks
    assert (task.made["by"], task.made["from"], len(task.made["replies"])) == ("m", ["a"], 3)
    assert [step.tool for step in gold_actions(kg, task)] == [
        "get_neighbors",
        "get_neighbors",
        "answer",
    ]


@pytest.mark.parametrize(
    ("world", "model", "how", "says"),
    [
        ("python", "rules", "rules", "PythonEnv has no rules that make tasks"),
        ("kg", "m", "rules", "asks no model"),
        ("kg", "rules", "self-instruct", "name a --model"),
        ("database", "m", "self-instruct", "DatabaseEnv does not say what a model is to write"),
        ("kg", "rules", "magic", "--how is 'magic'; use one of rules, self-instruct, derive"),
    ],
)
async def test_what_cannot_be_made_is_said_at_once(
    world: str, model: str, how: str, says: str, tmp_path: Path
) -> None:
    env = environments.make(world)
    with pytest.raises(UsageError, match=says):
        await made(env, tmp_path, AskerSettings(model=model), how=how)
    env.close()


def test_the_command_makes_a_file_that_is_explored_and_exported(tmp_path: Path) -> None:
    flags = ("--env", "kg", "--n", 2, "--output", "t.jsonl", "--json")
    report = json.loads(engine("make", "tasks", *flags, cwd=tmp_path).stdout)
    assert (report["tasks"], report["wanted"], report["rejected"]) == (2, 2, {})
    more = ("--env", "kg", "--task-file", "t.jsonl", "--mistake-rate", 0, "--output", "run")
    assert engine("explore", *more, cwd=tmp_path).returncode == 0
    assert engine("export", "run", "--output", "rows.jsonl", cwd=tmp_path).returncode == 0
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert {json.loads(row["made"])["task"]["how"] for row in rows} == {"rules"}
    assert len(rows) == 2


def test_what_is_left_out_stands_beside_the_file(tmp_path: Path) -> None:
    flags = ("--env", "webshop", "--n", 1, "--tries", 40, "--output", "t.jsonl", "--json")
    done = engine("make", "tasks", *flags, cwd=tmp_path)
    report = json.loads(done.stdout)
    lines = [json.loads(line) for line in (tmp_path / "t.rejected.jsonl").read_text().splitlines()]
    assert report["rejected"] == {"ambiguous": len(lines)}
    assert lines
    assert "earns as much" in lines[0]["why"]
    assert len(read_tasks(tmp_path / "t.jsonl")) == 1
