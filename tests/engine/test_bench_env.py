"""`engine bench-env`: what it counts, and that it leaves the world as a search needs it."""

import json

import pytest

import environments
from engine.bench_env import OPERATIONS, measure
from environments import Action, Snapshot, ToolEnv
from environments.webshop.env import WebShopEnv
from sandbox.errors import StateLost
from tests.support.commands import engine


class Forgetful(WebShopEnv):
    """Loses every second snapshot that is asked for."""

    asked = 0

    def restore(self, snapshot: Snapshot) -> None:
        self.asked += 1
        if self.asked % 2:
            raise StateLost("gone")
        super().restore(snapshot)


@pytest.mark.parametrize("name", ["bird", "webshop"])
def test_every_operation_is_timed_at_every_state(name: str) -> None:
    env: ToolEnv = environments.make(name)
    tasks = env.tasks[:3]
    steps = sum(len(env.solution(task)) for task in tasks)
    costs = measure(env, tasks)
    counts = {name: len(found) for name, found in costs.seconds.items()}
    assert counts == dict.fromkeys(OPERATIONS, steps) | {"reset": 3}
    assert all(second > 0 for found in costs.seconds.values() for second in found)
    assert (costs.tasks, costs.lost) == (3, 0)
    env.close()


def test_lost_snapshots_are_counted_and_the_path_goes_on() -> None:
    env = Forgetful()
    (task,) = env.tasks[:1]
    path: list[Action] = env.solution(task)
    costs = measure(env, [task])
    assert costs.lost == (len(path) + 1) // 2
    assert len(costs.seconds["branch"]) == len(path) // 2
    assert len(costs.seconds["replay"]) == len(path)


def test_the_command() -> None:
    command = ["bench-env", "--limit", "2", "--env"]
    done = engine(*command, "webshop", "--json")
    found = json.loads(done.stdout)
    assert found["tasks"] == 2 and found["lost"] == 0
    assert 0 < found["branch"]["median_ms"] <= found["branch"]["slowest_ms"]
    shown = engine(*command, "webshop")
    assert shown.returncode == 0 and all(name in shown.stdout for name in OPERATIONS)
    wrong = engine(*command, "shop")
    assert wrong.returncode == 2 and len(wrong.stderr.strip().splitlines()) == 1
