"""The command `engine serve-env`."""

import json
import re
from functools import partial
from typing import Annotated

import typer

from engine.cli.env_flags import TaskChoice
from engine.cli.flags import command
from engine.serve_env.offer import Offer
from engine.serve_env.options import ServeOptions
from engine.terminal import Json, Unsafe, confirmed, say
from engine.web import stop_event


def _serve_env(
    name: Annotated[
        str, typer.Argument(help="A registered environment, `module:Class` or `FILE.py:Class`.")
    ],
    choice: TaskChoice,
    options: ServeOptions,
    unsafe: Unsafe = False,
    json_: Json = False,
) -> None:
    """Serve an environment to clients of OpenEnv until Ctrl-C or SIGTERM.

    Prints the address once clients are answered.
    """
    from environments.openenv.package import load

    confirmed(choice.sandbox, unsafe)
    if not options.loopback:
        say(f"warning: anyone who can reach {options.host} can use the environment")
    with choice.opened(name, None) as (world, tasks):
        server = load("engine.serve_env.server")
        public = re.sub(r"\W+", "-", name.rpartition("/")[2].removesuffix(".py"))
        offer = Offer(public, world, partial(choice.make, name), tasks)
        with server.serving(offer, options) as serving, stop_event() as stop:
            if json_:
                facts = {"address": serving.address, "env": public, "tasks": len(tasks)}
                print(json.dumps(facts), flush=True)
            else:
                say(
                    f"serving {len(tasks)} tasks of {name} at {serving.address}, to at most "
                    f"{options.sessions} clients at once (press Ctrl-C to stop)"
                )
            stop.wait()


serve_env = command(_serve_env)
