"""Worlds behind an address: OpenEnv's own server, and servers that misbehave."""

import json
import sys
from importlib import import_module, resources
from pathlib import Path
from typing import Any

import pytest

from environments import Action, ToolEnv, make
from environments.openenv.package import load
from sandbox.errors import SandboxError

pytestmark = pytest.mark.usefixtures("openenv")


def remote(url: str, folder: Path, *records: dict[str, Any], **options: Any) -> ToolEnv:
    file = folder / "tasks.jsonl"
    file.write_text("\n".join(map(json.dumps, records or [{"id": "one", "prompt": "Go."}])))
    return make("openenv", url=url, data=str(file), **options)


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The example environment of the package: what `openenv init` writes, its names filled in."""
    load("environments.openenv.remote")
    folder = tmp_path_factory.mktemp("openenv")
    names = {"__ENV_NAME__": "echo", "__ENV_CLASS_NAME__": "Echo", "__ENV_TITLE_NAME__": "Echo"}
    template = resources.files("openenv.cli") / "templates" / "openenv_env"
    for file in ("models.py", "server/__ENV_NAME___environment.py"):
        text = (template / file).read_text()
        for name, value in names.items():
            text, file = text.replace(name, value), file.replace(name, value)
        target = folder / "echo_package" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        (target.parent / "__init__.py").touch()
        target.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield import_module("echo_package.server.echo_environment")
    for module in [name for name in sys.modules if name.startswith("echo_package")]:
        del sys.modules[module]


def test_the_example_of_the_package_here_and_behind_its_own_server(
    echo: Any, tmp_path: Path
) -> None:
    servers = import_module("tests.support.openenv_servers")
    seen = []
    with servers.openenv_server(
        echo.EchoEnvironment, echo.EchoAction, echo.EchoObservation
    ) as address:
        name = "echo_package.server.echo_environment:EchoEnvironment"
        where = ({"environment": name}, {"url": address})
        for place in where:
            file = tmp_path / "tasks.jsonl"
            file.write_text('{"id": "one", "reset": {"seed": 1}}')
            env = make("openenv", data=str(file), finish=True, **place)
            try:
                env.reset(options={"task": env.tasks[0]})
                root = env.snapshot()
                first = env.step(Action("act", {"message": "hello"}))
                env.restore(root)
                again = env.step(Action("act", {"message": "hello"}))
                wrong = env.step(Action("act", {"messages": "hello"}))
                last = env.step(Action("finish", {}))
                tools = env.tools_of(env.tasks[0])
                seen.append((env.tasks, tools, first, again, wrong, last))
            finally:
                env.close()
    assert seen[0] == seen[1]
    tasks, _, first, again, wrong, last = seen[0]
    assert tasks[0].prompt == "echoed_message: Echo environment ready!\nmessage_length: 0"
    assert first == again and first[0] == "echoed_message: hello\nmessage_length: 5"
    assert wrong[4]["error"] == "bad_arguments" and last[:3] == ("finished", 0.5, True)


@pytest.mark.parametrize(
    ("kind", "trouble"),
    [
        ("hangs", "did not answer within 0.5 s"),
        ("flood", "more than 16 MB"),
        ("text", "does not answer as OpenEnv's servers do"),
        ("list", "does not answer as OpenEnv's servers do"),
        ("shape", "does not answer as OpenEnv's servers do"),
        ("error", "broken"),
        ("dies", "closed the connection"),
    ],
)
def test_what_a_bad_server_does_is_a_typed_failure(kind: str, trouble: str, tmp_path: Path) -> None:
    servers = import_module("tests.support.openenv_servers")
    with servers.bad_server(kind) as url:
        env = remote(url, tmp_path, seconds=0.5 if kind == "hangs" else 20.0)
        try:
            env.reset(options={"task": env.tasks[0]})
            with pytest.raises(SandboxError, match=trouble):
                env.step(Action("look", {}))
            env.reset(options={"task": env.tasks[0]})  # the next task goes on
        finally:
            env.close()


@pytest.mark.parametrize("url", ["html", "http://127.0.0.1:9", "http://no-such-host.invalid"])
def test_what_is_no_server_is_told(url: str, tmp_path: Path) -> None:
    servers = import_module("tests.support.openenv_servers")
    with servers.bad_server("html") as html:
        env = remote(html if url == "html" else url, tmp_path, seconds=2.0)
        with pytest.raises(SandboxError, match="Failed to connect"):
            assert env.tasks


def test_a_lost_connection_is_replaced_and_the_path_played_again(tmp_path: Path) -> None:
    worlds = import_module("tests.support.openenv_worlds")
    servers = import_module("tests.support.openenv_servers")
    with servers.openenv_server(worlds.Game, worlds.Guess, worlds.Seen) as url:
        env: Any = remote(url, tmp_path, {"id": "three", "reset": {"seed": 3}})
        try:
            env.reset(options={"task": env.tasks[0]})
            env.step(Action("act", {"number": 1}))
            env._connection._client._ws.transport.abort()
            assert env.step(Action("act", {"number": 0}))[0] == "guess 2 is wrong"
            assert env.step(Action("act", {"number": 101}))[4]["error"] == "refused"
            assert env.step(Action("act", {"number": 3}))[:3] == ("guess 4 is right", 1.0, True)
        finally:
            env.close()
