"""The modules of `inside` as one text that installs them in an interpreter without our packages."""

import __future__

from pathlib import Path

PACKAGE = "treegraft_inside"
FOLDER = Path(__file__).parent / "inside"

INSTALL = f"""
def install(modules):
    import marshal, sys
    package = type(sys)({PACKAGE!r})
    package.__path__ = []
    sys.modules[package.__name__] = package
    for name, code in modules.items():
        module = type(sys)(package.__name__ + "." + name)
        module.__package__ = package.__name__
        sys.modules[module.__name__] = module
        setattr(package, name, module)
        exec(marshal.loads(code), module.__dict__)
    return package
"""
PRELUDE = """
def prepare(install, inside, candidate):
    import marshal
    def compiled(sources):
        return {{
            name: marshal.dumps(compile(source, "<%s>" % name, "exec", {flags}, True))
            for name, source in sources.items()
        }}
    world = {{}}
    exec(install, world)
    package = world["install"](compiled(inside))
    package.judge.program = (
        install + "package = install(%r)\\n" % compiled(candidate) + "package.candidate.main()\\n"
    )
prepare({install!r}, {inside!r}, {candidate!r})
del prepare
"""
"""Compiled once, in the root: an answer's process has no time for it, nor to import __future__."""
FLAGS = __future__.annotations.compiler_flag
FUTURE = "from __future__ import annotations\n"


def prelude() -> str:
    """What the root interpreter runs: it has everything that a judge or a tool needs, imported.

    Its own names are gone before the agent's first line.
    """
    inside, candidate = _sources("wire", "judge", "cells"), _sources("wire", "candidate")
    return PRELUDE.format(install=INSTALL, inside=inside, candidate=candidate, flags=FLAGS)


def _sources(*names: str) -> dict[str, str]:
    return {
        name: (FOLDER / f"{name}.py").read_text("utf-8").replace(FUTURE, "\n") for name in names
    }


def call(function: str, arguments: str) -> str:
    """Code that calls a function of `inside`, as "judge.verdict"."""
    module, _, name = function.partition(".")
    return f"__import__('sys').modules[{PACKAGE + '.' + module!r}].{name}({arguments})"
