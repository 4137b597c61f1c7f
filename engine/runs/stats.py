"""What a run came to: counts over its trees, in one pass, one tree in memory at a time."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from engine.runs.attribution import ActorStats
from engine.runs.store import Store
from search.tree import ROOT, Tree
from search.usage import Usage


@dataclass(slots=True)
class Stats:
    """solve_rate: solved / trees.  depths, widths, winning_calls: how many of each value.

    depths: steps of ended paths.  widths: children of expanded states.  winning_calls: requests
    made in the states of a tree's first successful path.   duplicate_siblings: proposals dropped.
    replayed: states rebuilt from their path because their snapshot was lost.
    prefix_tokens: see `prefix_tokens`, to be held against `usage.cached_tokens`, which is what the
        provider says that it had in its cache (0 where it says nothing).
    acting: told where a student acts first.
    """

    tasks: int = 0
    trees: int = 0
    solved: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    leaves: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    closed: Counter[str] = field(default_factory=Counter)
    nodes: int = 0
    usage: Usage = field(default_factory=Usage)
    duplicate_siblings: int = 0
    replayed: int = 0
    prefix_tokens: int = 0
    depths: Counter[int] = field(default_factory=Counter)
    widths: Counter[int] = field(default_factory=Counter)
    winning_calls: Counter[int] = field(default_factory=Counter)
    acting: ActorStats = field(default_factory=ActorStats)

    @property
    def solve_rate(self) -> float:
        return self.solved / self.trees if self.trees else 0.0

    def _share(self, tokens: int) -> float:
        """Of all prompt tokens, in [0, 1]."""
        return round(tokens / self.usage.prompt_tokens, 4) if self.usage.prompt_tokens else 0.0

    def to_dict(self) -> dict[str, Any]:
        counters = ("failures", "leaves", "errors", "stopped", "closed")
        spreads = ("depths", "widths", "winning_calls")
        return {
            "tasks": self.tasks,
            "trees": self.trees,
            "solved": self.solved,
            "solve_rate": round(self.solve_rate, 4),
            "nodes": self.nodes,
            "calls": self.usage.calls,
            "prompt_tokens": self.usage.prompt_tokens,
            "completion_tokens": self.usage.completion_tokens,
            "cached_tokens": self.usage.cached_tokens,
            "cached_share": self._share(self.usage.cached_tokens),
            "prefix_tokens": self.prefix_tokens,
            "prefix_share": self._share(self.prefix_tokens),
            "usd": round(self.usage.usd, 6),
            "duplicate_siblings": self.duplicate_siblings,
            "replayed": self.replayed,
            **{name: dict(getattr(self, name).most_common()) for name in counters},
            **{name: dict(sorted(getattr(self, name).items())) for name in spreads},
            **({"swift": self.acting.to_dict()} if self.acting else {}),
        }


def stats(store: Store) -> Stats:
    """Count everything in a run, finished or not."""
    found = Stats(failures=Counter(kind for kind, _ in store.failures().values()))
    for tree in store.trees():
        _count(found, tree)
    # A task whose tree the budget cut short, and whose next search failed, has both.
    found.tasks = len({*store.task_ids(), *store.failures()})
    return found


def prefix_tokens(tree: Tree) -> int:
    """Prompt tokens of a tree's requests that had been sent before, at the start of another one:
    what a prefix cache that forgets nothing would hold.

    A state's requests begin with its conversation (`Template.render`), to which a template appends
    only, so that the conversation of each ancestor is the beginning of it. So a request repeats
    what the first request in its own state sent, or, where it is the first, what the first request
    of the nearest ancestor with one sent; never more than it has. Tokens as the endpoint counts
    prompts. A student that acts first has a cache of its own.

    Left out, which makes it a lower bound: what the first requests of different trees share
    (instructions and tools), and the longer note that a second "ask differently" shares with the
    first. Counted though not shared: the note with which a state's first request may end (the
    lessons of `mcts`, a judge's question).
    """
    found = 0
    for by_student in (False, True):
        first: dict[int, int] = {}
        for call in tree.calls:
            if (call.kind == "student") != by_student:
                continue
            at, prompt = call.state, call.usage.prompt_tokens
            while at != ROOT and at not in first:
                at = tree.node(at).parent
            found += min(first.get(at, 0), prompt)
            first.setdefault(call.state, prompt)
    return found


def _count(found: Stats, tree: Tree) -> None:
    found.trees += 1
    found.solved += tree.solved
    found.nodes += len(tree.nodes)
    found.usage += tree.usage
    found.prefix_tokens += prefix_tokens(tree)
    found.acting.count(tree)
    found.duplicate_siblings += tree.duplicates
    found.replayed += len(tree.replayed)
    found.stopped[tree.stopped] += 1
    found.closed.update(tree.closed.values())
    for state in [ROOT, *(node.id for node in tree.nodes)]:
        if children := tree.children(state):
            found.widths[len(children)] += 1
    for node in tree.nodes:
        if error := node.step.info.get("error"):
            found.errors[str(error)] += 1
        if node.step.ended:
            found.leaves[node.status] += 1
            found.depths[len(tree.lineage(node.id))] += 1
    if winners := tree.winners():
        way = {ROOT, *(node.id for node in tree.lineage(winners[0].id))}
        found.winning_calls[sum(call.state in way for call in tree.calls)] += 1
