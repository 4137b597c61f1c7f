"""Makes tasks over files: by rules, or of what a model writes; see `environments.task_making`.

A rule makes random files, a question or an operation over them, and the commands that solve it.
What a question's answer is was computed from the files here, and must be what the commands print.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from random import Random
from typing import Any

from environments.os.answers import same_answer
from environments.os.env import OsEnv
from environments.os.make_rules import RULES
from environments.os.tasks import task_from
from environments.plays import play
from environments.records import BadRecord
from environments.task_making import UNSOLVABLE, Doubt, NotATask, Scene, TaskMaker
from environments.types import Task

Record = dict[str, Any]
Rule = Callable[[Random], Record]

KINDS = (
    "a question about the contents of files (its 'answer')",
    "a question about which files there are (its 'answer')",
    "an operation that changes or makes files (its 'checks')",
)
FIELDS = ("prompt", "files", "answer", "wrong_answers", "checks", "solution")


class OsMaker(TaskMaker):
    """Questions and operations on files of their own."""

    env: OsEnv
    form = (
        '{"prompt": the task, "files": texts by relative path, "answer": the right answer of a '
        'question, a text or number, or else "checks": a list of what must hold at the end, each '
        '{"check": "text", "path": ..., "is_": whole text}, {"check": "absent", "path": ...} or '
        '{"check": "tree", "folder": ..., "holds": all texts by path below it}, '
        '"solution": a list of {"thought": ..., "command": a bash command}, of which the last one '
        "of a question prints the answer alone}"
    )

    def __init__(self, env: OsEnv) -> None:
        super().__init__(env)
        self._split = env.tasks[0].split

    def by_rules(self, seed: int) -> Iterator[Task]:
        """See `TaskMaker.by_rules`: the rules of the split take turns."""
        rules = [rule for split, rule in RULES if split == (self._split or split)]
        for number in count() if rules else ():
            rule = rules[number % len(rules)]
            record = rule(Random(f"{seed}|{rule.__name__}|{number}"))
            yield self._task(record, f"made-{rule.__name__.replace('_', '-')}")

    def _task(self, record: Mapping[str, Any], group: str) -> Task:
        task = task_from({**record, "id": "made", "group": group or "made", "split": self._split})
        return replace(task, id="", group=group)

    def scene(self, random: Random) -> Scene:
        """See `TaskMaker.scene`: a kind of task."""
        return Scene(f"It is {random.choice(KINDS)}.", split=self._split)

    def written(self, scene: Scene, fields: Mapping[str, Any]) -> Task:
        """See `TaskMaker.written`."""
        record = {name: fields[name] for name in FIELDS if fields.get(name) is not None}
        if not record.get("solution"):
            raise NotATask("no field 'solution'")
        try:
            return self._task(record, "")
        except BadRecord as bad:
            raise NotATask(bad.why) from bad

    def example(self, task: Task) -> Mapping[str, Any] | None:
        """See `TaskMaker.example`."""
        hidden, steps = task.secret, task.secret.get("solution")
        if not steps or not task.details.get("files"):
            return None
        shown: dict[str, Any] = {
            name: hidden[name] for name in ("answer", "checks") if name in hidden
        }
        commands = [{"thought": step["thought"], "command": step["command"]} for step in steps]
        files = task.details["files"]
        return {"prompt": task.prompt, "files": files, **shown, "solution": commands}

    def answers(self, task: Task) -> Sequence[str]:
        """See `TaskMaker.answers`."""
        right: Sequence[str] = task.secret.get("answer", ())
        return right

    def doubt(self, task: Task) -> Doubt | None:
        """See `TaskMaker.doubt`: an answer that the last command does not show."""
        right = self.answers(task)
        steps = self.env.solution(task) or []
        if not right or len(steps) < 2:
            return None
        shown = play(self.env, task, steps[:-1])[-1].observation.strip()
        named = any(re.search(rf"(?<!\w){re.escape(each)}(?!\w)", shown) for each in right)
        if named or same_answer(shown.rpartition("\n")[2], right):
            return None
        return Doubt(UNSOLVABLE, f"its last command shows {shown[-80:]!r}, and no answer")
