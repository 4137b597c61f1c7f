"""The Python environment: the agent works in a live interpreter and answers with code or a value.

An answer is graded by the hidden tests (`grading`), or compared as a number or text (`values`). The
`info` of an answer holds the numbers of "passed" and all "tests", and "why" if the answer's code
did not run to its end. A call that ends the interpreter leaves the state as it was before the call.

Limitation: the restore law holds only for deterministic code. Code that reads the clock or the
kernel's randomness, or comes close to a limit, may behave differently the next time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from environments.base import Outcome
from environments.forked import LIMITS, ForkedEnv, why_stopped
from environments.python import demonstration
from environments.python.code_text import code_in, is_no_code, value_in
from environments.python.formats import Format, is_below, python_tasks
from environments.python.grading import INSIDE, Verdict, grade
from environments.python.mistakes import wrong_programs
from environments.python.text import cell_text, shown
from environments.python.thoughts import thought
from environments.python.values import same_answer
from environments.tools import GIVE_UP, NO_ARGUMENTS, Tool, text_arguments
from environments.types import Action, Step, Task
from sandbox.protocol import Result

LARGEST_FILE = 1 << 20
"""Maximum bytes of a file that `read_file` reads."""
MOST_FILES = 200
"""Maximum number of files that `list_files` lists."""
NO_CODE = "the answer is no Python code, so it was not graded; send the whole code, without text"
TRIED = 6
"""Number of wrong programs that are tried out for a task's mistakes."""
TRIAL_LIMITS = replace(LIMITS, seconds=1.0)
"""A program that takes longer is not used as a mistake."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A wrong program and, if the task asks for a value, what it printed."""

    code: str
    printed: str = ""


PYTHON = Tool(
    "python",
    "Run code in the interpreter, which keeps its variables, and show its output and the value of"
    " its last expression.",
    text_arguments(code="Python code"),
)
WRITE_FILE = Tool(
    "write_file",
    "Write a text file in the working directory.",
    text_arguments(path="relative path", content="the whole text"),
)
READ_FILE = Tool(
    "read_file", "Show a file of the working directory.", text_arguments(path="relative path")
)
LIST_FILES = Tool("list_files", "List the files of the working directory.", NO_ARGUMENTS)
RUN_TESTS = Tool(
    "run_tests",
    "Run the task's visible tests, if it has any, on what is defined in the interpreter.",
    NO_ARGUMENTS,
)
ANSWER = Tool(
    "answer",
    "Submit the answer, as code or as value, whichever the task asks for. This ends the task.",
    {
        "type": "object",
        "properties": {
            "code": {"type": "string", "description": "all of the code that was asked for"},
            "value": {
                "anyOf": [{"type": "string"}, {"type": "number"}],
                "description": "the number or the text that was asked for",
            },
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    },
)


class PythonEnv(ForkedEnv):
    """Tasks that are solved in a live interpreter and answered with code or with a value.

    Args:
        data: file of the tasks; None for the bundled ones.
        split: the part of the data to use; None for the default.
        sandbox: what confines the agent's code.
        format: format of the data file; None to tell it from the first record.
        partial: whether the reward is the share of the tests that pass, instead of all or nothing.
    """

    inside = INSIDE
    maker = "environments.python.make:PythonMaker"
    tools = (PYTHON, WRITE_FILE, READ_FILE, LIST_FILES, RUN_TESTS, ANSWER, GIVE_UP)
    instructions = (
        "You solve a task with a Python interpreter that keeps its state between calls of python. "
        "Input files, if there are any, are in the working directory. Try your code before you "
        "answer; run_tests runs the tests that you may see. If the task asks for a function, call "
        "answer with its whole code, imports included; if it asks for a number or a text, with the "
        "value. You can answer once. Call give_up only if there is no way."
    )

    def __init__(
        self,
        *,
        data: str | None = None,
        split: str | None = None,
        sandbox: str = "auto",
        format: Format | None = None,
        partial: bool = False,
    ) -> None:
        super().__init__(data=data, split=split, sandbox=sandbox)
        self._format, self._partial = format, partial
        self._tried: dict[str, list[Trial]] = {}

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`."""
        return python_tasks(self.data, self.split, self._format, strict=self.strict)

    def start_code(self, task: Task) -> str:
        """See `ForkedEnv.start_code`."""
        files, packages = task.details.get("files", {}), task.details.get("packages", [])
        if not files and not packages:
            return ""
        return INSIDE.call("cells.prepare", f"{dict(files)!r}, {list(packages)!r}")

    def act(self, action: Action) -> Outcome:
        """See `ToolEnv.act`."""
        assert self.task is not None
        given = action.arguments
        match action.tool:
            case "python":
                return self._run(code_in(given["code"]))
            case "write_file":
                return self._write(given["path"], given["content"])
            case "read_file":
                return self._read(given["path"])
            case "list_files":
                return self._list()
            case "run_tests":
                return self._test(self.task)
            case _:
                return self._answer(self.task, given)

    def _run(self, code: str) -> Outcome:
        result = self.nodes.run(code)
        if result.why:
            return self._stopped(result)
        return Outcome(cell_text(result), info={"error": "exception"} if result.exception else {})

    def _stopped(self, result: Result) -> Outcome:
        why = why_stopped(result, self.limits, "the interpreter")
        return Outcome(
            f"error: {why}; its state is as before this call", info={"error": result.why}
        )

    def _write(self, path: str, content: str) -> Outcome:
        if not is_below(path):
            return _slip("bad_path", f"{path!r:.100} is not a path below the working directory")
        if path.endswith(".py"):
            content = code_in(content)
        result = self.nodes.run(INSIDE.call("cells.write_file", f"{path!r}, {content!r}"))
        if result.why:
            return self._stopped(result)
        if result.exception:
            return _slip("file_error", result.exception.strip().rpartition("\n")[2])
        return Outcome(f"wrote {len(content)} characters to {path}")

    def _read(self, path: str) -> Outcome:
        if not is_below(path):
            return _slip("bad_path", f"{path!r:.100} is not a path below the working directory")
        try:
            data = self.nodes.read(path, LARGEST_FILE)
        except FileNotFoundError:
            most = LARGEST_FILE >> 20
            return _slip("no_file", f"no file {path!r:.100} (or one of more than {most} MB)")
        return Outcome(shown(data.decode("utf-8", "replace")) or "(empty)")

    def _list(self) -> Outcome:
        found = self.nodes.files(MOST_FILES + 1)
        lines = [path if size is None else f"{path} ({size} bytes)" for path, size in found]
        lines[MOST_FILES:] = ["..."] if len(found) > MOST_FILES else []
        return Outcome(shown("\n".join(lines)) or "(no files)")

    def _test(self, task: Task) -> Outcome:
        tests = [*task.details.get("visible", ())]
        if not tests:
            return Outcome("this task has no visible tests")
        code = "\n".join(task.details.get("setup", ()))
        code += "\n" + INSIDE.call("cells.run_tests", f"{tests!r}, globals()")
        result = self.nodes.look(code)
        if result.why:
            return self._stopped(result)
        return Outcome(cell_text(result))

    def _answer(self, task: Task, given: Any) -> Outcome:
        """Grade an answer. The observation hides the tests, since it may be trained on."""
        wanted = "value" if "answer" in task.secret else "code"
        if wanted not in given:
            return _slip("bad_arguments", f"this task wants an answer with {wanted!r}")
        if wanted == "value":
            value = value_in(str(given["value"]))
            if not value.strip():
                return _slip("bad_arguments", "the answer is empty, so it was not graded")
            right = same_answer(value, task.secret["answer"])
            verdict = Verdict(int(right), 1, right)
        else:
            stub = task.details.get("stub", "")
            code = code_in(given["code"], stub)
            if is_no_code(code, stub):
                return _slip("bad_arguments", NO_CODE)
            verdict = grade(self.nodes.sandbox, self.nodes.here(), task, code)
        share = verdict.passed / verdict.tests if self._partial else 0.0
        info = {"passed": verdict.passed, "tests": verdict.tests}
        return Outcome(
            "answer submitted",
            1.0 if verdict.solved else share,
            terminated=True,
            info=info | ({"why": verdict.why} if verdict.why else {}),
        )

    def solution(self, task: Task) -> list[Action]:
        """See `Demonstrable.solution`."""
        return demonstration.solution(task)

    def thought(self, task: Task, path: Sequence[Step], action: Action) -> str:
        """See `Demonstrable.thought`."""
        return thought(task, path, action)

    def possible_in_words(self, task: Task) -> bool:
        """See `Demonstrable.possible_in_words`: who needs no file can write the code at once."""
        return not task.details.get("files")

    def noop(self, task: Task) -> list[Action]:
        """See `Demonstrable.noop`."""
        return demonstration.noop(task)

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """Wrong versions of the solution; each was tried, and fails."""
        if action.tool == ANSWER.name and "value" in action.arguments:
            found = demonstration.wrong_values(
                task, [trial.printed for trial in self._trials(task)]
            )
            return [Action(action.tool, {"value": value}) for value in found]
        code, right = action.arguments.get("code", ""), task.secret.get("solution", "").strip()
        if action.tool not in (PYTHON.name, ANSWER.name) or not right or right not in code:
            return []
        wrong = [code.replace(right, trial.code.strip()) for trial in self._trials(task)]
        return [Action(action.tool, {"code": other}) for other in wrong]

    def _trials(self, task: Task) -> list[Trial]:
        if task.id not in self._tried:
            start = self.nodes.start_of(task)
            try:
                wrong = wrong_programs(task.secret.get("solution", ""), task)[:TRIED]
                found = [self._trial(task, start, code) for code in wrong]
                self._tried[task.id] = [trial for trial in found if trial is not None]
            finally:
                self.nodes.done_with(start)
        return self._tried[task.id]

    def _trial(self, task: Task, start: str, code: str) -> Trial | None:
        """Try a program; return None if it is right all the same, or too slow to tell."""
        if "answer" in task.secret:
            result = self.nodes.look(code, start, TRIAL_LIMITS)
            printed = "" if result.exception else result.output.strip()
            wrong = not result.why and not same_answer(printed, task.secret["answer"])
            return Trial(code, printed) if wrong else None
        verdict = grade(self.nodes.sandbox, start, task, code, TRIAL_LIMITS.seconds)
        wrong = not verdict.solved and verdict.why in ("", "exception")
        return Trial(code) if wrong else None


def _slip(kind: str, message: str) -> Outcome:
    return Outcome(f"error: {message}", info={"error": kind})
