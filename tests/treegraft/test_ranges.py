"""Every number that a command takes has a range, which is checked before anything is written."""

from pathlib import Path

import pytest

from engine.config import Config
from engine.errors import UsageError
from engine.runs.build_executor import RunBudget
from search import TaskBudget
from tests.support import commands
from tests.support.command_flags import Flag, all_flags, needed
from trainer.evaluation.options import EvalOptions
from trainer.serving.options import ServeOptions
from treegraft.ranges import out_of_range

NUMBERS = [flag for flag in all_flags() if flag.type in (int, float)]


def test_numbers_are_found_in_every_program() -> None:
    found = {flag.name for flag in NUMBERS}
    assert {"learning_rate", "temperature", "width", "budget_usd", "port", "older_than_days"} <= (
        found
    )
    assert len(NUMBERS) > 90


@pytest.mark.parametrize("flag", NUMBERS, ids=str)
def test_a_number_out_of_its_range_is_refused_before_anything_is_written(
    flag: Flag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    low, high = flag.low, flag.high
    assert low is not None or high is not None, f"{flag} states no range"
    wrong = [] if low is None else [str(low - 1)]
    wrong += [] if high is None else [str(high + 1)]
    wrong += ["nan", "inf"] if flag.type is float else []
    for value in wrong:
        code = commands.run(flag.command, *needed(flag.command, flag.name), *flag.given(value))
        told = capfd.readouterr().err
        assert code == 2 and "Traceback" not in told, (value, told)
        assert flag.spelled.lstrip("-") in told.replace("_", "-"), (value, told)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "bounds", "told"),
    [
        (float("nan"), {}, "must be a number"),
        (float("inf"), {"min": 0}, "must be a number, at least 0"),
        (float("-inf"), {"max": 0, "infinite": True}, ""),
        (float("nan"), {"max": 0, "infinite": True}, "must be a number, at most 0"),
        (0.0, {"above": 0, "max": 1}, "must be above 0"),
        (1.5, {"above": 0, "max": 1}, "must be at most 1"),
        (-1, {"min": 0}, "must be at least 0"),
        (2**63, {"min": 0}, "must be at most 9223372036854775807"),
        (True, {"min": 2}, ""),
        (None, {"min": 2}, ""),
        ("text", {"min": 2}, ""),
        (3, {"min": 3, "max": 3}, ""),
    ],
)
def test_what_is_out_of_range(value: object, bounds: dict[str, float], told: str) -> None:
    assert out_of_range(value, bounds) == told


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Config(env="bird", temperature=-2), "--temperature -2: must be at least 0"),
        (lambda: Config(env="bird", student_threshold=1, student="m@http://a/v1"), "at most 0"),
        (lambda: Config(env="bird", sampling={"top_p": 3}), "--sampling top_p 3: must be at most"),
        (lambda: RunBudget(usd=float("nan")), "--budget-usd nan"),
        (lambda: TaskBudget(tokens=-1), "--task-budget-tokens -1"),
        (lambda: EvalOptions(depth=0), "--depth 0"),
        (lambda: ServeOptions("m", port=70000), "--port 70000"),
    ],
)
def test_the_python_api_is_checked_too(make, told) -> None:
    with pytest.raises(UsageError, match=told):
        make()
