"""ALFWorld's games: read without the engine, played with it where it is installed."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from environments import Action, DataError, make
from environments.testing import check_env
from environments.textworld.games import read_games
from environments.textworld.mistakes import other_commands
from environments.textworld.pddl import names
from sandbox.errors import SandboxError
from tests.environments.textworld.house import WALKTHROUGH, game
from tests.support.parts import missing

TASK = "put_in_recep-Apple-None-Table-1"


def write(folder: Path, task: str, **changed: object) -> Path:
    file = folder / "valid_unseen" / task / "trial_T1" / "game.tw-pddl"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(game() | changed))
    return folder


@pytest.fixture
def engine() -> None:
    if find_spec("fast_downward") is None or find_spec("textworld") is None:
        missing("alfworld")


def test_a_file_of_alfworlds_is_a_game(tmp_path: Path) -> None:
    (found,) = read_games(write(tmp_path, TASK), strict=True)
    assert (found.name, found.kind) == (f"valid_unseen/{TASK}/trial_T1", "put_in_recep")
    assert (found.group, found.split) == (TASK, "valid_unseen")
    assert found.objective == (
        "You are in the middle of a room. Around you are: fridge 1, table 1, table 2.\n\n"
        "Your task is to: put the apple of the fridge on a table."
    )
    assert found.commands == "look, go to R, open R, take O from R, move O to R"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"solvable": False}, "cannot be solved, as the file says"),
        ({"grammar": None}, "needs the texts pddl_domain, pddl_problem, grammar"),
    ],
)
def test_a_bad_file_is_told(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_games(write(tmp_path, TASK, **changed), strict=False)


def test_things_are_numbered_as_alfworld_does() -> None:
    ids = ["cup_bar_a", "cup_bar_b", "sink_bar_a_bar_sinkbasin", "agent1", "a_minus_b"]
    assert list(names(ids).items()) == [
        ("a_minus_b", "a-b"),
        ("agent1", "agent1"),
        ("cup_bar_a", "cup 2"),
        ("cup_bar_b", "cup 1"),
        ("sink_bar_a_bar_sinkbasin", "sinkbasin 1"),
    ]
    assert other_commands("go to cup 1")[0] == "go to cup 2"


@pytest.mark.usefixtures("engine")
def test_it_is_played_and_keeps_the_contract(tmp_path: Path) -> None:
    env = make("textworld", data=str(write(write(tmp_path, TASK), "other-1")))
    env.reset(options={"task": env.tasks[0]})
    seen = [env.step(Action("do", {"command": each})) for each in ["take it", *WALKTHROUGH]]
    assert [step[0] for step in seen[:3]] == [
        "Nothing happens.",
        "You open the fridge 1. In it, you see a apple 2.",
        "You pick up the apple 2 from the fridge 1.",
    ]
    assert [step[1] for step in seen] == [0.0, 0.0, 0.0, 0.0, 1.0] and seen[-1][2]
    assert check_env(env, trees=2) == []


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("code", ["{__import__('os').getcwd()}", "{r.name.__class__}", "{r.x()}"])
def test_a_grammar_that_holds_code_is_not_played(tmp_path: Path, code: str) -> None:
    changed = game(**{"OpenObject.feedback": f"You open {code}."})
    env = make("textworld", data=str(write(tmp_path, TASK, **changed)))
    with pytest.raises(SandboxError, match="holds code"):
        env.reset(options={"task": env.tasks[0]})
    env.close()
