"""The command `engine proxy`."""

import json
import os

from engine.cli.flags import command
from engine.errors import UsageError
from engine.proxy.settings import ProxySettings
from engine.terminal import Json, say
from engine.web import WebServer, listen, stop_event


def _proxy(settings: ProxySettings, json_: Json = False) -> None:
    """Serve an OpenAI-compatible endpoint whose replies are paid once, until Ctrl-C or SIGTERM.

    Any program that speaks OpenAI's API can use it: set its base URL to what is printed.
    Equal requests get the reply in the journal. All clients share the budget and the rate limit.

    For example:

    engine proxy --journal journal.db --max-usd 20
    """
    from engine.chat.journal import Journal
    from engine.proxy.app import Proxy

    token = os.environ.get(settings.token_env, "") if settings.token_env else ""
    if settings.token_env and not token:
        raise UsageError(f"--token-env: the variable {settings.token_env} is not set")
    settings.check()
    app = Proxy(settings, token)
    with Journal(settings.journal):  # one that cannot be used is told before the start
        pass
    if not (settings.loopback or token):
        say(f"warning: anyone who can reach {settings.host} can spend your money: see --token-env")
    listener = listen(settings.host, settings.port)
    with WebServer(app, listener, lifespan=True) as server, stop_event() as stop:
        base_url = f"{server.address}v1"
        if json_:
            print(json.dumps({"base_url": base_url, "journal": str(settings.journal)}), flush=True)
        else:
            say(f"base URL {base_url}; usage at {server.address} (press Ctrl-C to stop)")
        stop.wait()


proxy = command(_proxy)
