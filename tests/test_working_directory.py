"""A user's own modules in the working directory replace none of ours."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAFE = (sys.executable, "-P", "-m", "engine")
SCRIPT = (str(Path(sys.executable).parent / "engine"),)
PLAIN = (sys.executable, "-m", "engine")


def own(folder: Path, *names: str) -> None:
    """Write modules of the user's that must not be imported."""
    for name in names:
        (folder / f"{name}.py").write_text("raise RuntimeError('a module of the user')\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with an environment, and modules named like our packages."""
    (tmp_path / "mine.py").write_text((ROOT / "examples" / "keypad.py").read_text())
    own(tmp_path, "search", "sandbox", "environments", "treegraft")
    return tmp_path


@pytest.mark.parametrize("executor", ["local", "processes --workers 2"])
@pytest.mark.parametrize("command", [SAFE, SCRIPT, PLAIN], ids=["safe", "script", "plain"])
def test_the_engine_explores_beside_modules_named_like_its_packages(folder, command, executor):
    if command != PLAIN:  # there, Python itself starts the user's engine.py
        own(folder, "engine", "trainer")
    flags = f"explore --env mine:KeypadEnv --split test --out r --json --executor {executor}"
    done = subprocess.run(
        [*command, *flags.split()], cwd=folder, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trees"] == 2


def test_the_trainer_starts_beside_them(folder):
    own(folder, "engine")
    done = subprocess.run(
        [sys.executable, "-m", "trainer", "eval", "--help"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
