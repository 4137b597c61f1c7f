"""ReAct@n against DFSDT with a real model on real tasks, at equal calls and at equal tokens.

    python benchmarks/real_model.py --base-url http://127.0.0.1:8080/v1 --model NAME \\
        --env spider --data SPIDER_DIR --split dev --calls 8 --tokens 5600 --grammar --example

Without --base-url nothing is measured. Every arm searches the same tasks, drawn by --pick, under
the same budget a task, and stops at the first success by the hidden grader, as when data is
collected. ReAct@n has as many chains as its budget pays for. The arms share a journal: an equal
request costs its tokens in each of them, and is computed once. Cut off, the same command goes on.

Each request gets a seed of its own, made of what it asks: a server that keeps to the seed that it
is sent (llama.cpp, vLLM) answers the same request with the same words each time, and all chains of
ReAct@n would be one. --grammar sends llama.cpp a grammar by which every reply is a call in the form
of template `react`, with a tool that exists. --example puts the solution of a bundled task, on
another database, before the task. Without both, small models rarely make a call.

Limitation: intervals are over tasks, of which some share a database.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import environments
from engine.api import explore_config
from engine.chat.base import Chat, ChatReply, ChatRequest
from engine.chat.journal import request_key
from engine.chat.open import EndpointSpec
from engine.config import config_of
from engine.runs.build_executor import Resources
from engine.runs.plan import Selection
from engine.runs.quarantine import Quarantine
from engine.runs.store import Store
from engine.templates import get
from engine.templates.base import Message, World
from environments import Step, Tool, ToolEnv
from trainer.evaluation.measures.error_analysis import INVALID
from trainer.evaluation.measures.statistics import solve_rate_change, wilson

ARMS: dict[str, dict[str, Any]] = {
    "react": {"search": "react", "width": 1000},  # chains without end: the budget ends them
    "dfsdt diverse": {"search": "dfsdt", "siblings": "diverse", "width": 2},
    "dfsdt sample": {"search": "dfsdt", "siblings": "sample", "width": 2},
}
BASE = "react"
GIVEN = ("env", "data", "split", "base_url", "template", "depth", "temperature")
HEAD = (
    "| search | solved (95 %) | against react, points (95 %) | calls a task "
    "| calls a solved task (95 %) | tokens a task | tokens a solved task (95 %) "
    "| ended by | invalid steps | repeats |"
)
EXAMPLE = 11  # of the bundled tasks
SAMPLES = 10_000  # of the bootstrap over tasks


class ExampleChat:
    """A Chat that sends each request with a seed of its own, `extra` parameters, and `example`."""

    def __init__(self, chat: Chat, extra: Mapping[str, Any], example: Sequence[Message]) -> None:
        self.base_url = chat.base_url
        self.chat, self.extra, self.example = chat, extra, example

    async def complete(self, request: ChatRequest) -> ChatReply:
        seed = int(request_key("", request)[:7], 16)  # of the run's seed too: it is in the key
        sampling = {**request.sampling, **self.extra, "seed": seed}
        messages = shown(self.example, request.messages)
        return await self.chat.complete(replace(request, messages=messages, sampling=sampling))


def shown(example: Sequence[Message], messages: Sequence[Message]) -> list[Message]:
    """`messages` with `example` after the first of them."""
    system, task, *rest = messages
    if example and example[-1]["role"] == "user":  # many chat templates refuse two in a row
        *example, word = example
        task = {"role": "user", "content": f"{word['content']}\n\n{task['content']}"}
    return [system, *example, task, *rest]


@dataclass
class Arm:
    """What one search did under one budget: a list of results a task, one result a seed."""

    solved: dict[str, list[float]] = field(default_factory=dict)
    calls: dict[str, list[float]] = field(default_factory=dict)
    tokens: dict[str, list[float]] = field(default_factory=dict)
    stopped: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    invalid: int = 0
    repeats: int = 0

    def add(self, folder: Path, tasks: Sequence[str]) -> None:
        """Count the run in `folder`; a task without a tree is not solved."""
        with Store.open(folder) as store:
            trees = {tree.task.id: tree for tree in store.trees() if tree.task.id in tasks}
        for id in tasks:
            tree = trees.get(id)
            self.stopped[tree.stopped if tree else "failed"] += 1
            self.solved.setdefault(id, []).append(float(tree is not None and tree.solved))
            self.calls.setdefault(id, []).append(tree.usage.calls if tree else 0)
            self.tokens.setdefault(id, []).append(tree.usage.tokens if tree else 0)
        for tree in trees.values():
            self.repeats += tree.repeats
            self.steps += len(tree.nodes)
            self.invalid += sum(node.step.info.get("error") in INVALID for node in tree.nodes)

    def per_task(self, name: str) -> np.ndarray:
        """Means over seeds, one a task, in the order of tasks."""
        return np.array([np.mean(values) for values in getattr(self, name).values()])


def grammar(tools: Sequence[Tool]) -> str:
    """GBNF of one call in the form of template `react`, for tools whose arguments are texts."""

    def call(tool: Tool) -> str:
        names = [json.dumps(name) for name in tool.parameters.get("properties", {})]
        inner = ' ", " '.join(f"{json.dumps(name + ': ')} text" for name in names)
        head = json.dumps(f"{tool.name}\nAction Input: {{")
        return f'{head} {inner} "}}"'

    return "\n".join(
        (
            r'root ::= ("Thought: " [^\n]{1,160} "\n")? "Action: " call',
            "call ::= " + " | ".join(call(tool) for tool in tools),
            r'text ::= "\"" ([^"\\\x00-\x1f] | "\\" ["\\/n])* "\""',
        )
    )


def worked_example(template: str, shown_in: Mapping[str, str]) -> list[Message]:
    """How a bundled task is solved, as messages: from its question to the grader's word.

    The shortest way, without thoughts and without trying the query first: small models copy both.
    """
    env = environments.make("bird", split="train", **shown_in)
    try:
        task, path = env.tasks[EXAMPLE], []
        env.reset(options={"task": task})
        for action in env.solution(task):
            if action.tool == "run_sql":
                continue
            observation, reward, terminated, truncated, info = env.step(action)
            action = replace(action, thought="")
            path.append(Step(action, observation, float(reward), terminated, truncated, info))
        return get(template).render(World(env.instructions, env.tools), task, path)[1:]
    finally:
        env.close()


def interval(numerator: np.ndarray, denominator: np.ndarray) -> tuple[float, float]:
    """95 % of a ratio of sums over tasks, by the percentile bootstrap (Efron 1979)."""
    drawn = np.random.default_rng(0).integers(len(numerator), size=(SAMPLES, len(numerator)))
    below = denominator[drawn].sum(axis=1)
    ratios = np.divide(numerator[drawn].sum(axis=1), below, where=below > 0, out=below * 0 + np.inf)
    low, high = np.quantile(ratios, (0.025, 0.975), method="nearest")
    return float(low), float(high)


def explored(options: argparse.Namespace, budget: str, name: str, tasks: Sequence[str]) -> Arm:
    """The arm called `name` under one budget, searched as far as it was not."""
    arm = Arm()
    for seed in options.seeds:
        options_of_run = dict(
            teacher=options.model,
            env_args=shown_in(options),
            **{name: getattr(options, name) for name in GIVEN},
            task_budget_calls=options.calls if budget == "calls" else None,
            task_budget_tokens=options.tokens if budget == "tokens" else None,
            max_reply_tokens=options.reply_tokens,
            seed=seed,
            **ARMS[name],
        )
        bound = f"{budget}-{getattr(options, budget)}"
        folder = options.out / f"{name.replace(' ', '-')}-{bound}-seed-{seed}"
        resources = Resources(
            chat=asked(options),
            journal=options.out / "journal.db",
            concurrency=options.concurrency,
        )
        selection = Selection(tasks=",".join(tasks))
        explore_config(config_of(options_of_run), folder, selection=selection, resources=resources)
        arm.add(folder, tasks)
    return arm


def asked(options: argparse.Namespace) -> ExampleChat:
    """The endpoint, for one run: an event loop has its own."""
    with closing(env_of(options)) as env:
        extra = {"grammar": grammar(env.tools)} if options.grammar else {}
    endpoint = EndpointSpec.from_environment(options.base_url or "").open(options.concurrency)
    return ExampleChat(endpoint, extra, example(options))


def example(options: argparse.Namespace) -> list[Message]:
    return worked_example(options.template, shown_in(options)) if options.example else []


def shown_in(options: argparse.Namespace) -> dict[str, str]:
    """The environment's own options."""
    return {"schema": options.schema} if options.schema else {}


def env_of(options: argparse.Namespace) -> ToolEnv:
    """For its tools and tasks; the caller closes it."""
    own = shown_in(options)
    return environments.make(options.env, data=options.data, split=options.split, **own)


def picked(options: argparse.Namespace) -> list[str]:
    """Ids of the tasks: drawn one by one from all, passing over those known to be unsound."""
    with closing(env_of(options)) as env:
        ids, unsound = [task.id for task in env.tasks], set[str]()
        if file := options.quarantine:
            unsound = set(Quarantine.read(file).reasons(env.tasks, options.data))
    random = Random(options.pick)
    left, chosen = set(ids) - unsound, set[str]()
    while left and len(chosen) < options.tasks:
        chosen |= left & {random.choice(ids)}
        left -= chosen
    return sorted(chosen)


def report(arms: Mapping[str, Arm], bound: str) -> None:
    """The table of one budget: each arm, and its difference from ReAct on the same tasks."""
    print(f"\nAt most {bound} a task\n")
    print(f"{HEAD}\n{'|---' * (HEAD.count('|') - 1)}|")
    for name, arm in arms.items():
        print(row(name, arm, arms[BASE]))


def row(name: str, arm: Arm, base: Arm) -> str:
    solved, calls, tokens = (arm.per_task(kind) for kind in ("solved", "calls", "tokens"))
    n, hits = len(solved), solved.sum()
    low, high = wilson(hits, n)  # several seeds count as one: rather too wide than too narrow
    cells = (
        name,
        f"{hits:g} of {n}: {100 * hits / n:.1f} % ({100 * low:.0f} to {100 * high:.0f})",
        "" if arm is base else against(solved, base.per_task("solved")),
        f"{calls.mean():.1f}",
        ratio(calls, solved, 1),
        f"{tokens.mean():,.0f}",
        ratio(tokens, solved, 0),
        ", ".join(f"{kind} {count}" for kind, count in arm.stopped.most_common()),
        f"{arm.invalid} of {arm.steps}",
        str(arm.repeats),
    )
    return "| " + " | ".join(cells) + " |"


def against(mine: np.ndarray, base: np.ndarray) -> str:
    """Points gained, and on how many tasks more and less was solved; equal tasks stand in pairs."""
    apart = mine - base
    whole = set(np.unique([mine, base])) <= {0.0, 1.0}  # one seed: Newcombe's interval
    before, after = ({str(i): bool(x) for i, x in enumerate(arm)} for arm in (base, mine))
    pair = solve_rate_change(before, after) if whole else None
    low, high = pair[1:] if pair else interval(apart, np.ones(len(apart)))
    more, less = (apart > 0).sum(), (apart < 0).sum()
    return f"{100 * apart.mean():+.1f} ({100 * low:+.0f} to {100 * high:+.0f}); +{more} -{less}"


def ratio(cost: np.ndarray, solved: np.ndarray, digits: int) -> str:
    if not solved.sum():
        return "none solved"
    low, high = interval(cost, solved)
    return f"{cost.sum() / solved.sum():,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    flag = parser.add_argument
    flag("--base-url", default="", help="of an OpenAI-compatible server")
    flag("--model", default="model", help="its name there")
    flag("--env", default="spider")
    flag("--data", help="folder of the tasks")
    flag("--split")
    flag("--schema", help="where the schema is: tools, to look, or the prompt")
    flag("--tasks", type=int, default=60, help="how many, drawn by --pick")
    flag("--pick", type=int, default=0)
    flag("--quarantine", type=Path, help="tasks to leave out, as `engine validate` writes them")
    flag("--seeds", type=int, nargs="+", default=[0])
    flag("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    flag("--calls", type=int, default=8, help="requests a task")
    flag("--tokens", type=int, help="tokens a task, for the second table")
    flag("--depth", type=int, default=5)
    flag("--temperature", type=float, default=0.8)
    flag("--reply-tokens", type=int, default=128)
    flag("--template", default="react")
    flag("--grammar", action="store_true", help="llama.cpp: replies are calls")
    flag("--example", action="store_true", help="show a solved task first")
    flag("--concurrency", type=int, default=2)
    flag("--out", type=Path, default=Path("runs/real-model"))
    return parser.parse_args()


def main() -> None:
    options = parsed()
    # What config and journal do not tell apart.
    options.out /= f"grammar-{options.grammar:d}-example-{options.example:d}"
    options.out /= options.schema or "tools"
    if not options.base_url:
        print("no model, nothing measured: start a server and name it by --base-url")
        return
    tasks = picked(options)
    print(f"Command: python benchmarks/real_model.py {' '.join(sys.argv[1:])}")
    print(f"Tasks: {len(tasks)} of {options.env} {options.split or ''}; seeds {options.seeds}")
    names = [BASE, *(name for name in options.arms if name != BASE)]
    for budget in ("calls", "tokens") if options.tokens else ("calls",):
        began = time.monotonic()
        arms = {name: explored(options, budget, name, tasks) for name in names}
        report(arms, f"{getattr(options, budget):,} {budget}")
        print(f"\nSearched in {time.monotonic() - began:.0f} s, without what was done before")


if __name__ == "__main__":
    main()
