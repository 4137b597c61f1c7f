"""Reads a run for the page: read-only, one tree in memory at a time."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from engine.errors import UsageError
from engine.export.pairs import BY_VALUE, PairKind
from engine.export.rows import RowBuilder
from engine.runs.annotations import (
    Annotation,
    annotations_file,
    append_annotations,
    path_signatures,
    read_annotations,
)
from engine.runs.fingerprints import contains_secret
from engine.runs.store import Store
from engine.view.data import (
    Json,
    PathValues,
    TreeData,
    about_run,
    path_values,
    summary_without_tree,
    tree_data,
)
from search import PLAYED_ON
from search.tree import Tree


@dataclass(frozen=True, slots=True)
class Continued:
    """A run with continuations.

    Attributes:
        policy: who played on.
        tasks: ids of the tasks that have a tree; None for those that are read.
    """

    store: Store
    policy: str
    tasks: frozenset[str] | None = None

    def values(self, tree: Tree) -> PathValues:
        """Return what the states of the task of `tree` are worth; nothing if that is not known."""
        if self.tasks is None:
            return path_values(tree, self.policy)
        if tree.task.id not in self.tasks:
            return {}
        return path_values(self.store.tree(tree.task.id), self.policy)


@dataclass(frozen=True, slots=True)
class RunReader:
    """An open run.

    Attributes:
        builder: renders its trees in the run's own template.
        continued: the runs whose continuations say what states are worth: this one, if it holds
            any, then others of `engine credit`.
    """

    store: Store
    builder: RowBuilder
    about: Json
    pairs: PairKind
    continued: Sequence[Continued] = ()

    @classmethod
    @contextmanager
    def open(
        cls, run: Path, pairs: PairKind = "step", values: Sequence[Path] = ()
    ) -> Iterator[Self]:
        """Open the run in folder `run`, or in the store `run`.

        Args:
            run: The run.
            pairs: Which pairs to show.
            values: Runs of `engine credit` whose values are shown, too.

        Raises:
            UsageError: there is no run, or it has not begun; or one of `values` holds none.
        """
        name = (run if run.is_dir() else run.parent).resolve().name
        with ExitStack() as stack:
            store = stack.enter_context(Store.open(run))
            meta = store.meta()
            if "world" not in meta:
                raise UsageError(f"the run in {run} has not begun; try again in a moment")
            builder = RowBuilder.for_run(name, meta, tool_noise="none")  # the true calls
            continued = [Continued(store, policy)] if (policy := _played_on_by(store)) else []
            if pairs in BY_VALUE and not continued:
                raise UsageError(
                    f"--pairs {pairs}: {run} holds no continuations; view those of "
                    f"`engine credit {run}`"
                )
            for folder in values:
                other = stack.enter_context(Store.open(folder))
                if not (policy := _played_on_by(other)):
                    raise UsageError(
                        f"--values {folder}: holds no continuations; `engine credit` makes them"
                    )
                continued.append(Continued(other, policy, frozenset(other.task_ids())))
            yield cls(store, builder, about_run(name, meta, builder), pairs, continued)

    def read(self, task_id: str) -> TreeData:
        """Return what the page shows of a task's tree.

        Raises:
            UsageError: the task has no tree.
            LeakError: the tree shows the task's secret.
        """
        tree = self.store.tree(task_id)
        fingerprints = self.store.fingerprints(task_id)
        values = [each.values(tree) for each in self.continued]
        return tree_data(tree, self.builder, fingerprints, self.pairs, values)

    def failures(self) -> dict[str, Json]:
        """Return the summaries of the tasks that failed, by id.

        Such a task may have a tree too, from an earlier search; it is not part of this summary.
        """
        summaries = {}
        for task_id, (kind, message) in self.store.failures().items():
            leaks = contains_secret(message, self.store.fingerprints(task_id))
            why = f"{kind}: {'withheld' if leaks else message}"
            summaries[task_id] = summary_without_tree(task_id, why)
        return summaries

    def task_ids(self, only: Sequence[str], limit: int | None) -> list[str]:
        """Return ids of tasks that have a tree: at most `limit`, and of `only` if it names any.

        Raises:
            UsageError: a task of `only` has no tree in this run.
        """
        ids, chosen = self.store.task_ids(), set(only)
        missing = sorted(chosen.difference(ids))
        if missing:
            raise UsageError(f"no tree of task {missing[0]!r} in this run")
        return [task_id for task_id in ids if not chosen or task_id in chosen][:limit]

    def stale(self, annotations: Sequence[Annotation]) -> list[Annotation]:
        """Return those of `annotations` whose nodes are not in this run."""
        tasks = {annotation.task for annotation in annotations} & set(self.store.task_ids())
        signatures = {task_id: path_signatures(self.store.tree(task_id)) for task_id in tasks}
        return [each for each in annotations if not each.matches(signatures.get(each.task, ()))]


def _played_on_by(store: Store) -> str:
    """Return who made the continuations of a run's trees; "" if they hold none."""
    config = store.meta().get("config", {})
    return str(config["teacher"]) if config.get("search") in PLAYED_ON else ""


def import_annotations(run: Path, file: Path) -> tuple[int, int]:
    """Add the annotations of a downloaded `file`; return how many are new, and how many it has.

    Raises:
        UsageError: There is no such file, or it was made on another run; nothing is added.
    """
    if not file.is_file():
        raise UsageError(f"no file {file}; download one from the page of `engine view`")
    marks = read_annotations(file, whole=True)
    if not marks:
        raise UsageError(f"{file} holds no marks; download one from the page of `engine view`")
    with RunReader.open(run) as reader:
        stale = reader.stale(marks)
    if stale:
        first = stale[0]
        raise UsageError(
            f"{len(stale)} of {len(marks)} marks are about other trees (node {first.node} of task "
            f"{first.task!r}): they were made on another run; none was added"
        )
    target = annotations_file(run)
    known = read_annotations(target)
    new = [mark for mark in marks if mark not in known]
    append_annotations(target, new)
    return len(new), len(marks)
