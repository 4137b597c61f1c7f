"""What the tools do inside, besides running the agent's own code."""

import importlib.util
import os
import traceback
from typing import Any

HOME = os.getcwd()
"""The working directory at the start: where the task's files are."""


def write_file(path: str, content: str) -> None:
    """Raises OSError."""
    full = os.path.join(HOME, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8", newline="") as file:
        file.write(content)


def prepare(files: dict[str, str], packages: list[str]) -> list[str]:
    """Write a task's files; names of its packages that are not here."""
    for path, content in files.items():
        write_file(path, content)
    return [name for name in packages if importlib.util.find_spec(name) is None]


def run_tests(tests: list[str], world: dict[str, Any]) -> None:
    """Print what came of each test, run among the agent's own definitions."""
    passed = 0
    for test in tests:
        try:
            exec(compile(test, "<test>", "exec", dont_inherit=True), world)
        except BaseException as error:  # noqa: BLE001  (whatever the agent's code raised)
            told = traceback.format_exception_only(type(error), error)[-1].strip()
            print(f"FAILED: {test}\n  {told}")
        else:
            passed += 1
            print(f"passed: {test}")
    print(f"{passed} of {len(tests)} tests passed")
