"""What the tools do inside the sandbox, besides running the agent's code."""

import importlib.util
import os
import traceback
from typing import Any

HOME = os.getcwd()
"""The working directory at the start: where the task's files are."""


def write_file(path: str, content: str) -> None:
    """Write a file below the working directory; raise OSError if that fails."""
    full = os.path.join(HOME, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8", newline="") as file:
        file.write(content)


def prepare(files: dict[str, str], packages: list[str]) -> str:
    """Write a task's files; return "" or what is wrong."""
    try:
        for path, content in files.items():
            write_file(path, content)
    except OSError as error:
        return f"its files cannot be written: {error}"
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    return (
        f"it needs packages that are not in the sandbox: {', '.join(missing)}; "
        "build an image with them: engine sandbox build --packages"
    )


def run_tests(tests: list[str], world: dict[str, Any]) -> None:
    """Run each test among the agent's definitions, and print its result."""
    passed = 0
    for test in tests:
        try:
            exec(compile(test, "<test>", "exec", dont_inherit=True), world)
        except BaseException as error:  # noqa: BLE001  (whatever the agent's code raised)
            message = traceback.format_exception_only(type(error), error)[-1].strip()
            print(f"FAILED: {test}\n  {message}")
        else:
            passed += 1
            print(f"passed: {test}")
    print(f"{passed} of {len(tests)} tests passed")
