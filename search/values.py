"""What states are worth: the rewards of the paths that a policy played on from them.

Monte Carlo estimates, as of process rewards in Math-Shepherd (Wang et al. 2024, arXiv:2312.08935,
section 3.3). The value of an action is that of the state it leads to, because a reward is given at
the end of a path only.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite
from statistics import fmean, pvariance

from search.states import States
from search.tree import ROOT, Node, Tree
from treegraft.intervals import wilson


@dataclass(frozen=True, slots=True)
class Value:
    """What a state is worth.

    Attributes:
        rewards: Of the paths from there, each from 0 to 1; where a path has ended, its reward.
        ended: A path ended there, so the value is known and not estimated.
    """

    rewards: tuple[float, ...]
    ended: bool = False

    @property
    def mean(self) -> float:
        """The mean reward."""
        return fmean(self.rewards)

    @property
    def variance(self) -> float:
        """The variance of the rewards."""
        return pvariance(self.rewards)

    @property
    def pass_rate(self) -> float:
        """The share of paths with a reward of 1."""
        return sum(reward >= 1 for reward in self.rewards) / len(self.rewards)

    @property
    def pivot(self) -> float:
        """The pivot score p (1 - p) of the pass rate p: most where success is an even chance."""
        return self.pass_rate * (1 - self.pass_rate)

    def interval(self, confidence: float = 0.9) -> tuple[float, float]:
        """Return the score interval of the mean, which is the mean itself where a path ended."""
        if self.ended:
            return self.mean, self.mean
        return wilson(sum(self.rewards), len(self.rewards), confidence)


@dataclass(slots=True)
class Values:
    """The values of the states of a tree of `engine credit`.

    A continuation that passes through a state counts there, too: it is a draw of the same policy.

    Attributes:
        least: Continuations of a state at least; the value of one with fewer is not known.
        states: Its states.
        drawn: How often the policy took each action, by the state and the action's key.
    """

    tree: Tree
    least: int = 1
    states: States = field(init=False)
    drawn: dict[int, Counter[str]] = field(default_factory=dict)
    _rewards: dict[int, list[float]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.states = States(self.tree)
        for leaf in self.tree.continuations():
            self.add(leaf)

    def add(self, leaf: Node) -> None:
        """Count the continuation that ended in `leaf`."""
        if not isfinite(leaf.step.reward):
            return
        self.states.update()
        for node in self._continuation(leaf):
            state = self.states.before(node)
            self._rewards.setdefault(state, []).append(leaf.step.reward)
            self.drawn.setdefault(state, Counter())[node.step.action.key] += 1

    def _continuation(self, leaf: Node) -> Iterator[Node]:
        at = leaf.id
        while at > self.tree.searched:
            yield (node := self.tree.node(at))
            at = node.parent

    def of(self, node: int) -> Value | None:
        """Return the value of the state of a node, or of ROOT; None if nothing is known."""
        return self._value([node])

    def of_action(self, nodes: Sequence[Node]) -> Value | None:
        """Return what an action is worth by its nodes in one state, which led to one state or more.

        They lead to several if the world answered differently. None if nothing is known.
        """
        return self._value([node.id for node in nodes])

    def _value(self, nodes: Sequence[int]) -> Value | None:
        rewards, ended = list[float](), True
        first = {self.states.of[node]: node for node in reversed(nodes)}
        for state, node in reversed(first.items()):
            if node != ROOT and (step := self.tree.node(node).step).ended:
                rewards += [step.reward] if isfinite(step.reward) else []
            else:
                ended = False
                rewards += self._rewards.get(state, [])
        enough = rewards and (ended or len(rewards) >= self.least)
        return Value(tuple(rewards), ended) if enough else None

    def advantage(self, node: Node) -> float | None:
        """Return by how much the action of `node` is better than the policy's mean action there."""
        taken, before = self.of(node.id), self.of(node.parent)
        return None if taken is None or before is None else taken.mean - before.mean
