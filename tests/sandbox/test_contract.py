"""The contract of `sandbox.protocol`, over our backends and one in another process."""

from collections.abc import Iterator

import pytest

from environments import make
from environments.plays import play
from sandbox.backends import BACKENDS
from sandbox.check import check, choose
from sandbox.errors import SandboxError
from sandbox.fork_backend import ForkedSandbox
from sandbox.protocol import Sandbox
from sandbox.testing import SandboxContract
from tests.support.loopback_forks import LoopbackForks
from tests.support.sandboxes import SMALL, sandbox

NAME = "tests.support.loopback_forks:LoopbackForks"


@pytest.fixture(scope="module", params=[*BACKENDS, "another process"])
def box(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    if request.param in BACKENDS:
        with sandbox(request.param) as made:
            yield made
    else:
        with ForkedSandbox(LoopbackForks, SMALL) as forked:
            yield forked


class TestEveryBackend(SandboxContract):
    """Those that a user's backend must pass, too."""


class Boasts(LoopbackForks):
    """It says that it confines, and does not."""

    confines = True


def test_a_backend_of_a_users_is_checked_and_chosen_by_its_name() -> None:
    assert choose(NAME).why == "its self-check passed; it confines nothing"
    assert check(NAME).works and check(NAME).branch_ms > 0
    boast = f"{__name__}:Boasts"
    with pytest.raises(SandboxError, match="breaks its promises: .*network closed"):
        choose(boast)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no-such", "no sandbox 'no-such'; use one of auto, .*, or module:Class"),
        ("no_such_module:X", "no sandbox 'no_such_module:X': No module"),
        ("sandbox.protocol:Quota", "not a subclass of sandbox.fork_backend.ForkBackend"),
    ],
)
def test_a_name_of_no_backend_is_told(name: str, words: str) -> None:
    with pytest.raises(SandboxError, match=words):
        choose(name)


def test_a_world_is_played_in_it_and_another_says_why_not() -> None:
    env = make("python", sandbox=NAME)
    try:
        task = env.tasks[0]
        assert play(env, task, env.solution(task) or [])[-1].solved
    finally:
        env.close()
    database = make("database", sandbox=NAME)
    with pytest.raises(SandboxError, match="runs worlds whose states are forked interpreters"):
        database.reset(options={"task": database.tasks[0]})
        database.step(database.solution(database.tasks[0])[0])  # type: ignore[index]
    database.close()
