"""The name of a sandbox is checked for every environment; where none is used, that is told."""

from pathlib import Path

import pytest

from engine.api import explore, explore_config
from engine.cli.env_flags import EnvChoice
from engine.runs.explore import Progress
from engine.runs.run import Selection
from engine.terminal import confirmed
from sandbox.check import VARIABLE
from sandbox.errors import SandboxError
from tests.support.configs import make_config

KEYPAD = "examples.keypad:KeypadEnv"
UNKNOWN = (
    "no sandbox 'nosuch'.*; use one of auto, docker, bubblewrap, landlock, process, "
    "or module:Class of your own$"
)


class Notes(Progress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.mark.parametrize("env", ["webshop", KEYPAD, "bird"])
def test_an_unknown_name_is_refused_before_any_folder_is_made(env: str, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=UNKNOWN):
        explore(env, out=tmp_path / "run", sandbox="nosuch", limit=1)
    assert not (tmp_path / "run").exists()
    with pytest.raises(SandboxError, match=UNKNOWN):
        confirmed("nosuch", unsafe=False)  # every command asks it


def test_an_unknown_name_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "nosuch")
    with pytest.raises(SandboxError, match=r"no sandbox 'nosuch' \(TREEGRAFT_SANDBOX\)"):
        make_config(KEYPAD)


@pytest.mark.parametrize(
    ("sandbox", "says"),
    [
        ("auto", f"sandbox: none ({KEYPAD} uses none)"),
        ("docker", f"--sandbox docker is not used: {KEYPAD} runs nothing of the agent's in a "),
    ],
)
def test_a_run_without_a_sandbox_says_so(sandbox: str, says: str, tmp_path: Path) -> None:
    progress = Notes()
    config = make_config(KEYPAD, sandbox=sandbox)
    explore_config(config, tmp_path, selection=Selection(limit=1), progress=progress)
    assert progress.notes[0].startswith(says)


@pytest.mark.parametrize(("sandbox", "told"), [("auto", False), ("landlock", True)])
def test_validate_and_bench_env_say_so_where_one_is_named(
    sandbox: str, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with EnvChoice(env=KEYPAD, sandbox=sandbox).open(1):
        pass
    assert ("--sandbox landlock is not used" in capsys.readouterr().err) is told
