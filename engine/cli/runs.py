"""The commands that look at a run: `engine stats` and `engine show`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import Run
from engine.terminal import Json


def stats(run: Run, json_: Json = False) -> None:
    """Count what a run came to: solve rate, failures, calls, tokens, dollars, shapes."""
    from rich.console import Console
    from rich.table import Table

    from engine.runs.stats import stats
    from engine.runs.store import Store

    with Store.open(run) as store:
        found = stats(store).to_dict()
    if json_:
        print(json.dumps(found))
        return
    table = Table("", "", show_header=False, title=str(run))
    for name, value in found.items():
        shown = ", ".join(f"{k}: {v}" for k, v in value.items()) if type(value) is dict else value
        table.add_row(name.replace("_", " "), str(shown))
    Console().print(table)


def show(
    run: Run,
    task: Annotated[str, typer.Option(help="A task's id.", show_default="all tasks")] = "",
    graphml: Annotated[Path | None, typer.Option(help="Write the tree as GraphML.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print a JSON object a tree.")] = False,
) -> None:
    """Print the tree of a task, or list the tasks of a run."""
    from rich.console import Console

    from engine.cli.show import branches, write_graphml
    from engine.errors import UsageError
    from engine.runs.codec import dumps, tree_to_dict
    from engine.runs.store import Store

    if graphml and not task:
        raise UsageError("--graphml writes one tree: say which with --task")
    with Store.open(run) as store:
        for tree in [store.tree(task)] if task else store.trees():
            if graphml:
                write_graphml(tree, graphml)
            elif json_:
                print(dumps(tree_to_dict(tree)))
            elif task:
                Console().print(branches(tree))
            else:
                word = "solved" if tree.solved else "not solved"
                print(f"{tree.task.id}\t{word}\t{tree.stopped}\t{len(tree.nodes)} nodes")
        for id, (kind, message) in ({} if task else store.failures()).items():
            if not json_:
                print(f"{id}\tfailed\t{kind}: {message}")
