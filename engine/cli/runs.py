"""The commands that inspect a run: `engine stats` and `engine show`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine.terminal import Json, RunFolder


def stats(run: RunFolder, json_: Json = False) -> None:
    """Print statistics of a run: solve rate, failures, calls, tokens, dollars, tree shapes."""
    from rich.console import Console
    from rich.table import Table

    from engine.runs.stats import stats
    from engine.runs.store import Store

    with Store.open(run) as store:
        found = stats(store)
    counts = found.to_dict()
    if json_:
        print(json.dumps(counts))
        return
    table = Table("", "", show_header=False, title=str(run))
    for name, value in (counts | {"usd": found.usd_text}).items():
        shown = ", ".join(f"{k}: {v}" for k, v in value.items()) if type(value) is dict else value
        table.add_row(name.replace("_", " "), str(shown))
    Console().print(table)


def show(
    run: RunFolder,
    task: Annotated[str, typer.Option(help="Id of a task.", show_default="all tasks")] = "",
    graphml: Annotated[Path | None, typer.Option(help="Write the tree as GraphML.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object per tree.")] = False,
) -> None:
    """Print the tree of a task, or list the tasks of a run."""
    from rich.console import Console

    from engine.cli.show import rich_tree, write_graphml
    from engine.errors import UsageError
    from engine.runs.codec import json_value, tree_to_dict
    from engine.runs.failure import Failure
    from engine.runs.store import Store

    if graphml and not task:
        raise UsageError("--graphml writes one tree: choose it with --task")
    with Store.open(run) as store:
        if task and task not in store.task_ids() and (failure := store.failure(task)):
            shown = {"task": task, **asdict(failure)}
            print(json.dumps(shown) if json_ else f"{task}: {failure}\n{failure.trace}".rstrip())
            return
        for tree in [store.tree(task)] if task else store.trees():
            if graphml:
                write_graphml(tree, graphml)
            elif json_:
                print(json.dumps(json_value(tree_to_dict(tree)), allow_nan=False))
            elif task:
                Console().print(rich_tree(tree))
            else:
                outcome = "solved" if tree.solved else "not solved"
                print(f"{tree.task.id}\t{outcome}\t{tree.stopped}\t{len(tree.nodes)} nodes")
        for id, found in ({} if task else store.failures()).items():
            if not json_:
                print(f"{id}\tfailed\t{Failure(*found)}")
