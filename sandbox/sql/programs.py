"""The SQL workers as text, for an interpreter that has none of our packages."""

from pathlib import Path

from sandbox.bundle import Bundle

PACKAGE = "sqlite_worker"
FOLDER = Path(__file__).parent / "inside"


def query_program() -> str:
    """Return the program that `sandbox.sql.queries` starts."""
    code = Bundle(PACKAGE, (FOLDER / "guards.py", FOLDER / "query_worker.py")).code()
    return code + f"from {PACKAGE}.query_worker import main\nmain()\n"


def edit_prelude() -> str:
    """Return a `BranchingSandbox` prelude that defines the edit worker's `load` and `perform`."""
    code = Bundle(PACKAGE, (FOLDER / "guards.py", FOLDER / "edit_worker.py")).code()
    return code + f"from {PACKAGE}.edit_worker import load, perform\n"
