"""Judging steps by a model: each is shown with the path before it (process supervision).

Lightman et al. 2023, arXiv:2305.20050; for steps of agents, ToolLLM's evaluator (arXiv:2307.16789).
"""

import re
from collections.abc import Sequence

from engine.make.asker import Answer, Asker
from engine.make.steps.rules import SCORES
from engine.policies.judge import score_in
from engine.runs.judgements import LABELS, Label
from environments.types import Step, Task

_ASKED = """\
An agent works on a task step by step. Judge its last step only.

Task: {task}

Steps before:
{before}

The step:
{step}

It is "right" if it brings the task closer to its solution, "detour" if the task can be solved just
as well without it, "recovered" if it was a mistake that the agent can correct, and "wrong" if it
spoils the task. Think briefly, then end with two lines:
Label: right, detour, recovered or wrong
Score: a whole number from 0 (harmful) to 10 (just what is needed)"""
_LABEL = re.compile(rf"label\W*({'|'.join(LABELS)})\b", re.IGNORECASE)
_SHOWN = 600  # characters of an observation


def _text(step: Step) -> str:
    action = step.action
    call = f"{action.tool} {dict(action.arguments)}" if action.tool else "(no call)"
    return f"Thought: {action.thought}\nCall: {call}\nResult: {step.observation[:_SHOWN]}"


async def ask(
    asker: Asker, task: Task, before: Sequence[Step], step: Step
) -> tuple[Label, float, Answer] | None:
    """Return the label and the score of `step`, and the reply; None if the reply says neither.

    See `Asker.ask` for what is raised.
    """
    shown = "\n\n".join(map(_text, before)) or "none"
    text = _ASKED.format(task=task.prompt, before=shown, step=_text(step))
    answer = await asker.ask([{"role": "user", "content": text}], temperature=0)
    found, score = _LABEL.findall(answer.text), score_in(answer.text)
    if answer.incomplete or not (found or score is not None):
        return None
    label = next((one for one in LABELS if found and one == found[-1].lower()), None)
    if label is None:
        label = "right" if (score or 0) >= 0.5 else "wrong"
    return label, SCORES[label] if score is None else score, answer
