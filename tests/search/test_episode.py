"""Snapshots: taken where they are needed, freed where not, rebuilt where lost."""

import asyncio
import threading
from dataclasses import replace

import pytest

from environments import Action, Outcome
from sandbox.errors import StateLost
from search import Beam, BestFirst, Dfsdt, Mcts, PolicyError, React
from tests.support.fakes import Arms, ArmsEnv
from tests.support.judges import ArmJudge
from tests.support.searching import play

TASK = ArmsEnv().tasks[0]
ALL = [
    (Dfsdt, {}),
    (Dfsdt, {"siblings": "sample", "backtrack": 2}),
    (Dfsdt, {"rank": True, "judge": ArmJudge()}),
    (React, {}),
    (Beam, {"judge": ArmJudge()}),
    (BestFirst, {"judge": ArmJudge()}),
    (Mcts, {"judge": ArmJudge()}),
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
    await play(search, env, TASK, Arms(), calls=calls, **how)
    assert env.held == 0


async def test_chains_save_nothing():
    """Each begins with a reset; nobody comes back to a state of theirs."""
    env = Counting()
    tree = await play(React, env, TASK, Arms(), width=3)
    assert len(tree.nodes) == 9 and (env.taken, env.resets) == (0, 3)


async def test_a_search_of_width_1_saves_nothing():
    env = Counting()
    await play(Dfsdt, env, TASK, Arms(), width=1)
    assert env.taken == 0


async def test_depth_first_saves_each_state_once_and_restores_all_of_them():
    """Depth 3: the start and 6 states inside, each left once for its first child; no leaf."""
    env = Counting()
    tree = await play(Dfsdt, env, TASK, Arms())
    assert tree.solved and env.taken == len(env.restored) == 7
    assert env.most == 3  # one a level: a state's last child frees it


async def test_a_search_that_failed_leaves_the_environment_clean():
    class Failing(Arms):
        async def propose(self, request):
            if len(self.requests) == 5:
                raise PolicyError("no more")
            return await super().propose(request)

    env = Counting()
    with pytest.raises(PolicyError):
        await play(Dfsdt, env, TASK, Failing())
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
    tree = await play(Dfsdt, env, TASK, Arms())
    whole = await play(Dfsdt, ArmsEnv(), TASK, Arms())
    assert [node.step for node in tree.nodes] == [node.step for node in whole.nodes]
    assert tree.replayed == [2, 1, 5, 9, 8, 12] and whole.replayed == []


async def test_a_state_that_cannot_be_replayed_is_an_error():
    env = Forgetful()
    env.drifts = True
    with pytest.raises(StateLost, match="cannot be rebuilt"):
        await play(Dfsdt, env, TASK, Arms())


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
    trees = [await play(Dfsdt, env, TASK, Arms()) for env in (slow, instant)]
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
    await play(Dfsdt, Noting(), TASK, Arms())
    going_on.cancel()
    assert len(seen) == 14 == len(set(seen))


@pytest.mark.parametrize(("search", "how"), ALL)
async def test_what_a_walk_keeps_count_of_is_what_the_tree_holds(search, how):
    """Bounds are judged by the walk's counts: reached exactly, whatever the search."""
    whole = await play(search, ArmsEnv(), TASK, Arms(), max_solutions=99, calls=None, **how)
    cut = await play(search, ArmsEnv(), TASK, Arms(), max_solutions=99, calls=4, **how)
    assert whole.usage.calls > 4 and (cut.usage.calls, cut.stopped) == (4, "calls")
    won = await play(search, ArmsEnv(), TASK, Arms(), calls=None, **how)
    assert (won.stopped == "solved") == (len(won.winners()) == 1)
