"""Import of the package `openenv`, which this folder must not be mistaken for."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from environments.errors import UnknownEnvironment

_PAGE = "gradio"
"""What OpenEnv's web page needs; it is optional, and takes longer to import than all the rest."""


def load(module: str) -> ModuleType:
    """Import a module that needs `openenv`, such as our own `environments.openenv.remote`.

    Raises:
        UnknownEnvironment: `openenv`, or a package that it needs, is not installed.
    """
    try:
        with _without(_PAGE):
            importlib.import_module("openenv.core")
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UnknownEnvironment(
            f"OpenEnv needs the package {error.name}: pip install 'treegraft[openenv]'"
        ) from error


@contextmanager
def _without(package: str) -> Iterator[None]:
    """Hide a package that is not imported yet, as if it were not installed."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # Python's own way to hide one
    try:
        yield
    finally:
        del sys.modules[package]
