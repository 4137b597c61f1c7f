"""A user's world over forked programs: the contract, a failed start, a stopped call."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from environments import GIVE_UP, NO_ARGUMENTS, Action, Outcome, Task, Tool
from environments.forked import BASH, LIMITS, ShellEnv
from environments.testing import check_env
from sandbox.errors import SandboxError
from tests.support.sandboxes import require


class Sorting(ShellEnv):
    """Sort a file with a shell."""

    tools = (BASH, Tool("done", "Say that it is done.", NO_ARGUMENTS), GIVE_UP)
    instructions = "Sort names.txt with the shell, then call done."
    limits = replace(LIMITS, seconds=1.0)

    def load_tasks(self) -> Sequence[Task]:
        return [
            Task(name, f"Sort {len(name)} names.", {"right": text}, {"files": files}, group=name)
            for name, text in (("one", "a\nb\n"), ("three", "c\nd\ne\n"))
            for files in [{"names.txt": "".join(reversed(text.splitlines(keepends=True)))}]
        ]

    def act(self, action: Action) -> Outcome:
        assert self.task is not None
        if action.tool == BASH.name:
            return self.bash(action.arguments["command"])
        found = self.nodes.read("names.txt", 100).decode()
        return Outcome("done", float(found == self.task.secret["right"]), terminated=True)

    def solution(self, task: Task) -> list[Action]:
        return [
            Action("bash", {"command": "sort -o names.txt names.txt"}, "I sort it."),
            Action("done", {}),
        ]

    def noop(self, task: Task) -> list[Action]:
        return [Action("done", {})]


def test_a_world_of_the_users_own() -> None:
    require("landlock")
    check_env(Sorting(sandbox="landlock"), 1)


def test_what_cannot_be_set_up_and_what_does_not_end() -> None:
    require("landlock")
    env = Sorting(sandbox="landlock")
    with pytest.raises(SandboxError, match=r"^bad cannot be set up: its init script ended with"):
        env.reset(options={"task": Task("bad", "?", {}, {"init": [("bash", "exit 3")]})})
        env.step(Action("bash", {"command": "true"}))
    env.reset(options={"task": env.tasks[0]})
    stopped = "error: the command was stopped after 1 s; all is as before this command"
    assert env.step(Action("bash", {"command": "rm names.txt; sleep 5"}))[0] == stopped
    assert env.step(Action("bash", {"command": "ls"}))[0] == "names.txt"
    env.close()
