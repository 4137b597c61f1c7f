"""What holds of every search, in random worlds, with random policies, judges and limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.runs.codec import tree_to_dict
from environments import NO_ARGUMENTS, Action, Outcome, Step, Task, Tool, ToolEnv
from search import (
    ROOT,
    Beam,
    BestFirst,
    Call,
    Dfsdt,
    Judgement,
    Mcts,
    Proposal,
    React,
    Request,
    Search,
    Tree,
    Usage,
)
from search.restarts import SEEN
from tests.support.fakes import GO, go
from tests.support.searching import play as search_with

TASK = Task("random", "Go.")


class RandomWorld(ToolEnv):
    """What `go` brings depends on the seed and on all that was done on the path; it changes a list
    in place, as an environment that forgot to copy would. Watches its own snapshots."""

    tools = (GO, Tool("give_up", "End.", NO_ARGUMENTS))

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.steps = self.taken = 0
        self.held: set[int] = set()

    def load_tasks(self) -> Sequence[Task]:
        return [TASK]

    def begin(self, task: Task) -> None:
        self.path: list[int] = []

    def step(self, action: Action) -> Any:
        self.steps += 1
        return super().step(action)

    def act(self, action: Action) -> Outcome:
        self.path.append(action.arguments["arm"])
        rng = Random(f"{self.seed} {self.path}")
        ended = rng.random() < 0.3
        reward = rng.choice([0.0, 0.5, 1.0]) if ended else 0.0
        return Outcome(f"{self.path} {rng.random()}", reward, terminated=ended)

    def solution(self, task: Task) -> list[Action]:
        return []

    def save(self) -> tuple[int, list[int]]:
        self.taken += 1
        self.held.add(self.taken)
        return self.taken, [*self.path]

    def load(self, state: tuple[int, list[int]]) -> None:
        self.path = [*state[1]]

    def free(self, state: tuple[int, list[int]]) -> None:
        self.held.remove(state[0])


class RandomMind:
    """A policy and a judge that depend on what they are shown, and on a seed. Repeats itself,
    writes what is no call, gives up."""

    name = "random"

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def _rng(self, *shown: Any) -> Random:
        return Random(f"{self.seed} {shown}")

    async def propose(self, request: Request) -> Proposal:
        count = request.count
        shown = (_keys(request.path), _keys(request.tried), count, request.attempt)
        rng = self._rng(*shown, request.lessons, *map(_keys, request.attempts))
        choices = [go(0), go(0), go(1), go(2), Action.malformed("hm", "no"), Action("give_up", {})]
        actions = tuple(rng.choice(choices) for _ in range(rng.randint(1, count)))
        return Proposal(actions, (Call(ROOT, "asked", Usage(1, 7, 3)),))

    async def value(self, task: Task, path: Sequence[Step]) -> Judgement[float]:
        return Judgement(self._rng("value", _keys(path)).random(), Usage(1, 5, 1))

    async def compare(self, task, path, one: Step, other: Step) -> Judgement[float]:
        rng = self._rng("compare", _keys([*path, one]), _keys([other]))
        return Judgement(rng.choice([0.0, 0.5, 1.0]), Usage(1, 5, 1))

    async def reflect(self, task: Task, path: Sequence[Step]) -> Judgement[str]:
        return Judgement(f"not {_keys(path)}", Usage(1, 5, 1))


def _keys(steps: Sequence[Step]) -> list[str]:
    return [step.action.key for step in steps]


@dataclass(frozen=True)
class Bounds:
    """Options that every search has, and the task's budget."""

    width: int
    depth: int
    max_solutions: int
    retries: int
    calls: int | None
    tokens: int | None
    restarts: int = 0


async def play(
    name: str, seed: int, bounds: Bounds, siblings: str, policy: Any = None, world: Any = None
) -> tuple[Tree, Any]:
    """Search a world with a policy, random ones unless given."""
    world, mind = world or RandomWorld(seed), RandomMind(seed)
    search, options = chosen(name, seed, siblings)
    everything = {"judge": mind, **vars(bounds), **options}
    tree = await search_with(search, world, world.tasks[0], policy or mind, **everything)
    return tree, world


def chosen(name: str, seed: int, siblings: str) -> tuple[type[Search], dict[str, Any]]:
    """A search, and its own options."""
    search, options = {
        "dfsdt": (Dfsdt, {"backtrack": 1 + seed % 3}),
        "rank": (Dfsdt, {"rank": True}),
        "react": (React, {}),
        "reflexion": (React, {"reflections": 2}),
        "beam": (Beam, {"beam_size": 1 + seed % 2}),
        "best_first": (BestFirst, {}),
        "mcts": (Mcts, {}),
        "lats": (Mcts, {"value": "reward", "exploration": 0.5, "reflections": 2}),
    }[name]
    return search, options if search is React else {**options, "siblings": siblings}


def most_requests(name: str, seed: int, siblings: str, bounds: Bounds) -> int:
    search, options = chosen(name, seed, siblings)
    common = {key: value for key, value in vars(bounds).items() if key not in ("calls", "tokens")}
    return search(**common, **options).most_requests


NAMES = ["dfsdt", "rank", "react", "reflexion", "beam", "best_first", "mcts", "lats"]
CHAINS = ("react", "reflexion")


@settings(deadline=None, max_examples=300)
@given(
    name=st.sampled_from(NAMES),
    seed=st.integers(0, 10**6),
    siblings=st.sampled_from(["diverse", "sample"]),
    limits=st.builds(
        Bounds,
        width=st.integers(1, 3),
        depth=st.integers(1, 4),
        max_solutions=st.integers(1, 3),
        retries=st.integers(0, 2),
        calls=st.none() | st.integers(0, 30),
        tokens=st.none() | st.integers(0, 200),
        restarts=st.sampled_from([0, 0, 1, 4]),
    ),
)
async def test_properties(name, seed, siblings, limits):
    tree, world = await play(name, seed, limits, siblings)
    again, _ = await play(name, seed, limits, siblings)
    assert tree_to_dict(again) == tree_to_dict(tree)

    assert limits.calls is None or tree.usage.calls <= limits.calls
    assert tree.usage.calls == len(tree.calls) <= most_requests(name, seed, siblings, limits)
    # Every action that was played is a node, and every node can be reached.
    assert world.steps == len(tree.nodes)
    assert [node.id for node in tree.nodes] == list(range(1, len(tree.nodes) + 1))
    for node in tree.nodes:
        assert node.parent < node.id
        assert node.parent == ROOT or not tree.node(node.parent).step.ended
        assert len(tree.lineage(node.id)) <= limits.depth
    check_children(tree, limits, name)
    check_restarts(tree, limits, name)
    check_steps(tree, seed)
    assert not world.held
    assert (name not in CHAINS and limits.width > 1) or world.taken == 0


def check_children(tree: Tree, limits: Bounds, name: str) -> None:
    """No more than `width` a state, none twice; and a search that is exhausted left none open."""
    enough = len(tree.winners()) >= limits.max_solutions
    assert {"solved": enough, "exhausted": not enough}.get(tree.stopped, True)
    for state in [ROOT, *(node.id for node in tree.nodes if not node.step.ended)]:
        keys = [child.step.action.key for child in tree.children(state) if not child.attempts]
        assert len(keys) <= limits.width
        if name in CHAINS:
            continue
        assert len(set(keys)) == len(keys)
        assert tree.stopped != "exhausted" or len(keys) == limits.width or state in tree.closed


def check_restarts(tree: Tree, limits: Bounds, name: str) -> None:
    """A restart is a child of the start state and saw attempts that gave up before it, no more
    often than allowed."""
    begun = [node for node in tree.nodes if node.attempts]
    assert len(begun) <= limits.restarts * (limits.width if name in CHAINS else 1)
    for node in begun:
        assert node.parent == ROOT and len(node.attempts) <= SEEN
        assert list(node.attempts) == sorted(set(node.attempts)) and node.attempts[-1] < node.id
        assert all(tree.node(leaf).status == "gave_up" for leaf in node.attempts)


def check_steps(tree: Tree, seed: int) -> None:
    """Branches share no state: every path brings the same when it is played alone."""
    for leaf in tree.nodes:
        if not tree.children(leaf.id):
            alone = RandomWorld(seed)
            alone.reset(options={"task": TASK})
            for step in tree.path(leaf.id):
                observation, reward, terminated, *_ = alone.step(step.action)
                assert (observation, reward, terminated) == (
                    step.observation,
                    step.reward,
                    step.terminated,
                )
