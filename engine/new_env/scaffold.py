"""Write a world of the user's own, its tasks and its tests: complete, and to be changed."""

import keyword
import re
import sys
from importlib.resources import files
from pathlib import Path
from string import Template

from engine.errors import UsageError
from environments.registry import ENTRY_POINTS

FILES = {"{name}.py": "world.txt", "tasks.jsonl": "tasks.txt", "test_{name}.py": "test.txt"}
"""What is written, and from which template."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_OURS = ("engine", "environments", "sandbox", "search", "trainer", "treegraft", "tests", "conftest")


def class_of(name: str) -> str:
    """Return the name of the class of the world `name`."""
    return "".join(part.capitalize() for part in name.split("_")) + "Env"


def write_world(name: str, folder: Path) -> list[Path]:
    """Write the world `name` into `folder`, which is made if it is not there.

    Raises:
        UsageError: The name is no name of a module, or another module's, or a file is there.
    """
    _require_usable(name)
    wanted = {folder / file.format(name=name): source for file, source in FILES.items()}
    for file in wanted:
        if file.exists():
            raise UsageError(f"{file} exists already: choose another NAME, or another --folder")
    folder.mkdir(parents=True, exist_ok=True)
    for file, source in wanted.items():
        template = Template((files(__package__) / "templates" / source).read_text("utf-8"))
        file.write_text(template.substitute(name=name, class_name=class_of(name)), "utf-8")
    return list(wanted)


def _require_usable(name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} cannot be the name of a module: use small letters, digits and underscores, "
            "and begin with a letter"
        )
    if name in ENTRY_POINTS:
        raise UsageError(f"{name!r} is a world of Treegraft's: choose another name")
    if name in sys.stdlib_module_names or name in _OURS:
        raise UsageError(f"{name!r} is the name of another module: choose another name")
