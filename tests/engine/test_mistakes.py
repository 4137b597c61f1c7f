"""Each usual mistake of a world's author is one line, before a model is asked for anything."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from engine.api import explore_config
from engine.cli.env_flags import EnvChoice
from engine.config import Config
from engine.validate import examine_world
from tests.support.chat_server import ChatServer
from tests.support.commands import ROOT, engine
from tests.support.mistaken_worlds import MISTAKES, ONLY, SOUND, Mistake
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.options import EvalOptions
from treegraft.errors import TreegraftError


def validate(world: str, out: Path, url: str) -> None:
    choice = EnvChoice(env=world)
    with choice.open(None) as (env, tasks):
        assert examine_world(env, tasks, partial(choice.make, world), second=False) == []


def explore(world: str, out: Path, url: str) -> None:
    summary = explore_config(Config(env=world), out).summary
    assert summary.complete and summary.solved == 3


def evaluate_it(world: str, out: Path, url: str) -> None:
    evaluate(EvalOptions(env=world, model="m", base_url=url), out)


COMMANDS = {"validate": validate, "explore": explore, "eval": evaluate_it}


def written(folder: Path, mistake: Mistake) -> str:
    file = folder / "doors.py"
    file.write_text(mistake.source, "utf-8")
    return f"{file}:DoorEnv"


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with ChatServer(lambda request: "hello") as server:
        yield server


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(name: str, tmp_path: Path, server: ChatServer) -> None:
    world, out = written(tmp_path, MISTAKES[name]), tmp_path / "out"
    for command in ONLY.get(name, COMMANDS):
        with pytest.raises(TreegraftError) as told:
            COMMANDS[command](world, out, server.base_url)
        line = told.value.line
        assert MISTAKES[name].line in line and "\n" not in line, (command, line)
        assert "DoorEnv" in line and not out.exists() and not server.requests


@pytest.mark.parametrize("name", SOUND)
def test_what_is_no_mistake_passes(name: str, tmp_path: Path) -> None:
    world = written(tmp_path, SOUND[name])
    validate(world, tmp_path, "")
    explore(world, tmp_path / "out", "")


def test_the_commands_end_with_that_line_and_exit_code_2(tmp_path: Path) -> None:
    world = written(tmp_path, MISTAKES["act raises"])
    for command in ("validate", "explore"):
        done = engine(
            command, "--env", world, *["--output=r"][: command == "explore"], cwd=tmp_path
        )
        assert done.returncode == 2 and not done.stdout and not (tmp_path / "r").exists()
        (line,) = [each for each in done.stderr.splitlines() if not each.startswith("sandbox: ")]
        assert line.startswith("error: DoorEnv breaks the contract on task 'door-12': DoorEnv.act")


def test_the_page_tells_each_message() -> None:
    page = (ROOT / "docs" / "worlds" / "mistakes.md").read_text("utf-8")
    missing = [name for name, mistake in MISTAKES.items() if mistake.line not in page]
    assert not missing
