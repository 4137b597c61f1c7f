"""One text that installs the modules of `inside` in an interpreter without our packages."""

import __future__

from pathlib import Path

PACKAGE = "treegraft_inside"
FOLDER = Path(__file__).parent / "inside"

PRELUDE = """
def prepare(sources):
    import sys
    package = type(sys)({package!r})
    package.__path__ = []
    sys.modules[package.__name__] = package
    for name, source in sources.items():
        module = type(sys)(package.__name__ + "." + name)
        module.__package__ = package.__name__
        sys.modules[module.__name__] = module
        setattr(package, name, module)
        exec(compile(source, "<%s>" % name, "exec", {flags}, True), module.__dict__)
prepare({sources!r})
del prepare
"""
FLAGS = __future__.annotations.compiler_flag
FUTURE = "from __future__ import annotations\n"


def prelude() -> str:
    """Return the code that the root interpreter runs to import what graders and tools need.

    It removes its own names before the agent's first line.
    """
    sources = _sources("value_codec", "candidate", "grader", "cells")
    return PRELUDE.format(package=PACKAGE, sources=sources, flags=FLAGS)


def _sources(*names: str) -> dict[str, str]:
    return {
        name: (FOLDER / f"{name}.py").read_text("utf-8").replace(FUTURE, "\n") for name in names
    }


def call(function: str, arguments: str) -> str:
    """Return code that calls a function of `inside`, such as "grader.verdict"."""
    module, _, name = function.partition(".")
    return f"__import__('sys').modules[{PACKAGE + '.' + module!r}].{name}({arguments})"
