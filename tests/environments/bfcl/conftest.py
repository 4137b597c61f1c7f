"""The world `bfcl`, over the installed package."""

import importlib.util
from collections.abc import Iterator

import pytest

from environments import make
from environments.bfcl.env import BfclEnv
from tests.support.parts import missing


@pytest.fixture(scope="session", autouse=True)
def package() -> None:
    if importlib.util.find_spec("bfcl_eval") is None:
        missing("bfcl")


@pytest.fixture(scope="session")
def world() -> Iterator[BfclEnv]:
    """All 800 tasks."""
    made = make("bfcl", split="all", categories="all")
    assert isinstance(made, BfclEnv)
    yield made
    made.close()
