"""A user's own check of a row: its language, its tone, whatever it must not be."""

from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import UsageError
from environments.errors import UnknownEnvironment
from environments.load_class import load_class
from treegraft.audit.rows import AuditRow

Check = Callable[[Mapping[str, Any]], str | None]
"""From a row to what is wrong with it, in a few words ("toxic", "not English"); "" if nothing."""


def load_check(spec: str) -> Check:
    """Return the function that `module:function` or `FILE.py:function` names.

    Raises:
        UsageError: There is no such function.
    """
    module, colon, name = spec.rpartition(":")
    if not colon:
        raise UsageError(f"--check {spec}: name a function as module:function or FILE.py:function")
    try:
        found = load_class(spec, module, name)
    except UnknownEnvironment as error:
        raise UsageError(f"--check: {error}") from error
    if not callable(found):
        raise UsageError(f"--check {spec}: is not a function")
    check: Check = found
    return check


def said_by(check: Check, spec: str, row: AuditRow) -> str:
    """Return what `check` says about `row`.

    Raises:
        UsageError: It fails, or returns something else than text.
    """
    try:
        said = check(row.value)
    except Exception as error:
        raise UsageError(f"--check {spec}: {row.place}: {type(error).__name__}: {error}") from error
    if said is not None and not isinstance(said, str):
        raise UsageError(f"--check {spec}: {row.place}: returned {said!r}, not text")
    return said or ""
