"""Makes tasks for the Python world of what a model writes; see `environments.task_making`."""

from collections.abc import Mapping
from random import Random
from typing import Any

from environments.python.env import ANSWER, PythonEnv
from environments.python.formats import task_from
from environments.python.mistakes import wrong_programs
from environments.records import BadRecord
from environments.task_making import AMBIGUOUS, Doubt, NotATask, Scene, TaskMaker
from environments.types import Task

TOPICS = (
    "texts and their words",
    "lists of numbers",
    "dates and times",
    "dictionaries and counting",
    "grids and coordinates",
    "records such as orders, people or books",
    "sequences and patterns",
    "sets, pairs and matching",
)
FIELDS = ("prompt", "tests", "visible_tests", "solution", "files")


class PythonMaker(TaskMaker):
    """Functions to write, with hidden tests."""

    env: PythonEnv
    form = (
        '{"prompt": what the function is to do, ending in a line "Write the function `def ...`.", '
        '"visible_tests": one or two assertions that the agent may see, "tests": three to six '
        "other assertions that only right code passes, edge cases included, "
        '"solution": the whole code of the function}'
    )

    def scene(self, random: Random) -> Scene:
        """See `TaskMaker.scene`: a topic."""
        split = self.env.tasks[0].split
        return Scene(f"Its topic: {random.choice(TOPICS)}.", split=split)

    def written(self, scene: Scene, fields: Mapping[str, Any]) -> Task:
        """See `TaskMaker.written`."""
        if missing := [name for name in ("tests", "solution") if not fields.get(name)]:
            raise NotATask(f"no field {missing[0]!r}")
        record = {name: fields[name] for name in FIELDS if name in fields}
        try:
            task = task_from({**record, "id": "made", "group": "made", "split": scene.split})
        except BadRecord as bad:
            raise NotATask(bad.why) from bad
        return Task("", task.prompt, task.secret, task.details, split=scene.split)

    def example(self, task: Task) -> Mapping[str, Any] | None:
        """See `TaskMaker.example`."""
        if not {"tests", "solution"} <= task.secret.keys():
            return None
        visible = task.details.get("visible", [])
        return {"prompt": task.prompt, "visible_tests": visible, **task.secret}

    def doubt(self, task: Task) -> Doubt | None:
        """See `TaskMaker.doubt`: hidden tests that wrong programs pass, too."""
        last = self.env.solution(task)[-1]
        code = task.secret.get("solution", "")
        if last.tool != ANSWER.name or not code or not wrong_programs(code, task):
            return None
        if not self.env.mistakes(task, last):
            return Doubt(AMBIGUOUS, "its tests let every wrong version of the solution pass")
        return None
