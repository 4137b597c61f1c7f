"""The command `engine envs`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from engine.terminal import Json


def envs(
    name: Annotated[
        str, typer.Argument(help="A registered environment, `module:Class` or `FILE.py:Class`.")
    ] = "",
    json_: Json = False,
) -> None:
    """List the environments, or the options of one, for `--env-arg`."""
    from environments.registry import ENTRY_POINTS, options_of

    found = {each: options_of(each) for each in ([name] if name else ENTRY_POINTS)}
    if json_:
        options_by_env = {
            each: [asdict(option) for option in options] for each, options in found.items()
        }
        print(json.dumps(options_by_env, default=str))
        return
    for each, options in found.items():
        print(each)
        for option in options:
            print(f"  --env-arg {option.name}=...  {option.help} [default: {option.default}]")
