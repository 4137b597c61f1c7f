"""Serves a world with OpenEnv's own server, bounded and closed by us. Needs `openenv`."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from openenv.core.env_server.http_server import create_fastapi_app
from openenv.core.env_server.mcp_types import CallToolAction, CallToolObservation
from openenv.core.env_server.types import ConcurrencyConfig, ServerMode

from engine.executors.base import close_env
from engine.serve_env.door import Door
from engine.serve_env.offer import Offer
from engine.serve_env.options import ServeOptions
from engine.serve_env.session import ServedSession, TaskObservation, TaskState
from engine.web import LOOPBACK, WebServer, listen


@contextmanager
def serving(offer: Offer, options: ServeOptions) -> Iterator[WebServer]:
    """Serve `offer` within the block; at its end, every session's world is closed."""
    listener = listen(options.host, options.port)
    port = listener.getsockname()[1]
    hosts = [f"{name}:{port}" for name in LOOPBACK.values()] if options.loopback else []
    try:
        with WebServer(
            Door(_app(offer, options), hosts, options.idle), listener, websockets=True
        ) as server:
            yield server
    finally:
        while offer.live:
            close_env(offer.live.pop())


def _app(offer: Offer, options: ServeOptions) -> Any:
    return create_fastapi_app(
        partial(ServedSession, offer),
        CallToolAction,
        CallToolObservation,
        concurrency_config=ConcurrencyConfig(
            max_concurrent_envs=options.sessions, session_timeout=options.idle
        ),
        env_name=offer.name,
        state_cls=TaskState,
        reset_observation_cls=TaskObservation,
        # Without /reset and /step: they would play each request in a new, unbounded session.
        mode=ServerMode.PRODUCTION,
    )
