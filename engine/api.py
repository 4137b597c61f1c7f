"""The engine's Python API: explore tasks, and read the run that results.

    run = explore("bird", teacher="gpt-4.1-mini", limit=50, max_usd=1, out="runs/a")
    tree = run["bird-train-3"]
    rows = run.rows("sft", template="react")

`treegraft` exports these names. The commands call them too.
"""

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import wraps
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from engine.config import Config, config_of
from engine.errors import UsageError
from engine.export.export import ExportSettings, export_rows
from engine.export.filters import Counts, Filters
from engine.export.value_rules import ValueRules
from engine.runs.build_executor import Resources, RunBudget
from engine.runs.explore import Progress, Summary
from engine.runs.failure import Failure
from engine.runs.plan import ALL, LOCAL, NO_BUDGET, Plan, Selection
from engine.runs.run import carry_out, run, wait
from engine.runs.stats import stats
from engine.runs.store import Store
from environments import ToolEnv
from search import Search, Tree

if TYPE_CHECKING:
    import datasets
    import networkx
    import verifiers


P = ParamSpec("P")
Rules = TypeVar("Rules", Filters, ValueRules)


class ExploredTree(Tree):
    """A tree of a run: prints as text, and as HTML in a notebook."""

    @classmethod
    def of(cls, tree: Tree) -> "ExploredTree":
        """Return `tree` as one that prints."""
        return cls(**{each.name: getattr(tree, each.name) for each in fields(Tree)})

    def __str__(self) -> str:
        from search.graph import tree_text

        return tree_text(self)

    def _repr_html_(self) -> str:
        from engine.view.static import tree_html

        return tree_html(self)

    def to_networkx(self) -> "networkx.DiGraph[int]":
        """Return the tree as a networkx graph; see `search.graph.to_networkx`."""
        from search.graph import to_networkx

        return to_networkx(self)


class Run(Mapping[str, ExploredTree]):
    """An explored run: a mapping from task ids to trees.

    Attributes:
        path: The run's folder.
        summary: What the call that returned it did; empty for a run that was opened.
    """

    def __init__(self, path: Path | str, summary: Summary | None = None) -> None:
        self.path, self.summary = Path(path), summary or Summary()
        Store.open(self.path).close()  # raises UsageError if there is no run

    @property
    def stats(self) -> dict[str, Any]:
        """Counts and rates of the run: solved, nodes, calls, tokens, dollars and shapes."""
        with Store.open(self.path) as store:
            return stats(store).to_dict()

    @property
    def failures(self) -> dict[str, str]:
        """Why a task has no tree, by task id."""
        with Store.open(self.path) as store:
            return {id: str(Failure(*found)) for id, found in store.failures().items()}

    def __getitem__(self, task_id: str) -> ExploredTree:
        with Store.open(self.path) as store:
            if task_id not in store.task_ids():
                raise KeyError(task_id)
            return ExploredTree.of(store.tree(task_id))

    def __iter__(self) -> Iterator[str]:
        with Store.open(self.path) as store:
            return iter(store.task_ids())

    def __len__(self) -> int:
        return sum(1 for _ in iter(self))

    def trees(self) -> Iterator[ExploredTree]:
        """Yield every tree; one is in memory at a time."""
        with Store.open(self.path) as store:
            for tree in store.trees():
                yield ExploredTree.of(tree)

    def rows(
        self,
        kind: Literal["sft", "dpo", "prm"] = "sft",
        *,
        template: str | Sequence[str] = (),
        **options: Any,
    ) -> "datasets.Dataset":
        """Return training rows; the columns are those of `engine export`.

        Args:
            kind: "sft" for successful paths, "dpo" for preference pairs, "prm" for paths with
                labelled steps.
            template: How messages are written; several are mixed. Default: the run's own.
            **options: Fields of `ExportSettings` (pairs, dialects, mask_errors), of `Filters`
                (min_reward, per_task, ...) and of `ValueRules` (recovery, pivots, ...), all in
                `engine.export`.

        Raises:
            TypeError: An option is unknown.
            UsageError, TemplateError: The options do not go together.
            LeakError: A row would hold a secret.
        """
        import datasets

        wanted, values = _taken(Filters, options), _taken(ValueRules, options)
        templates = (template,) if isinstance(template, str) else tuple(template)
        settings = ExportSettings(kind, wanted, values, templates=templates, **options)
        return datasets.Dataset.from_list(list(export_rows([self.path], settings, Counts())))

    def __repr__(self) -> str:
        found = self.stats
        lines = [f"Run({str(self.path)!r})"]
        lines += [f"  {name}: {_shown(found[name])}" for name in _SHOWN]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        found = self.stats
        cells = "".join(
            f"<tr><th>{name}</th><td>{escape(_shown(found[name]))}</td></tr>" for name in _SHOWN
        )
        return f"<table><caption>{escape(str(self.path))}</caption>{cells}</table>"


def _taken(cls: type[Rules], options: dict[str, Any]) -> Rules:
    """Make a `cls` of those of `options` that are its fields, and remove them from `options`."""
    names = {each.name for each in fields(cls)}
    return cls(**{name: options.pop(name) for name in names & options.keys()})


def _shown(value: Any) -> str:
    return "unknown" if value is None else str(value)


_SHOWN = ("trees", "solved", "nodes", "calls", "prompt_tokens", "completion_tokens", "usd")


async def aexplore(
    env: str | type[ToolEnv],
    *,
    out: Path | str,
    teacher: str = "demonstration",
    search: str | Search = "dfsdt",
    tasks: Sequence[str] = (),
    limit: int | None = None,
    max_usd: float | None = None,
    max_calls: int | None = None,
    max_tokens: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Run:
    """Search tasks of an environment and return the run; call it again to resume.

    `explore` is the same for scripts and notebooks, without `await`.

    Args:
        env: A registered name, `module:Class`, or a class of your own.
        out: The run's folder.
        teacher: A model's name; "demonstration" needs no model and no key.
        search: A search's name, or a `Search` with its options, such as `Dfsdt(width=3)`.
        tasks: Ids of the tasks to take; empty for all.
        limit: Take at most this many tasks.
        max_usd: US dollars for the whole run.
        max_calls: Requests for the whole run.
        max_tokens: Tokens for the whole run.
        progress: Receives what happens; default: nothing is shown.
        **options: Fields of `Config` (data, split, template, base_url, seed, env_args, ...), of the
            search if that is a name (width, depth, ...), of the task's budget
            (task_budget_calls, ...) and of `Resources` (concurrency, executor, journal, ...).

    Raises:
        TreegraftError: Something you can fix; the message says what to do.
    """
    name = env if isinstance(env, str) else f"{env.__module__}:{env.__qualname__}"
    own = {each.name for each in fields(Resources)}
    resources = Resources(**{key: options.pop(key) for key in own & options.keys()})
    quarantine = options.pop("quarantine", None)
    config = config_of({"env": name, "teacher": teacher, "search": search, **options})
    summary = await run(
        config,
        Path(out),
        selection=Selection(tasks=",".join(tasks), limit=limit, quarantine=quarantine),
        budget=RunBudget(usd=max_usd, calls=max_calls, tokens=max_tokens),
        resources=resources,
        progress=progress,
    )
    return Run(out, summary)


def _blocking(function: Callable[P, Coroutine[Any, Any, Run]]) -> Callable[P, Run]:
    """Return `function` as one that waits, also inside a running event loop (a notebook)."""

    @wraps(function)
    def waiting(*args: P.args, **kwargs: P.kwargs) -> Run:
        return wait(lambda: function(*args, **kwargs))

    waiting.__name__ = waiting.__qualname__ = function.__name__.removeprefix("a")
    return waiting


explore = _blocking(aexplore)


def explore_config(
    config: Config,
    out: Path,
    *,
    selection: Selection = ALL,
    budget: RunBudget = NO_BUDGET,
    resources: Resources = LOCAL,
    progress: Progress | None = None,
) -> Run:
    """Do what `explore` does, from its parts as dataclasses: for the commands and the trainer."""
    summary = wait(
        lambda: run(
            config,
            out,
            selection=selection,
            budget=budget,
            resources=resources,
            progress=progress,
        )
    )
    return Run(out, summary)


def explore_plan(plan: Plan, progress: Progress) -> Run:
    """Explore as `plan` says, which `engine.runs.plan.make_plan` made."""
    return Run(plan.out, wait(lambda: carry_out(plan, progress)))


def load_environment(
    env: str = "bird",
    *,
    data: str | None = None,
    split: str | None = None,
    eval_split: str | None = None,
    sandbox: str = "auto",
    limit: int | None = None,
    max_turns: int = 20,
    **options: Any,
) -> "verifiers.Environment":
    """Return a world as an environment of `verifiers`, which finds this function by our name.

        verifiers.load_environment("treegraft", env="database", split="train", eval_split="test")

    Args:
        env: A registered name, `module:Class` or `FILE.py:Class`.
        data: File or folder of the tasks; default: the bundled ones.
        split: The split to train on; default: the world's own default.
        eval_split: The split to evaluate on; default: the tasks to train on.
        sandbox: What confines the agent; see `ToolEnv`.
        limit: Take at most this many tasks of each split.
        max_turns: Replies of the model at most, per task; -1 for any number.
        **options: The world's own options.

    Raises:
        TreegraftError: Something you can fix; the message says what to do.
    """
    try:
        from engine.serve_env.verifiers_env import world_env
    except (ImportError, AttributeError) as error:  # version 0.4 has another interface
        raise UsageError(
            f"verifiers 0.2 or 0.3 is needed ({error}): pip install 'treegraft[verifiers]'"
        ) from error
    given = {"data": data, "sandbox": sandbox, **options}
    splits = [split] if eval_split is None else [split, eval_split]
    return world_env(env, splits, given, limit=limit, max_turns=max_turns)
