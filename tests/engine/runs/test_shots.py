"""Examples before a task: which are drawn, from what, and that a resumed run asks the same."""

import json
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.policies.shots import Shots, shows_secret
from engine.runs.run import Selection
from engine.runs.shots import read_shots
from engine.runs.store import Store
from environments import GIVE_UP, Action, Step, Task, Tool
from environments.types import Trajectory
from search import ROOT, Tree
from tests.engine.runs.test_searches import MANY, player
from tests.support.chat_server import ChatServer
from tests.support.configs import make_config, run
from tests.support.viewed import GOLD, answer, look, run_of

TOOLS = (Tool("look", "", {}), Tool("answer", "", {}), GIVE_UP)


def path(number: int, **task: str) -> Trajectory:
    shown = {"id": f"t{number}", "prompt": f"Question {number}?", "group": f"g{number}"} | task
    return Trajectory(Task(**shown), (look(f"a{number}"), answer(f"b{number}", 1.0)))


def solved(number: int, **task: str) -> Tree:
    one = path(number, **task)
    tree = Tree(one.task, "hand")
    tree.add(ROOT, answer("wrong"))
    at = tree.add(ROOT, one.steps[0]).id
    tree.add(at, one.steps[1])
    tree.add(tree.add(at, look("more")).id, answer("longer", 1.0))
    tree.add(ROOT, Step(Action.malformed("hm", "no call"), "error", 1.0, True))
    return tree


def test_the_draw_is_fixed_per_task_and_never_of_the_task_or_its_group():
    pool = [path(number) for number in range(30)]
    task = Task("t3", "Question 3?", {"sql": GOLD}, group="g3")
    pool += [path(91, group="g3"), path(92, prompt=" Question 3?"), path(93)]
    pool[-1] = Trajectory(pool[-1].task, (Step(Action("fly", {}), ""), pool[-1].steps[1]))
    pool.append(Trajectory(Task("t94", "?"), (answer(f"is {GOLD.lower()};", 1.0),)))
    drawn = Shots(40, tuple(pool)).of(task, TOOLS, shows_secret(task))
    assert sorted(one.task.id for one in drawn) == sorted(f"t{n}" for n in range(30) if n != 3)

    two = Shots(2, tuple(pool))
    again, other = (two.of(one, TOOLS, shows_secret(one)) for one in (task, Task("x", "Why?")))
    assert again == drawn[:2] != other and len(other) == 2
    assert Shots(2, tuple(pool), seed=1).of(task, TOOLS, shows_secret(task)) != again
    assert Shots(0, tuple(pool)).of(task, TOOLS, shows_secret(task)) == ()


def test_a_pool_is_the_shortest_solved_path_of_each_task_of_a_run(tmp_path):
    unsolved = Tree(Task("u", "?"), "hand")
    unsolved.add(ROOT, answer("wrong"))
    folder = run_of(tmp_path / "r", solved(2, split="train"), solved(1), unsolved)
    found = read_shots(2, str(folder), 7)
    assert [one.task.id for one in found.pool] == ["t1", "t2"] and found.seed == 7
    assert [step.action for step in found.pool[0].steps] == [s.action for s in path(1).steps]
    assert found.digest == read_shots(5, str(folder / "run.db"), 0).digest
    for split in ("test", "original-test"):
        other = run_of(tmp_path / split, solved(1), solved(2, split=split))
        with pytest.raises(UsageError, match="'t2' is of the test split"):
            read_shots(1, str(other), 0)
    with pytest.raises(UsageError, match="holds no solved path"):
        read_shots(1, str(run_of(tmp_path / "empty", unsolved)), 0)


STEPS = [{"tool": "look", "arguments": {"at": "a"}, "thought": "I look.", "observation": "rows"}]
CALLED = {
    "content": "I look.",
    "tool_calls": [{"function": {"name": "look", "arguments": '{"at": "a"}'}}],
}
ROW = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Why?"},
    {"role": "assistant", **CALLED},
    {"role": "tool", "content": "rows"},
]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ({"id": "t", "prompt": "Why?", "steps": STEPS}, ""),
        ({"id": "r/t/4", "messages": ROW, "split": "train"}, ""),
        ({"prompt": "Why?", "steps": []}, "line 1: field 'steps'"),
        ({"prompt": "Why?", "steps": [{"arguments": {}}]}, "line 1: a step needs a 'tool'"),
        ({"prompt": "Why?", "steps": [{"tool": "a", "arguments": 3}]}, "line 1: the 'arguments'"),
        ({"steps": STEPS}, "line 1: no field 'prompt'"),
        ({"messages": ROW[:2]}, "line 1: only rows of the template native"),
        ({"messages": 3}, "line 1: field 'messages'"),
        ({"id": "t", "prompt": "Why?", "steps": STEPS, "split": "test"}, "'t' is of the test"),
        ({"messages": ROW, "form": "few"}, "holds no solved path"),
    ],
)
def test_a_file_holds_steps_or_native_rows(tmp_path: Path, line, wrong):
    file = tmp_path / "shots.jsonl"
    file.write_text(json.dumps(line))
    if wrong:
        with pytest.raises(UsageError, match=f"^--shots-from .*{wrong}"):
            read_shots(1, str(file), 0)
        return
    [one] = read_shots(1, str(file), 0).pool
    assert (one.task.id, one.task.prompt) == ("t", "Why?")
    assert one.steps == (Step(Action("look", {"at": "a"}, "I look."), "rows"),)


def test_every_request_holds_the_examples_and_a_resumed_run_pays_nothing(tmp_path):
    pool = tmp_path / "shots.jsonl"
    steps = [{"tool": "go", "arguments": {"arm": 1}, "observation": "at (1,)"}]
    lines = [{"id": f"x{n}", "prompt": f"Example {n}", "steps": steps} for n in range(5)]
    pool.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    def shown(request: dict) -> list[str]:
        said = [m["content"] for m in request["messages"] if m["role"] == "user"]
        return [text for text in said if text.startswith("Example")]

    few = Selection(limit=3)
    how = {"search": "beam", "shots": 2, "shots_from": str(pool), "template": "hermes"}
    with ChatServer(player) as server:
        config = make_config(MANY, teacher="t", base_url=server.base_url, **how)
        run(config, tmp_path / "a", selection=few)
        paid = len(server.requests)
        assert {len(shown(request)) for request in server.requests} == {2}
        prompts = {tuple(shown(request)) for request in server.requests}
        assert len(prompts) > 1  # tasks have their own
        run(config, tmp_path / "b", selection=few)  # over the same journal
        assert len(server.requests) == paid
        pool.write_text(json.dumps(lines[0]))
        with pytest.raises(UsageError, match="--shots-from was 'sha256"):
            run(config, tmp_path / "a", selection=few)
    with Store.open(tmp_path / "a") as store:
        assert "Example" not in json.dumps([tree.task.prompt for tree in store.trees()])


@pytest.mark.parametrize(
    ("how", "wrong"),
    [
        ({"shots": 2}, "--shots needs --shots-from"),
        ({"shots_from": "a"}, "--shots-from is for --shots"),
        ({"shots": 1, "shots_from": "a", "teacher": "demonstration"}, "demonstration teacher"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(how, wrong):
    with pytest.raises(UsageError, match=wrong):
        make_config("bird", **{"teacher": "t", **how})
