"""The modules of `inside`, as text for an interpreter without our packages, and calls to them."""

from pathlib import Path

from sandbox.bundle import bundle

PACKAGE = "treegraft_inside"
FOLDER = Path(__file__).parent / "inside"


def prelude() -> str:
    """Return the code that the root interpreter runs to import what graders and tools need."""
    return bundle(PACKAGE, FOLDER, "value_codec", "candidate", "grader", "cells")


def call(function: str, arguments: str) -> str:
    """Return code that calls a function of `inside`, such as "grader.verdict"."""
    module, _, name = function.partition(".")
    return f"__import__('sys').modules[{PACKAGE + '.' + module!r}].{name}({arguments})"
