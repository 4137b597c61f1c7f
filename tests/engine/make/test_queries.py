"""Tasks in other words: made by rule or by a model, and checked before they are kept."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from engine.errors import UsageError
from engine.make.asker import AskerSettings
from engine.make.queries.checks import doubt
from engine.make.queries.make import MadeQueries, QuerySettings, make_queries
from engine.make.queries.rules import paraphrase, typos
from engine.runs.build_executor import RunBudget
from environments import Action, Outcome, Task, ToolEnv
from environments.task_files import read_tasks
from environments.tools import Tool, text_arguments
from tests.support.chat_server import ChatServer
from tests.support.commands import engine


class CapitalEnv(ToolEnv):
    """Answer with the name of a city; the grader also wants the prompt to name the country."""

    tools = (Tool("answer", "Answer.", text_arguments(text="the city")),)
    instructions = "Answer."

    def load_tasks(self) -> Sequence[Task]:
        countries = {"France": "Paris", "Kenya": "Nairobi", "Chile": "Santiago"}
        return [
            Task(
                country,
                f'What is the main city of "{country}" today?\nKind: capital_city',
                {"city": city},
                group=country,
                split="train",
            )
            for country, city in countries.items()
        ]

    def act(self, action: Action) -> Outcome:
        assert self.task is not None
        right = action.arguments["text"] == self.task.secret["city"]
        return Outcome(
            "done", float(right and self.task.group in self.task.prompt), terminated=True
        )

    def solution(self, task: Task) -> list[Action]:
        return [Action("answer", {"text": task.secret["city"]})]


FRANCE = CapitalEnv().tasks[0]


async def made(
    settings: QuerySettings, folder: Path, server: ChatServer | None = None, calls: int = 99
) -> MadeQueries:
    env = CapitalEnv()
    asking = AskerSettings()
    if server is not None:
        asking = AskerSettings(model="writer", base_url=server.base_url)
    budget = RunBudget(calls=calls)
    return await make_queries(env, env.tasks, settings, asking, budget, folder / "out.jsonl")


def writer(body: dict[str, Any]) -> str:
    """Answers in German, loses a value of Kenya, means something else in Chile."""
    system, user = (message["content"] for message in body["messages"])
    if "You compare" in system:
        return "They differ.\nSame: no" if "Chile" in user else "Yes.\nSame: yes"
    country = next(name for name in ("France", "Kenya", "Chile") if name in user)
    said = "Kenia" if country == "Kenya" else country
    return f'Was ist heute die wichtigste Stadt von "{said}"?\nKind: capital_city'


async def test_rules_make_tasks_that_keep_split_and_group(tmp_path: Path) -> None:
    one, two = await made(QuerySettings(n=6), tmp_path), await made(QuerySettings(n=6), tmp_path)
    assert one.tasks == two.tasks and not one.stopped and not one.left_out
    assert len({task.prompt for task in one.tasks} | {FRANCE.prompt}) == 7
    for task in one.tasks:
        how = task.made["how"]
        assert task.made == {"by": "rules", "how": how, "from": [task.group]}
        assert (task.id, task.split) == (f"{task.group}~{how}", "train")
    more = await made(QuerySettings(n=7), tmp_path)
    assert (len(more.tasks), more.stopped) == (6, "every task was reworded in every way")


async def test_a_model_is_checked_and_its_replies_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    settings = QuerySettings(n=3, how=("language:de",))
    with ChatServer(writer) as server:
        found = await made(settings, tmp_path, server)
        asked = len(server.requests)
        assert await made(settings, tmp_path, server) == found and len(server.requests) == asked
    assert found.left_out == {"a value is lost": 1, "another meaning": 1}
    (task,) = found.tasks
    assert (task.id, task.secret) == ("France~language-de", {"city": "Paris"})
    assert task.made["by"] == "writer" and len(task.made["replies"]) == 2
    assert task.prompt.startswith("Was ist heute")


async def test_a_spent_budget_keeps_what_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with ChatServer(writer) as server:
        found = await made(QuerySettings(n=3, how=("typos", "inverted")), tmp_path, server, 0)
    assert found.stopped == "the budget is spent" and len(found.tasks) == 2


async def test_a_way_that_needs_a_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--how inverted needs --model"):
        await made(QuerySettings(how=("typos", "inverted")), tmp_path)


@pytest.mark.parametrize("how", ["", "french", "language", "language:"])
def test_an_unknown_way_is_told(how: str) -> None:
    with pytest.raises(UsageError, match="--how"):
        QuerySettings(how=tuple(filter(None, [how])))


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        (FRANCE.prompt.replace("?", "? "), "unchanged"),
        (FRANCE.prompt.replace("capital_city", "city"), "a value is lost"),
        (FRANCE.prompt.replace("today", "today, Paris or not"), "tells the answer"),
        (FRANCE.prompt.replace("What is", "Name"), ""),
    ],
)
def test_what_is_wrong_with_a_new_prompt_is_told(prompt: str, why: str) -> None:
    assert doubt(CapitalEnv(), FRANCE, replace(FRANCE, prompt=prompt)) == why


def test_a_gold_that_does_not_solve_the_new_task_is_told() -> None:
    wrong = replace(FRANCE, prompt="Which main city?", secret={"city": "Rome"}, id="Italy")
    assert (
        doubt(CapitalEnv(), replace(wrong, prompt="Which?"), wrong) == "the gold does not solve it"
    )


def test_typos_and_frames_leave_values_alone() -> None:
    prompt = 'Find the weather of "long word" with run_sql in `my code`, at home.txt.\nHint: no'
    for seed in range(20):
        wrong = typos(prompt, Random(seed), {"weather"})
        assert wrong != prompt and "weather" in wrong
        for kept in ('"long word"', "run_sql", "`my code`", "home.txt", "\nHint: no"):
            assert kept in wrong and kept in paraphrase(prompt, Random(seed))
    framed = paraphrase("Question: Which city is it?", Random(0))
    assert framed.startswith("Question: ") and framed.lower().endswith("which city is it?")


def test_the_command_writes_a_task_file(tmp_path: Path) -> None:
    out, world = tmp_path / "tasks.jsonl", f"{__name__}:CapitalEnv"
    flags = ["--env", world, "--n", "2", "--how", "typos", "--output", str(out), "--json"]
    done = engine("make", "queries", *flags)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tasks"] == 2
    assert [task.made["how"] for task in read_tasks(out, worlds=[world])] == ["typos", "typos"]
