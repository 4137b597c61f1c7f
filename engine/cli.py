"""The `engine` command: its parts, one file for each. They parse and print; the work is elsewhere.

Modules are imported inside the commands, so that `engine --help` answers at once.
"""

import sys

import typer

from engine.cli_bench_env import bench_env
from engine.cli_cache import cache
from engine.cli_explore import explore
from engine.cli_export import export
from engine.cli_rounds import rounds
from engine.cli_runs import show, stats
from engine.cli_sandbox import sandbox
from engine.cli_shop import shop
from engine.cli_validate import validate
from engine.cli_view import view
from engine.terminal import guarded

app = typer.Typer(
    name="engine",
    help="Explore tool environments as trees; export rows to train on.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (explore, rounds, stats, show, view, export, validate, bench_env):
    app.command()(command)
app.add_typer(cache, name="cache")
app.add_typer(sandbox, name="sandbox")
app.add_typer(shop, name="shop")


def main() -> None:
    """Entry point of `engine`."""
    sys.exit(guarded(app))
