"""A run as one HTML file, and a single tree as HTML for a notebook; neither needs a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from engine.runs.annotations import annotations_file, read_annotations
from engine.view.data import Json
from engine.view.html import page_end, page_start, tree_block
from engine.view.reader import RunReader
from search.tree import ROOT, Node, Tree
from treegraft.write_files import atomic_write


@dataclass(frozen=True, slots=True)
class WrittenPage:
    """A page that was written.

    Attributes:
        summaries: what the page of a run shows of its tasks.
    """

    file: Path
    tasks: int
    bytes: int
    summaries: Sequence[Json] = ()


def write_page(
    run: Path, file: Path, reader: RunReader, only: Sequence[str] = (), limit: int | None = None
) -> WrittenPage:
    """Write the page of the run in folder `run` to `file`, completely or not at all.

    `only` holds the ids of the tasks to show; empty for all. Tasks that failed are listed if
    neither `only` nor `limit` is set.

    Raises:
        UsageError: a task has no tree, an annotation is invalid, or the file cannot be written.
        LeakError: a tree shows its task's secret.
    """
    task_ids = reader.task_ids(only, limit)
    failures = {} if only or limit else reader.failures()
    marks = [annotation.to_dict() for annotation in read_annotations(annotations_file(run))]
    with atomic_write(file) as part, part.open("w", encoding="utf-8", errors="replace") as page:
        page.write(page_start(reader.about["name"], live=False))
        summaries = []
        for number, task_id in enumerate(task_ids):
            data = reader.read(task_id)
            page.write(tree_block(number, data.detail))
            failed = {"why": failures.pop(task_id)["why"]} if task_id in failures else {}
            summaries.append(data.summary | {"tree": number} | failed)
        summaries += failures.values()
        page.write(page_end({"about": reader.about, "tasks": summaries, "marks": marks}))
        size = page.tell()
    return WrittenPage(file, len(summaries), size, summaries)


_LONGEST_TEXT = 2000
"""Characters of an observation in `tree_html`."""


def tree_html(tree: Tree) -> str:
    """Return `tree` as nested HTML lists, for a notebook: no script, no network, all text escaped.

    Paths to solutions are open at first, the others closed.
    """
    winning = {node.id for leaf in tree.winners() for node in tree.lineage(leaf.id)}
    outcome = "solved" if tree.solved else f"not solved ({tree.stopped})"
    title = f"{tree.task.id}: {outcome}, {len(tree.nodes)} nodes, {tree.usage.calls} calls"
    parts = [  # Jupyter would take dollar signs for formulas
        '<details open class="tex2jax_ignore mathjax_ignore">'
        f"<summary><b>{escape(title)}</b></summary><p>{escape(tree.task.prompt)}</p>"
    ]
    waiting: list[Node | str] = ["</details>", *reversed(tree.children(ROOT))]
    while waiting:  # not recursive, because a path may be deeper than Python's stack
        item = waiting.pop()
        if isinstance(item, str):
            parts.append(item)
        else:
            parts.append(_node_html(item, item.id in winning))
            waiting += ["</details>", *reversed(tree.children(item.id))]
    return "".join(parts)


def _node_html(node: Node, is_open: bool) -> str:
    step, action = node.step, node.step.action
    reward = f" r={step.reward:g}" if step.ended else ""
    name = action.key if action.tool else f"malformed: {action.thought}"
    text = step.observation
    text = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
    return (
        f'<details style="margin-left:1.5em"{" open" if is_open else ""}>'
        f"<summary>{node.id} <b>{node.status}</b>{reward} <code>{escape(name)}</code></summary>"
        f'<pre style="white-space:pre-wrap">{escape(text)}</pre>'
    )
