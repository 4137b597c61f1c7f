"""The options of an environment are flags of the commands that take `--env`."""

from pathlib import Path
from typing import Any

import pytest

from engine.cli.lazy import load
from treegraft.commands import ENGINE, TRAINER

COMMANDS = ENGINE | TRAINER


def parsed(name: str, args: list[str]) -> dict[str, Any]:
    return load(name, COMMANDS[name][0]).make_context(name, args).params


MCP, OUTPUT = ["--env", "mcp"], ["--output", "runs/a"]


@pytest.mark.parametrize(
    ("name", "args", "env_arg"),
    [
        ("validate", [*MCP, "--server", "a b --c"], ["server=a b --c"]),
        ("bench-env", ["--server=x", "--env=mcp", "--limit", "2"], ["server=x"]),
        (
            "explore",
            [*MCP, *OUTPUT, "--call-limit", "5", "--env-arg", "only=git"],
            ["call_limit=5", "only=git"],
        ),
        ("explore", [*MCP, *OUTPUT, "--call_limit=5", "--allow-network"], 2),
        ("validate", [*MCP, "--allow-network", "no"], ["allow_network=no"]),
        ("serve-env", ["mcp", "--state", "fork", "--split", "test"], ["state=fork"]),
        ("eval", ["--model", "m", *MCP, "--only", "git"], ["only=git"]),
        # The command's own flag, even where the environment has an option of that name.
        ("explore", ["--env", "bird", *OUTPUT, "--schema", "prompt"], []),
    ],
)
def test_an_option_of_the_environment_is_a_flag(name: str, args: list[str], env_arg: Any) -> None:
    found = parsed(name, args)["env_arg"]
    assert found == env_arg or len(found) == env_arg


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("validate", [*MCP, "--servr", "x"]),
        ("validate", ["--env", "bird", "--server", "x"]),
        ("validate", ["--env", "nowhere", "--server", "x"]),
        ("validate", ["--server", "x"]),
        ("eval", ["--env", "bird,mcp", "--server", "x"]),
        ("doctor", [*MCP, "--server", "x"]),
    ],
)
def test_what_is_neither_is_refused(name: str, args: list[str]) -> None:
    with pytest.raises(Exception, match="No such option: --(server|servr|env)"):
        parsed(name, args)


def test_a_config_file_names_the_environment(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("env = 'mcp'\noutput = 'runs/a'\n")
    found = parsed("explore", [f"--config={tmp_path / 'run.toml'}", "--server", "x"])
    assert (found["env"], found["env_arg"]) == ("mcp", ["server=x"])
