"""The contract of `environments.base`, proved for every registered environment and the example."""

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from environments import GIVE_UP, Action, ToolEnv, make
from environments.registry import ENTRY_POINTS, NAMESPACE

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "environments" / "sql" / "data"
EXAMPLE = "examples.keypad:KeypadEnv"
ELSEWHERE = ("bfcl",)
"""Worlds whose own folders run these tests, on tasks that they choose."""
NAMES = [*(name for name in ENTRY_POINTS if name not in ELSEWHERE), EXAMPLE]

Seen = tuple[str, float, bool, bool, str]


@pytest.fixture(scope="session")
def spider_data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A few of the bundled tasks in Spider's layout."""
    folder = tmp_path_factory.mktemp("spider")
    records = json.loads((BUNDLED / "train.json").read_text())[::20]
    for record in records:
        database = Path(record["db_id"], f"{record['db_id']}.sqlite")
        target = folder / "database" / database
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(BUNDLED / "train_databases" / database, target)
    spider = [{"db_id": r["db_id"], "question": r["question"], "query": r["SQL"]} for r in records]
    (folder / "train_spider.json").write_text(json.dumps(spider))
    return str(folder)


@pytest.fixture(scope="module", params=NAMES)
def env(request: pytest.FixtureRequest, spider_data: str) -> Iterator[ToolEnv]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        made = make(request.param, data=spider_data if request.param == "spider" else None)
    yield made
    made.close()


def play(env: ToolEnv, action: Action) -> Seen:
    """A step in comparable form; seconds are no part of what is seen."""
    observation, reward, terminated, truncated, info = env.step(action)
    return observation, reward, terminated, truncated, json.dumps(info, sort_keys=True)


def test_gymnasium_accepts_it(env: ToolEnv) -> None:
    check_env(env, skip_render_check=True)


def test_every_registered_name_is_known_to_gymnasium() -> None:
    assert {f"{NAMESPACE}/{name}-v0" for name in ENTRY_POINTS} <= set(gymnasium.registry)


def test_instructions_and_tools_are_told(env: ToolEnv) -> None:
    assert 0 < len(env.instructions.split()) < 90
    assert GIVE_UP in env.tools
    assert len({tool.name for tool in env.tools}) == len(env.tools)


def test_tasks_are_distinct_and_keep_their_secret(env: ToolEnv) -> None:
    assert len({task.id for task in env.tasks}) == len(env.tasks) > 1
    for task in env.tasks:
        assert task.group and task.secret
        assert not any(str(secret) in task.prompt for secret in task.secret.values())


def test_solutions_earn_reward_one_and_noops_do_not(env: ToolEnv) -> None:
    for task in env.tasks:
        for actions, solves in ((env.solution(task), True), (env.noop(task), False)):
            env.reset(options={"task": task})
            *before, last = [play(env, action) for action in actions]
            assert not any(seen[2] or seen[1] for seen in before), task.id
            assert last[2] and (last[1] == 1.0) == solves, (task.id, last)


def test_mistakes_are_other_actions_and_always_the_same(env: ToolEnv) -> None:
    for task in list(env.tasks)[:10]:
        for action in env.solution(task):
            wrong = env.mistakes(task, action)
            assert action.key not in {mistake.key for mistake in wrong}
            assert wrong == env.mistakes(task, action)
            assert len({mistake.key for mistake in wrong}) == len(wrong)


def test_mistaken_last_steps_do_not_solve(env: ToolEnv) -> None:
    for task in list(env.tasks)[:10]:
        *before, last = env.solution(task)
        for wrong in env.mistakes(task, last)[:3]:
            env.reset(options={"task": task})
            for action in [*before, wrong]:
                seen = play(env, action)
            # One that changes what the last step does (another option in the shop) ends nothing.
            seen = seen if seen[2] else play(env, last)
            assert seen[2] and seen[1] < 1.0, wrong


def test_agents_slips_are_observations(env: ToolEnv) -> None:
    env.reset(options={"task": env.tasks[0]})
    slips = {
        "malformed": Action.malformed("hm", "no call found"),
        "unknown_tool": Action("no_such_tool", {}),
        "bad_arguments": Action(env.tools[0].name, {"no_such_argument": 1}),
    }
    for kind, slip in slips.items():
        observation, reward, terminated, truncated, info = env.step(slip)
        assert observation.startswith("error: ") and info["error"] == kind
        assert not (reward or terminated or truncated)


def test_a_task_that_is_over_takes_no_step_until_restored(env: ToolEnv) -> None:
    env.reset(options={"task": env.tasks[0]})
    start = env.snapshot()
    _, reward, terminated, _, info = env.step(Action(GIVE_UP.name, {}))
    assert (reward, terminated, info["gave_up"]) == (0.0, True, True)
    with pytest.raises(RuntimeError, match="over"):
        env.step(Action(GIVE_UP.name, {}))
    env.restore(start)
    assert play(env, env.solution(env.tasks[0])[0])[2] is False


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_law_under_interleaved_branches(env: ToolEnv, data: st.DataObject) -> None:
    """Grow a tree at random, over two tasks, recording all; then walk every branch again."""
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = random.Random(seed)
    env.action_space.seed(seed)
    nodes: list[tuple[object, list[Action]]] = []  # a snapshot and a way on from there
    edges = []
    for task in rng.sample(list(env.tasks), 2):
        env.reset(options={"task": task})
        nodes.append((env.snapshot(), env.solution(task)))
    for _ in range(data.draw(st.integers(1, 12))):
        snapshot, ahead = rng.choice(nodes)
        env.restore(snapshot)  # type: ignore[arg-type]
        right = bool(ahead) and rng.random() < 0.6
        action = ahead[0] if right else env.action_space.sample()
        seen = play(env, action)
        edges.append((snapshot, action, seen))
        if not (seen[2] or seen[3]):
            nodes.append((env.snapshot(), ahead[1:] if right else []))
    for snapshot, action, seen in rng.sample(edges, len(edges)):
        env.restore(snapshot)  # type: ignore[arg-type]
        assert play(env, action) == seen
    for snapshot, _ in nodes:
        env.release(snapshot)  # type: ignore[arg-type]


def test_releasing_one_snapshot_leaves_the_others(env: ToolEnv) -> None:
    task = env.tasks[0]
    env.reset(options={"task": task})
    first, second = env.snapshot(), env.snapshot()
    env.release(first)
    env.restore(second)
    assert [play(env, action) for action in env.solution(task)][-1][1] == 1.0


def test_closing_twice_is_fine(env: ToolEnv) -> None:
    env.reset(options={"task": env.tasks[0]})
    env.close()
    env.close()
