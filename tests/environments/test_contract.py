"""The contract of `environments.base`: every registered world keeps it, and a breach is named."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from environments import Action, Outcome, Task, ToolEnv, make
from environments.extras import ExtraMissing
from environments.registry import ENTRY_POINTS, NAMESPACE
from environments.testing import ContractBroken, check_env
from tests.support import unsound_worlds as worlds
from tests.support.parts import missing

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "environments" / "sql" / "data"
EXAMPLE = "examples.keypad:KeypadEnv"
ELSEWHERE = ("bfcl", "browser", "harbor", "openenv")
"""Worlds whose own folders test the contract: they take long, or need a package or a server."""
NAMES = [*(name for name in ENTRY_POINTS if name not in ELSEWHERE), EXAMPLE]
OPTIONS = {"mcp": {"only": "git", "split": "train"}}
"""Of the servers of the bundled tasks, CI has one."""
WHOLE = ("webshop", EXAMPLE)
"""Worlds of which every task is held to the law, not 20 of them."""

FEW = {"mcp": 2, "os": 6}
"""Numbers of tasks of worlds that take long."""


@pytest.fixture(scope="session")
def spider_data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A few of the bundled tasks in Spider's layout."""
    folder = tmp_path_factory.mktemp("spider")
    records = json.loads((BUNDLED / "train.json").read_text())[::20]
    for record in records:
        database = Path(record["db_id"], f"{record['db_id']}.sqlite")
        target = folder / "database" / database
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(BUNDLED / "train_databases" / database, target)
    spider = [{"db_id": r["db_id"], "question": r["question"], "query": r["SQL"]} for r in records]
    (folder / "train_spider.json").write_text(json.dumps(spider))
    return str(folder)


@pytest.mark.parametrize("name", NAMES)
def test_every_world_keeps_the_contract(
    name: str, spider_data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    try:
        data = spider_data if name == "spider" else None
        env = make(name, data=data, **OPTIONS.get(name, {}))
    except ExtraMissing as error:
        missing(error.extra)
    assert len(env.instructions.split()) < 90 and len(env.tasks) > 1
    assert check_env(env, env.tasks if name in WHOLE else FEW.get(name, 20)) == []


@pytest.mark.parametrize("name", ["database", "python"])
def test_every_bundled_solution_earns_one(name: str) -> None:
    env = make(name)
    for task in env.tasks:
        env.reset(options={"task": task})
        *_, last = [env.step(action) for action in env.solution(task) or ()]
        assert last[1:3] == (1.0, True), task.id
    env.close()


def test_every_registered_name_is_known_to_gymnasium() -> None:
    assert {f"{NAMESPACE}/{name}-v0" for name in ENTRY_POINTS} <= set(gymnasium.registry)


class Waits(worlds.Basket):
    """An asynchronous world."""

    async def act(self, action: Action) -> Outcome:  # type: ignore[override]
        return super().act(action)


class Unsolved(worlds.Basket):
    def solution(self, task: Task) -> None:
        return None


class UnsolvedAndForgotten(Unsolved, worlds.Forgets):
    """Without solutions, its trees still show it."""


class Talks(worlds.Basket):
    def load_tasks(self) -> Sequence[Task]:
        return [replace(task, prompt=f"It is {task.secret}"[-8:]) for task in super().load_tasks()]


class Twins(worlds.Basket):
    def load_tasks(self) -> Sequence[Task]:
        return [*super().load_tasks(), super().load_tasks()[0]]


class Alone(worlds.Basket):
    def load_tasks(self) -> Sequence[Task]:
        return [replace(task, group="") for task in super().load_tasks()]


class Endless(worlds.Basket):
    tools = worlds.Basket.tools[:-1]


class Generous(worlds.Basket):
    def noop(self, task: Task) -> list[Action]:
        return self.solution(task) or []


class Early(worlds.Basket):
    def put(self) -> Outcome:
        return Outcome("x", 0.5)


class Wrong(worlds.Basket):
    def solution(self, task: Task) -> list[Action]:
        return [Action("weigh", {})]


class RightMistakes(worlds.Basket):
    def mistakes(self, task: Task, action: Action) -> list[Action]:
        return [action]


class OtherMistakes(worlds.Basket):
    asked = 0

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        self.asked += 1
        return [Action("put", {"numbers": [self.asked]})]


class ForgivesMistakes(worlds.Basket):
    """A second tool does as well as the right one."""

    tools = (*worlds.Basket.tools, replace(worlds.Basket.tools[1], name="guess"))

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        return [Action("guess", {})] if action.tool == "weigh" else []


class Steps(worlds.Basket):
    """It does without the copies and checks of the base class."""

    def step(self, action: Action) -> Any:
        if self._over:
            return "over", 0.0, True, False, {}
        return super().step(action)


class ChangesArguments(worlds.Basket):
    def step(self, action: Action) -> Any:
        returned = super().step(action)
        action.arguments.get("numbers", []).append(0)
        return returned


class FreesAll(worlds.Basket):
    """To free one snapshot empties the others."""

    def save(self) -> list[int]:
        self.saved = getattr(self, "saved", [])
        self.saved.append(list(self.numbers))
        return self.saved[-1]

    def free(self, state: list[int]) -> None:
        for each in self.saved:
            each.append(1)


BREACHES = [
    (Talks, "tasks: task 'sum-111': the prompt holds the secret 'sum'"),
    (Twins, "Twins.load_tasks returned two tasks with the id 'sum-111'"),
    (Alone, "tasks: task 'sum-111': group is empty"),
    (Endless, "tools: task 'sum-.*': GIVE_UP is not among them"),
    (Generous, "noop: task 'sum-.*': doing nothing earns 1.0"),
    (Early, "solution: task 'sum-.*': step 1 earns 0.5 before the end"),
    (Wrong, "solution: task 'sum-.*': it earns 0"),
    (RightMistakes, "mistakes: task .* is its own mistake"),
    (OtherMistakes, "mistakes: task .* has others the second time"),
    (ForgivesMistakes, "mistakes: task .* in place of the last step solves it"),
    (Steps, "the end: task .*: a task that is over takes another step"),
    (ChangesArguments, "arguments: task .*: playing changed the arguments"),
    (FreesAll, "release: task .*: after it, another snapshot's step 1"),
    (worlds.ChangesTheTask, "arguments: task .*: playing changed the task"),
    (worlds.Draws, "solution: task .*: differs between two plays: step 1"),
    (worlds.Forgets, "the law: task .*: after restore, .*; define save and load"),
    (worlds.ForgetsQuietly, "the law: task .*: after restore, .*; define save and load"),
    (worlds.SharesItsState, "the law: .*save returns the state itself"),
    (worlds.SharesTheSnapshot, "the law: .*load keeps the saved state itself"),
]


@pytest.mark.parametrize(("world", "words"), BREACHES)
def test_a_breach_is_named(world: type[ToolEnv], words: str) -> None:
    with pytest.raises(ContractBroken, match=f"^{world.__name__} breaks the contract, {words}"):
        check_env(world())


@pytest.mark.parametrize("world", [worlds.Basket, worlds.KeepsArguments, Waits])
def test_worlds_that_keep_it_pass(world: type[ToolEnv]) -> None:
    assert check_env(world(), seed=5) == []


def test_a_world_without_solutions_is_checked_as_far_as_that_goes() -> None:
    (told,) = check_env(Unsolved(), 2)
    assert told.startswith("2 of 2 tasks have no solution")
    with pytest.raises(ContractBroken, match="the law"):
        check_env(UnsolvedAndForgotten())
