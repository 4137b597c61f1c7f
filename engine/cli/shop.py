"""`engine shop`: the web shop for a person."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from engine.cli.options import Data, Split
from engine.terminal import say

shop = typer.Typer(help="The web shop, for a person.", no_args_is_help=True)


@shop.callback()
def _group() -> None:
    """The web shop, for a person."""  # without this, a group of one command would be no group


@shop.command("serve")
def shop_serve(
    data: Data = None,
    split: Split = None,
    goals: Annotated[
        Literal["synthetic", "human"] | None, typer.Option(help="Who wrote the instructions.")
    ] = None,
    task: Annotated[
        str, typer.Option(help="Start with this task.", show_default="choose in the browser")
    ] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="On loopback; 0: any free.")] = 8080,
    out: Annotated[
        Path | None,
        typer.Option(help="The run's folder to record into; the same command goes on in it."),
    ] = None,
) -> None:
    """Serve the shop to this machine's browser until Ctrl-C; record what the person does."""
    from engine.cli.options import given
    from engine.config import Config
    from engine.play.recording import SOURCE, RecordingStore
    from engine.play.shop import Counter, ShopServer
    from engine.runs.tasks import select
    from environments.webshop.env import WebShopEnv

    options = given(goals=goals)
    config = Config("webshop", data, split, options=options, teacher=SOURCE)
    env = WebShopEnv(data=data, split=split, goals=goals)
    tasks = select(env.tasks, only=[task]) if task else env.tasks
    with RecordingStore.open(out, config, env) as archive:
        counter = Counter(env, archive.keep, archive.known)
        if task:
            counter.start(tasks[0])
        with ShopServer(counter, port) as server:
            say(f"{server.address} (Ctrl-C ends)")
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                say(f"recorded into {out}" if out else "nothing was recorded: see --out")
