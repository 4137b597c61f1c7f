"""Questions as tasks."""

import json

from environments.kg.calls import Call
from environments.kg.generate import Question
from environments.types import Task


def task_of(question: Question) -> Task:
    """Return the task of a question.

    Right calls show its answers. The calls of the program are never shown.
    """
    prompt = f"Question: {question.text}\nEntities: {', '.join(question.entities)}"
    calls = [json.dumps(call, ensure_ascii=False) for call in question.program]
    return Task(
        question.id,
        prompt,
        secret={"answers": list(question.answers)} | ({"program": calls} if calls else {}),
        findable=("answers",),
        tags={"kind": question.kind, "hops": str(question.hops)} if question.program else {},
        group=question.group,
        split=question.split,
    )


def program_of(task: Task) -> tuple[Call, ...]:
    """Return the program of a task; () if none is known."""
    return tuple(tuple(json.loads(call)) for call in task.secret.get("program", ()))
