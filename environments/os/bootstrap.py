"""The modules of `inside`, as text for an interpreter without our packages, and calls to them."""

from pathlib import Path

from sandbox.bundle import bundle

PACKAGE = "treegraft_shell"
FOLDER = Path(__file__).parent / "inside"


def prelude() -> str:
    """Return the code that the root interpreter runs to import what commands and checks need."""
    return bundle(PACKAGE, FOLDER, "shell", "checks")


def call(function: str, argument: str) -> str:
    """Return code that calls a function of `inside`, such as "shell.run", with a text."""
    module, _, name = function.partition(".")
    return f"__import__('sys').modules[{PACKAGE + '.' + module!r}].{name}({argument!r})"
