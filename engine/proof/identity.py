"""What was proven, by versions and hashes: the world, its code, its data, its tasks."""

import inspect
import json
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import file_digest, sha256
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import environments
import sandbox
from environments import Task, ToolEnv
from treegraft.urls import redact_url

_HIDDEN = re.compile(r"key|token|password|secret", re.I)
_LEFT_OUT = {"__pycache__", ".git", ".venv"}


def digest(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def versions(extra: str = "") -> dict[str, Any]:
    """Return the versions of Python, of Treegraft, and of the packages that a world needs."""
    packages = {}
    for line in requires("treegraft") or ():
        name, _, condition = line.partition(";")
        if condition and f'extra == "{extra}"' not in condition.replace("'", '"'):
            continue
        package = re.split(r"[\[<>=!~ ]", name.strip())[0]
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "treegraft": version("treegraft"),
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "packages": dict(sorted(packages.items())),
    }


def code_hashes(cls: type[ToolEnv]) -> dict[str, str]:
    """Return the hash of a world's own files, data beside them included, and of what plays it."""
    return {
        "world": _hash_of(_files_of(cls)),
        "base": _hash_of(
            [
                *_below(Path(environments.__file__).parent, "*.py", deep=False),
                *_below(Path(sandbox.__file__).parent, "*.py"),
            ]
        ),
    }


def public_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as a file may hold them: without passwords, keys and machine paths."""
    shown = {}
    for name, value in sorted(options.items()):
        text = redact_url(value) if isinstance(value, str) else value
        if isinstance(text, str) and text.startswith("/"):
            text = Path(text).name
        shown[name] = "[hidden]" if _HIDDEN.search(name) else text
    return dict(json.loads(json.dumps(shown, default=str)))


def data_hash(place: str | Path | None) -> dict[str, str] | None:
    """Return the name and the hash of a file or folder of tasks; None for none."""
    if place is None:
        return None
    path = Path(place)
    if path.is_dir():
        files = [(str(each.relative_to(path)), each) for each in _walk(path)]
    else:
        files = [(path.name, path)] if path.exists() else []
    return {"name": path.resolve().name, "sha256": _hash_of(files)}


def task_hashes(env: ToolEnv, tasks: Sequence[Task]) -> dict[str, str]:
    """Return the hash of the public part of each task: what an agent sees, and its labels."""
    return {
        task.id: digest(
            {
                "prompt": task.prompt,
                "tools": [
                    [tool.name, tool.description, dict(tool.parameters)]
                    for tool in env.tools_of(task)
                ],
                "tags": dict(task.tags),
                "group": task.group,
                "split": task.split,
            }
        )
        for task in tasks
    }


def _files_of(cls: type[ToolEnv]) -> Iterator[tuple[str, Path]]:
    """Yield the files of a class and its bases, but for those of the base class, by short names."""
    seen = set[Path]()
    for base in cls.__mro__:
        if not issubclass(base, ToolEnv) or base.__module__.startswith("environments.base"):
            continue
        file = Path(inspect.getfile(base)).resolve()
        package = file.parent
        own = (package / "__init__.py").exists() and package != _BASE
        found = _walk(package) if own else [file]
        for each in found:
            if each not in seen:
                seen.add(each)
                yield str(each.relative_to(package.parent if own else package)), each


_BASE = Path(environments.__file__).resolve().parent


def _below(folder: Path, pattern: str, deep: bool = True) -> list[tuple[str, Path]]:
    found = folder.rglob(pattern) if deep else folder.glob(pattern)
    return [(f"{folder.name}/{path.relative_to(folder)}", path) for path in found]


def _walk(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _LEFT_OUT & set(path.relative_to(folder).parts)
    ]


def _hash_of(files: Iterable[tuple[str, Path]]) -> str:
    """Return one hash of files, by their names and contents."""
    found = []
    for name, path in files:
        with path.open("rb") as file:
            found.append([name, file_digest(file, "sha256").hexdigest()])
    return digest(sorted(found))
