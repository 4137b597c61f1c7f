"""Load a class of the user's own, from a module or from a file of Python."""

import importlib
import importlib.util
import sys
import traceback
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from environments.errors import UnknownEnvironment


def load_class(name: str, module: str, attribute: str) -> Any:
    """Return what `attribute`, a dotted path, names in a module or in the file `module`.

    Args:
        name: What the user gave, for messages.
        module: A module's name, or a path that ends in ".py".
        attribute: The class's name.

    Raises:
        UnknownEnvironment: There is no such module, file or class, or its code has a mistake;
            names the file and the line.
    """
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        loaded = _load_file(Path(module)) if _is_file(module) else importlib.import_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # it may raise anything, SystemExit too
        raise UnknownEnvironment(f"cannot load {name!r}: {_where(error)}") from error
    try:
        return attrgetter(attribute)(loaded)
    except AttributeError as error:
        known = [each for each, value in vars(loaded).items() if _is_own(value, loaded)]
        has = f"its classes: {', '.join(known)}" if known else "it has no class"
        raise UnknownEnvironment(
            f"cannot load {name!r}: {module} has no {attribute!r}; {has}"
        ) from error


def _is_file(module: str) -> bool:
    return module.endswith(".py") or "/" in module


def _load_file(file: Path) -> ModuleType:
    """Load a file once, under a name that no other module has; its folder can be imported from."""
    place = file.resolve()
    module_name = f"treegraft_env_{sha256(str(place).encode()).hexdigest()[:12]}_{place.stem}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    if place.is_dir() or place.suffix != ".py":
        raise ImportError(f"{file} is not a file of Python (*.py)")
    spec = importlib.util.spec_from_file_location(module_name, place)
    assert spec is not None and spec.loader is not None
    if str(place.parent) not in sys.path:
        sys.path.append(str(place.parent))
    made = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = made  # dataclasses and pickle look for a class's module there
    try:
        spec.loader.exec_module(made)
    except BaseException:
        del sys.modules[module_name]
        raise
    return made


def _where(error: BaseException) -> str:
    """Return in one line what went wrong, and the file and line that it happened in."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {error.msg}"
    if isinstance(error, FileNotFoundError):
        return f"no file {error.filename}"
    words = " ".join(str(error).split())
    last = traceback.extract_tb(error.__traceback__)[-1]
    inside = not (last.filename == __file__ or "importlib" in last.filename)
    if isinstance(error, ImportError) and not inside:
        return words
    kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
    return f"{last.filename}, line {last.lineno}: {kind}{words}"


def _is_own(value: Any, module: ModuleType) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__
