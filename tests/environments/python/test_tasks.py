"""The Python environment's tasks: solutions, mistakes, and the bundled ones."""

import json
from collections.abc import Iterator

import pytest

from engine.policies.demonstration import DemonstrationPolicy
from environments import Action, Task, ToolEnv, make
from search import Dfsdt
from tests.support.python_world import TASK, ImpatientEnv, start
from tests.support.searching import play


@pytest.fixture(scope="module")
def env() -> Iterator[ToolEnv]:
    made = ImpatientEnv()
    yield made
    made.close()


async def test_the_demonstration_teacher_fails_and_succeeds(env: ToolEnv) -> None:
    task = next(task for task in env.tasks if task.id == "counting-coins")
    teacher = DemonstrationPolicy(env, mistake_rate=1.0)
    tree = await play(Dfsdt, env, task, teacher)
    answers = [node.step for node in tree.nodes if node.step.action.tool == "answer"]
    assert tree.solved and answers[0].reward == 0.0 and answers[-1].reward == 1.0
    assert json.dumps([dict(step.info) for step in answers])


def test_solutions_look_and_try_before_they_answer(env: ToolEnv) -> None:
    by_id = {task.id: task for task in env.tasks}
    steps = env.solution(by_id["market-takings"])
    assert [step.tool for step in steps] == [
        "list_files",
        "read_file",
        "python",
        "run_tests",
        "answer",
    ]
    assert steps[2].arguments["code"].endswith("\n\ntakings('sales.csv', 'Mon')")
    steps = env.solution(by_id["kitchen-menus"])
    assert [step.tool for step in steps] == ["python", "answer"]


def test_mistakes_are_of_several_kinds_and_look_like_the_solution(env: ToolEnv) -> None:
    task = next(task for task in env.tasks if task.id == "sequences-peaks")
    right = env.solution(task)[-1]
    wrong = [str(action.arguments["code"]) for action in env.mistakes(task, right)]
    assert len(wrong) >= 3
    for code in wrong:
        changed = set(code.splitlines()) ^ set(str(right.arguments["code"]).splitlines())
        assert 1 <= len(changed) <= 3, changed


def test_an_edit_that_does_no_harm_is_no_mistake(env: ToolEnv) -> None:
    code = "def f(x):\n    spare = 7\n    while x < 0:\n        x = x + 0\n    return x * x\n"
    task = Task("harmless", "?", {**TASK.secret, "solution": code})
    wrong = [str(a.arguments["code"]) for a in env.mistakes(task, env.solution(task)[-1])]
    assert wrong and not any("spare = 6" in other for other in wrong)
    for other in wrong:
        start(env, task)
        assert env.step(Action("answer", {"code": other}))[1] == 0.0


def test_bundled_tasks_are_many_and_no_topic_is_in_both_splits() -> None:
    splits = {}
    for split in ("train", "test"):
        env = make("python", split=split)
        splits[split] = env.tasks
    assert len(splits["train"]) + len(splits["test"]) >= 80
    groups = [{task.group for task in tasks} for tasks in splits.values()]
    assert groups[0] and groups[1] and not groups[0] & groups[1]
    kinds = {("answer" in t.secret, "files" in t.details) for ts in splits.values() for t in ts}
    assert len(kinds) == 4


def test_the_bundled_files_are_what_their_sources_make() -> None:
    from environments.python.formats import BUNDLED
    from tools.bundled.python import __main__ as writer

    for split, text in writer.texts().items():
        assert (BUNDLED / f"{split}.jsonl").read_text("utf-8") == text
