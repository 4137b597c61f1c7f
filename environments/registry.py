"""Make environments by name, and read the options that they take."""

import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import gymnasium

from environments.base import ToolEnv
from environments.bounds import LEAST_OBSERVATION, OBSERVATION_CHARS
from environments.errors import UnknownEnvironment
from environments.extras import MODULES, ExtraMissing, require_extra
from environments.load_class import load_class
from environments.negatives import SUFFIX, class_with_negatives
from environments.options import COMMON, EnvOption, class_options, parse
from environments.records import of_split
from environments.task_files import read_tasks
from environments.types import Task

NAMESPACE = "treegraft"

ENTRY_POINTS = {
    "api": "environments.api.env:ApiEnv",
    "bfcl": "environments.bfcl.env:BfclEnv",
    "bird": "environments.sql.env:BirdEnv",
    "browser": "environments.browser.env:BrowserEnv",
    "database": "environments.sql.writable:DatabaseEnv",
    "harbor": "environments.harbor.env:HarborEnv",
    "kg": "environments.kg.env:KgEnv",
    "mcp": "environments.mcp_servers.env:McpEnv",
    "openenv": "environments.openenv.env:OpenEnvWorld",
    "os": "environments.os.env:OsEnv",
    "python": "environments.python.env:PythonEnv",
    "search-qa": "environments.search_qa.env:SearchQaEnv",
    "spider": "environments.sql.env:SpiderEnv",
    "textworld": "environments.textworld.env:TextWorldEnv",
    "webshop": "environments.webshop.env:WebShopEnv",
}
"""Classes by short name; as strings, so that importing this package imports no environment."""


OBSERVATION = EnvOption(
    "observation_chars",
    "int",
    OBSERVATION_CHARS,
    "characters of an observation at most; what is longer is cut, and says so.",
    int,
)
"""An option that every environment takes, whatever its `__init__` is."""


def register_all() -> None:
    """Make every environment known to `gymnasium.make` as `treegraft/<name>-v0`."""
    for name, entry_point in ENTRY_POINTS.items():
        gymnasium.register(
            id=f"{NAMESPACE}/{name}-v0",
            entry_point=entry_point,
            order_enforce=False,
            disable_env_checker=True,
        )


def make(name: str, *, task_file: str | Path | None = None, **options: Any) -> ToolEnv:
    """Make the environment `name`: a registered name, or `module:Class` of the user's own.

    Args:
        task_file: a file of tasks (see `task_files`) that are played in place of the data's.
        options: `data`, `split` and `sandbox`, as `ToolEnv` takes them, the environment's own
            (see `options_of`), and `observation_chars`. None stands for the default. A class whose
            `__init__` does not take `sandbox` gets none.

    Raises:
        UnknownEnvironment: no such name, module, class or option; or packages that it needs are
            not installed.
        DataError: the data is missing or malformed.
    """
    require_extra(name, find_class(name))
    given = {key: value for key, value in options.items() if value is not None}
    shown = given.pop(OBSERVATION.name, None)
    env = _make(name, _taken(name, given))
    if shown is not None:
        if type(shown) is not int or shown < LEAST_OBSERVATION:
            raise UnknownEnvironment(
                f"{OBSERVATION.name} must be a number from {LEAST_OBSERVATION} on, not {shown!r}"
            )
        env.observation_chars = shown
    if task_file is not None:
        place, split = Path(task_file), options.get("split")
        env.task_source = partial(_from_file, place, split, names_of(name), options.get("data"))
    return env


def names_of(name: str) -> list[str]:
    """Return all names of the environment `name`; with negatives, those of its base, too."""
    if name.endswith(SUFFIX):
        return [name, *names_of(name.removesuffix(SUFFIX))]
    target = ENTRY_POINTS.get(name, name)
    return [name, *(short for short, entry in ENTRY_POINTS.items() if entry == target), target]


def _from_file(
    place: Path, split: str | None, worlds: Sequence[str], data: str | None
) -> list[Task]:
    return of_split(read_tasks(place, worlds=worlds, data=data), split, place)


def _make(name: str, given: Mapping[str, Any]) -> ToolEnv:
    if name in ENTRY_POINTS:
        # gymnasium.make wraps the environment, and its wrappers hide snapshot and restore.
        return cast(ToolEnv, gymnasium.make(f"{NAMESPACE}/{name}-v0", **given).unwrapped)
    world = find_class(name)
    if lacking := sorted(getattr(world, "__abstractmethods__", ())):
        raise UnknownEnvironment(
            f"{name}: {world.__name__} has no method {lacking[0]}: define it "
            "(docs/worlds/your-own.md)"
        )
    made = world(**given)
    if not hasattr(made, "action_space"):
        raise UnknownEnvironment(f"{name}: its __init__ must call super().__init__()")
    return made


def options_of(name: str) -> Sequence[EnvOption]:
    """Return the options of the environment `name`, without `data`, `split` and `sandbox`.

    They are read from the signature of its `__init__` and the `Args:` section of its docstring.
    Every environment takes `observation_chars`, too (see `make`).

    Raises:
        UnknownEnvironment: no such name, module or class.
    """
    return class_options(find_class(name))


def parse_options(name: str, given: Sequence[str]) -> dict[str, Any]:
    """Convert options from the command line, "key=value" each, for `make`.

    Raises:
        UnknownEnvironment: the environment, or a key, is unknown, or a value has the wrong type.
    """
    common = [each for each in given if each.partition("=")[0] == OBSERVATION.name]
    own = parse(name, options_of(name), [each for each in given if each not in common])
    return own | parse(name, [OBSERVATION], common)


def find_class(name: str) -> type[ToolEnv]:
    """Return the class of a registered name, `module:Class` or `FILE.py:Class`; do not make it.

    `NAME+negatives` is the world NAME with hard negatives (`environments.negatives`).

    Modules are looked for in the working directory, too, after all installed ones: a user's own
    `search.py` there must not replace ours.

    Raises:
        UnknownEnvironment: no such name, module or class.
    """
    if name.endswith(SUFFIX):
        return class_with_negatives(find_class(name.removesuffix(SUFFIX)))
    module_name, colon, class_name = ENTRY_POINTS.get(name, name).rpartition(":")
    if not colon and name.endswith(".py"):
        raise UnknownEnvironment(f"{name}: name its class, too, as {name}:MyWorld")
    if not colon:
        known = ", ".join(ENTRY_POINTS)
        raise UnknownEnvironment(
            f"no environment {name!r}; use one of {known}, or module:Class or FILE.py:Class of "
            "your own"
        )
    try:
        found = load_class(name, module_name, class_name)
    except UnknownEnvironment as error:
        # A module of ours that imports the packages of its extra, which has its name.
        if name in ENTRY_POINTS and name in MODULES and isinstance(error.__cause__, ImportError):
            raise ExtraMissing(name, name) from error
        raise
    if not (isinstance(found, type) and issubclass(found, ToolEnv)):
        raise UnknownEnvironment(
            f"{name!r} is not a subclass of environments.ToolEnv: write class {class_name}(ToolEnv)"
        )
    return found


def _taken(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options that the class takes; `sandbox` is left out where it is not.

    Raises:
        UnknownEnvironment: It does not take another one, or lacks one that it needs.
    """
    env = find_class(name)
    parameters = inspect.signature(env).parameters
    kinds = {each.kind for each in parameters.values()}
    passes_on = inspect.Parameter.VAR_KEYWORD in kinds
    taken = {key: value for key, value in given.items() if passes_on or key in parameters}
    for option in given.keys() - taken.keys():
        if option in ("data", "split"):
            raise UnknownEnvironment(f"{name} takes no --{option}: its __init__ has no {option!r}")
        if option not in COMMON:
            known = ", ".join(each.name for each in class_options(env)) or "none of its own"
            raise UnknownEnvironment(f"{name} has no option {option!r}; its options: {known}")
    for each in parameters.values():
        if each.default is each.empty and each.name not in taken and each.kind not in _VARIABLE:
            flag = f"--{each.name}" if each.name in COMMON else f"--env-arg {each.name}=..."
            raise UnknownEnvironment(f"{name} needs {flag}")
    return taken


_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
