"""What the families of tasks are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Step = tuple[str, ...]
"""A thought, the command, and wrong commands in its place."""


@dataclass
class Family:
    """Tasks of one kind, over file sets of their own; never in both splits."""

    name: str
    split: str
    records: list[dict[str, Any]] = field(default_factory=list)

    def question(
        self,
        name: str,
        prompt: str,
        files: Mapping[str, str],
        answer: Any,
        steps: Sequence[Step],
        wrong: Sequence[Any],
        **setup: Mapping[str, str],
    ) -> None:
        """Add a task with an answer; `setup` may hold `links`, `modes` and `times`."""
        right = answer if isinstance(answer, list) else [answer]
        end = {
            "answer": [str(text) for text in right],
            "wrong_answers": [str(text) for text in wrong],
        }
        self._add(name, prompt, files, steps, end, setup)

    def operation(
        self,
        name: str,
        prompt: str,
        files: Mapping[str, str],
        checks: Sequence[Mapping[str, Any]],
        steps: Sequence[Step],
        **setup: Mapping[str, str],
    ) -> None:
        """Add a task that changes files."""
        self._add(name, prompt, files, steps, {"checks": list(checks)}, setup)

    def _add(
        self,
        name: str,
        prompt: str,
        files: Mapping[str, str],
        steps: Sequence[Step],
        end: Mapping[str, Any],
        setup: Mapping[str, Mapping[str, str]],
    ) -> None:
        solution = [
            {"thought": thought, "command": command, "mistakes": wrong}
            for thought, command, *wrong in steps
        ]
        head = {"id": f"{self.name}-{name}", "group": self.name, "split": self.split}
        body = {"prompt": prompt, "files": dict(files)} | {k: dict(v) for k, v in setup.items()}
        self.records.append(head | body | dict(end) | {"solution": solution})


def check(kind: str, **what: Any) -> dict[str, Any]:
    """Return a check; see `environments/os/inside/checks.py`."""
    return {"check": kind, **what}


def joined(lines: Sequence[str]) -> str:
    """Return lines as the text of a file."""
    return "".join(f"{line}\n" for line in lines)
