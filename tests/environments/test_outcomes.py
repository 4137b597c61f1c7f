"""What an environment may return: a reward from 0 to 1, and facts that are JSON."""

from dataclasses import replace
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from engine.runs.store import Store
from environments import BadOutcome, Outcome, Task
from tests.support.configs import make_config, run
from tests.support.fakes import ArmsEnv, go


class BadArms(ArmsEnv):
    """Ends each task with the reward NaN."""

    outcome: Outcome = Outcome("the end", nan, terminated=True)

    def act(self, action: Any) -> Outcome:
        super().act(action)
        return self.outcome if len(self.path) == self.depth else Outcome("on")


def ended(outcome: Outcome) -> tuple[float, dict[str, Any]]:
    env = BadArms()
    env.outcome, env.depth = outcome, 1
    env.reset()
    _, reward, *_, info = env.step(go(1))
    return reward, info


@pytest.mark.parametrize("reward", [nan, inf, -inf, None, "1", -0.5, 1.5, "good", [1]])
def test_other_rewards_are_refused(reward: Any) -> None:
    with pytest.raises(BadOutcome, match=r"BadArms.act returned the reward .* from 0 to 1"):
        ended(Outcome("", reward, True))


@pytest.mark.parametrize(
    ("reward", "kept"), [(True, 1.0), (0, 0.0), (1 + 1e-12, 1.0), (0.1 + 0.2, 0.1 + 0.2)]
)
def test_a_sum_of_rewards_may_be_rounded(reward: float, kept: float) -> None:
    assert ended(Outcome("", reward, True, info={"x": [1, None]})) == (kept, {"x": [1, None]})


@pytest.mark.parametrize("value", [nan, {"deep": [inf]}, {1, 2}, b"x"])
def test_facts_that_are_not_json_are_refused(value: Any) -> None:
    with pytest.raises(BadOutcome, match=r"BadArms.act returned info that is not JSON"):
        ended(Outcome("", 0.0, True, info={"x": value}))


class BadOnce(BadArms):
    """Only its second task goes wrong."""

    def load_tasks(self) -> list[Task]:
        (arms,) = super().load_tasks()
        return [replace(arms, id="fine"), arms]

    def act(self, action: Any) -> Outcome:
        fine = self.task is not None and self.task.id == "fine"
        return ArmsEnv.act(self, action) if fine else super().act(action)


def test_it_fails_the_task_and_names_the_class(tmp_path: Path) -> None:
    run(make_config("tests.environments.test_outcomes:BadOnce", mistake_rate=0.0), tmp_path)
    with Store.open(tmp_path) as store:
        [(kind, words)] = store.failures().values()
    assert kind == "BadOutcome" and "BadOnce.act returned the reward nan" in words
