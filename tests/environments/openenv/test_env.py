"""OpenEnv's environments as worlds: tasks, tools, branches, rewards."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from environments import Action, DataError, ToolEnv, UnknownEnvironment, make
from environments.base import Snapshot
from environments.errors import BadOutcome
from environments.openenv.texts import mistake_in, observation_text, tools_from
from sandbox.errors import SandboxError, StateLost
from tests.support.commands import engine

WORLDS = "tests.support.openenv_worlds"
SOLVED = {
    "id": "three",
    "reset": {"seed": 3},
    "solution": [
        {"tool": "act", "arguments": {"number": 1}},
        {
            "tool": "act",
            "arguments": {"number": 3},
            "mistakes": [{"tool": "act", "arguments": {"number": 2}}],
        },
    ],
}


def local(name: str, **options: Any) -> ToolEnv:
    return make("openenv", environment=f"{WORLDS}:{name}", **options)


def guess(number: int) -> Action:
    return Action("act", {"number": number})


def data(folder: Path, *records: dict[str, Any]) -> str:
    file = folder / "tasks.jsonl"
    file.write_text("\n".join(map(json.dumps, records)))
    return str(file)


@pytest.mark.usefixtures("openenv")
def test_own_tasks_of_an_environment_and_their_branches() -> None:
    env = local("Game", least=-1.0)
    try:
        assert [task.id for task in env.tasks] == [f"guess-train-{n}" for n in range(3)]
        assert env.tasks[2].prompt == "Guess number 2." and env.tasks[2].group == "guess-train-2"
        assert [tool.name for tool in env.tools] == ["act", "give_up"]
        env.reset(options={"task": env.tasks[2]})
        root = env.snapshot()
        assert env.step(guess(1)) == ("guess 1 is wrong", 0, False, False, {"openenv_reward": -1})
        below = env.snapshot()
        assert env.step(guess(2))[:3] == ("guess 2 is right", 1.0, True)
        env.restore(root)
        assert env.step(guess(2))[:3] == ("guess 1 is right", 1.0, True)
        env.restore(below)
        assert env.step(guess(0))[0] == "guess 2 is wrong"
        assert env.step(Action("act", {"number": "two"}))[4]["error"] == "bad_arguments"
    finally:
        env.close()


@pytest.mark.usefixtures("openenv")
def test_the_law_over_the_tools_of_mcp(tmp_path: Path) -> None:
    env, chance = local("Calculator", data=data(tmp_path, {"prompt": "Go."})), random.Random(3)
    try:
        assert [tool.name for tool in env.tools_of(env.tasks[0])] == ["add", "half", "give_up"]
        env.reset(options={"task": env.tasks[0]})
        states: list[Snapshot] = [env.snapshot()]
        edges = []
        for _ in range(12):
            state = chance.choice(states)
            env.restore(state)
            adds = chance.random() < 0.6
            action = Action("add", {"number": chance.randrange(3)}) if adds else Action("half", {})
            edges.append((state, action, env.step(action)))
            states.append(env.snapshot())
        chance.shuffle(edges)
        for state, action, seen in edges:
            env.restore(state)
            assert env.step(action) == seen
        kinds = {seen[4].get("error") for _, _, seen in edges}
        assert kinds == {None, "execution_error"}
    finally:
        env.close()


@pytest.mark.usefixtures("openenv")
def test_the_demonstration_teacher_explores_tasks_with_solutions(tmp_path: Path) -> None:
    tasks = data(tmp_path, SOLVED, {**SOLVED, "id": "wrong", "reset": {"seed": 4}})
    flags = ["--env", "openenv", "--env-arg", f"environment={WORLDS}:Game", "--data", tasks]
    run = tmp_path / "run"
    done = engine(
        "explore", *flags, "--teacher", "demonstration", "--mistake-rate", "1", "--output", run
    )
    assert done.returncode == 0, done.stderr
    shown = [json.loads(line) for line in engine("show", run, "--json").stdout.splitlines()]
    texts = {tree["task"]["id"]: [node["observation"] for node in tree["nodes"]] for tree in shown}
    assert "guess 2 is wrong" in texts["three"] and "guess 3 is right" in texts["three"]
    found = engine("validate", *flags, "--quarantine", tmp_path / "quarantine.json", "--json")
    assert json.loads(found.stdout)["unsound"][0]["task"] == "wrong"


@pytest.mark.usefixtures("openenv")
def test_a_world_that_goes_another_way_is_a_lost_state(tmp_path: Path) -> None:
    env = local("Clock")
    try:
        env.reset(options={"task": env.tasks[0]})
        env.step(guess(1))
        state = env.snapshot()
        env.step(guess(1))
        with pytest.raises(StateLost, match="step 1 shows something else when it is played again"):
            env.restore(state)
    finally:
        env.close()


@pytest.mark.usefixtures("openenv")
def test_a_step_that_hangs_fails_in_time() -> None:
    env = local("Sleeper", seconds=0.2)
    try:
        env.reset(options={"task": env.tasks[0]})
        with pytest.raises(SandboxError, match="did not return within 0.2 s"):
            env.step(guess(1))
    finally:
        env.close()


@pytest.mark.usefixtures("openenv")
def test_finish_ends_what_never_ends(tmp_path: Path) -> None:
    env = local("Game", finish=True, reward="sum", least=-3.0, most=1.0)
    try:
        env.reset(options={"task": env.tasks[0]})
        env.step(guess(1))
        env.step(guess(2))
        assert env.step(Action("finish", {}))[:3] == ("finished", 0.25, True)
    finally:
        env.close()


@pytest.mark.parametrize(
    ("options", "rewards", "earned"),
    [
        ({}, [], 0.0),
        ({}, [1.0, 0.5], 0.5),
        ({}, [7], 1.0),
        ({"reward": "sum"}, [0.25, True, -1], 0.25),
        ({"least": -1.0}, [0], 0.5),
        ({"most": 10.0}, [-3, 2.5], 0.25),
    ],
)
def test_rewards_are_mapped_from_least_and_most(
    options: dict[str, Any], rewards: list[Any], earned: float
) -> None:
    env: Any = make("openenv", url="http://127.0.0.1:1", **options)
    assert env.earned(rewards) == earned
    with pytest.raises(BadOutcome, match="gave the reward 'high'"):
        env.earned([*rewards, "high"])


@pytest.mark.parametrize(
    ("observation", "text", "mistake"),
    [
        ({"text": "hello", "empty": None, "metadata": {"step": 1}}, "hello", ""),
        ({"board": [1, 2], "turn": "x", "clock": 7}, "board: [1, 2]\nturn: x", ""),
        ({"tool_name": "add", "result": "4", "error": None}, "4", ""),
        ({"tool_name": "add", "result": {"content": [{"type": "text", "text": "4"}]}}, "4", ""),
        ({"tool_name": "a", "result": {"sum": 4}}, '{"sum": 4}', ""),
        (
            {"tool_name": "a", "error": {"error_type": "timeout", "message": "too slow"}},
            "error: too slow",
            "timeout",
        ),
        ({"tool_name": "a", "result": "no", "metadata": {"error": "no_file"}}, "no", "no_file"),
    ],
)
def test_observations_are_texts(observation: dict[str, Any], text: str, mistake: str) -> None:
    assert observation_text(observation, {"clock"}) == text
    assert mistake_in(observation) == mistake


@pytest.mark.parametrize("bad", [{"name": 3}, {"name": "a", "input_schema": {"type": "nothing"}}])
def test_bad_tools_are_told(bad: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="tool"):
        tools_from([bad], finish=False)


@pytest.mark.parametrize(
    ("options", "trouble"),
    [
        ({}, "needs one of --env-arg url="),
        ({"url": "x", "environment": "y"}, "needs one of"),
        ({"url": "x", "least": 1.0}, "least=1 must be below most=1"),
        ({"url": "x", "seconds": 0.0}, "must be above 0"),
    ],
)
def test_wrong_options_are_told(options: dict[str, Any], trouble: str) -> None:
    with pytest.raises(UnknownEnvironment, match=trouble):
        make("openenv", **options)


@pytest.mark.usefixtures("openenv")
@pytest.mark.parametrize(
    ("name", "records", "split", "trouble"),
    [
        ("Game", [{"reset": 3}], None, "line 1: field 'reset' must be an object"),
        ("Game", [{"solution": [{"call": 1}]}], None, "a list of calls .tool, arguments."),
        ("Game", [{"id": "a", "split": "train"}], "test", "no task of split 'test'"),
        ("Game", None, "dev", "no split 'dev'; it has train, test"),
        ("Calculator", None, None, "names no tasks of its own"),
        ("Untyped", [{"id": "a"}], None, "name no class of actions"),
        ("Absent", None, None, "has no 'Absent'"),
    ],
)
def test_bad_tasks_and_classes_are_told(
    name: str, records: Any, split: str | None, trouble: str, tmp_path: Path
) -> None:
    given = data(tmp_path, *records) if records else None
    with pytest.raises((DataError, UnknownEnvironment), match=trouble):
        assert local(name, data=given, split=split).tasks
