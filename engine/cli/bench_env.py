"""The command `engine bench-env`."""

import json
from typing import Annotated

import typer

from engine.bench_env import OPERATIONS, measure
from engine.cli.env_flags import EnvChoice
from engine.cli.flags import command
from engine.terminal import Json, Unsafe, confirmed, say
from search.faults import blamed


def _bench_env(
    choice: EnvChoice,
    limit: Annotated[int | None, typer.Option(min=1, help="Most tasks to play.")] = 20,
    unsafe: Unsafe = False,
    json_: Json = False,
) -> None:
    """Time what a search asks of an environment: steps, snapshots, branches."""
    from rich.console import Console
    from rich.table import Table

    confirmed(choice.sandbox, unsafe)
    with choice.open(limit) as (world, tasks):
        costs = blamed(measure, world, tasks).to_dict()
    if json_:
        print(json.dumps(costs | {"branching": world.branching}))
        return
    table = Table("operation", "calls", "median, ms", "slowest, ms")
    for name in OPERATIONS:
        found = costs.get(name, {"calls": 0, "median_ms": "-", "slowest_ms": "-"})
        table.add_row(name, *(str(value) for value in found.values()))
    Console().print(table)
    lost = f"; {costs['lost']} snapshots were lost" if costs["lost"] else ""
    say(
        f"the solutions of {costs['tasks']} tasks; branch: back to a snapshot, and a step; replay: "
        f"there by a reset and all steps, as where a snapshot is lost; a state branches by "
        f"{world.branching}{lost}"
    )


bench_env = command(_bench_env)
