"""Text adventures: the bundled games, what is refused, and a user's own story files."""

import json
import tarfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from environments import Action, DataError, make
from environments.textworld.env import TextWorldEnv
from environments.textworld.games import BUNDLED, Game, bundled
from environments.textworld.mistakes import other_commands
from tests.support.parts import missing


@pytest.fixture(autouse=True)
def jericho() -> None:
    if find_spec("jericho") is None:
        missing("textworld")


@pytest.fixture
def env():
    made = make("textworld")
    yield made
    made.close()


def do(env: TextWorldEnv, command: str) -> tuple[str, float, bool, str]:
    observation, reward, terminated, _, info = env.step(Action("do", {"command": command}))
    return observation, reward, terminated, info.get("error", "")


def game(kind: str) -> Game:
    return next(each for each in bundled() if each.kind == kind)


def test_splits_hold_other_games_of_every_kind() -> None:
    by_split = {split: make("textworld", split=split).tasks for split in ("train", "test")}
    train, test = by_split["train"], by_split["test"]
    assert len(train) + len(test) >= 40
    assert {task.tags["kind"] for task in train} == {task.tags["kind"] for task in test}
    assert not {task.group for task in train} & {task.group for task in test}
    assert not {task.prompt for task in train} & {task.prompt for task in test}


def test_the_prompt_is_the_objective_and_the_first_room(env: TextWorldEnv) -> None:
    for task in env.tasks:
        objective, *opening = task.prompt.split("\n\n")
        assert objective and any("-= " in part for part in opening)
        assert "$$" not in task.prompt and task.prompt.count(objective) == 1


def test_a_game_is_won_and_its_state_returns(env: TextWorldEnv) -> None:
    task = next(task for task in env.tasks if task.tags["kind"] == "quest")
    env.reset(options={"task": task})
    *before, last = [action.arguments["command"] for action in env.solution(task)]
    for command in before:
        observation, reward, ended, error = do(env, command)
        assert not (reward or ended or error) and ">" not in observation
    late = env.snapshot()
    for _ in range(2):
        observation, reward, ended, _ = do(env, last)
        assert (reward, ended) == (1.0, True) and "The End" in observation
        assert "RESTART" not in observation
        env.restore(late)


def test_a_game_can_be_lost(env: TextWorldEnv) -> None:
    task = next(task for task in env.tasks if task.tags["kind"] == "cooking")
    env.reset(options={"task": task})
    for action in env.solution(task):
        command = action.arguments["command"]
        if command == "prepare meal":
            break
        do(env, command)
    held = do(env, "inventory")[0]
    thing = held.rpartition(": ")[2].split(",")[0].split(" and ")[0].strip(" .")
    for article in ("a ", "an ", "some "):
        thing = thing.removeprefix(article)
    observation, reward, ended, _ = do(env, f"eat {thing}")
    assert (reward, ended) == (0.0, True) and "You lost" in observation


@pytest.mark.parametrize(
    "command",
    ["save", "RESTORE", "quit", "undo", "go west. quit", "look\ngo west", "go <b>", "é", " ", "q,"],
)
def test_commands_to_the_interpreter_are_refused(env: TextWorldEnv, command: str) -> None:
    env.reset(options={"task": env.tasks[0]})
    before = do(env, "look")[0]
    if command == "look\ngo west":  # one command: line ends are blanks
        assert do(env, command)[3] == ""
        return
    observation, reward, ended, error = do(env, command)
    assert error == "bad_command" and observation.startswith("error: ")
    assert not (reward or ended) and do(env, "look")[0] == before


@pytest.mark.parametrize(
    ("command", "first"),
    [
        ("go north", "go south"),
        ("take key from box", "examine key"),
        ("unlock box with key", "open box"),
        ("look", None),
        ("cook egg with stove", "eat egg"),
    ],
)
def test_mistakes_are_other_commands(command: str, first: str | None) -> None:
    others = other_commands(command)
    assert command not in others and len(set(others)) == len(others)
    assert others[:1] == ([first] if first else [])


def test_games_of_the_users_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    story = game("coin").story
    (tmp_path / "test").mkdir()
    (tmp_path / "a.z8").write_bytes(story)
    (tmp_path / "test" / "b.z8").write_bytes(story)
    walk = {"objective": "Find it.", "metadata": {"walkthrough": list(game("coin").walkthrough)}}
    (tmp_path / "test" / "b.json").write_text(json.dumps(walk))
    broken = {"cut.z8": story[:9000], "junk.z8": b"no story" * 20, "empty.z8": b""}
    broken["bits.z8"] = story[:5000] + b"\0\1\2\3" + story[5004:]
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "told.z8").write_bytes(story)
    (tmp_path / "told.json").write_text('["no game"]')
    env = make("textworld", data=str(tmp_path))
    assert [task.id for task in env.tasks] == ["a", "test/b"]
    for name in (*broken, "told.z8"):
        assert name in caplog.text
    own, with_json = env.tasks
    assert env.solution(own) is None and with_json.split == "test"
    env.reset(options={"task": with_json})
    assert [env.step(action)[1] for action in env.solution(with_json)][-1] == 1.0
    env.close()
    assert len(make("textworld", data=str(tmp_path), split="test").tasks) == 1
    assert len(make("textworld", data=str(tmp_path / "a.z8")).tasks) == 1
    strict = make("textworld", data=str(tmp_path))
    strict.strict = True
    with pytest.raises(DataError, match="strict refuses"):
        _ = strict.tasks
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no story file"):
        _ = make("textworld", data=str(tmp_path / "none")).tasks


def test_kinds_are_chosen(env: TextWorldEnv) -> None:
    assert {task.tags["kind"] for task in make("textworld", kind="coin, quest").tasks} == {
        "coin",
        "quest",
    }
    with pytest.raises(DataError, match="no game of split"):
        _ = make("textworld", kind="chess").tasks


def test_the_archive_holds_what_it_tells() -> None:
    with tarfile.open(BUNDLED) as archive:
        stories = {Path(name).stem for name in archive.getnames() if name.endswith(".z8")}
    assert stories == {each.name for each in bundled()}
