"""What `engine explore` shows and asks before it sends anything: --dry-run and --confirm-above."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import typer

from engine.chat.base import ChatRequest
from engine.panels import BUDGET
from engine.runs.build_executor import trouble
from engine.runs.estimate import Estimate
from engine.runs.plan import Plan
from engine.templates.base import Message
from engine.terminal import say
from treegraft.errors import TreegraftError
from treegraft.ranges import check_ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeRun:
    """What is shown and asked before a run.

    Attributes:
        dry_run: Print the first task's messages, the number of tasks and what they may cost; send
            nothing and make no folder.
        confirm_above: Ask on a terminal before a run that may cost more US dollars than this.
        yes: Do not ask.
    """

    dry_run: bool = field(default=False, metadata={"panel": BUDGET})
    confirm_above: float = field(default=10.0, metadata={"panel": BUDGET, "min": 0})
    yes: bool = field(default=False, metadata={"panel": BUDGET})

    def __post_init__(self) -> None:
        check_ranges(self)

    def confirm(self, expected: Estimate | None) -> None:
        """Ask whether to go on if the estimate is above the bound.

        Raises:
            typer.Exit: The user does not want to.
        """
        usd = expected.usd if expected else None
        if self.yes or usd is None or usd <= self.confirm_above:
            return
        why = f"this may cost ${usd:,.2f}, more than --confirm-above {self.confirm_above:g}"
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            say(f"{why}; nobody is asked, because this is no terminal (--budget-usd is a bound)")
            return
        try:
            wanted = typer.confirm(f"{why}. Go on?", err=True)
        except typer.Abort:
            say("")
            wanted = False
        if not wanted:
            say("not started: nothing was sent or written")
            raise typer.Exit(1)


def show_plan(plan: Plan, as_json: bool) -> None:
    """Print what a run would do.

    Raises:
        TreegraftError: The first task has no first request: its world or the template fails.
    """
    if isinstance(plan.first, TreegraftError):
        raise plan.first
    if why := trouble(plan.config, plan.resources, plan.budget):
        say(f"the run itself would stop: {why}")
    print(json.dumps(_as_dict(plan)) if as_json else "\n".join(_as_text(plan)))


def _as_dict(plan: Plan) -> dict[str, Any]:
    sent = plan.first if isinstance(plan.first, ChatRequest) else None
    return {
        "run": str(plan.out),
        "task": plan.left[0].id if plan.left else None,
        "tasks": len(plan.left),
        "done": len(plan.tasks) - len(plan.left),
        "request": sent and {"model": sent.model, "messages": sent.messages, **_beside(sent)},
        "estimate": plan.estimate and plan.estimate.to_dict(),
    }


def _beside(sent: ChatRequest) -> dict[str, Any]:
    return {"tools": sent.tools, "parameters": dict(sent.sampling)}


def _as_text(plan: Plan) -> Iterator[str]:
    if isinstance(plan.first, ChatRequest):
        yield f"first request, of task {plan.left[0].id}, to {plan.first.model}"
        for message in plan.first.messages:
            yield from ("", *_message(message))
        for name, value in _beside(plan.first).items():
            lines = value if isinstance(value, list) else [value]
            yield from ("", f"[{name}]", *(json.dumps(one, ensure_ascii=False) for one in lines))
        yield ""
    elif plan.left:
        yield f"first task: {plan.left[0].id}; {plan.config.teacher} asks no model (see --teacher)"
    if plan.estimate:
        yield from plan.estimate.lines()
    else:
        yield f"tasks     {len(plan.left)} to search, {len(plan.tasks) - len(plan.left)} done"
        yield "requests  none to an endpoint"
    yield f"\nnothing was sent, and nothing was written to {plan.out}"


def _message(message: Message) -> Iterator[str]:
    yield f"[{message['role']}]"
    if message.get("content"):
        yield str(message["content"])
    rest = {name: value for name, value in message.items() if name not in ("role", "content")}
    if rest:
        yield json.dumps(rest, ensure_ascii=False)
