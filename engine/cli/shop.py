"""`engine shop`: the web shop for a person."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from engine.terminal import say

shop = typer.Typer(help="The web shop, for a person.", no_args_is_help=True)


@shop.callback()
def _group() -> None:
    """The web shop, for a person."""  # without a callback, typer drops the name of its one command


@shop.command(
    "serve",
    context_settings={"token_normalize_func": lambda name: {"out": "output"}.get(name, name)},
)
def shop_serve(
    data: Annotated[
        str | None,
        typer.Option(help="Folder or file of the task data.", show_default="the bundled tasks"),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Which split: train, dev, test.")] = None,
    goals: Annotated[
        Literal["synthetic", "human"] | None, typer.Option(help="Who wrote the instructions.")
    ] = None,
    task: Annotated[
        str, typer.Option(help="Start with this task.", show_default="choose in the browser")
    ] = "",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on loopback; 0 takes any free port.")
    ] = 8080,
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            help="Run folder to record into; repeat the command to continue it.",
        ),
    ] = None,
) -> None:
    """Serve the shop to a browser on this machine until Ctrl-C, and record what the person does."""
    from engine.config import Config
    from engine.play.recording import SOURCE, RecordingStore
    from engine.play.shop import ShopApp
    from engine.runs.tasks import select
    from engine.web import HOST, WebServer, listen, stop_event
    from environments.webshop.env import WebShopEnv

    env_args: dict[str, Any] = {"goals": goals} if goals else {}
    config = Config(env="webshop", data=data, split=split, env_args=env_args, teacher=SOURCE)
    env = WebShopEnv(data=data, split=split, **env_args)
    tasks = select(env.tasks, only=[task]) if task else env.tasks
    with RecordingStore.open(out, config, env) as store:
        shop = ShopApp(env, store.keep, store.known, tasks[0] if task else None)
        with WebServer(shop.app, listen(HOST, port)) as server, stop_event() as stop:
            say(f"{server.address} (press Ctrl-C to stop)")
            stop.wait()
    say(f"recorded into {out}" if out else "nothing was recorded; --output DIR records")
