"""How a bundled task is written: as a function whose docstring is the task.

The function is the canonical solution, and what it returns is the expected result; so a task can be
wrong only as a whole. `python -m tools.bundled.python` writes them as JSON lines.
"""

import ast
import inspect
import os
import tempfile
import textwrap
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Topic:
    """Tasks that belong together; a held-out split holds whole topics.

    files: contents by path, of what every task of the topic finds in its working directory.
    """

    def __init__(self, name: str, split: str, files: Mapping[str, str] | None = None) -> None:
        self.name, self.split, self.files = name, split, dict(files or {})
        self.records: list[dict[str, Any]] = []

    def function(self, shown: Sequence[str], hidden: Sequence[str]) -> Callable[[F], F]:
        """A task that asks for the function. shown, hidden: arguments of a call, as source."""

        def add(solution: F) -> F:
            wanted, code = _parts(solution)
            signature = ast.unparse(ast.parse(code).body[-1]).partition(":\n")[0]
            self._add(
                solution.__name__,
                prompt=f"{wanted}\nWrite the function `{signature}`.",
                visible_tests=self._tests(solution, shown),
                tests=self._tests(solution, hidden),
                solution=code,
            )
            return solution

        return add

    def value(self, solution: F) -> F:
        """A task that asks for what the function, which takes no argument, returns."""
        wanted, code = _parts(solution)
        with self._in_place():
            found = solution()
        self._add(
            solution.__name__,
            prompt=f"{wanted}\nAnswer with the value.",
            answer=found,
            solution=f"{code}\n\nprint({solution.__name__}())",
        )
        return solution

    def _add(self, name: str, **fields: Any) -> None:
        files = {"files": self.files} if self.files else {}
        known = {"id": f"{self.name}-{name.replace('_', '-')}", "group": self.name}
        self.records.append({**known, "split": self.split, **fields, **files})

    def _tests(self, solution: Callable[..., Any], calls: Sequence[str]) -> list[str]:
        world = {solution.__name__: solution}
        tests = []
        with self._in_place():
            for arguments in calls:
                call = f"{solution.__name__}({arguments})"
                tests.append(f"assert {call} == {_literal(eval(call, world))}")
        return tests

    @contextmanager
    def _in_place(self) -> Any:
        """Stand in a directory that holds the files."""
        before = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            for path, content in self.files.items():
                Path(folder, path).write_text(content, "utf-8")
            os.chdir(folder)
            try:
                yield
            finally:
                os.chdir(before)


def _literal(value: Any) -> str:
    """Source of a value; that of a set does not depend on hashes."""
    if isinstance(value, set) and value:
        return "{" + ", ".join(map(repr, sorted(value))) + "}"
    return repr(value)


def _parts(solution: Callable[..., Any]) -> tuple[str, str]:
    """The task, which is the docstring; and the code without it, with the imports that it needs."""
    text = textwrap.dedent(inspect.getsource(solution))
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    docstring = function.body[0]
    lines = text.splitlines()
    kept = lines[function.lineno - 1 : docstring.lineno - 1] + lines[docstring.end_lineno :]
    used = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    imports = "".join(f"{line}\n" for line in _imports(solution, used))
    wanted = " ".join((inspect.getdoc(solution) or "").split())
    return wanted, (imports + "\n\n" if imports else "") + "\n".join(kept)


def _imports(solution: Callable[..., Any], used: set[str]) -> list[str]:
    """Those lines of the module that bring a name that is used."""
    module = inspect.getmodule(solution)
    assert module is not None
    found = []
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            node.names = [alias for alias in node.names if (alias.asname or alias.name) in used]
            if node.names:
                found.append(ast.unparse(node))
    return found
