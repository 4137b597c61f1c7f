"""The command `engine explore`."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.api import Run, explore_plan
from engine.cli import unfinished
from engine.cli.before_run import BeforeRun, show_plan
from engine.cli.config_file import config_option, env_args, settings_text
from engine.cli.env_flags import EnvFlags
from engine.cli.flags import command, optional
from engine.config import Config, search_of
from engine.panels import OUTPUT, SANDBOX, SEARCH
from engine.runs.build_executor import Resources, RunBudget
from engine.runs.plan import Selection, make_plan
from engine.runs.progress import Bar
from engine.runs.run import wait
from engine.terminal import Json, confirmed, resumable, say
from search import SEARCHES, Dfsdt, Search, TaskBudget

if TYPE_CHECKING:
    from engine.cli.option_table import CommandOptions

RENAMED = {
    "out": "output",
    "max-calls": "budget-calls",
    "max-tokens": "budget-tokens",
    "max-usd": "budget-usd",
    "reply-tokens": "max-reply-tokens",
    "repeats": "retries",
    "solved": "max-solutions",
    "swift": "student",
    "swift-template": "student-template",
    "swift-threshold": "student-threshold",
    "task-max-calls": "task-budget-calls",
    "task-max-tokens": "task-budget-tokens",
    "task-max-usd": "task-budget-usd",
}
"""Flags of version 0.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExploreFlags:
    """What is the command's own.

    Attributes:
        output: The run's folder; the same command resumes it.
        search: One of dfsdt, react, cot, beam, best_first, mcts.
        unsafe: Allow --sandbox process, which confines nothing.
    """

    output: Path = field(metadata={"panel": OUTPUT})
    search: str = field(default=Dfsdt.name, metadata={"panel": SEARCH})
    unsafe: bool = field(default=False, metadata={"panel": SANDBOX})


SearchFlags: Any = optional("SearchFlags", [Search, *SEARCHES.values()], SEARCH)


def options() -> "CommandOptions":
    """Return the options that a file of --config may hold."""
    from engine.cli.option_table import CommandOptions

    classes = (Config, ExploreFlags, EnvFlags, Selection, SearchFlags, TaskBudget, RunBudget)
    renamed = {"env_args": "env_arg"} | {
        old.replace("-", "_"): new.replace("-", "_") for old, new in RENAMED.items()
    }
    return CommandOptions("engine explore", (*classes, Resources, BeforeRun), renamed=renamed)


ConfigFile: Any = config_option(options)


def _explore(
    config: Config,
    env_flags: EnvFlags,
    selection: Selection,
    search_flags: SearchFlags,
    task_budget: TaskBudget,
    budget: RunBudget,
    resources: Resources,
    before: BeforeRun,
    own: ExploreFlags,
    file: ConfigFile = None,
    json_: Json = False,
) -> None:
    """Search tasks and keep every state visited.

    For example:

    engine explore --env bird --split train --limit 20 --output runs/a

    engine explore --env bird --data BIRD_DIR --teacher gpt-4.1-mini --budget-usd 5 --output runs/b
    """
    from rich.console import Console

    confirmed(config.sandbox, own.unsafe)
    chosen = {name: value for name, value in vars(search_flags).items() if value is not None}
    config = replace(
        config,
        env_args=env_flags.options(config.env, env_args(file)),
        search=search_of(own.search, chosen),
        budget=task_budget,
    )
    with resumable(), Bar(Console(stderr=True)) as bar:
        plan = wait(
            lambda: make_plan(
                config,
                own.output,
                selection=selection,
                budget=budget,
                resources=resources,
                progress=bar,
            )
        )
        if before.dry_run:
            show_plan(plan, json_)
            return
        if plan.estimate:
            bar.note(plan.estimate.line)
        before.confirm(plan.estimate)
        kept = settings_text(config, own, selection, budget, resources, before)
        run = explore_plan(replace(plan, settings=kept), bar)
    _report(run, config.teacher, json_)


def _report(run: Run, teacher: str, as_json: bool) -> None:
    summary, found = run.summary, run.stats
    if as_json:
        print(json.dumps({"run": str(run.path), **found, "complete": summary.complete}))
    else:
        say(
            f"{found['solved']} of {found['trees']} tasks solved, {found['nodes']} nodes, "
            f"{found['calls']} calls, {found['prompt_tokens'] + found['completion_tokens']} tokens,"
            f" {_dollars(found)}, by {teacher}; `engine stats {run.path}` shows more"
        )
        if student := found.get("student_first"):
            say(
                f"the student made {student['student_nodes']} of the nodes, which saved as many of "
                f"the teacher's calls; {student['unreachable']} times it could not be reached"
            )
    unfinished.end(summary, "the run's budget")


def _dollars(found: dict[str, Any]) -> str:
    if not (unpriced := found.get("unpriced")):
        return f"${found['usd']:.2f}"
    known = "" if not found["usd"] else f"at least ${found['usd']:.2f}, "
    return f"{known}price of {' and '.join(unpriced)} unknown (see --prices)"


explore = command(_explore, RENAMED)
