"""Runs: kept, resumed, refused; failures recorded; defects not hidden."""

import asyncio
import fcntl
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.config import Config
from engine.errors import UsageError
from engine.executors.local import Local
from engine.runs.codec import tree_to_dict
from engine.runs.explore import Summary, explore
from engine.runs.stats import stats
from engine.runs.store import FILE, Store
from engine.runs.tasks import read_ids, select
from environments import Action, DataError, Outcome, Step, Task
from sandbox import SandboxError
from search import Dfsdt, React, Tree
from search.episode import Episode
from tests.support.configs import make_config
from tests.support.fakes import Arms, ArmsEnv
from tests.support.searching import play


class ManyArms(ArmsEnv):
    """Eight tasks with different winning leaves; some of them in trouble."""

    trouble: dict[str, Exception] = {}

    def load_tasks(self) -> Sequence[Task]:
        paths = [[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)]
        return [Task(f"arms-{n}", f"Go {n}.", {"path": path}) for n, path in enumerate(paths)]

    def act(self, action: Action) -> Outcome:
        if self.task and self.task.id in self.trouble:
            raise self.trouble[self.task.id]
        return super().act(action)

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        return [Action("go", {"arm": 1 - action.arguments["arm"]})]


class Broken(ManyArms):
    trouble = {"arms-3": SandboxError("the sandbox burns")}


class Buggy(ManyArms):
    trouble = {"arms-3": ZeroDivisionError("our fault")}


class Unmade(ManyArms):
    trouble = {f"arms-{n}": DataError("mend arms.json") for n in range(8)}


MANY = f"{__name__}:ManyArms"
TASKS = ManyArms().tasks


class BuggySearch(React):
    async def explore(self, episode: Episode) -> None:
        if episode.tree.task.id == "arms-3":
            raise ZeroDivisionError("the search's fault")
        await super().explore(episode)


BUGGY_SEARCH = make_config(MANY, search=BuggySearch())


def config(env: str = MANY, **changes) -> Config:
    return make_config(env, mistake_rate=0.5, **changes)


def run(out: Path, config: Config, tasks: Sequence[Task] = TASKS) -> Summary:
    return asyncio.run(explore(config, tasks, out, Local(concurrency=3)))


def trees(out: Path) -> list[dict]:
    with Store.open(out) as store:
        return [tree_to_dict(tree) for tree in store.trees()]


def test_the_demonstration_teacher_leaves_successes_and_failures(tmp_path):
    summary = run(tmp_path / "r", config())
    assert (summary.solved, summary.failed) == (8, 0) and summary.complete
    with Store.open(tmp_path / "r") as store:
        found = stats(store)
        assert found.leaves["solved"] == 8 and found.leaves["failed"] > 0
        assert {tree.source for tree in store.trees()} == {"demonstration"}


def test_a_seed_gives_the_same_trees_and_another_seed_others(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tmp_path / name, config(seed=seed))
    assert trees(tmp_path / "a") == trees(tmp_path / "b") != trees(tmp_path / "c")


def test_a_stored_tree_comes_back_as_it_was(tmp_path):
    tree = asyncio.run(play(Dfsdt, ArmsEnv(), ArmsEnv().tasks[0], Arms(), calls=9, backtrack=2))
    tree.add(0, tree.nodes[0].step)
    with Store.create(tmp_path) as store:
        store.add_tree(tree)
        again = store.tree("arms")
    assert tree_to_dict(again) == tree_to_dict(tree)
    assert again.task.secret == {} and again.path(3) == tree.path(3)


def test_the_same_command_goes_on_where_it_stopped(tmp_path):
    run(tmp_path / "whole", config())
    run(tmp_path / "halves", config(), TASKS[:3])
    summary = run(tmp_path / "halves", config())
    assert (summary.skipped, summary.solved) == (3, 5)
    assert trees(tmp_path / "halves") == trees(tmp_path / "whole")


def test_another_command_is_refused_and_the_run_is_unharmed(tmp_path):
    run(tmp_path, config(), TASKS[:2])
    before = trees(tmp_path)
    with pytest.raises(UsageError, match="--width was 2 and is 3"):
        run(tmp_path, config(width=3))
    assert trees(tmp_path) == before


def test_two_processes_cannot_explore_into_one_run(tmp_path):
    with (tmp_path / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another process"):
            run(tmp_path, config())


def test_sandbox_trouble_is_a_record_and_the_next_run_tries_again(tmp_path):
    summary = run(tmp_path, config(f"{__name__}:Broken"))
    assert (summary.solved, summary.failed, summary.complete) == (7, 1, False)
    with Store.open(tmp_path) as store:
        assert store.failures() == {"arms-3": ("SandboxError", "the sandbox burns")}
        assert stats(store).to_dict()["failures"] == {"SandboxError": 1}
    assert run(tmp_path, config(f"{__name__}:Broken")).skipped == 7


def test_an_exception_of_an_environment_fails_its_task_only(tmp_path):
    summary = run(tmp_path, config(f"{__name__}:Buggy"))
    assert (summary.solved, summary.failed, summary.complete) == (7, 1, False)
    with Store.open(tmp_path) as store:
        failure = store.failure("arms-3")
        assert stats(store).failures == {"ZeroDivisionError": 1}
    assert failure.message.startswith("ZeroDivisionError in test_explore.py:")
    assert failure.message.endswith(" act: our fault") and "Traceback" in failure.trace


def test_a_defect_of_the_search_stops_the_run_and_keeps_what_was_done(tmp_path):
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(explore(BUGGY_SEARCH, TASKS, tmp_path, Local(concurrency=3)))
    assert caught.group_contains(ZeroDivisionError)
    assert trees(tmp_path)


def test_what_a_user_can_mend_stops_the_run_with_one_error(tmp_path):
    with pytest.raises(DataError, match="mend"):
        run(tmp_path, config(f"{__name__}:Unmade"))


def test_a_lone_surrogate_is_kept_as_a_question_mark(tmp_path):
    """It stopped the run: models cut emoji in two, and names of files may not be UTF-8."""
    tree = Tree(Task("t", "half an emoji: \ud83d"))
    tree.add(
        0, Step(Action("go", {"arm": "\udcff"}, "é \ud83d"), "name: \udcff", info={"a": "\udcff"})
    )
    with Store.create(tmp_path) as store:
        store.add_tree(tree)
        again = store.tree("t")
    [node] = again.nodes
    assert again.task.prompt == "half an emoji: ?" and node.step.info == {"a": "?"}
    assert node.step.action == Action("go", {"arm": "?"}, "é ?")
    assert node.step.observation == "name: ?"


def test_the_store_holds_no_secret(tmp_path):
    secret = "SELECT gold FROM mine WHERE deep > 3"
    with Store.create(tmp_path) as store:
        store.add_tree(Tree(Task("t", "?", {"sql": secret}, {"database": "/somewhere/x"})))
        assert store.fingerprints("t")
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"gold" not in content and b"somewhere" not in content


def test_each_message_stands_in_the_store_once(tmp_path):
    tree = Tree(Task("t", "?"))
    at = 0
    for number in range(30):
        at = tree.add(at, Step(Action("go", {"arm": number}), f"observation-{number:03}")).id
    with Store.create(tmp_path) as store:
        store.add_tree(tree)
    with sqlite3.connect(tmp_path / FILE) as db:
        dump = "\n".join(db.iterdump())
    db.close()
    assert dump.count("observation-000") == 1


def test_a_run_can_be_read_while_it_is_written(tmp_path):
    with Store.create(tmp_path) as writer, Store.open(tmp_path) as reader:
        assert stats(reader).trees == 0
        writer.add_tree(Tree(Task("t", "?"), stopped="exhausted"))
        assert stats(reader).trees == 1


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no run in"):
        Store.open(tmp_path / "nope")
    (tmp_path / FILE).write_text("This is not a database, though it is long enough to be read.")
    with pytest.raises(UsageError, match="is not a run"):
        Store.open(tmp_path)


def test_selecting_tasks(tmp_path):
    assert [t.id for t in select(TASKS, limit=2, quarantined={"arms-0"})] == ["arms-1", "arms-2"]
    assert [t.id for t in select(TASKS, only=["arms-4", "arms-1"])] == ["arms-4", "arms-1"]
    for bad in ({"only": ["nope"]}, {"quarantined": {task.id for task in TASKS}}):
        with pytest.raises(UsageError):
            select(TASKS, **bad)
    (tmp_path / "ids").write_text("arms-1\n\narms-2\n")
    assert read_ids(f"@{tmp_path / 'ids'}") == read_ids("arms-1, arms-2") == ["arms-1", "arms-2"]
    with pytest.raises(UsageError, match="cannot read"):
        read_ids("@nope")


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"search": "astar"}, "dfsdt, react"),
        ({"siblings": "twins"}, "diverse, sample"),
        ({"template": "haiku"}, "native, react"),
        ({"width": 0}, "--width 0: must be at least 1"),
        ({"mistake_rate": 2}, "--mistake-rate 2: must be at most 1"),
    ],
)
def test_a_bad_config_says_what_would_do(bad, says):
    with pytest.raises(UsageError, match=says):
        make_config("bird", **bad)


def test_a_model_without_an_endpoint_is_refused(tmp_path):
    with pytest.raises(UsageError, match="needs an endpoint"):
        run(tmp_path, config(teacher="some-model"))
