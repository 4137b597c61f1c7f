"""Thoughts about code, made by rule: what it defines, loops over, decides, returns and prints."""

import ast
from collections.abc import Iterator, Sequence

from environments.python.code_text import code_in
from environments.thoughts import (
    after_error,
    argument,
    goal_of,
    listed,
    plain_thought,
    shortened,
    value_text,
)
from environments.types import Action, Step, Task

_MOST_PARTS = 5
_LONGEST_PART = 60
_RESULTS = ("python", "run_tests")


def thought(task: Task, path: Sequence[Step], action: Action) -> str:
    """Return the thought before a step; see `Demonstrable.thought`."""
    name = argument(action, "path")
    match action.tool:
        case "list_files":
            return f"The task: {goal_of(task.prompt)} First, which files are there?"
        case "read_file":
            seen = any(name in step.observation for step in path)
            return f"{name} {'is there' if seen else 'may be there'}; I read what it holds."
        case "write_file":
            return f"{after_error(path)}I write {name}."
        case "python":
            return _start(task, path) + plan(argument(action, "code"))
        case "run_tests":
            return _after_run(path) + "The visible tests tell whether the code is right."
        case "answer" if "value" in action.arguments:
            value = value_text(action.arguments["value"])
            return f"{_after_run(path)}The answer that I give is {value}."
        case "answer":
            code = argument(action, "code")
            return _after_run(path) + (plan(code) if _is_new(path, code) else _submits(code))
    return plain_thought(task, path, action)


def plan(code: str) -> str:
    """Return in words what code does, from its syntax tree."""
    try:
        tree = ast.parse(code_in(code))
    except (SyntaxError, ValueError, RecursionError):
        return "I try a piece of code."
    parts = [part for node in tree.body for part in _of_statement(node)]
    shown = parts[:_MOST_PARTS]
    more = ", and so on" if len(parts) > _MOST_PARTS else ""
    return f"The plan: {'; '.join(shown)}{more}." if shown else "I try a piece of code."


def _of_statement(node: ast.stmt) -> Iterator[str]:
    """Yield in words what a statement at the top of a cell does."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield f"define {name}({', '.join(each.arg for each in node.args.args)})"
            yield from _of_body(node.body)
        case ast.ClassDef(name=name):
            methods = [each.name for each in node.body if isinstance(each, ast.FunctionDef)]
            yield f"define the class {name}" + (f" with {listed(methods)}" if methods else "")
        case ast.Import():
            yield f"import {listed(each.name for each in node.names)}"
        case ast.ImportFrom(module=module) if module:
            yield f"import {listed(each.name for each in node.names)} from {module}"
        case ast.Expr(value=value):
            yield f"see what {_text(value)} gives"
        case _:
            yield from _of_body([node])


def _of_body(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield in words what a body does: its loops, decisions and results, outer ones first."""
    for node in body:
        match node:
            case ast.For(target=target, iter=each) | ast.AsyncFor(target=target, iter=each):
                yield f"go through {_text(each)} as {_text(target)}"
                yield from _of_body(node.body)
            case ast.While(test=test):
                yield f"repeat while {_text(test)}"
                yield from _of_body(node.body)
            case ast.If(test=test):
                yield f"decide by {_text(test)}"
                yield from _of_body([*node.body, *node.orelse])
            case ast.Return(value=value) if value is not None:
                yield f"return {_text(value)}"
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield f"set {name} to {_text(value)}"
            case ast.AugAssign(target=target):
                yield f"change {_text(target)}"
            case ast.With(items=items):
                yield f"open {listed(_text(each.context_expr) for each in items)}"
                yield from _of_body(node.body)
            case ast.Expr(value=ast.Call()):
                yield f"call {_text(node.value)}"


def _text(node: ast.expr) -> str:
    return shortened(" ".join(ast.unparse(node).split()), _LONGEST_PART)


def _start(task: Task, path: Sequence[Step]) -> str:
    if any(step.action.tool == "python" for step in path):
        return _after_run(path)
    read = [argument(s.action, "path") for s in path if s.action.tool == "read_file"]
    seen = f"I know what {listed(read)} holds. " if read else ""
    return f"{seen}The task: {goal_of(task.prompt)} "


def _after_run(path: Sequence[Step]) -> str:
    """Return what the last cell or test showed."""
    if not path or path[-1].action.tool not in _RESULTS:
        return ""
    if path[-1].info.get("error"):
        lines = [line.strip() for line in path[-1].observation.splitlines() if line.strip()]
        return f"That failed: {shortened(lines[-1] if lines else '', 100)} "
    lines = [line.strip() for line in path[-1].observation.splitlines() if line.strip()]
    return f"The last result is {shortened(lines[-1], 80)}. " if lines else "It ran. "


def _is_new(path: Sequence[Step], code: str) -> bool:
    """Return whether no cell has run `code`."""
    return not any(code.strip() in argument(step.action, "code") for step in path)


def _submits(code: str) -> str:
    try:
        body = ast.parse(code_in(code)).body
    except (SyntaxError, ValueError, RecursionError):
        return "I submit it."
    names = [each.name for each in body if isinstance(each, ast.FunctionDef | ast.ClassDef)]
    return f"I have run {listed(names)}, and submit it." if names else "I have run it, and submit."
