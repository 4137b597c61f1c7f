"""The contract of `environments.base` in a real Chromium: a short task, as steps are slow."""

from pathlib import Path

from engine.api import explore
from environments import make
from environments.testing import check_env
from tests.support.browser import chromium


def test_the_browser_keeps_the_contract() -> None:
    chromium()
    env = make("browser")
    short = sorted(env.tasks, key=lambda task: len(env.solution(task) or ()))
    assert check_env(env, short[:1], trees=0) == []


def test_the_demonstration_teacher_explores_it(tmp_path: Path) -> None:
    chromium()
    tasks = ["museum-hours-1", "town-buses-0"]
    run = explore("browser", out=tmp_path / "run", tasks=tasks, mistake_rate=0.9, concurrency=1)
    assert run.stats["solved"] == 2
    assert any(len(list(tree.leaves())) > 1 for tree in run.values()), "a mistake was undone"
