"""Worlds with negatives: no call is right there, and the world's own tasks are as before."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

import environments
from environments import Action, Task, ToolEnv
from environments.demonstrable import gold_actions
from environments.negatives import RULE, declines, holds, negative, with_answer
from environments.plays import play
from environments.registry import names_of, options_of
from environments.testing import check_env
from environments.tools import SAY


@pytest.fixture(scope="module")
def world() -> Iterator[ToolEnv]:
    made = environments.make("kg+negatives")
    yield made
    made.close()


def say(text: str) -> Action:
    return Action(SAY.name, {"text": text})


LOOK = Action("get_relations", {"variable": "Poland"})


def made(world: ToolEnv, kind: str, answer: str = "") -> Task:
    task, tools = world.tasks[0], [] if kind == "missing" else world.tools_of(world.tasks[0])[:2]
    return with_answer(negative(task, kind, "Hi.", tools, "I cannot."), answer, [LOOK])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "answer", "action", "reward", "error"),
    [
        ("given", "New York", say("It is new york, as you say."), 1.0, None),
        ("given", "New York", say("It is Newark."), 0.0, None),
        ("given", "4", say("It is 42."), 0.0, None),
        ("talk", "", say("You are welcome."), 1.0, None),
        ("talk", "", say("  "), 0.0, None),
        ("missing", "", say("I have no tool for that."), 1.0, None),
        ("missing", "", say("The answer is 42."), 0.0, None),
        ("given", "4", LOOK, 0.0, None),
        ("missing", "", LOOK, 0.0, "unknown_tool"),
        ("talk", "", Action("give_up", {}), 0.0, None),
    ],
)
def test_the_first_thing_said_or_done_ends_a_negative(
    world: ToolEnv, kind: str, answer: str, action: Action, reward: float, error: str | None
) -> None:
    (step,) = play(world, made(world, kind, answer), [action])
    assert (step.reward, step.terminated, step.info.get("error")) == (reward, True, error)
    assert bool(step.info.get("false_call")) == (action == LOOK)


def test_a_reply_without_text_is_told_and_may_be_mended(world: ToolEnv) -> None:
    steps = play(world, made(world, "talk"), [Action(SAY.name, {}), say("Yes.")])
    assert [step.info.get("error") for step in steps] == ["bad_arguments", None]
    assert steps[-1].solved


def test_the_tasks_of_the_world_are_solved_as_before_and_not_by_words(world: ToolEnv) -> None:
    task = world.tasks[0]
    assert task.tags["call"] == "needed" and world.tools_of(task)[-2] is SAY
    assert play(world, task, gold_actions(world, task))[-1].solved
    assert play(world, task, [say("Poland.")])[-1].reward == 0.0
    assert world.instructions == environments.make("kg").instructions + RULE


def test_states_of_negatives_and_of_other_tasks_are_saved_side_by_side(world: ToolEnv) -> None:
    task, other = world.tasks[0], made(world, "given", "4")
    first = gold_actions(world, task)[0]
    world.reset(options={"task": task})
    seen, before = world.step(first), world.snapshot()
    world.reset(options={"task": other})
    start = world.snapshot()
    world.restore(before)
    assert world.step(first) == seen
    world.restore(start)
    assert world.step(say("4"))[1] == 1.0
    world.release(before)
    world.release(start)


def test_it_keeps_the_contract_of_environments() -> None:
    env = environments.make("kg+negatives")
    negatives = [made(env, kind) for kind in ("talk", "missing")]
    tasks = [replace(each, id=f"{n}") for n, each in enumerate([*negatives, *env.tasks[:2]])]
    env.__dict__["tasks"] = tasks
    check_env(env)
    env.close()


def test_names_and_options_are_those_of_the_base() -> None:
    assert [each.name for each in options_of("bird+negatives")] == ["schema"]
    assert names_of("kg+negatives")[:2] == ["kg+negatives", "kg"]
    env = environments.make("browser+negatives")
    assert env.asynchronous
    env.close()
    with pytest.raises(environments.UnknownEnvironment, match="no environment 'nowhere'"):
        environments.make("nowhere+negatives")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I can't do that.", True),
        ("I'm unable to.", True),
        ("None of my tools can do it.", True),
        ("Done.", False),
        ("Nothing is left of it.", False),
    ],
)
def test_declining(text: str, found: bool) -> None:
    assert declines(text) == found


def test_an_answer_is_held_as_whole_words() -> None:
    assert holds("It's 3.5 km.", "3.5") and not holds("It is 13.5 km.", "3.5")
