"""Turns: how they end, how they are graded, and functions that the user adds later."""

import pytest

from benchmarks.bfcl_checker import compare
from engine.policies.demonstration import DemonstrationPolicy
from environments import SAY, Action, Task, make
from environments.bfcl.env import RIGHT, WRONG, BfclEnv
from search import Dfsdt
from tests.support.searching import play

HELD_OUT = "multi_turn_miss_func_0"  # "sort" is added in turn 3


def say(text: str = "Done.") -> Action:
    return Action(SAY.name, {"text": text})


def added(name: str, **arguments: object) -> Action:
    return Action("call_added_function", {"name": name, "arguments": arguments})


def task_of(world: BfclEnv, id: str) -> Task:
    return next(task for task in world.tasks if task.id == id)


def at_turn(world: BfclEnv, task: Task, turn: int) -> None:
    """Start `task`, and play its solution up to a turn."""
    world.reset(options={"task": task})
    for action in world.solution(task):
        if world.state.turn == turn:
            return
        world.step(action)


def test_verdicts_equal_those_of_the_package(world: BfclEnv) -> None:
    strict = make("bfcl", split="all", categories="all", empty_turns="say")
    assert isinstance(strict, BfclEnv)
    found = list(compare([world, strict], world.tasks[3::45]))
    assert len(found) > 200
    assert [each for each in found if bool(each.ours) != bool(each.original)] == []
    assert {"", "no_call", "state", "result"} <= {each.ours for each in found}


def test_a_task_ends_at_the_first_wrong_turn(world: BfclEnv) -> None:
    task = task_of(world, "multi_turn_base_0")
    world.reset(options={"task": task})
    assert world.step(say()) == (WRONG, 0.0, True, False, {"turn": 0, "wrong": "no_call"})
    world.reset(options={"task": task})
    world.step(Action("cd", {"folder": "document"}))
    _, reward, over, _, info = world.step(say())
    assert (reward, over) == (0.0, True)
    assert info == {"turn": 0, "wrong": "state", "where": "GorillaFileSystem.root"}
    at_turn(world, task, 2)
    world.step(Action("pwd", {}))
    assert world.step(say())[4] == {"turn": 2, "wrong": "result"}


def test_the_users_next_message_follows_and_the_last_turn_ends(world: BfclEnv) -> None:
    task = task_of(world, "multi_turn_base_0")
    world.reset(options={"task": task})
    seen = [world.step(action) for action in world.solution(task)]
    said = [each for each in seen if "turn" in each[4]]
    assert [each[0] for each in said] == [*task.details["asked"][1:], RIGHT]
    assert seen[-1][1:3] == (1.0, True)


def test_a_function_is_held_out_until_the_user_adds_it(world: BfclEnv) -> None:
    task = task_of(world, HELD_OUT)
    names = [tool.name for tool in world.tools_of(task)]
    assert "sort" not in names and "call_added_function" in names
    at_turn(world, task, 2)
    seen, *_, info = world.step(Action("sort", {"file_name": "final_report.pdf"}))
    assert info["error"] == "unknown_tool"
    seen, *_, info = world.step(added("sort", file_name="final_report.pdf"))
    assert (seen, info["error"]) == (
        "error: the user has added no functions yet",
        "unknown_tool",
    )
    message = world.step(say("I have no function for that."))[0]
    assert '"name": "sort"' in message and "What about now?" in message
    assert world.step(added("cp", source="a", destination="b"))[4]["error"] == "unknown_tool"
    assert world.step(added("sort", file=1))[4]["error"] == "bad_arguments"
    assert "sorted_content" in world.step(added("sort", file_name="final_report.pdf"))[0]
    assert world.step(say())[0] == task.details["asked"][4]


@pytest.mark.parametrize(("empty_turns", "over"), [("any", False), ("say", True)])
def test_a_turn_without_gold_calls(empty_turns: str, over: bool) -> None:
    world = make("bfcl", split="all", categories="miss_param", empty_turns=empty_turns)
    assert isinstance(world, BfclEnv)
    task = task_of(world, "multi_turn_miss_param_0")
    at_turn(world, task, 3)
    assert world.step(say("Which file?"))[0] == "The specific file is previous_report.pdf."
    at_turn(world, task, 3)
    world.step(Action("pwd", {}))
    assert world.step(say("Which file?"))[2] == over


def test_calls_that_could_take_hours_are_refused(world: BfclEnv) -> None:
    task = next(task for task in world.tasks if "MathAPI" in task.details["classes"])
    world.reset(options={"task": task})
    for name, arguments in (
        ("power", {"base": 9, "exponent": 10**9}),
        ("square_root", {"number": 2, "precision": 10**9}),
        ("round_number", {"number": 5, "decimal_places": -(10**9)}),
    ):
        assert world.step(Action(name, arguments))[4]["error"] == "bad_arguments"
    assert world.step(Action("power", {"base": 0.0, "exponent": -1}))[0].startswith(
        "Error during execution: "
    )


def test_a_folder_that_is_copied_into_itself_ends_nothing(world: BfclEnv) -> None:
    world.reset(options={"task": task_of(world, "multi_turn_base_0")})
    world.step(Action("mkdir", {"dir_name": "a"}))
    world.step(Action("cp", {"source": "a", "destination": "a"}))
    seen = world.step(Action("find", {}))[0]
    assert seen == "Error during execution: maximum recursion depth exceeded"
    world.restore(world.snapshot())
    assert world.step(say())[4]["wrong"] == "state"


def test_long_context_has_longer_files(world: BfclEnv) -> None:
    seen = []
    for category in ("base", "long_context"):
        at_turn(world, task_of(world, f"multi_turn_{category}_0"), 1)
        seen.append(world.step(Action("find", {}))[0])
    assert len(seen[1]) > 5 * len(seen[0])


async def test_the_demonstration_teacher_fails_and_succeeds(world: BfclEnv) -> None:
    task = task_of(world, HELD_OUT)
    tree = await play(Dfsdt, world, task, DemonstrationPolicy(world, mistake_rate=0.5), depth=40)
    ends = [node.step for node in tree.nodes if node.step.ended]
    assert tree.solved and {step.reward for step in ends} == {0.0, 1.0}
    assert {step.info.get("wrong") for step in ends} > {None}
