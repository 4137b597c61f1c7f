"""Depth-first search over tool calls: DFSDT (Qin et al. 2023, arXiv:2307.16789, section 3.2)."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from environments.base import ToolEnv
from environments.types import Task
from search.limits import Limits
from search.policy import Policy
from search.tree import ROOT, Tree
from search.walk import Draw, Walk

Siblings = Literal["diverse", "sample"]


@dataclass(slots=True)
class _State:
    """An open state. drawn: proposed and not yet taken.  asked: requests made in it."""

    id: int
    drawn: deque[Draw] = field(default_factory=deque)
    seen: set[str] = field(default_factory=set)
    asked: int = 0
    barren: int = 0


async def dfsdt(
    env: ToolEnv,
    task: Task,
    policy: Policy,
    limits: Limits,
    *,
    siblings: Siblings = "diverse",
    backtrack: int = 1,
) -> Tree:
    """Explore `task` and return everything visited, failures included.

    Always expands the deepest open state; a state closes once it has `limits.width` children, or
    once it has been asked `limits.repeats` times more and proposed nothing new.

    siblings: "diverse" asks again for each child, telling the policy what was tried and what came
        of it; "sample" draws all children at once, independently, in one request.
    backtrack: levels to go up after a failed leaf; with 1, its parent is tried again.

    An action that was paid for is played even when nothing is left for another request.
    """
    walk = await Walk.begin(env, task, policy, limits)
    way = [_State(ROOT)]  # the open states from the start state down to the deepest
    while way and not walk.solved:
        state = way[-1]
        if state.drawn:
            node = await walk.take(state.id, state.drawn.popleft())
            if not node.step.ended:
                way.append(_State(node.id))
            elif not node.step.solved:
                await _go_up(walk, way, backtrack)
        elif len(state.seen) >= limits.width:
            await walk.close(way.pop().id)
        elif state.barren > limits.repeats:
            await walk.close(way.pop().id, "repeats")
        elif walk.affordable:
            await _draw(walk, state, siblings)
        else:
            way.pop()  # left open: it could be expanded, had there been more to spend
    return await walk.end()


async def _draw(walk: Walk, state: _State, siblings: Siblings) -> None:
    """Ask once for what `state` still lacks; repeats of a sibling are dropped and counted."""
    lacking = walk.limits.width - len(state.seen)
    tried = [child.step for child in walk.tree.children(state.id)]
    draws = (
        await walk.ask(state.id, count=lacking, attempt=state.asked)
        if siblings == "sample"
        else await walk.ask(state.id, tried=tried, attempt=state.asked)
    )
    state.asked += 1
    fresh = 0
    for draw in draws:
        if draw.action.key not in state.seen:
            state.seen.add(draw.action.key)
            state.drawn.append(draw)
            fresh += 1
    walk.tree.repeats += len(draws) - fresh
    state.barren = 0 if fresh else state.barren + 1


async def _go_up(walk: Walk, way: list[_State], levels: int) -> None:
    """Prune the states that a failed leaf takes with it: all but the first of `levels`."""
    for _ in range(min(levels - 1, len(way) - 1)):
        state = way.pop()
        full = len(state.seen) >= walk.limits.width and not state.drawn
        await walk.close(state.id, "" if full else "pruned")
