"""Statistics of a run: counts over its trees, in one pass, one tree in memory at a time."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.chat.prices import known_usd, usd_text
from engine.runs.attribution import ActorStats
from engine.runs.store import Store
from engine.templates import TemplateError
from engine.templates import get as get_template
from engine.templates.text import Text
from search import PLAYED_ON
from search.tree import ROOT, Tree
from search.usage import Usage


@dataclass(slots=True)
class Stats:
    """Counts over the trees of a run.

    Attributes:
        tasks: tasks with a tree or a failure.
        trees: tasks with a tree.
        solved: trees with a solution.
        failures: tasks whose search failed, by kind of error.
        leaves: ended paths, by the status of their last node.
        errors: steps that the environment answered with an error, by kind.
        repaired: steps whose reply was mended before it was read, by what was mended.
        incomplete: replies that were not complete, by reason ("length", "content_filter", ...),
            those included that were asked for again.
        stopped: trees, by why their search ended.
        closed: states given up early, by reason.
        duplicate_siblings: proposals dropped because a sibling had the same action.
        replayed: states rebuilt from their path because their snapshot was lost.
        prefix_tokens: see `prefix_tokens`; 0 if each request is one prompt. Compare it with
            `usage.cached_tokens`, the tokens that the provider reports as cached (0 if it reports
            none).
        depths: how many ended paths have so many steps.
        widths: how many expanded states have so many children.
        winning_calls: how many solved trees took so many requests in the states of their first
            successful path.
        actors: who acted, in runs where a student acts first.
        continuations: paths that a policy played on from the states of an earlier search, in runs
            of `engine credit`; None in others.
        unpriced: models whose price is not known; None in runs that do not say.
    """

    tasks: int = 0
    trees: int = 0
    solved: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    leaves: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    incomplete: Counter[str] = field(default_factory=Counter)
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
    actors: ActorStats = field(default_factory=ActorStats)
    continuations: int | None = None
    unpriced: list[str] | None = None

    @property
    def solve_rate(self) -> float:
        """Share of trees that are solved, in [0, 1]."""
        return self.solved / self.trees if self.trees else 0.0

    def _prompt_share(self, tokens: int) -> float:
        return round(tokens / self.usage.prompt_tokens, 4) if self.usage.prompt_tokens else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values, as `engine stats --json` prints them."""
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
            "cached_share": self._prompt_share(self.usage.cached_tokens),
            "prefix_tokens": self.prefix_tokens,
            "prefix_share": self._prompt_share(self.prefix_tokens),
            "usd": _rounded(known_usd(self.usage, bool(self.unpriced))),
            "duplicate_siblings": self.duplicate_siblings,
            "replayed": self.replayed,
            **{name: dict(getattr(self, name).most_common()) for name in counters},
            **{name: dict(sorted(getattr(self, name).items())) for name in spreads},
            **({"repaired": dict(self.repaired.most_common())} if self.repaired else {}),
            **({"incomplete": dict(self.incomplete.most_common())} if self.incomplete else {}),
            **({"continuations": self.continuations} if self.continuations is not None else {}),
            **({"student_first": self._student_first()} if self.actors else {}),
            **({"unpriced": self.unpriced} if self.unpriced else {}),
        }

    @property
    def usd_text(self) -> str:
        """The dollars spent, for people."""
        return usd_text(self.usage, self.unpriced is None or bool(self.unpriced))

    def _student_first(self) -> dict[str, Any]:
        parts = {"teacher_usd": self.actors.teacher, "student_usd": self.actors.student}
        usd = {k: _rounded(known_usd(used, bool(self.unpriced))) for k, used in parts.items()}
        return self.actors.to_dict() | usd


def _rounded(usd: float | None) -> float | None:
    return None if usd is None else round(usd, 6)


def stats(store: Store) -> Stats:
    """Count everything in a run, finished or not."""
    counts = Stats(failures=Counter(kind for kind, _ in store.failures().values()))
    counts.unpriced = store.meta().get("unpriced")
    grows = _grows(store.meta())
    valued = store.meta().get("config", {}).get("search") in PLAYED_ON
    for tree in store.trees():
        _count(counts, tree)
        if valued:
            ended = sum(1 for _ in tree.continuations())
            counts.continuations = (counts.continuations or 0) + ended
        counts.prefix_tokens += prefix_tokens(tree) if grows else 0
    # A task has both a tree and a failure if the budget cut its tree and the next search failed.
    counts.tasks = len({*store.task_ids(), *store.failures()})
    return counts


def _grows(meta: Mapping[str, Any]) -> bool:
    """Return whether the requests of a run are growing chats, so that they share beginnings."""
    name, source = meta.get("config", {}).get("template", ""), str(meta.get("template") or "")
    try:
        template = get_template(name, source=source)
    except TemplateError:
        return True
    return not (isinstance(template, Text) and template.memory == "prompt")


def prefix_tokens(tree: Tree) -> int:
    """Return the prompt tokens that earlier requests of the same tree began with.

    A prefix cache that forgets nothing would hold them. Each request begins with the conversation
    of its state, and templates only append (`Template.render`), so a conversation begins with that
    of every ancestor. A request therefore repeats the first request in its own state; the first
    request in a state repeats the first request of the nearest ancestor that has one. Tokens are
    counted as the endpoint counts prompts. A student that acts first has a cache of its own.

    This is a lower bound for two reasons: the first requests of different trees share instructions
    and tools, and a second request to act differently shares more of its note with the first. One
    thing is counted but not shared: the note with which a state's first request may end (the
    lessons of `mcts`, a judge's question). A grader's questions are no such conversations.
    """
    repeated = 0
    for by_student in (False, True):
        first: dict[int, int] = {}
        for call in tree.calls:
            if (call.kind == "student") != by_student or call.kind == "grade":
                continue
            at, prompt = call.state, call.usage.prompt_tokens
            while at != ROOT and at not in first:
                at = tree.node(at).parent
            repeated += min(first.get(at, 0), prompt)
            first.setdefault(call.state, prompt)
    return repeated


def _count(counts: Stats, tree: Tree) -> None:
    counts.trees += 1
    counts.solved += tree.solved
    counts.nodes += len(tree.nodes)
    counts.usage += tree.usage
    for call in tree.calls:
        counts.incomplete.update(call.incomplete.split())
    counts.actors.count(tree)
    counts.duplicate_siblings += tree.duplicates
    counts.replayed += len(tree.replayed)
    counts.stopped[tree.stopped] += 1
    counts.closed.update(tree.closed.values())
    for state in [ROOT, *(node.id for node in tree.nodes)]:
        if children := tree.children(state):
            counts.widths[len(children)] += 1
    for node in tree.nodes:
        if error := node.step.info.get("error"):
            counts.errors[str(error)] += 1
        counts.repaired.update(map(str, node.step.info.get("repaired", ())))
        if node.step.ended:
            counts.leaves[node.status] += 1
            counts.depths[len(tree.lineage(node.id))] += 1
    if winners := tree.winners():
        on_path = {ROOT, *(node.id for node in tree.lineage(winners[0].id))}
        counts.winning_calls[sum(call.state in on_path for call in tree.calls)] += 1
