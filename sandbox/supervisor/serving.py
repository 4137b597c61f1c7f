"""What the programs that run inside a sandbox share: answer the engine's requests until it is gone.

First comes one line of settings; then requests, each answered by one line.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn

from .framing import Gone, Host, Message
from .kernel import confine
from .kernel.processes import Processes


class Refused(Exception):
    """The request makes no sense here; the engine gets the reason."""


class Service:
    """Answers requests, one at a time.

    Attributes:
        operations: a method for each request, by the name of its operation.
        refusals: exceptions that mean that a request is refused, and we go on.
    """

    refusals: ClassVar[tuple[type[Exception], ...]] = (Refused, OSError)

    def __init__(self, host: Host, settings: dict[str, Any]) -> None:
        """Prepare; `settings` are `sandbox.connection`'s. Raises one of `refusals` if it fails."""
        self.host, self.settings = host, settings
        self.ends_at = time.monotonic() + settings["lifetime"]
        self.operations: Mapping[str, Callable[[Message], Message]] = {}

    def facts(self) -> Message:
        """Return what the engine is told when we are ready."""
        return {}

    def idle(self) -> None:
        """Do what can wait; called before each request."""

    def answer(self, request: Message) -> Message:
        """Return the reply to a request."""
        try:
            return self.operations[request["op"]](request)
        except self.refusals as error:
            return {"refused": str(error)}

    def serve(self) -> NoReturn:
        """Answer until the engine is gone, or our time is up. Raises Gone then."""
        self.host.send({"ready": self.facts()})
        while True:
            self.idle()
            request = self.host.receive(self.ends_at - time.monotonic())
            self.host.send(self.answer(request))


def main(service: type[Service]) -> NoReturn:
    """Serve until the engine closes our standard input; the exit status is 0 then."""
    host = _take_over_streams()
    settings = host.receive(60.0)
    if settings["socket"]:
        host.call(settings["socket"])
    if not settings["own_namespace"]:
        _leave_a_keeper()
    try:
        service(host, settings).serve()
    except service.refusals as error:
        host.send({"failed": str(error)})
    except Gone:
        pass
    finally:
        Processes(settings["own_namespace"]).end()
        os._exit(0)


def _leave_a_keeper() -> None:
    """Continue as the child of a process that ends whatever we leave behind, however we end.

    Without a pid namespace nobody else would: idle nodes are stopped, and notice nothing.
    """
    confine.adopt_orphans()
    supervisor = os.fork()
    if not supervisor:
        confine.adopt_orphans()
        return
    os.closerange(0, 256)
    processes = Processes(own_namespace=False)

    def end(*_: object) -> NoReturn:
        processes.end()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    os.waitpid(supervisor, 0)
    end()


def _take_over_streams() -> Host:
    """Replace the standard streams by /dev/null, so that no node inherits the way to the engine."""
    host = Host(os.dup(0), os.dup(1))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    os.close(null)
    return host
