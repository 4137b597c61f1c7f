"""The test splits that are bundled with the environments, as held-out tasks.

To read them, every world is made once: that takes seconds, and so the prompts are kept in the
user's cache folder. They are read again when a file of `environments/` or an installed package
that a world needs is another one.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import environments
from environments.built_files import NotWritable, build_once, default_folder
from environments.errors import DataError, UnknownEnvironment
from environments.extras import MODULES
from environments.registry import ENTRY_POINTS
from environments.types import Task


@dataclass(frozen=True, slots=True)
class HeldOutTask:
    """A task that measures a student.

    Attributes:
        id: Its id.
        prompt: What it asks.
    """

    id: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where held-out tasks come from.

    Attributes:
        name: Its name in messages.
        tasks: The tasks.
        trained: Prompts that a student may be trained on; what they hold is no sign.
    """

    name: str
    tasks: Sequence[HeldOutTask]
    trained: Sequence[str] = ()


@cache
def bundled() -> tuple[Source, ...]:
    """Return the test splits that are bundled with the environments."""
    folder = default_folder("held-out")

    def write(path: Path) -> None:
        path.write_text(json.dumps([asdict(source) for source in _read()]), encoding="utf-8")
        for old in folder.glob("*.json"):
            old.unlink(missing_ok=True)

    try:
        file = build_once(f"{_state()}.json", write, folder)
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (NotWritable, OSError, ValueError) as error:
        logging.getLogger("treegraft.data").info("not kept: %s", error)
        return tuple(_read())
    return tuple(
        Source(one["name"], [HeldOutTask(**task) for task in one["tasks"]], one["trained"])
        for one in kept
    )


def tasks_of(name: str, split: str, **options: Any) -> Sequence[Task]:
    """Return the tasks of a split of an environment; none if there is no such split."""
    try:
        env = environments.make(name, split=split, **options)
        try:
            return env.tasks
        finally:
            env.close()
    except DataError:  # nothing is bundled, or it has no such split
        return ()


def _read() -> list[Source]:
    return [
        Source(
            f"{name}'s test split",
            [HeldOutTask(task.id, task.prompt) for task in _bundled_tasks(name, "test")],
            [task.prompt for split in ("train", "dev") for task in _bundled_tasks(name, split)],
        )
        for name in ENTRY_POINTS
    ]


def _bundled_tasks(name: str, split: str) -> Sequence[Task]:
    """Return the tasks of a split; none where the environment's packages are not installed."""
    try:
        return tasks_of(name, split)
    except UnknownEnvironment:
        return ()


def _state() -> str:
    """Return a name that changes with the files that tasks are read from."""
    root = Path(environments.__file__).parent
    files = sorted(file for file in root.rglob("*") if file.is_file() and file.suffix != ".pyc")
    for modules in MODULES.values():
        for module in modules:
            spec = find_spec(module)
            files += [Path(spec.origin)] if spec and spec.origin else []
    digest = sha256()
    for file in files:
        stat = file.stat()
        digest.update(f"{file} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]
