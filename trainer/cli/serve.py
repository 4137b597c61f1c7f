"""`trainer serve`: a model behind an OpenAI-compatible API."""

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
from trainer.runtime.prepare import prepare_torch


def serve(
    model: Annotated[str, typer.Argument(help="A directory, a hub id, or smollm2.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free port.")
    ] = 8000,
    backend: Annotated[
        str, typer.Option(help="auto (the first usable one), vllm, builtin or transformers.")
    ] = "auto",
    name: Annotated[
        str,
        typer.Option(
            help="Name of the model in requests.", show_default="the directory's name, or the id"
        ),
    ] = "",
    context: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Maximum tokens of prompt and reply.",
            show_default="builtin: 4096, or the model's maximum",
        ),
    ] = None,
    slots: Annotated[
        int | None,
        typer.Option(
            min=1, help="Requests generated at the same time.", show_default="builtin: 32"
        ),
    ] = None,
    eft: Annotated[
        str,
        typer.Option(
            metavar="TUNED:UNTUNED",
            help="Add to the model what tuning changed from UNTUNED to TUNED, token by token "
            "(emulated fine-tuning; builtin only).",
        ),
    ] = "",
    eft_beta: Annotated[float, typer.Option(min=0, help="How much of it to add; 1 for all.")] = 1.0,
    api_key: Annotated[
        str,
        typer.Option(
            envvar="TREEGRAFT_API_KEY",
            help="Key that clients must send. Prefer TREEGRAFT_API_KEY: other users of the machine "
            "can see command lines.",
        ),
    ] = "",
    until_stdin_closes: Annotated[
        bool,
        typer.Option(
            "--until-stdin-closes",
            help="Stop when standard input closes. A program that starts the server and holds the "
            "pipe leaves no server behind, however it dies.",
        ),
    ] = False,
    json_: Json = False,
) -> None:
    """Serve a model to OpenAI clients until Ctrl-C or SIGTERM.

    Prints the address once requests are answered.
    """
    if until_stdin_closes:
        Thread(target=stop_with_stdin, daemon=True).start()
    prepare_torch()
    from trainer.inference.eft import Eft
    from trainer.serving.choose import serve
    from trainer.serving.options import Announcement, ServeOptions

    backend = "builtin" if backend == "own" else backend  # its name until version 0.1
    added = Eft.parse(eft, eft_beta)
    options = ServeOptions(model, backend, host, port, name, context, slots, api_key, added)  # type: ignore[arg-type]  # it checks the backend
    if not (options.loopback or options.key):
        say(f"warning: without --api-key, anyone who can reach {host} can use the model")
    results = sys.stdout

    def ready(server: Announcement) -> None:
        if json_:
            print(json.dumps(asdict(server)), file=results, flush=True)
        else:
            say(f"serving {server.model} at {server.base_url} (backend {server.backend})")

    with results_only():
        summary = serve(options, ready)
    say(summary)


def stop_with_stdin() -> None:
    """Wait until standard input closes, and ignore what comes through it."""
    with suppress(OSError):  # standard input was never open
        while os.read(0, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
