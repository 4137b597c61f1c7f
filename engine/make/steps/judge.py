"""Judge the steps of a run, and prove by replay which ones a path does not need."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from engine.make.asker import RULES, Asker, AskerSettings, open_asker
from engine.make.steps import model
from engine.make.steps.replay import not_needed
from engine.make.steps.rules import SCORES, doubtful, failed_beside, path_label
from engine.runs.annotations import path_signatures
from engine.runs.build_executor import RunBudget
from engine.runs.judgements import Judgement, Pruned
from engine.runs.store import Store
from engine.runs.world_of_run import WorldOfRun, open_world
from engine.telemetry.tracing import ACTIVE, traced
from search.policy import BudgetSpent, PolicyError
from search.tree import Node, Tree


@dataclass(slots=True)
class Judged:
    """What was said of a run.

    Attributes:
        unread: steps whose judgement could not be read, or was not answered.
        stopped: why it ended early; "" if it did not.
    """

    found: list[Judgement | Pruned] = field(default_factory=list)
    unread: int = 0
    stopped: str = ""

    @property
    def labels(self) -> Counter[str]:
        """How many steps have each label."""
        return Counter(one.label for one in self.found if isinstance(one, Judgement))

    @property
    def pruned(self) -> int:
        """How many paths succeed without some of their steps."""
        return sum(isinstance(one, Pruned) for one in self.found)


async def judge_run(
    run: Path, asking: AskerSettings, budget: RunBudget, task_file: Path | None = None
) -> Judged:
    """Judge the steps of all successful paths of a run, and the failed steps beside them.

    Args:
        run: The folder.
        asking: Whom to ask; by rules, nobody is asked.
        budget: What asking may cost; when it is spent, what was judged is returned.
        task_file: The file of the run's tasks, if it played those of a file.

    Raises:
        UsageError: The run's world has no task of it any more.
        PolicyError: The model cannot be reached.
    """
    judged = Judged()
    with Store.open(run) as store:
        config = store.meta()["config"]
        trees = [tree for tree in store.trees() if tree.winners()]
    with traced(asking.otel, asking.otel_content):
        if not asking.by_rules:
            async with open_asker(asking, budget, run) as asker:
                await _by_model(asker, trees, judged)
        with open_world(config, task_file) as world:
            _replay(world, trees, asking, judged)
    return judged


def _replay(
    world: WorldOfRun, trees: Sequence[Tree], asking: AskerSettings, judged: Judged
) -> None:
    """Find the steps that each path does not need; by rules, judge all steps by that."""
    labels = {(one.task, one.node): one.label for one in judged.found if isinstance(one, Judgement)}
    env = ACTIVE.get().env(world.env)
    for tree in trees:
        task, without = world.task(tree.task.id), {}
        with ACTIVE.get().task(task, asking.model):
            for leaf in tree.winners():
                path = tree.lineage(leaf.id)
                doubts = [n.id for n in path if labels.get((task.id, n.id)) == "detour"]
                doubts = doubtful(env, task, path) if asking.by_rules else doubts
                without[leaf.id] = not_needed(env, task, path, doubts)
        if asking.by_rules:
            judged.found += _by_rules(tree, without)
        judged.found += _pruned(tree, without)


def _pruned(tree: Tree, without: Mapping[int, tuple[int, ...]]) -> Iterator[Pruned]:
    signatures = path_signatures(tree)
    for leaf, nodes in without.items():
        if nodes:
            yield Pruned(tree.task.id, leaf, signatures[leaf], nodes)


def _by_rules(tree: Tree, without: Mapping[int, tuple[int, ...]]) -> Iterator[Judgement]:
    signatures = path_signatures(tree)
    said: dict[int, Judgement] = {}
    for leaf in tree.winners():
        path = tree.lineage(leaf.id)
        labels = [(node, path_label(node, without[leaf.id])) for node in path]
        labels += [(node, "wrong") for node in failed_beside(tree, path)]
        for node, label in labels:
            judgement = Judgement(
                tree.task.id, node.id, signatures[node.id], label, SCORES[label], RULES
            )
            # A step that one of several paths needs is right.
            if node.id not in said or judgement.score > said[node.id].score:
                said[node.id] = judgement
    yield from said.values()


async def _by_model(asker: Asker, trees: Sequence[Tree], judged: Judged) -> None:
    async def one(tree: Tree, node: Node, signature: str) -> Judgement | None:
        before = tree.path(node.parent)
        try:
            said = await model.ask(asker, tree.task, before, node.step)
        except BudgetSpent:
            raise
        except PolicyError:
            return None
        if said is None:
            return None
        label, score, answer = said
        return Judgement(tree.task.id, node.id, signature, label, score, asker.name, answer.key)

    async def all_of(tree: Tree) -> list[Judgement | BaseException | None]:
        signatures = path_signatures(tree)
        nodes = {
            child.id: child
            for leaf in tree.winners()
            for node in tree.lineage(leaf.id)
            for child in tree.children(node.parent)
        }
        with ACTIVE.get().task(tree.task, asker.name):
            work = [one(tree, node, signatures[node.id]) for node in nodes.values()]
            return await asyncio.gather(*work, return_exceptions=True)

    for answer in chain.from_iterable(await asyncio.gather(*map(all_of, trees))):
        if isinstance(answer, BudgetSpent):
            judged.stopped = str(answer)
        elif isinstance(answer, BaseException):
            raise answer
        elif answer is None:
            judged.unread += 1
        else:
            judged.found.append(answer)
