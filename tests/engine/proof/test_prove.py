"""Each cheater catches its world, and each check fails when it must."""

from functools import partial
from pathlib import Path

import pytest

import environments
from engine.proof.panel import ABOUT
from engine.proof.prove import Check, prove
from engine.proof.trial import Bench, endings_of, try_task
from engine.proof.trials import TrialFailed, trials
from engine.runs.fingerprints import fingerprints, secrets_in
from engine.validate import validate
from environments import ToolEnv
from tests.support import unsound_graders as graders
from tests.support import unsound_worlds as worlds

CAUGHT = [
    (graders.AcceptsThePrompt, {"cheater echo"}),
    (graders.AcceptsABeginning, {"cheater nothing"}),
    (graders.AlwaysTheSame, {"cheater common"}),
    (graders.SaysItAloud, {"cheater observed"}),
    (graders.AcceptsAllThatContainsIt, {"cheater everything"}),
    (graders.LeavesAFile, {"cheater read", "oracle"}),
    (graders.LeavesAFileForTheShell, {"cheater read", "oracle"}),
    (graders.RunsCode, {"cheater read", "oracle"}),
    (graders.ReadsTheVerdict, {"cheater forge"}),
    (graders.TakesAnExitForAPass, {"cheater forge"}),
    (graders.ReadsItsRewardFromAFile, {"cheater forge"}),
    (graders.KnowsItsOwnCheater, {"cheater polite"}),
    (graders.StaysPatched, {"unharmed"}),
    (graders.BreaksOnLongAnswers, {"plays"}),
    (graders.ShowsItInThePrompt, {"oracle"}),
    (graders.ShowsItInTheTools, {"oracle"}),
    (graders.ShowsItInAnObservation, {"oracle"}),
    (graders.ShowsItInInfo, {"oracle"}),
    (graders.GoldFails, {"gold"}),
    (graders.NothingSolvesIt, {"noop"}),
    (worlds.ChangesTheTask, {"unchanged"}),
    (worlds.Forgets, {"restore"}),
    (worlds.CountsOn, {"determinism", "unharmed"}),
]


def proven(world: type[ToolEnv], **floors: float) -> dict[str, Check]:
    env = world()
    unsound = [found for _, found in validate(env, env.tasks) if found]
    bench = Bench(world)
    endings = endings_of(bench.env, bench.env.tasks)
    tried = [try_task(bench, task, endings) for task in bench.env.tasks]
    return prove(env.tasks, unsound, tried, floors, ABOUT)


@pytest.mark.parametrize("sound", [graders.Quiz, worlds.Basket])
def test_sound_worlds_are_proven(sound: type[ToolEnv]) -> None:
    checks = proven(sound)
    assert {name for name, check in checks.items() if not check.passed} == set()
    assert all(check.checked == 3 and not check.failures for check in checks.values())
    assert {"cheater nothing", "cheater common"} <= checks.keys()


@pytest.mark.parametrize(("world", "wanted"), CAUGHT)
def test_each_way_to_cheat_is_found(world: type[ToolEnv], wanted: set[str]) -> None:
    checks = proven(world)
    failed = {name for name, check in checks.items() if not check.passed}
    loose = world is worlds.ChangesTheTask  # a changed task is solved by anything
    assert failed == wanted or (loose and failed > wanted), {
        name: checks[name].failures for name in failed
    }
    told = str([checks[name].to_dict() for name in failed])
    assert not any(fruit in told for fruit in graders.FRUITS.values())


def test_a_guess_may_earn_its_floor() -> None:
    assert proven(graders.AlwaysTheSame, common=1.0)["cheater common"].passed
    assert not proven(graders.AlwaysTheSame, common=0.9)["cheater common"].passed


def test_a_cheater_that_reaches_the_process_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_env = partial(environments.make, f"{graders.__name__}:EndsItsProcess")
    first, second = trials(open_env, open_env().tasks[:2])
    assert "ends the world's process" in first.harmed
    assert (first.task, second.task) == ("a", "b")
    assert second.harmed.startswith("a cheater wrote reward.txt, result.json, conftest.py")
    assert not list(tmp_path.iterdir())


def test_a_world_that_cannot_be_made_there_is_told() -> None:
    open_env = partial(environments.make, f"{graders.__name__}:NoSuchWorld")
    with pytest.raises(TrialFailed, match="has no 'NoSuchWorld'"):
        list(trials(open_env, graders.Quiz().tasks))


@pytest.mark.parametrize("name", ["browser", "mcp", "os"])
def test_no_bundled_prompt_shows_its_secret(name: str) -> None:
    for split in ("train", "test"):
        env = environments.make(name, split=split)
        shown = [
            task.id
            for task in env.tasks
            if secrets_in(task.prompt, fingerprints(task.secret, task.findable))
        ]
        assert len(env.tasks) > 10 and shown == []
