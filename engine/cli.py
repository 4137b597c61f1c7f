"""The `engine` command. Parses and prints; the work is in the modules it calls.

Modules are imported inside the commands, so that `engine --help` answers at once.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from engine.cli_cache import cache
from engine.cli_sandbox import sandbox as sandbox_commands
from engine.flags import (
    Data,
    Db,
    Env,
    Format,
    Limit,
    Partial,
    Run,
    Sandbox,
    Split,
    given,
)
from engine.terminal import Json, Unsafe, confirmed, guarded, resumable, say

if TYPE_CHECKING:
    from engine.config import Config
    from engine.explore import Summary

app = typer.Typer(
    name="engine",
    help="Explore tool environments as trees; export rows to train on.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(cache, name="cache")
app.add_typer(sandbox_commands, name="sandbox")


@app.command()
def explore(
    env: Env,
    out: Annotated[Path, typer.Option(help="The run's folder; the same command resumes it.")],
    data: Data = None,
    split: Split = None,
    limit: Limit = None,
    tasks: Annotated[str, typer.Option(help="Task ids, a,b,c; or @FILE of one id a line.")] = "",
    quarantine: Annotated[
        Path | None,
        typer.Option(
            help="Tasks to leave out, as `engine validate` writes them.",
            show_default="runs/quarantine-ENV-SPLIT.json where it exists",
        ),
    ] = None,
    teacher: Annotated[
        str, typer.Option(help="A model's name; `demonstration` needs no model and no key.")
    ] = "demonstration",
    base_url: Annotated[
        str, typer.Option(help="The endpoint.", show_default="$OPENAI_BASE_URL, else OpenAI's")
    ] = "",
    template: Annotated[str, typer.Option(help="How messages are written: native, react.")] = (
        "native"
    ),
    search: Annotated[str, typer.Option(help="dfsdt or react.")] = "dfsdt",
    siblings: Annotated[
        str, typer.Option(help="diverse (ask again, differently) or sample (draw all at once).")
    ] = "diverse",
    width: Annotated[int, typer.Option(help="Children a state; chains, for react.")] = 2,
    depth: Annotated[int, typer.Option(help="Steps a path.")] = 12,
    backtrack: Annotated[int, typer.Option(help="Levels to go up after a failed leaf.")] = 1,
    solved: Annotated[int, typer.Option(help="Successful paths a task.")] = 1,
    repeats: Annotated[int, typer.Option(help="Times to ask again after a repeat.")] = 2,
    task_max_calls: Annotated[int | None, typer.Option(help="Requests a task.")] = 60,
    task_max_tokens: Annotated[int | None, typer.Option(help="Tokens a task.")] = None,
    task_max_usd: Annotated[float | None, typer.Option(help="Dollars a task.")] = None,
    max_calls: Annotated[int | None, typer.Option(help="Requests, this run in all.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens, this run in all.")] = None,
    max_usd: Annotated[float | None, typer.Option(help="Dollars, this run in all.")] = None,
    prices: Annotated[
        Path | None, typer.Option(help="JSON of prices that replace or extend the table.")
    ] = None,
    temperature: Annotated[float, typer.Option(help="Of every reply.")] = 1.0,
    reply_tokens: Annotated[int, typer.Option(help="Tokens a reply, at most.")] = 1024,
    mistake_rate: Annotated[
        float, typer.Option(help="How often the demonstration teacher errs, 0 to 1.")
    ] = 0.3,
    concurrency: Annotated[int, typer.Option(min=1, help="Tasks at once, at most.")] = 8,
    seed: Annotated[int, typer.Option(help="Of sampling and of mistakes.")] = 0,
    sandbox: Sandbox = "auto",
    unsafe: Unsafe = False,
    db: Db = None,
    format_: Format = None,
    partial: Partial = False,
    journal: Annotated[
        Path | None,
        typer.Option(help="Where paid replies are kept.", show_default="journal.db beside --out"),
    ] = None,
    json_: Json = False,
) -> None:
    """Search tasks and keep everything visited as trees."""
    from engine.config import Config
    from engine.session import Bounds, Means, Selection, run

    config = Config(
        env=env,
        data=data,
        split=split,
        sandbox=confirmed(sandbox, unsafe),
        options=given(db=db, format=format_, partial=partial or None),
        teacher=teacher,
        base_url=base_url,
        template=template,
        search=search,
        siblings=siblings,  # type: ignore[arg-type]  # Config checks it
        backtrack=backtrack,
        width=width,
        depth=depth,
        solved=solved,
        repeats=repeats,
        task_max_calls=task_max_calls,
        task_max_tokens=task_max_tokens,
        task_max_usd=task_max_usd,
        temperature=temperature,
        reply_tokens=reply_tokens,
        mistake_rate=mistake_rate,
        seed=seed,
    )
    with resumable():
        summary = run(
            config,
            out,
            selection=Selection(tasks, limit, quarantine),
            bounds=Bounds(max_usd, max_calls, max_tokens),
            means=Means(None, journal, prices, concurrency),
        )
    _report(config, out, summary, json_)


def _report(config: "Config", out: Path, summary: "Summary", as_json: bool) -> None:
    from engine.stats import stats
    from engine.store import Store

    with Store.open(out) as store:
        found = stats(store).to_dict()
    if as_json:
        print(json.dumps({"run": str(out), **found, "complete": summary.complete}))
    else:
        say(
            f"{found['solved']} of {found['trees']} tasks solved, {found['nodes']} nodes, "
            f"{found['calls']} calls, {found['prompt_tokens'] + found['completion_tokens']} tokens,"
            f" ${found['usd']:.2f}, by {config.teacher}; `engine stats {out}` says more"
        )
    if summary.stopped:
        say(f"the run's budget is spent: {summary.stopped} tasks were cut short; raise it to go on")
    if summary.failed:
        say(f"{summary.failed} tasks failed; the same command tries them again")
    if not summary.complete:
        raise typer.Exit(1)


@app.command()
def stats(run: Run, json_: Json = False) -> None:
    """Count what a run came to: solve rate, failures, calls, tokens, dollars, shapes."""
    from rich.console import Console
    from rich.table import Table

    from engine.stats import stats
    from engine.store import Store

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


@app.command()
def show(
    run: Run,
    task: Annotated[str, typer.Option(help="A task's id.", show_default="all tasks")] = "",
    graphml: Annotated[Path | None, typer.Option(help="Write the tree as GraphML.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print a JSON object a tree.")] = False,
) -> None:
    """Print the tree of a task, or list the tasks of a run."""
    from rich.console import Console

    from engine.encoding import dumps, tree_to_dict
    from engine.errors import UsageError
    from engine.show import branches, write_graphml
    from engine.store import Store

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


@app.command()
def export(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    output: Annotated[Path, typer.Option(help="The file; *.parquet writes Parquet.")],
    to: Annotated[str, typer.Option(help="sft or dpo.")] = "sft",
    format: Annotated[str, typer.Option(help="jsonl, sharegpt or toolbench.")] = "jsonl",
    template: Annotated[
        str, typer.Option(help="How messages are written.", show_default="the run's")
    ] = "",
    pairs: Annotated[str, typer.Option(help="Of dpo rows: step or trajectory.")] = "step",
    min_reward: Annotated[float, typer.Option(min=0, max=1, help="Of a path.")] = 1.0,
    per_task: Annotated[int | None, typer.Option(min=1, help="Paths a task, at most.")] = None,
    loops: Annotated[bool, typer.Option("--loops", help="Keep paths that go in circles.")] = False,
    give_ups: Annotated[bool, typer.Option("--give-ups", help="Keep paths given up.")] = False,
    near_duplicates: Annotated[
        bool, typer.Option("--near-duplicates", help="Keep paths that hardly differ.")
    ] = False,
    json_: Json = False,
) -> None:
    """Write training rows: successful paths (sft), or where success and failure part (dpo)."""
    from engine.config import one_of
    from engine.export import Export, Format, Kind, export
    from engine.rows.paths import Filter
    from engine.rows.render import Pairs

    one_of("to", to, get_args(Kind))
    one_of("pairs", pairs, get_args(Pairs))
    one_of("format", format, get_args(Format))
    wanted = Filter(min_reward, per_task, loops, give_ups, near_duplicates)
    how = Export(to, wanted, template, pairs, format)  # type: ignore[arg-type]  # checked above
    counts = export(runs, output, how)
    if json_:
        print(json.dumps({"rows": counts.rows, "dropped": dict(counts.dropped)}))
    else:
        dropped = ", ".join(f"{reason} {n}" for reason, n in counts.dropped.most_common())
        say(f"{counts.rows} rows in {output}; paths left out: {dropped or 'none'}")
    if not counts.rows:
        say("no row was written: the runs hold nothing that passes; see --min-reward")
        raise typer.Exit(1)


@app.command()
def validate(
    env: Env,
    data: Data = None,
    split: Split = None,
    limit: Limit = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(help="Where to write.", show_default="runs/quarantine-ENV-SPLIT.json"),
    ] = None,
    sandbox: Sandbox = "auto",
    unsafe: Unsafe = False,
    db: Db = None,
    format_: Format = None,
    partial: Partial = False,
    json_: Json = False,
) -> None:
    """Play every task's own solution and a no-op; write down the tasks that are unsound."""
    from dataclasses import asdict

    import environments
    from engine.tasks import quarantine_file, select
    from engine.validate import validate, write_quarantine

    file = quarantine or quarantine_file(env, split)
    options = given(db=db, format=format_, partial=partial or None)
    options["sandbox"] = confirmed(sandbox, unsafe)
    world = environments.make(env, data=data, split=split, **options)
    try:
        tasks = select(world.tasks, limit=limit)
        found = [unsound for _, unsound in validate(world, tasks) if unsound]
    finally:
        world.close()
    write_quarantine(file, found, data)
    report = {"tasks": len(tasks), "sound": len(tasks) - len(found), "quarantine": str(file)}
    if json_:
        print(json.dumps({**report, "unsound": [asdict(one) for one in found]}))
        return
    for one in found:
        print(f"{one.task}\t{one.group}\t{one.kind}\t{one.reason}")
    say(f"{report['sound']} of {len(tasks)} tasks are sound; the others are in {file}")


def main() -> None:
    """Entry point of `engine`."""
    sys.exit(guarded(app))
