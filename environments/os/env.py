"""The world "os": the agent works with a shell on files, and answers a question or changes them.

It follows AgentBench's OS (Liu et al. 2023, arXiv:2308.03688): an operation is checked by what the
files are afterwards, a question by its answer. Whether the right tool ends a task is not told: an
answer in the place of `finish`, and the other way round, is graded as it is.

The `info` of a command holds its exit "status"; that of the end the numbers of "passed" and all
"checks", and "why" if the checks did not run to their end.

Limitation: the restore law holds only for commands that do not read the clock, process numbers, the
kernel's randomness or the state of the machine.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from environments.base import Outcome
from environments.forked import BASH, LIMITS, SHELL, ShellEnv, graded
from environments.os.answers import same_answer
from environments.os.tasks import Format, os_tasks
from environments.os.thoughts import thought
from environments.tools import GIVE_UP, NO_ARGUMENTS, Tool, text_arguments
from environments.types import Action, Step, Task

GRADE_LIMITS = replace(LIMITS, seconds=90.0)

ANSWER = Tool(
    "answer",
    "Answer the question. This ends the task.",
    text_arguments(text="the answer alone: a number, a name, ..."),
)
FINISH = Tool("finish", "Say that the operation is done. This ends the task.", NO_ARGUMENTS)


class OsEnv(ShellEnv):
    """Questions and operations on files, solved with a shell.

    Args:
        data: file of the tasks, ours or AgentBench's; None for the bundled ones.
        split: the part of the data to use; None for the default.
        sandbox: what confines the agent's commands.
        format: format of the data file; None to tell it from the first record.
        scripts: folder of the scripts that AgentBench's data names; None for `scripts/NUMBER`
            beside its `data/NUMBER`.
    """

    inside = replace(SHELL, files=(*SHELL.files, Path(__file__).parent / "inside" / "checks.py"))
    maker = "environments.os.make:OsMaker"
    tools = (BASH, ANSWER, FINISH, GIVE_UP)
    instructions = (
        "You solve a task with the shell of a Linux machine. Your files are in /work, where you "
        "start. Each call of bash runs a command of yours, which must not wait for input; programs "
        "left in the background end with it. Look at the files before you change them. If the task "
        "asks a question, call answer with the answer alone; if it asks you to do something, do it "
        "and call finish. Either ends the task. Call give_up only if there is no way."
    )

    def __init__(
        self,
        *,
        data: str | None = None,
        split: str | None = None,
        sandbox: str = "auto",
        format: Format | None = None,
        scripts: str | None = None,
    ) -> None:
        super().__init__(data=data, split=split, sandbox=sandbox)
        self._format, self._scripts = format, scripts
        self._computed: dict[str, str] = {}

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`."""
        return os_tasks(self.data, self.split, self._format, self._scripts, strict=self.strict)

    def act(self, action: Action) -> Outcome:
        """See `ToolEnv.act`."""
        assert self.task is not None
        match action.tool:
            case "bash":
                return self.bash(action.arguments["command"])
            case "answer":
                text = action.arguments["text"].strip()
                if not text:
                    message = "error: the answer is empty, so it was not graded"
                    return Outcome(message, info={"error": "bad_arguments"})
                return self._graded(self.task, text)
            case _:
                return self._graded(self.task, "")

    def _graded(self, task: Task, answer: str) -> Outcome:
        """Grade the end. The observation hides the checks, since it may be trained on."""
        secret, held, why = task.secret, [], ""
        if "answer" in secret:
            held = [same_answer(answer, secret["answer"])]
        checks = [
            check | ({"answer": answer} if check["check"] == "scripts" else {})
            for check in secret.get("checks", ())
        ]
        if checks:
            given = {"checks": checks, "root": task.details.get("root", False)}
            code = self.inside.call("checks.verdict", repr(json.dumps(given)))
            found, why = graded(self.nodes.sandbox, self.nodes.here(), code, GRADE_LIMITS)
            held += found or [False] * len(checks)
        return Outcome(
            "answer submitted" if answer else "finished",
            float(all(held)),
            terminated=True,
            info={"passed": sum(held), "checks": len(held)} | ({"why": why} if why else {}),
        )

    def solution(self, task: Task) -> list[Action] | None:
        """See `Demonstrable.solution`."""
        steps = task.secret.get("solution")
        if steps is None:
            return None
        commands = [Action("bash", {"command": step["command"]}, step["thought"]) for step in steps]
        if "answer" in task.secret:
            answer = str(task.secret["answer"][0])
        elif task.secret.get("prints_answer"):
            answer = self._printed(task, steps[-1]["command"])
        else:
            return [*commands, Action("finish", {})]
        return [*commands, Action("answer", {"text": answer})]

    def _printed(self, task: Task, command: str) -> str:
        """Return what AgentBench's example prints at the start: the answer that it checks."""
        if task.id not in self._computed:
            self._computed[task.id] = self.printed(task, command).strip() or "?"
        return self._computed[task.id]

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """See `Demonstrable.mistakes`; the bundled tasks name them."""
        if action.tool == "answer":
            wrong: Sequence[str] = task.secret.get("wrong_answers", ())
            return [Action("answer", {"text": text}) for text in wrong]
        for step in task.secret.get("solution") or ():
            if step["command"] == action.arguments.get("command"):
                found = step.get("mistakes", ())
                return [Action("bash", {"command": text}, action.thought) for text in found]
        return []

    def thought(self, task: Task, path: Sequence[Step], action: Action) -> str:
        """See `Demonstrable.thought`. Data of the user's own may bring its thoughts along."""
        own = action.thought if self.data else ""
        return own or thought(task, path, action)

    def noop(self, task: Task) -> list[Action]:
        """See `Demonstrable.noop`."""
        return [Action("finish", {})]
