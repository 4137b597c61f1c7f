"""The server of our own: the model in this process, asked over HTTP."""

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import closing
from time import monotonic

from trainer.errors import TrainerError
from trainer.inference.kv_cache import unsupported
from trainer.inference.local_chat import CONTEXT, SLOTS, LocalChat
from trainer.runtime.embedded_model import resolve
from trainer.serving.api import Api
from trainer.serving.http import Server
from trainer.serving.options import Plan, Served

_LOOK_SECONDS = 0.5  # between looks at whether the model still works


def unable(plan: Plan) -> str:
    """Why this server cannot run the model; "" if it can, or if it is no model at all."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(resolve(plan.model))
    except (OSError, ValueError):  # the model's loading says it better
        return ""
    return unsupported(config, plan.context or CONTEXT)


def run(plan: Plan, ready: Callable[[Served], None]) -> str:
    """Serve until SIGTERM or Ctrl-C; what was done, in words.

    ready: called once requests are answered.

    Raises:
        TrainerError: the address or the model cannot be had, or the model broke.
    """
    with plan.bind() as bound, closing(_load(plan)) as chat:
        return asyncio.run(_serve(plan, chat, bound, ready))


def _load(plan: Plan) -> LocalChat:
    return LocalChat(plan.model, slots=plan.slots or SLOTS, context=plan.context or CONTEXT)


async def _serve(
    plan: Plan, chat: LocalChat, bound: socket.socket, ready: Callable[[Served], None]
) -> str:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    api = Api(chat, plan.shown_name, plan.key, loopback=plan.loopback)
    server = Server(api)
    port = bound.getsockname()[1]
    try:
        await server.start(bound)
    except OSError as error:  # another socket that was bound too listened first
        raise TrainerError(f"cannot serve on port {port} ({error.strerror})") from error
    began = monotonic()
    ready(Served(plan.shown_name, plan.base_url(port), "own"))
    while not (stop.is_set() or chat.broken):
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue
    await server.stop()
    if chat.broken:
        raise TrainerError("the model has failed, as said above; the server has ended")
    return (
        f"answered {api.answered} requests with {api.tokens} tokens in {monotonic() - began:.0f} s"
    )
