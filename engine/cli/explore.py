"""The command `engine explore`: its flags, and what it says in the end."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.options import (
    Data,
    Db,
    Env,
    Format,
    Goals,
    Limit,
    Observation,
    Partial,
    Sandbox,
    Schema,
    Split,
    env_options,
)
from engine.errors import UsageError
from engine.terminal import Json, Unsafe, confirmed, resumable, say

if TYPE_CHECKING:
    from engine.config import Config
    from engine.runs.explore import Summary


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
    template: Annotated[
        str,
        typer.Option(
            help="How messages are written: native, react, toolllama, autogpt, modelscope, hermes, "
            "or FILE.toml."
        ),
    ] = "native",
    search: Annotated[str, typer.Option(help="dfsdt, react, beam, best_first or mcts.")] = "dfsdt",
    siblings: Annotated[
        str,
        typer.Option(
            help="diverse (ask again, differently) or sample (all at once); not for react."
        ),
    ] = "diverse",
    width: Annotated[int, typer.Option(help="Children a state; chains, for react.")] = 2,
    depth: Annotated[int, typer.Option(help="Steps a path.")] = 12,
    backtrack: Annotated[
        int, typer.Option(help="Levels to go up after a failed leaf, for dfsdt.")
    ] = 1,
    rank: Annotated[
        bool, typer.Option("--rank", help="Expand the better sibling first, for dfsdt.")
    ] = False,
    beam_size: Annotated[int, typer.Option(help="States kept of each level, for beam.")] = 2,
    value: Annotated[
        str, typer.Option(help="Whose values, for mcts: judge, or reward (backed up, no judge).")
    ] = "judge",
    exploration: Annotated[float, typer.Option(help="Weight of UCT's second term, for mcts.")] = (
        1.0
    ),
    reflections: Annotated[
        int, typer.Option(help="Failed paths to reflect on, a task, for mcts.")
    ] = 0,
    solved: Annotated[int, typer.Option(help="Successful paths a task.")] = 1,
    repeats: Annotated[int, typer.Option(help="Times to ask again after repeats, a state.")] = 4,
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
    sampling: Annotated[
        str,
        typer.Option(
            help="JSON of more parameters for the teacher's requests, as its server takes them; "
            "null leaves one out.",
            show_default="none",
        ),
    ] = "{}",
    mistake_rate: Annotated[
        float, typer.Option(help="How often the demonstration teacher errs, 0 to 1.")
    ] = 0.3,
    swift: Annotated[
        str,
        typer.Option(
            help="MODEL@URL of a student that acts first, the teacher where it fails.",
            show_default="no student",
        ),
    ] = "",
    swift_threshold: Annotated[
        float,
        typer.Option(
            help="The teacher acts where the student's mean log-probability, in nats a token, is "
            "lower; -inf: trust every call that can be read."
        ),
    ] = -0.1,
    swift_template: Annotated[str, typer.Option(help="How the student's messages are written.")] = (
        "react"
    ),
    concurrency: Annotated[
        int, typer.Option(min=1, help="Tasks at once, at most; of each worker, where there are.")
    ] = 8,
    executor: Annotated[
        str, typer.Option(help="local, processes (several), or ray (on many machines).")
    ] = "local",
    address: Annotated[
        str, typer.Option(help="Of the Ray cluster.", show_default="one on this machine")
    ] = "",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Of processes and ray.", show_default="one a CPU")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of sampling and of mistakes.")] = 0,
    sandbox: Sandbox = "auto",
    unsafe: Unsafe = False,
    db: Db = None,
    format_: Format = None,
    partial: Partial = False,
    goals: Goals = None,
    observation: Observation = None,
    schema: Schema = None,
    journal: Annotated[
        Path | None,
        typer.Option(help="Where paid replies are kept.", show_default="journal.db beside --out"),
    ] = None,
    json_: Json = False,
) -> None:
    """Search tasks and keep everything visited as trees."""
    from engine.config import Config
    from engine.runs.build_executor import Resources, RunBudget
    from engine.runs.run import Selection, run

    config = Config(
        env=env,
        data=data,
        split=split,
        sandbox=confirmed(sandbox, unsafe),
        options=env_options(locals()),
        teacher=teacher,
        base_url=base_url,
        template=template,
        search=search,
        siblings=siblings,  # type: ignore[arg-type]  # Config checks it
        backtrack=backtrack,
        rank=rank,
        beam_size=beam_size,
        value=value,  # type: ignore[arg-type]  # likewise
        exploration=exploration,
        reflections=reflections,
        width=width,
        depth=depth,
        solved=solved,
        repeats=repeats,
        task_max_calls=task_max_calls,
        task_max_tokens=task_max_tokens,
        task_max_usd=task_max_usd,
        temperature=temperature,
        reply_tokens=reply_tokens,
        sampling=_parameters(sampling),
        mistake_rate=mistake_rate,
        swift=swift,
        swift_threshold=swift_threshold,
        swift_template=swift_template,
        seed=seed,
    )
    with resumable():
        summary = run(
            config,
            out,
            selection=Selection(tasks, limit, quarantine),
            bounds=RunBudget(max_usd, max_calls, max_tokens),
            means=Resources(None, journal, prices, concurrency, executor, address, workers),
        )
    _report(config, out, summary, json_)


def _parameters(given: str) -> dict[str, Any]:
    """The value of --sampling. Raises UsageError: it is no JSON object."""
    try:
        found = json.loads(given)
        json.dumps(found, allow_nan=False)
    except ValueError as error:
        raise UsageError(f"--sampling is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError('--sampling must be a JSON object, as {"top_p": 0.9}')
    return found


def _report(config: "Config", out: Path, summary: "Summary", as_json: bool) -> None:
    from engine.runs.stats import stats
    from engine.runs.store import Store

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
        if swift := found.get("swift"):
            say(
                f"the student made {swift['student_nodes']} of the nodes, and saved as many of the "
                f"teacher's calls; {swift['unreachable']} times it could not be had"
            )
    if summary.stopped:
        say(f"the run's budget is spent: {summary.stopped} tasks were cut short; raise it to go on")
    if summary.failed:
        say(f"{summary.failed} tasks failed; the same command tries them again")
    if not summary.complete:
        raise typer.Exit(1)
