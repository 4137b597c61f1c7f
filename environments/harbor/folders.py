"""Task folders of Harbor (harborframework.com; also the form of Terminal-Bench 2).

A folder has `task.toml`, `instruction.md`, `environment/` (a Dockerfile, unless `docker_image` is
set), `tests/test.sh` and, optionally, `solution/solve.sh`. What its settings ask for is kept, or
told in one line; a task that cannot be played as its authors meant it is left out.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema

from environments.errors import DataError
from environments.records import BadRecord, Faults
from treegraft.file_errors import FileError
from treegraft.text_files import read_text

_NUMBER = {"type": ["number", "null"], "exclusiveMinimum": 0}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_USER = {"type": ["string", "integer", "null"]}
_MODE = {"enum": ["no-network", "public", "allowlist", None]}
FORM = jsonschema.Draft202012Validator(
    {
        "properties": {
            "agent": {"properties": {"timeout_sec": _NUMBER, "user": _USER, "network_mode": _MODE}},
            "verifier": {
                "properties": {
                    "timeout_sec": _NUMBER,
                    "user": _USER,
                    "env": _TEXTS,
                    "network_mode": _MODE,
                }
            },
            "solution": {"properties": {"env": _TEXTS}},
            "environment": {
                "properties": {
                    "build_timeout_sec": _NUMBER,
                    "docker_image": {"type": ["string", "null"]},
                    "cpus": _NUMBER,
                    "memory_mb": _NUMBER,
                    "memory": {"type": "string", "pattern": r"(?i)^\s*\d+(\.\d+)?\s*[GMK]\s*$"},
                    "workdir": {"type": ["string", "null"]},
                    "env": _TEXTS,
                    "network_mode": _MODE,
                    "allow_internet": {"type": ["boolean", "null"]},
                }
            },
        }
        | {"metadata": {"type": "object"}, "steps": {"type": "array"}},
    }
)
"""What we read of task.toml; other fields may be there."""
PARTS = ("agent", "verifier", "solution", "environment", "metadata")
CANNOT = {
    "steps": "several steps ([[steps]])",
    "environment.mcp_servers": "MCP servers",
    "environment.healthcheck": "a health check: no service runs beside the agent here",
    "environment.gpus": "GPUs",
    "environment.tpu": "a TPU",
    "verifier.environment": "a container of its own for the tests",
    "verifier.collect": "commands that collect from services",
}
"""Settings without which a task would be another; where one is set, the task is left out."""
TOLD = {
    "environment.storage_mb": "storage_mb is not kept",
    "environment.storage": "storage is not kept",
    "environment.skills_dir": "skills_dir is not shown to the agent",
    "artifacts": "artifacts are not collected",
}
"""Settings that are not kept, of tasks that are played all the same."""
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
UNITS = {"G": 1024.0, "M": 1.0, "K": 1 / 1024}


@dataclass(frozen=True, slots=True)
class HarborTask:
    """A task folder, read.

    Attributes:
        image: `docker_image`; "" where `environment/` is built.
        networks: whether the agent, and the tests, may use the network.
    """

    folder: Path
    name: str
    instruction: str
    image: str = ""
    workdir: str = ""
    memory_mb: int = 2048
    cpus: float = 1.0
    build_seconds: float = 600.0
    agent_seconds: float | None = None
    test_seconds: float = 600.0
    agent_user: str = ""
    test_user: str = ""
    networks: tuple[bool, bool] = (False, False)
    variables: Mapping[str, str] = field(default_factory=dict)
    test_variables: Mapping[str, str] = field(default_factory=dict)
    solution_variables: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def task_folders(data: Path) -> list[Path]:
    """Return the task folders of `data`: itself, or those below it.

    Raises:
        DataError: there is none.
    """
    found = [data] if (data / "task.toml").is_file() else sorted(data.glob("**/task.toml"))
    folders = [path if path.is_dir() else path.parent for path in found]
    if not folders:
        raise DataError(f"{data}: no task.toml in it, nor in a folder below it")
    return folders


def read_folder(folder: Path, faults: Faults, *, network: bool) -> HarborTask:
    """Read a task folder.

    Args:
        folder: it.
        faults: where settings that are not kept are told.
        network: whether tasks that ask for a network get one.

    Raises:
        BadRecord: it is none, or cannot be played here.
    """
    place, settings = str(folder), _settings(folder)
    if why := next(_hindrances(folder, settings), ""):
        raise BadRecord(place, f"cannot be played here: {why}")
    for name, why in TOLD.items():
        if _at(settings, name):
            faults.add(place, why, "played without")
    environment, agent, tests = (
        settings.get(n) or {} for n in ("environment", "agent", "verifier")
    )
    asked = _network(environment)
    wished = [part.get("network_mode") or asked for part in (agent, tests)]
    if "public" in wished and not network:
        why = "may use the network (network_mode); --env-arg network=true lets it"
        faults.add(place, why, "played without")
    return HarborTask(
        folder,
        str(_at(settings, "task.name") or folder.name).rpartition("/")[2],
        _text(folder, "instruction.md").strip(),
        image=environment.get("docker_image") or "",
        workdir=environment.get("workdir") or "",
        memory_mb=_memory(environment),
        cpus=float(environment.get("cpus") or 1.0),
        build_seconds=float(environment.get("build_timeout_sec") or 600.0),
        agent_seconds=agent.get("timeout_sec"),
        test_seconds=float(tests.get("timeout_sec") or 600.0),
        agent_user=_user(agent),
        test_user=_user(tests),
        networks=(network and wished[0] == "public", network and wished[1] == "public"),
        variables=_variables(environment),
        test_variables=_variables(tests),
        solution_variables=_variables(settings.get("solution") or {}),
        tags=_tags(settings.get("metadata") or {}),
    )


def _settings(folder: Path) -> dict[str, Any]:
    place = f"{folder / 'task.toml'}"
    try:
        settings = tomllib.loads(_text(folder, "task.toml"))
    except tomllib.TOMLDecodeError as error:
        raise BadRecord(place, f"not TOML: {error}") from error
    for part in PARTS:
        if not isinstance(settings.get(part, {}), dict):
            raise BadRecord(place, f"{part} must be a table")
    wrong = jsonschema.exceptions.best_match(FORM.iter_errors(settings))
    if wrong is not None:
        field_ = ".".join(map(str, wrong.absolute_path))
        raise BadRecord(place, f"field {field_!r}: {wrong.message:.200}")
    return settings


def _hindrances(folder: Path, settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield what keeps the task from being played."""
    yield from (f"it needs {why}" for name, why in CANNOT.items() if _at(settings, name))
    environment = settings.get("environment") or {}
    if str(environment.get("os") or "linux").lower() != "linux":
        yield f"it needs {environment['os']}"
    if _at(settings, "verifier.environment_mode") == "separate":
        yield f"it needs {CANNOT['verifier.environment']}"
    if "allowlist" in {_at(settings, f"{part}.network_mode") for part in PARTS}:
        yield "it needs a network with a list of allowed hosts"
    if any(folder.glob("environment/*compose.y*ml")):
        yield "it needs Docker Compose"
    if (folder / "trajectory.json").exists():
        yield "it starts from a trajectory"
    if not environment.get("docker_image") and not (folder / "environment/Dockerfile").is_file():
        yield "no docker_image, and no environment/Dockerfile"
    if not (folder / "tests/test.sh").is_file():
        yield "no tests/test.sh"
    yield from _variables_of_this_machine(settings)


def _variables_of_this_machine(settings: Mapping[str, Any]) -> Iterator[str]:
    for part in ("environment", "verifier", "solution"):
        for name, value in (_at(settings, f"{part}.env") or {}).items():
            if any(default is None for default in _defaults(value)):
                yield f"{part}.env.{name} is a variable of this machine ({value})"


def _defaults(value: str) -> list[str | None]:
    return [found[2] for found in VARIABLE.finditer(value)]


def _variables(part: Mapping[str, Any]) -> dict[str, str]:
    """Return environment variables, with the defaults of what the machine might set."""
    given: Mapping[str, str] = part.get("env") or {}
    return {name: VARIABLE.sub(lambda found: found[2], text) for name, text in given.items()}


def _network(environment: Mapping[str, Any]) -> str:
    """Return the mode of the network; Harbor's default is "public"."""
    if mode := environment.get("network_mode"):
        return str(mode)
    return "no-network" if environment.get("allow_internet") is False else "public"


def _memory(environment: Mapping[str, Any]) -> int:
    if text := str(environment.get("memory") or "").strip().upper():
        return max(1, int(float(text[:-1]) * UNITS[text[-1]]))
    return int(environment.get("memory_mb") or 2048)


def _user(part: Mapping[str, Any]) -> str:
    return "" if part.get("user") is None else str(part["user"])


def _tags(metadata: Mapping[str, Any]) -> dict[str, str]:
    names = ("difficulty", "category")
    return {name: metadata[name] for name in names if isinstance(metadata.get(name), str)}


def _at(settings: Mapping[str, Any], name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _text(folder: Path, name: str) -> str:
    try:
        text = read_text(folder / name)
    except FileError as error:
        raise BadRecord(str(folder), str(error)) from error
    if not text.strip():
        raise BadRecord(str(folder), f"{name} is empty")
    return text
