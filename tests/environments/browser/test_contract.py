"""The contract of `environments.base`, in a real Chromium: few tasks, since each step is slow."""

from environments import make
from environments.testing import check_env
from tests.support.browser import chromium


def test_the_browser_keeps_the_contract() -> None:
    chromium()
    env = make("browser")
    one_of_each = {task.tags["site"]: task for task in reversed(env.tasks)}
    assert check_env(env, [*one_of_each.values()][:2], trees=1) == []
