"""The built-in server: the model in this process behind HTTP."""

from collections.abc import Callable
from contextlib import closing
from time import monotonic

from engine.web import WebServer, listen, stop_event
from trainer.errors import TrainerError
from trainer.inference.kv_cache import unsupported
from trainer.inference.local_chat import CONTEXT, SLOTS, LocalChat
from trainer.runtime.embedded_model import resolve
from trainer.serving.api import Api
from trainer.serving.options import Announcement, ServeOptions

_POLL_SECONDS = 0.5  # between two checks that the model still works


def why_unusable(options: ServeOptions) -> str:
    """Return why this server cannot run the model, or "" if it can or if there is no such model."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(resolve(options.model))
    except (OSError, ValueError):  # loading the model gives a better message
        return ""
    return unsupported(config, options.context or CONTEXT)


def run(options: ServeOptions, ready: Callable[[Announcement], None]) -> str:
    """Serve until SIGTERM or Ctrl-C. Return a summary for the user.

    Args:
        options: what to serve, and where.
        ready: called once requests are answered.

    Raises:
        UsageError: the address is not available.
        TrainerError: the model cannot be loaded, or it failed.
    """
    # The address first: loading may take minutes.
    with listen(options.host, options.port) as listener, closing(_load(options)) as chat:
        api = Api(chat, options.model_name, options.key, loopback=options.loopback)
        with WebServer(api, listener, api.stop) as server, stop_event() as stop:
            start = monotonic()
            url = options.base_url(server.port)
            ready(Announcement(options.model_name, url, "builtin"))
            while not (stop.wait(_POLL_SECONDS) or chat.broken):
                pass
        if chat.broken:
            raise TrainerError("the model failed (see the error above), so the server stopped")
    seconds = monotonic() - start
    answered, tokens = api.figures.requests[200], api.figures.tokens["completion"]
    return f"answered {answered} requests with {tokens} tokens in {seconds:.0f} s"


def _load(options: ServeOptions) -> LocalChat:
    slots, context = options.slots or SLOTS, options.context or CONTEXT
    return LocalChat(options.model, slots=slots, context=context, eft=options.eft)
