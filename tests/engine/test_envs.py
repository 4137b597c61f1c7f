"""`engine envs`: all worlds in one table; a world without its packages is shown as such."""

import json

import pytest

import environments
from engine.env_table import env_row
from environments import UnknownEnvironment
from environments.extras import MODULES
from environments.registry import ENTRY_POINTS
from tests.support.commands import engine


def test_every_world_has_a_row() -> None:
    rows = json.loads(engine("envs", "--json").stdout)
    assert list(rows) == list(ENTRY_POINTS)
    assert rows["bird"]["tasks"] == {"train": 240, "test": 60}
    assert rows["spider"]["tasks"] is None
    assert all(row["branching"] for row in rows.values() if row["installed"])


def test_the_table_can_be_pasted_and_a_branch_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = {"webshop": ENTRY_POINTS["webshop"]}
    monkeypatch.setattr("engine.env_table.ENTRY_POINTS", shop)
    head, rule, row = engine("envs", "--measure").stdout.strip().splitlines()
    assert head.startswith("| world") and set(rule) <= set("|- ")
    *_, milliseconds, _ = row.split("|")
    assert row.startswith("| webshop") and float(milliseconds) > 0


@pytest.mark.parametrize(
    ("module", "class_extra"),
    [
        ("tests.engine.no_such_module:Env", ""),
        ("tests.support.counter_world:CounterEnv", "lacking"),
    ],
)
def test_a_world_whose_packages_are_missing_says_so_in_one_line(
    module: str, class_extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODULES, "lacking", ("no_such_module",))
    monkeypatch.setitem(ENTRY_POINTS, "lacking", module)
    if class_extra:
        monkeypatch.setattr(f"{module.replace(':', '.')}.extra", class_extra)
    with pytest.raises(UnknownEnvironment) as told:
        environments.make("lacking")
    assert str(told.value) == (
        "lacking needs packages that are not installed: pip install 'treegraft[lacking]'"
    )
    row = env_row("lacking", measured=True)
    assert (row.installed, row.extra, row.tasks) == (False, "lacking", None)
