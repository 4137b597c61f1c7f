"""Enter failed paths again, find the step at which each went wrong, and play on before it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from typing import Literal

from environments.plays import difference
from environments.types import Step
from search.base import Search
from search.episode import Draw, Episode
from search.failed_paths import failed_paths, steps_before_fall
from search.playing_on import PlayingOn, play_spliced
from search.tree import ROOT, SPLICED, Node, Tree
from search.values import Values

At = Literal["failure", "low-value"]
"""What says at which step a path went wrong; see `Branching.at`."""

DIFFERS = "differs"
"""Key of `Step.info`: how the world answered otherwise than it did when the path was recorded."""


def no_trees(task_id: str) -> Sequence[Tree]:
    """Raise an error: a search of its own needs no earlier trees."""
    raise LookupError(f"no trees of {task_id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Branching(Search):
    """Play failed paths of earlier trees again, and play on from where each was still good.

    The tree holds what the world answers now: first the failed paths, then what the policy played
    from their states. A path that the world answers otherwise ends there, with `DIFFERS` in the
    last step's info, and nothing is played on from it.

    Attributes:
        at: What says at which step a path went wrong: failure (bisecting: the policy solves the
            task from the state before it and no more from the one after it) or low-value (the
            values that `engine credit` found: the first state whose value is low).
        below: A lower value than this is low (--at low-value).
        tries: Continuations of a state that say whether the policy still solves the task there.
        width: Continuations at most of the state at which a path is branched.
        max_solutions: Successful continuations of that state after which a path is done.
        paths: Failed paths of a task at most.
        splice: After a success, also play the rest of it after the wrong step, without asking the
            policy: for recovery rows.
        trees: Returns the earlier trees of a task.
    """

    name = "branching"

    at: At = "failure"
    below: float = field(default=0.5, metadata={"above": 0, "max": 1})
    tries: int = field(default=4, metadata={"min": 1})
    width: int = field(default=8, metadata={"min": 1})
    paths: int = field(default=1, metadata={"min": 1})
    splice: bool = True
    trees: Callable[[str], Sequence[Tree]] = field(default=no_trees, metadata={"hidden": True})

    async def explore(self, episode: Episode) -> None:
        """Branch the failed paths of the earlier trees."""
        trees = self.trees(episode.tree.task.id)
        failed = ((tree, path) for tree in trees for path in failed_paths(tree))
        chosen = list(islice(failed, self.paths))
        played = [await _replay(episode, path) for _, path in chosen]
        episode.tree.searched = len(episode.tree.nodes)
        work = _Branches(self, episode, Values(episode.tree), PlayingOn(episode))
        for (tree, path), nodes in zip(chosen, played, strict=True):
            if nodes:
                await work.branch(nodes, self._known_good(tree, path))

    def _known_good(self, tree: Tree, path: Sequence[Node]) -> int | None:
        """Return after how many steps a path is still good, if values say so."""
        if self.at == "failure":
            return None
        return steps_before_fall(Values(tree), path, self.below)


async def _replay(episode: Episode, path: Sequence[Node]) -> list[int]:
    """Play a recorded path; return its states, from ROOT on.

    Returns an empty list for a path that cannot be branched: the world answers otherwise now, or
    it succeeds.
    """
    tree, states = episode.tree, [ROOT]
    for number, recorded in enumerate(path, 1):
        last = number == len(path)
        node = None if last else _played_already(tree, states[-1], recorded.step)
        if node is None:
            draw = Draw(recorded.step.action, -1, recorded.actor, recorded.why)
            node = await episode.take(states[-1], draw)
        states.append(node.id)
        if words := _differs(recorded, node, last):
            _note(tree, node, {DIFFERS: {"step": number, "how": words}})
        elif last and not node.step.ended:  # the recorded path ends here all the same
            _note(tree, node, {"cut": "recorded end"}, truncated=True)
        if words or node.step.solved:
            return []
    return states


def _played_already(tree: Tree, at: int, recorded: Step) -> Node | None:
    """Return the child of `at` with a recorded step, which an earlier path went through."""
    wanted = recorded.action, recorded.observation
    same = (
        node for node in tree.children(at) if wanted == (node.step.action, node.step.observation)
    )
    return next((node for node in same if not node.step.ended), None)


def _differs(recorded: Node, node: Node, last: bool) -> str:
    """Return in words what the world answered otherwise than recorded; "" if nothing.

    Of the last step, another system may have recorded no observation.
    """
    wanted, found = recorded.step, node.step
    compared = wanted.observation or not last
    words = difference(replace(found, observation=wanted.observation), found) if compared else ""
    if words:
        return words
    return "" if last or not found.ended else "the task is over, and the path goes on"


def _note(tree: Tree, node: Node, info: dict[str, object], truncated: bool = False) -> None:
    step = node.step
    step = replace(step, info={**step.info, **info}, truncated=truncated or step.truncated)
    tree.nodes[node.id - 1] = replace(node, step=step)


@dataclass(slots=True)
class _Branches:
    """The work on one tree, after its failed paths were played."""

    rule: Branching
    episode: Episode
    values: Values
    playing_on: PlayingOn

    async def branch(self, states: Sequence[int], good: int | None) -> None:
        """Play on from the last good state of a failed path.

        Args:
            states: Those of the path, from ROOT to its end.
            good: The place of the last good one in `states`, if it is known.
        """
        if good is None:
            good = await self._last_good(states)
        at = states[good]
        for _ in range(self.rule.width - len(self._rewards(at))):
            if self._solved(at) >= self.rule.max_solutions or not await self._play(at):
                break
        if self.rule.splice and self.episode.affordable:
            await self._splice(states, at)

    async def _last_good(self, states: Sequence[int]) -> int:
        """Bisect for the last state from which the policy solves the task; 0 if it is none."""
        good, bad = -1, len(states) - 1
        while bad - good > 1 and self.episode.affordable:
            middle = (good + bad) // 2
            if await self._solves(states[middle]):
                good = middle
            else:
                bad = middle
        return max(good, 0)

    async def _solves(self, at: int) -> bool:
        for _ in range(self.rule.tries - len(self._rewards(at))):
            if self._solved(at) or not await self._play(at):
                break
        return self._solved(at) > 0

    async def _play(self, at: int) -> bool:
        """Play on from a state; return whether that could be paid."""
        leaf = await self.playing_on.play(at)
        if leaf is not None:
            self.values.add(leaf)
        return leaf is not None

    def _rewards(self, at: int) -> tuple[float, ...]:
        value = self.values.of(at)
        return value.rewards if value else ()

    def _solved(self, at: int) -> int:
        return sum(reward >= 1 for reward in self._rewards(at))

    async def _splice(self, failed: Sequence[int], at: int) -> None:
        """Play the rest of the shortest success from `at` after the step at which they part."""
        tree, of = self.episode.tree, self.values.states.of
        paths = (tree.lineage(leaf.id) for leaf in tree.continuations() if leaf.step.solved)
        through = (path for path in paths if of[at] in {ROOT, *(of[n.id] for n in path)})
        success = min(through, key=len, default=None)
        if success is None:
            return
        same = (of[node.id] == of[state] for node, state in zip(success, failed[1:], strict=False))
        parts = sum(takewhile(bool, same))
        if parts + 1 == len(failed):  # it was not wrong, but ended too early
            return
        wrong = failed[parts + 1]
        spliced = any(child.why == SPLICED for child in tree.children(wrong))
        if not (spliced or tree.node(wrong).step.ended):
            await play_spliced(self.episode, wrong, success[parts:])
