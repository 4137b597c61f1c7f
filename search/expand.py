"""Filling a state with children: the same in every search; only the order of states differs."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from search.limits import Limits
from search.tree import Node
from search.walk import Draw, Walk

Siblings = Literal["diverse", "sample"]
"""How the children of a state are drawn: "diverse" asks again for each child, telling the policy
what was tried and what came of it; "sample" draws all at once, independently, in one request."""


@dataclass(slots=True)
class State:
    """A state while it is filled.

    drawn: proposed and not yet taken.   seen: keys of all that was proposed.
    asked: requests made in it.   barren: how many of the latest brought nothing new.
    """

    id: int
    drawn: deque[Draw] = field(default_factory=deque)
    seen: set[str] = field(default_factory=set)
    asked: int = 0
    barren: int = 0

    def full(self, limits: Limits) -> bool:
        return len(self.seen) >= limits.width

    def stubborn(self, limits: Limits) -> bool:
        """Whether it was asked `limits.repeats` times more and proposed nothing new."""
        return self.barren > limits.repeats


async def draw(walk: Walk, state: State, siblings: Siblings) -> None:
    """Ask once for what `state` still lacks; repeats of a sibling are dropped and counted."""
    lacking = walk.limits.width - len(state.seen)
    tried = [child.step for child in walk.tree.children(state.id)]
    draws = (
        await walk.ask(state.id, count=lacking, attempt=state.asked)
        if siblings == "sample"
        else await walk.ask(state.id, tried=tried, attempt=state.asked)
    )
    if not draws:
        return  # the run's budget is spent: that is not the state's fault
    state.asked += 1
    fresh = 0
    for each in draws:
        if each.action.key not in state.seen:
            state.seen.add(each.action.key)
            state.drawn.append(each)
            fresh += 1
    walk.tree.repeats += len(draws) - fresh
    state.barren = 0 if fresh else state.barren + 1


async def take(walk: Walk, state: State) -> Node:
    """Play the next of what was drawn; a full state is not come back to after its last child."""
    each = state.drawn.popleft()
    last = state.full(walk.limits) and not state.drawn
    return await walk.take(state.id, each, last=last)


async def expand(walk: Walk, at: int, siblings: Siblings) -> list[Node]:
    """Play up to `limits.width` different actions in `at`, and close it; fewer where the policy
    repeats itself, where the budget ends, or where enough paths are solved."""
    state, children = State(at), []
    while not walk.solved:
        if state.drawn:
            children.append(await take(walk, state))
        elif state.full(walk.limits):
            break
        elif state.stubborn(walk.limits):
            await walk.close(at, "repeats")
            break
        elif walk.affordable:
            await draw(walk, state, siblings)
        else:
            break  # left open: it could be expanded, had there been more to spend
    return children
