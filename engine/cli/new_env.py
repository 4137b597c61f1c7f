"""The command `engine new-env`."""

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from engine.terminal import Json, say


def new_env(
    name: Annotated[str, typer.Argument(help="The world's name: small letters, digits and _.")],
    folder: Annotated[
        Path | None, typer.Option(help="Where to write.", show_default="a new folder NAME")
    ] = None,
    json_: Json = False,
) -> None:
    """Write a small world of your own: module, tasks and tests. They work; change them."""
    from engine.new_env.scaffold import class_of, write_world

    module, *others = written = write_world(name, folder or Path(name))
    world = f"{module}:{class_of(name)}"
    if json_:
        print(json.dumps({"env": world, "files": [str(file) for file in written]}))
        return
    quoted = shlex.quote(world)
    say(f"wrote {', '.join(map(str, [module, *others]))}")
    say("It works as it is. Next, and again after each change:")
    print(f"python -m pytest {shlex.quote(str(module.parent))}")
    print(f"engine validate --env {quoted}")
    print(f"engine explore --env {quoted} --teacher demonstration --output runs/{name}")
