"""What the demonstration teacher does: look at files, try, answer; and its wrong values."""

import ast
import re
from fractions import Fraction

from environments.python.grading import defined
from environments.python.values import number, same_answer
from environments.types import Action, Task

ANNOTATION = re.compile(r"<<([^=<>]+)=[^<>]*>>")
"""GSM8K's calculations (arXiv:2110.14168, appendix C)."""
EXAMPLE = re.compile(r"^\s*>>> (.+)$", re.MULTILINE)
CALCULATION = re.compile(r"[\d\s.+*/()-]+")
LONGEST = 100
"""Maximum characters of a wrong value."""
READ = 2
"""Number of files to read first."""


def solution(task: Task) -> list[Action]:
    """Return actions that earn 1.0; a give-up if the data holds no solution."""
    steps = _look(task)
    code = task.secret.get("solution", "")
    if "answer" in task.secret:
        cell = code or _calculation(task.secret.get("reasoning", ""))
        if cell:
            steps.append(_act("python", code=cell))
        return [*steps, _act("answer", value=task.secret["answer"])]
    if not code:
        return [Action("give_up", {})]
    whole = task.details.get("stub", "") + code
    steps.append(_act("python", code=whole + _example(task)))
    if task.details.get("visible"):
        steps.append(_act("run_tests"))
    return [*steps, _act("answer", code=whole)]


def noop(task: Task) -> list[Action]:
    """Return an answer that cannot be right."""
    if "answer" in task.secret:
        return [_act("answer", value="none")]
    return [_act("answer", code="pass")]


def wrong_values(task: Task, computed: list[str]) -> list[str]:
    """Return wrong values: first those that wrong programs printed, then the answer off by one."""
    right = number(task.secret["answer"])
    near = [] if right is None else [right + 1, right - 1, right * 10, right / 2]
    found = [text for text in computed if text and "\n" not in text and len(text) <= LONGEST]
    found += [_written(value) for value in near]
    return [value for value in dict.fromkeys(found) if not same_answer(value, _answer(task))]


def _answer(task: Task) -> str:
    answer: str = task.secret["answer"]
    return answer


def _written(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return f"{float(value):.4f}".rstrip("0").rstrip(".")


def _look(task: Task) -> list[Action]:
    files = list(task.details.get("files", {}))
    steps = [_act("list_files")] if files else []
    return [*steps, *(_act("read_file", path=path) for path in files[:READ])]


def _example(task: Task) -> str:
    """Return a call to end the cell with, from the prompt or the first visible test."""
    shown = [*EXAMPLE.findall(task.details.get("stub", "")), *task.details.get("visible", ())]
    own = defined(task.secret["solution"]) | {task.details.get("entry_point", "")}
    for text in shown:
        found = _first_call(text, own)
        if found:
            return "\n".join(["\n", *task.details.get("setup", ()), found])
    return ""


def _first_call(text: str, names: set[str]) -> str:
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError):
        return ""
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    named = (c for c in calls if isinstance(c.func, ast.Name) and c.func.id in names)
    return next((ast.get_source_segment(text, found) or "" for found in named), "")


def _calculation(reasoning: str) -> str:
    """Return a cell with GSM8K's annotated calculations, those that are plain arithmetic."""
    found = [text for text in ANNOTATION.findall(reasoning) if CALCULATION.fullmatch(text)]
    lines = []
    for text in found:
        try:
            ast.parse(text.strip(), mode="eval")
        except SyntaxError:
            continue
        lines.append(f"print({text.strip()})")
    return "\n".join(lines)


def _act(tool: str, **arguments: str) -> Action:
    return Action(tool, arguments)
