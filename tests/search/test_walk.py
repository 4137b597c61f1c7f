"""Snapshots: taken where they are needed, freed where not, rebuilt where lost."""

import asyncio
import threading
from dataclasses import replace

import pytest

from environments import Action, Outcome
from sandbox.errors import StateLost
from search import (
    Beam,
    BestFirst,
    Dfsdt,
    Limits,
    Mcts,
    PolicyError,
    beam,
    best_first,
    dfsdt,
    mcts,
    react,
)
from tests.support.fakes import Arms, ArmsEnv
from tests.support.judges import ArmJudge

TASK = ArmsEnv().tasks[0]
ALL = [
    (dfsdt, []),
    (dfsdt, [Dfsdt("sample", backtrack=2)]),
    (dfsdt, [Dfsdt(rank=True, judge=ArmJudge())]),
    (react, []),
    (beam, [Beam(ArmJudge())]),
    (best_first, [BestFirst(ArmJudge())]),
    (mcts, [Mcts(judge=ArmJudge())]),
]


class Counting(ArmsEnv):
    """Counts snapshots: taken in all, held now, restored."""

    taken = held = most = resets = 0

    def __init__(self) -> None:
        super().__init__()
        self.restored: set[tuple[int, ...]] = set()

    def begin(self, task):
        self.resets += 1
        super().begin(task)

    def save(self):
        self.taken += 1
        self.held += 1
        self.most = max(self.most, self.held)
        return super().save()

    def load(self, state):
        self.restored.add(state)
        super().load(state)

    def free(self, state):
        self.held -= 1


@pytest.mark.parametrize(("search", "how"), ALL)
@pytest.mark.parametrize("calls", [1, 4, 7, None])
async def test_snapshots_are_released(search, how, calls):
    env = Counting()
    await search(env, TASK, Arms(), Limits(calls=calls), *how)
    assert env.held == 0


async def test_chains_save_nothing():
    """Each begins with a reset; nobody comes back to a state of theirs."""
    env = Counting()
    tree = await react(env, TASK, Arms(), Limits(width=3))
    assert len(tree.nodes) == 9 and (env.taken, env.resets) == (0, 3)


async def test_a_search_of_width_1_saves_nothing():
    env = Counting()
    await dfsdt(env, TASK, Arms(), Limits(width=1))
    assert env.taken == 0


async def test_depth_first_saves_each_state_once_and_restores_all_of_them():
    """Depth 3: the start and 6 states inside, each left once for its first child; no leaf."""
    env = Counting()
    tree = await dfsdt(env, TASK, Arms(), Limits())
    assert tree.solved and env.taken == len(env.restored) == 7
    assert env.most == 3  # one a level: a state's last child frees it


async def test_a_search_that_failed_leaves_the_environment_clean():
    class Failing(Arms):
        async def propose(self, *args, **how):
            if len(self.requests) == 5:
                raise PolicyError("no more")
            return await super().propose(*args, **how)

    env = Counting()
    with pytest.raises(PolicyError):
        await dfsdt(env, TASK, Failing(), Limits())
    assert env.taken > 0 and env.held == 0


class Forgetful(ArmsEnv):
    """Loses every snapshot but the start state's, or that one too; `drifts`: replays differ."""

    loses_start = drifts = False
    steps = 0

    def act(self, action: Action) -> Outcome:
        self.steps += 1
        outcome = super().act(action)
        return replace(outcome, observation=f"{self.steps}") if self.drifts else outcome

    def load(self, state: tuple[int, ...]) -> None:
        if state or self.loses_start:
            raise StateLost("evicted")
        super().load(state)


@pytest.mark.parametrize("loses_start", [False, True])
async def test_a_lost_snapshot_is_replayed_and_the_tree_says_so(loses_start):
    env = Forgetful()
    env.loses_start = loses_start
    tree = await dfsdt(env, TASK, Arms(), Limits())
    whole = await dfsdt(ArmsEnv(), TASK, Arms(), Limits())
    assert [node.step for node in tree.nodes] == [node.step for node in whole.nodes]
    assert tree.replayed == [2, 1, 5, 9, 8, 12] and whole.replayed == []


async def test_a_state_that_cannot_be_replayed_is_an_error():
    env = Forgetful()
    env.drifts = True
    with pytest.raises(StateLost, match="cannot be rebuilt"):
        await dfsdt(env, TASK, Arms(), Limits())


class Placed(ArmsEnv):
    """Notes the threads in which it is stepped."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    def act(self, action: Action) -> Outcome:
        self.threads.add(threading.get_ident())
        return super().act(action)


class Instant(Placed):
    instant = True


async def test_an_instant_environment_is_stepped_on_the_loop_and_brings_the_same_tree():
    ours, slow, instant = threading.get_ident(), Placed(), Instant()
    trees = [await dfsdt(env, TASK, Arms(), Limits()) for env in (slow, instant)]
    assert ours not in slow.threads and instant.threads == {ours}
    assert trees[0] == trees[1]


async def test_others_have_a_turn_between_the_steps_of_an_instant_environment():
    """Neither policy nor environment ever waits; still the search keeps no other from going on."""
    turns, seen = 0, []

    class Noting(Instant):
        def act(self, action: Action) -> Outcome:
            seen.append(turns)
            return super().act(action)

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    going_on = asyncio.create_task(other())
    await dfsdt(Noting(), TASK, Arms(), Limits())
    going_on.cancel()
    assert len(seen) == 14 == len(set(seen))


@pytest.mark.parametrize(("search", "how"), ALL)
async def test_what_a_walk_keeps_count_of_is_what_the_tree_holds(search, how):
    """Bounds are judged by the walk's counts: reached exactly, whatever the search."""
    whole = await search(ArmsEnv(), TASK, Arms(), Limits(solved=99, calls=None), *how)
    cut = await search(ArmsEnv(), TASK, Arms(), Limits(solved=99, calls=4), *how)
    assert whole.usage.calls > 4 and (cut.usage.calls, cut.stopped) == (4, "calls")
    won = await search(ArmsEnv(), TASK, Arms(), Limits(calls=None), *how)
    assert (won.stopped == "solved") == (len(won.winners()) == 1)
