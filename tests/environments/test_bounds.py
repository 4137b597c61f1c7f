"""Observations are bounded, in every environment, and say what was left out."""

from collections.abc import Sequence

import pytest

from engine.cli.env_flags import EnvFlags
from environments import Action, Outcome, Task, Tool, ToolEnv, UnknownEnvironment, make
from environments.bounds import cut, joined
from environments.registry import parse_options
from environments.tools import text_arguments

LONG = Tool("long", "Say much.", text_arguments(text="what"))


class TalkingEnv(ToolEnv):
    """An environment of a user's own, with an `__init__` of its own."""

    tools = (LONG,)

    def __init__(
        self, data: str | None = None, split: str | None = None, sandbox: str = ""
    ) -> None:
        super().__init__(data=data, split=split)

    def load_tasks(self) -> Sequence[Task]:
        return [Task("t", "Talk.")]

    def act(self, action: Action) -> Outcome:
        return Outcome(action.arguments["text"])


NAME = f"{__name__}:TalkingEnv"


@pytest.mark.parametrize(
    ("given", "most"), [({}, 8000), (parse_options(NAME, ["observation_chars=200"]), 200)]
)
def test_every_observation_is_bounded_and_the_same_on_replay(
    given: dict[str, int], most: int
) -> None:
    env = make(NAME, **given)
    env.reset(options={"task": env.tasks[0]})
    start, text = env.snapshot(), "é" * 65_119
    observation, *_ = env.step(Action("long", {"text": text}))
    assert len(observation) <= most
    shown, _, rest = observation.partition("\n... ")
    assert rest == f"{len(text) - len(shown):,} more characters"
    env.restore(start)
    assert env.step(Action("long", {"text": text}))[0] == observation
    wrong, *_ = env.step(Action("x" * 65_119, {}))
    assert len(wrong) <= most


def test_the_flag_and_the_option_are_one() -> None:
    assert EnvFlags(observation_chars=300).options("bird") == {"observation_chars": 300}
    assert EnvFlags(env_arg=("observation_chars=300",)).options("bird") == {
        "observation_chars": 300
    }
    with pytest.raises(UnknownEnvironment, match="from 100 on, not 5"):
        make("bird", observation_chars=5)


@pytest.mark.parametrize("most", [30, 100, 999, 1000])
def test_texts_and_lists_stay_within_their_bound(most: int) -> None:
    for length in (most - 1, most, most + 1, most + 3, 10 * most, 12_345):
        text = cut("x" * length, most)
        assert len(text) <= most and (length > most) == (" more character" in text)
        parts = ["name"] * (length // 4)
        text = joined(parts, most, "table", ", ")
        assert len(text) <= most
        left = int(text.rpartition("... ")[2].split()[0].replace(",", "")) if "..." in text else 0
        assert text.count("name") + left == len(parts)
