"""The options of environments: read from signatures and docstrings, converted from text."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from environments import Action, Outcome, Task, ToolEnv, UnknownEnvironment
from environments.registry import ENTRY_POINTS, options_of, parse_options


class TallEnv(ToolEnv):
    """A tower.

    Args:
        height: floors of the tower,
            counted from the ground.
        data: never shown here.
    """

    def __init__(self, *, height: int = 3, spire: float | None = None, **common: Any) -> None:
        super().__init__(**common)

    def load_tasks(self) -> Sequence[Task]:
        return []

    def act(self, action: Action) -> Outcome:
        return Outcome("")


class LitEnv(TallEnv):
    """A tower with lamps."""

    def __init__(
        self,
        lamps: bool,
        height: int = 4,
        colour: Literal["red", 2] = "red",
        plan: Path | None = None,
        name="x",
        **more: Any,
    ) -> None:
        """Light it.

        Args:
            lamps: whether they burn.
        """
        super().__init__(**more)


TALL, LIT = f"{__name__}:TallEnv", f"{__name__}:LitEnv"


def test_options_come_from_the_signatures_and_docstrings_along_the_mro():
    found = [(o.name, o.type, o.default, o.help) for o in options_of(LIT)]
    assert found == [
        ("lamps", "bool", inspect.Parameter.empty, "whether they burn."),
        ("height", "int", 4, ""),
        ("colour", "red | 2", "red", ""),
        ("plan", "Path | none", None, ""),
        ("name", "str", "x", ""),
        ("spire", "float | none", None, ""),
    ]
    (height, _) = options_of(TALL)
    assert height.help == "floors of the tower, counted from the ground."


@pytest.mark.parametrize("name", [*ENTRY_POINTS])
def test_every_option_of_a_registered_environment_says_what_it_is_for(name):
    options = options_of(name)
    assert all(
        option.help and not {"data", "split", "sandbox"} & {option.name} for option in options
    )
    expected = {
        "api": [],
        "bfcl": ["categories", "classes", "empty_turns"],
        "browser": [],
        "bird": ["schema"],
        "spider": ["schema"],
        "database": ["db"],
        "harbor": ["network", "seconds"],
        "kg": [],
        "search-qa": ["evidence"],
        "python": ["format", "partial"],
        "os": ["format", "scripts"],
        "openenv": ["url", "environment", "action", "hide", "seconds", "reward"]
        + ["least", "most", "finish"],
        "mcp": ["server", "state", "hidden", "programs", "only", "call_limit", "allow_network"],
        "textworld": ["kind"],
        "webshop": ["goals", "observation", "attributes"],
    }
    assert [option.name for option in options] == expected[name]


def test_text_becomes_the_annotated_type():
    given = ["lamps=true", "height=7", "colour=2", "plan=a=b", "spire=1e3", "name=5"]
    wanted = {"lamps": True, "height": 7, "colour": 2, "plan": Path("a=b"), "spire": 1e3}
    assert parse_options(LIT, given) == {**wanted, "name": "5"}
    assert parse_options(LIT, ["spire=none", "lamps=0"]) == {"spire": None, "lamps": False}
    assert parse_options("bird", []) == {}


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        (
            "bird",
            "colour=2",
            "--env-arg colour=2: bird has no option 'colour'; its options: schema",
        ),
        ("bird", "schema=all", "--env-arg schema=all: schema must be tools | prompt"),
        ("bird", "schema", "--env-arg schema: write it as key=value"),
        ("bird", "split=dev", "--env-arg split=dev: use the flag --split"),
        (LIT, "lamps=maybe", "--env-arg lamps=maybe: lamps must be bool"),
        (LIT, "height=", "--env-arg height=: height must be int"),
        (LIT, "colour=blue", "--env-arg colour=blue: colour must be red | 2"),
        (TALL, "spire=high", "--env-arg spire=high: spire must be float | none"),
        (
            "examples.keypad:KeypadEnv",
            "x=1",
            "--env-arg x=1: examples.keypad:KeypadEnv has no option 'x'; it has no options",
        ),
        (
            "moon",
            "x=1",
            f"no environment 'moon'; use one of {', '.join(ENTRY_POINTS)}",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(name, given, message):
    with pytest.raises(UnknownEnvironment) as refused:
        parse_options(name, [given])
    assert str(refused.value).startswith(message) and "\n" not in str(refused.value)
