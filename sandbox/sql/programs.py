"""The SQL workers as text, for an interpreter that has none of our packages."""

from sandbox.bundle import bundle
from sandbox.sql.inside import edit_worker, guards, query_worker

PACKAGE = "sqlite_worker"


def query_program() -> str:
    """Return the program that `sandbox.sql.queries` starts."""
    return (
        bundle(PACKAGE, guards, query_worker) + f"from {PACKAGE}.query_worker import main\nmain()\n"
    )


def edit_prelude() -> str:
    """Return a `BranchingSandbox` prelude that defines the edit worker's `load` and `perform`."""
    code = bundle(PACKAGE, guards, edit_worker)
    return code + f"from {PACKAGE}.edit_worker import load, perform\n"
