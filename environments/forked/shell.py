"""A world whose agent has a shell that branches, with its files."""

import json
from pathlib import Path

from environments.base import Outcome
from environments.fences import unwrap
from environments.forked.env import ForkedEnv
from environments.forked.nodes import returned, why_stopped
from environments.tools import Tool, text_arguments
from environments.types import Task
from sandbox.bundle import Bundle
from sandbox.protocol import Result

FILE = Path(__file__).parent / "inside" / "shell.py"
"""The module that runs commands inside; a grader may import it."""
SHELL = Bundle("treegraft_shell", (FILE,))
BASH = Tool(
    "bash",
    "Run a command, or several lines, in the shell. It keeps its folder, variables and functions.",
    text_arguments(command="what bash is to run; it can read no input"),
)


class ShellEnv(ForkedEnv):
    """A world with the tool `BASH`; `inside.shell.prepare` says what tasks have as details."""

    inside = SHELL
    branching = "a forked process, copied files"

    def start_code(self, task: Task) -> str:
        """See `ForkedEnv.start_code`."""
        return self.inside.call("shell.prepare", repr(json.dumps(dict(task.details))))

    def bash(self, command: str) -> Outcome:
        """Run a command of the agent's, and show what it did; one that was stopped did nothing.

        `info` holds its exit "status".
        """
        result = self.nodes.run(self._call(_bare(command)))
        if result.why:
            died = "ended its shell's parent"
            why = why_stopped(result, self.limits, "the command", died)
            text = f"error: {why}; all is as before this command"
            return Outcome(text, info={"error": "stopped"})
        status, output = self._ran(result)
        said = output.rstrip("\n")
        end = f"[exit status {status}]" if status else "" if said else "(no output)"
        return Outcome("\n".join(filter(None, (said, end))), info={"status": status})

    def printed(self, task: Task, command: str) -> str:
        """Return what a command prints at the start of `task`; "" if it was stopped."""
        start = self.nodes.start_of(task)
        try:
            result = self.nodes.look(self._call(command), start)
        finally:
            self.nodes.done_with(start)
        return "" if result.why else self._ran(result)[1]

    def _call(self, command: str) -> str:
        return self.inside.call("shell.run", repr(command))

    def _ran(self, result: Result) -> tuple[int, str]:
        found = returned(result, "no shell")
        return int(found["status"]), str(found["output"])


def _bare(text: str) -> str:
    """Return the command in `text`, which may be a code fence of Markdown."""
    return unwrap(text, lambda code: not code.lstrip().startswith(("```", "~~~")))
