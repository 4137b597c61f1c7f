"""A run as it is read for the page: read-only, one tree in memory at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from engine.errors import UsageError
from engine.export.export import Export, row_builder
from engine.export.rows import Pairs, RowBuilder
from engine.export.secrets import holds
from engine.runs.annotations import Mark, fits, signatures
from engine.runs.store import Store
from engine.view.data import Json, Reading, about, read, treeless


@dataclass(frozen=True, slots=True)
class Source:
    """A run that is open.   about: what the page says of it as a whole."""

    store: Store
    renderer: RowBuilder
    about: Json
    pairs: Pairs

    @classmethod
    @contextmanager
    def open(cls, run: Path, pairs: Pairs = "step") -> Iterator[Self]:
        """The run in folder `run`; `pairs` as `engine export` takes it.

        Raises:
            UsageError: there is no run, or one that has not begun.
        """
        folder = run.resolve() if run.is_dir() else run.resolve().parent
        with Store.open(run) as store:
            meta = store.meta()
            if "world" not in meta:
                raise UsageError(f"the run in {run} has not begun; try again in a moment")
            renderer = row_builder(folder.name, meta, Export("dpo", pairs=pairs))
            yield cls(store, renderer, about(folder.name, meta, renderer), pairs)

    def read(self, task_id: str) -> Reading:
        """The tree of a task.

        Raises:
            UsageError: it has none.
            LeakError: it shows the task's secret.
        """
        tree = self.store.tree(task_id)
        return read(tree, self.renderer, self.store.fingerprints(task_id), self.pairs)

    def failures(self) -> dict[str, Json]:
        """Summaries of the tasks that failed, by id; a tree that such a task has stands apart."""
        found = {}
        for task_id, (kind, message) in self.store.failures().items():
            leaks = holds(message, self.store.fingerprints(task_id))
            found[task_id] = treeless(task_id, f"{kind}: {'withheld' if leaks else message}")
        return found

    def choose(self, only: Sequence[str], limit: int | None) -> list[str]:
        """Ids of the tasks with trees that are called `only` (all if empty), at most `limit`.

        Raises:
            UsageError: one of `only` has no tree in this run.
        """
        known, wanted = self.store.task_ids(), set(only)
        missing = sorted(wanted.difference(known))
        if missing:
            raise UsageError(f"no tree of task {missing[0]!r} in this run")
        return [task_id for task_id in known if not wanted or task_id in wanted][:limit]

    def stale(self, marks: Sequence[Mark]) -> list[Mark]:
        """Those of `marks` whose node is not in this run."""
        trees = set(self.store.task_ids())
        tasks = {mark.task for mark in marks} & trees
        known = {task_id: signatures(self.store.tree(task_id)) for task_id in tasks}
        return [mark for mark in marks if not fits(mark, known.get(mark.task, ()))]
