"""The command `trainer serve`: its flags, and what it says."""

import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from threading import Thread
from typing import Annotated

import typer

from engine.terminal import Json, results_only, say
from trainer.cli.options import prepare_torch


def serve(
    model: Annotated[str, typer.Argument(help="A directory, a hub id, or smollm2.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8000,
    backend: Annotated[
        str, typer.Option(help="auto (the first that is here), vllm, own or transformers.")
    ] = "auto",
    name: Annotated[
        str,
        typer.Option(
            help="What requests call the model.", show_default="the directory's name, or the id"
        ),
    ] = "",
    context: Annotated[
        int | None,
        typer.Option(
            min=2, help="Tokens of prompt and reply, at most.", show_default="own: 4096, or less"
        ),
    ] = None,
    slots: Annotated[
        int | None,
        typer.Option(min=1, help="Requests generated for at once.", show_default="own: 32"),
    ] = None,
    api_key: Annotated[
        str,
        typer.Option(
            envvar="TREEGRAFT_API_KEY",
            help="What clients must send; better in TREEGRAFT_API_KEY, which other users of the "
            "machine do not see.",
        ),
    ] = "",
    until_stdin_closes: Annotated[
        bool,
        typer.Option(
            "--until-stdin-closes",
            help="End when standard input does: a program that started this, and holds the pipe, "
            "leaves no server behind however it dies.",
        ),
    ] = False,
    json_: Json = False,
) -> None:
    """Serve a model to OpenAI's clients until Ctrl-C or SIGTERM.

    Says where it can be asked as soon as it can.
    """
    if until_stdin_closes:
        Thread(target=_end_with_stdin, daemon=True).start()
    prepare_torch()
    from trainer.serving.choose import serve
    from trainer.serving.options import Plan, Served

    plan = Plan(model, backend, host, port, name, context, slots, api_key)  # type: ignore[arg-type]  # Plan checks it
    if not (plan.loopback or plan.key):
        say(f"warning: without --api-key, whoever reaches {host} can use the model")
    results = sys.stdout

    def ready(served: Served) -> None:
        if json_:
            print(json.dumps(asdict(served)), file=results, flush=True)
        else:
            say(f"serving {served.model} at {served.base_url} (backend {served.backend})")

    with results_only():
        closing_line = serve(plan, ready)
    say(closing_line)


def _end_with_stdin() -> None:
    """Wait for the end of standard input; what comes through it is of no interest."""
    with suppress(OSError):  # it was never open
        while os.read(0, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
