"""Whether a task is solved: by its final files, by an answer, by a check script."""

from collections.abc import Mapping
from typing import Any

from environments.mcp_servers.forked_world import ForkedWorld
from environments.mcp_servers.inside.paths import WORK
from environments.mcp_servers.world import World
from environments.types import Task

CHECK_SECONDS = 30.0
LEFT_OUT = (".git",)
"""Folders at the top that are not compared file by file."""


def verdict(task: Task, world: World | ForkedWorld, answer: str) -> tuple[bool, dict[str, Any]]:
    """Return whether the current state and `answer` solve `task`, and facts about it."""
    grader: dict[str, Any] = task.secret["grader"]
    facts: dict[str, Any] = {}
    if "answer" in grader:
        facts["answer_right"] = same_answer(answer, str(grader["answer"]))
    if "files" in grader or "absent" in grader:
        found = world.files(LEFT_OUT)
        facts["files_right"] = right_files(grader, task.details["files"], found)
    if "check" in grader:
        facts["check"] = world.check(grader["check"].replace("{work}", WORK), answer, CHECK_SECONDS)
    right = not facts.get("check") and all(
        facts.get(key, True) for key in ("answer_right", "files_right")
    )
    return right, facts


def right_files(
    grader: Mapping[str, Any], before: Mapping[str, str], found: Mapping[str, str | None]
) -> bool:
    """Return whether the files are as expected, and the others, if that is asked, as before.

    White space at the ends of a file does not count.
    """
    wanted: dict[str, str] = grader.get("files", {})
    absent: list[str] = grader.get("absent", [])
    if any((found.get(path) or "").strip() != text.strip() for path, text in wanted.items()):
        return False
    if any(path in found or any(f.startswith(f"{path}/") for f in found) for path in absent):
        return False
    if any(path not in found for path in wanted):
        return False
    if grader.get("others", "same") == "any":
        return True
    gone = {path for path in before for top in absent if path == top or path.startswith(f"{top}/")}
    others = {
        path: text for path, text in before.items() if path not in wanted | dict.fromkeys(gone)
    }
    left = {
        path: text
        for path, text in found.items()
        if path not in wanted and path.split("/", 1)[0] not in LEFT_OUT
    }
    return left == others


def same_answer(given: str, wanted: str) -> bool:
    """Return whether two answers are the same number, or the same text but for case and spaces."""
    try:
        return abs(float(given.replace(",", "")) - float(wanted)) < 1e-9
    except ValueError:
        return _plain(given) == _plain(wanted)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")
