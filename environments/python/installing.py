"""The modules of `inside` as one text that installs them in an interpreter without our packages."""

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
    """What the root interpreter runs: it has everything that a judge or a tool needs, imported.

    Its own names are gone before the agent's first line.
    """
    sources = _sources("wire", "candidate", "judge", "cells")
    return PRELUDE.format(package=PACKAGE, sources=sources, flags=FLAGS)


def _sources(*names: str) -> dict[str, str]:
    return {
        name: (FOLDER / f"{name}.py").read_text("utf-8").replace(FUTURE, "\n") for name in names
    }


def call(function: str, arguments: str) -> str:
    """Code that calls a function of `inside`, as "judge.verdict"."""
    module, _, name = function.partition(".")
    return f"__import__('sys').modules[{PACKAGE + '.' + module!r}].{name}({arguments})"
