"""Fill a state with children: the same in every search; only the order of states differs."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from search.episode import Draw, Episode
from search.tree import Node

Siblings = Literal["diverse", "sample"]
"""How the children of a state are drawn: "diverse" asks again for each child, and shows the policy
what was tried and what came of it; "sample" draws all at once, independently, in one request."""


@dataclass(slots=True)
class State:
    """A state that is being filled.

    Attributes:
        drawn: Proposed, not yet played.
        seen: Keys of all actions proposed.
        requests: Requests made in it.
        no_progress: How many of the latest requests brought nothing new.
    """

    id: int
    drawn: deque[Draw] = field(default_factory=deque)
    seen: set[str] = field(default_factory=set)
    requests: int = 0
    no_progress: int = 0

    def full(self, width: int) -> bool:
        """Return whether it has been offered `width` different actions."""
        return len(self.seen) >= width

    def exhausted(self, retries: int) -> bool:
        """Return whether `retries` further requests brought nothing new."""
        return self.no_progress > retries


async def draw(episode: Episode, state: State, siblings: Siblings) -> None:
    """Ask once for the children `state` still lacks; drop and count duplicates of a sibling."""
    lacking = episode.search.width - len(state.seen)
    draws = (
        await episode.ask(state.id, count=lacking, attempt=state.requests)
        if siblings == "sample"
        else await episode.ask(state.id, differ=True, attempt=state.requests)
    )
    if not draws:
        return  # the run's budget is spent, which is not the state's fault
    state.requests += 1
    fresh = 0
    for each in draws:
        if each.action.key not in state.seen:
            state.seen.add(each.action.key)
            state.drawn.append(each)
            fresh += 1
    episode.tree.duplicates += len(draws) - fresh
    state.no_progress = 0 if fresh else state.no_progress + 1


async def take(episode: Episode, state: State) -> Node:
    """Play the next drawn action; a full state need not be saved for its last child."""
    each = state.drawn.popleft()
    last = state.full(episode.search.width) and not state.drawn
    return await episode.take(state.id, each, last=last)


async def expand(episode: Episode, at: int, siblings: Siblings) -> list[Node]:
    """Play up to `width` different actions in `at` and close it.

    There are fewer where the policy repeats itself, the budget ends or enough paths are solved.
    """
    state, children = State(at), []
    while not episode.solved:
        if state.drawn:
            children.append(await take(episode, state))
        elif state.full(episode.search.width):
            break
        elif state.exhausted(episode.search.retries):
            await episode.close(at, "repeats")
            break
        elif episode.affordable:
            await draw(episode, state, siblings)
        else:
            break  # stays open in the tree: a larger budget could expand it
    return children
