"""Whether the agent can read the oracle: parts of a secret in what it, or a tree's reader, sees."""

import json
from collections.abc import Iterator, Sequence

from engine.runs.fingerprints import Fingerprint, fingerprints, secrets_in, strings_in
from environments import Step, Task, ToolEnv

SHORTEST = 3
"""Characters of the shortest text that must not be in a prompt."""
COMMON = ("yes", "true", "false", "none")
"""Answers that a prompt may name."""


def shown_at_the_start(env: ToolEnv, task: Task) -> Iterator[str]:
    """Yield where the secret of `task` is shown before anything is done."""
    hidden = fingerprints(task.secret, task.findable)
    tools = json.dumps([[t.name, t.description, dict(t.parameters)] for t in env.tools_of(task)])
    for place, text in (("prompt", task.prompt), ("tools", tools), ("rules", env.instructions)):
        if secrets_in(text, hidden):
            yield f"the {place} shows the secret"
    for name, value in task.secret.items():
        told = str(value)
        telling = len(told) >= SHORTEST and told.lower() not in COMMON
        if telling and name not in task.findable and told in task.prompt:
            yield f"the prompt holds the secret {name!r}"


def shown_by(task: Task, who: str, steps: Sequence[Step]) -> Iterator[str]:
    """Yield where steps show a part of the secret that the agent has not written before."""
    hidden: list[Fingerprint] = fingerprints(task.secret, task.findable)
    for number, step in enumerate(steps):
        written = secrets_in("\n".join([*strings_in(step.action.arguments)]), hidden)
        hidden = [part for part in hidden if part not in written]
        for place, text in (
            ("observation", step.observation),
            ("info", json.dumps(dict(step.info), ensure_ascii=False)),
        ):
            if secrets_in(text, hidden):
                yield f"{who}: the {place} of step {number + 1} shows the secret"
