"""Questions as tasks."""

import json

from environments.kg.calls import Call
from environments.kg.generate import Question
from environments.types import Task


def task_of(question: Question) -> Task:
    """Return the task of a question.

    Its answers are stored letter by letter: right calls show them, so a long name would look like a
    leak (`engine.runs.fingerprints`). The program is never shown.
    """
    prompt = f"Question: {question.text}\nEntities: {', '.join(question.entities)}"
    program = {"program": json.dumps(question.program)} if question.program else {}
    return Task(
        question.id,
        prompt,
        secret={"answers": [list(answer) for answer in question.answers]} | program,
        tags={"kind": question.kind, "hops": str(question.hops)} if question.program else {},
        group=question.group,
        split=question.split,
    )


def program_of(task: Task) -> tuple[Call, ...]:
    """Return the program of a task; () if none is known."""
    return tuple(map(tuple, json.loads(task.secret.get("program", "[]"))))
