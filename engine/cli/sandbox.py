"""`engine sandbox`: check backends, build the Docker image, remove what dead runs left."""

import json
from typing import Annotated

import typer

from engine.terminal import Json, say

sandbox = typer.Typer(
    help="Check, build and clean up the sandboxes that confine agent code.", no_args_is_help=True
)


@sandbox.command("check")
def sandbox_check(json_: Json = False) -> None:
    """Test every backend; exit 1 if no confining backend works."""
    from dataclasses import asdict

    from sandbox.backends import BACKENDS, CONFINING
    from sandbox.check import check

    reports = [check(name) for name in BACKENDS]
    if json_:
        print(json.dumps([asdict(found) | {"works": found.works} for found in reports]))
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table("backend", "works", "files", "start", "step", "branch", "why not")
        for found in reports:
            times = (found.start_ms, found.step_ms, found.branch_ms)
            shown = [f"{time:.1f} ms" if found.works else "" for time in times]
            works = "yes" if found.works else "no"
            table.add_row(found.name, works, found.files, *shown, found.trouble)
        Console().print(table)
    if not any(found.works for found in reports if found.name in CONFINING):
        raise typer.Exit(1)


@sandbox.command("build")
def sandbox_build(
    packages: Annotated[
        str, typer.Option(help="Packages besides the standard library, as a,b==1.2.")
    ] = "",
    offline: Annotated[
        bool, typer.Option(help="Build from this machine's Python, even if a registry answers.")
    ] = False,
    json_: Json = False,
) -> None:
    """Build the Docker image now instead of at the first use."""
    from sandbox.docker.backend import Docker

    chosen = [package for package in packages.split(",") if package.strip()]
    tag = Docker(chosen, True if offline else None).build()
    if json_:
        print(json.dumps({"image": tag}))
    else:
        say(f"the image is {tag}")


@sandbox.command("gc")
def sandbox_gc(
    images: Annotated[bool, typer.Option(help="Also remove the sandbox images.")] = False,
    json_: Json = False,
) -> None:
    """Remove containers, saved states and folders of dead engines, as a run does at its start."""
    from sandbox.docker.backend import Docker
    from sandbox.errors import SandboxError
    from sandbox.sweep import sweep

    swept = sweep()
    removed = Docker().remove_images() if images else ()
    found = {
        "containers": list(swept.containers),
        "folders": [str(folder) for folder in swept.folders],
        "images": [*swept.images, *removed],
    }
    if json_:
        print(json.dumps(found))
    else:
        say(", ".join(f"{len(gone)} {name}" for name, gone in found.items()) + " removed")
    if swept.trouble:
        raise SandboxError(swept.trouble)
