"""The command `engine bench-env`."""

import json

from engine.cli.options import (
    Data,
    Db,
    Env,
    Format,
    Goals,
    Limit,
    Observation,
    Partial,
    Sandbox,
    Schema,
    Split,
    env_options,
)
from engine.terminal import Json, Unsafe, confirmed, say


def bench_env(
    env: Env,
    data: Data = None,
    split: Split = None,
    limit: Limit = 20,
    sandbox: Sandbox = "auto",
    unsafe: Unsafe = False,
    db: Db = None,
    format_: Format = None,
    partial: Partial = False,
    goals: Goals = None,
    observation: Observation = None,
    schema: Schema = None,
    json_: Json = False,
) -> None:
    """Time what a search asks of an environment: steps, snapshots, branches."""
    options = {**env_options(locals()), "sandbox": confirmed(sandbox, unsafe)}
    from rich.console import Console
    from rich.table import Table

    import environments
    from engine.bench_env import OPERATIONS, measure
    from engine.runs.tasks import select

    world = environments.make(env, data=data, split=split, **options)
    try:
        costs = measure(world, select(world.tasks, limit=limit)).to_dict()
    finally:
        world.close()
    if json_:
        print(json.dumps(costs))
        return
    table = Table("operation", "calls", "median, ms", "slowest, ms")
    for name in OPERATIONS:
        found = costs.get(name, {"calls": 0, "median_ms": "-", "slowest_ms": "-"})
        table.add_row(name, *(str(value) for value in found.values()))
    Console().print(table)
    lost = f"; {costs['lost']} snapshots were lost" if costs["lost"] else ""
    say(
        f"the solutions of {costs['tasks']} tasks; branch: back to a snapshot, and a step; replay: "
        f"there by a reset and all steps, as where a snapshot is lost{lost}"
    )
