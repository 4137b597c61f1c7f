"""The parts of the `engine` command, one file each. `treegraft.commands` completes it.

Modules are imported inside the commands, so that `engine --help` answers at once.
"""

import typer

from engine.cli.bench_env import bench_env
from engine.cli.cache import cache
from engine.cli.explore import explore
from engine.cli.export import export
from engine.cli.runs import show, stats
from engine.cli.sandbox import sandbox
from engine.cli.shop import shop
from engine.cli.validate import validate
from engine.cli.view import view

app = typer.Typer()
for command in (explore, stats, show, view, export, validate, bench_env):
    app.command()(command)
app.add_typer(cache, name="cache")
app.add_typer(sandbox, name="sandbox")
app.add_typer(shop, name="shop")
