"""From the name on the command line to an environment."""

import importlib
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import gymnasium

from environments.base import ToolEnv
from environments.errors import UnknownEnvironment

NAMESPACE = "treegraft"

ENTRY_POINTS = {
    "bird": "environments.sql.env:BirdEnv",
    "database": "environments.sql.writable:DatabaseEnv",
    "python": "environments.python.env:PythonEnv",
    "spider": "environments.sql.env:SpiderEnv",
    "webshop": "environments.webshop.env:WebShopEnv",
}
"""Short names; strings, so that importing this package imports no environment."""


def register_all() -> None:
    """Make every environment known to `gymnasium.make` as `treegraft/<name>-v0`."""
    for name, entry_point in ENTRY_POINTS.items():
        gymnasium.register(
            id=f"{NAMESPACE}/{name}-v0",
            entry_point=entry_point,
            order_enforce=False,
            disable_env_checker=True,
        )


def make(name: str, **options: Any) -> ToolEnv:
    """The environment called `name`: a registered short name, or `module:Class` of the user's own.

    options: `data`, `split`, `sandbox`, as `ToolEnv.__init__` takes them, and what else the
        environment takes (`db`); None means the default.

    Raises:
        UnknownEnvironment: no such name, module or class.
        DataError: the data is missing or malformed.
    """
    given = {key: value for key, value in options.items() if value is not None}
    _require_known(name, given)
    if name in ENTRY_POINTS:
        # make()'s wrappers hide snapshot and restore.
        return cast(ToolEnv, gymnasium.make(f"{NAMESPACE}/{name}-v0", **given).unwrapped)
    return load_class(name)(**given)


def _require_known(name: str, given: Mapping[str, Any]) -> None:
    """Refuse options that this environment does not take."""
    parameters = inspect.signature(load_class(ENTRY_POINTS.get(name, name))).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return
    for option in given:
        if option not in parameters:
            raise UnknownEnvironment(f"the environment {name} takes no --{option}; leave it out")


def load_class(name: str) -> type[ToolEnv]:
    """The class that `module:Class` names; the current directory is searched too."""
    known = ", ".join(ENTRY_POINTS)
    module_name, colon, class_name = name.partition(":")
    if not colon:
        raise UnknownEnvironment(
            f"no environment {name!r}; use one of {known}, or module:Class of your own"
        )
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ModuleNotFoundError, AttributeError) as error:
        raise UnknownEnvironment(f"cannot load {name!r}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, ToolEnv)):
        raise UnknownEnvironment(f"{name!r} is not a subclass of environments.ToolEnv")
    return found
