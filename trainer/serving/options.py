"""What is to be served, and how it is announced."""

import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from trainer.errors import TrainerError

Backend = Literal["auto", "vllm", "transformers", "own"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Flags of `trainer serve`.

    model: a directory, a hub id, or "smollm2".   name: what requests call it; "" for its own.
    port: 0 for any free one.   context: tokens of prompt and reply; None for the backend's choice.
    slots: requests generated for at once; likewise.   key: what clients must send; "" for none.

    Raises:
        TrainerError: no such backend.
    """

    model: str
    backend: Backend = "auto"
    host: str = "127.0.0.1"
    port: int = 8000
    name: str = ""
    context: int | None = None
    slots: int | None = None
    key: str = ""

    def __post_init__(self) -> None:
        if self.backend not in get_args(Backend):
            known = ", ".join(get_args(Backend))
            raise TrainerError(f"--backend is {self.backend!r}; use one of {known}")
        if not (self.key.isascii() and self.key.isprintable()):
            raise TrainerError("the key holds characters that no HTTP header takes")

    @property
    def shown_name(self) -> str:
        """The name given, else a directory's last part, else the id."""
        folder = Path(self.model).expanduser()
        return self.name or (folder.resolve().name if folder.is_dir() else self.model)

    @property
    def loopback(self) -> bool:
        return self.host in ("127.0.0.1", "localhost", "::1")

    def base_url(self, port: int) -> str:
        """Where a client on this machine reaches it."""
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
        host = everywhere.get(self.host, self.host)
        return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"

    def bind(self) -> socket.socket:
        """A socket that holds the address, and does not listen yet: who asks is refused, and no
        other server can take it meanwhile.

        Raises:
            TrainerError: it cannot be had.
        """
        try:
            family, kind, _, _, address = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with ExitStack() as unless_bound:
                bound = unless_bound.enter_context(socket.socket(family, kind))
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                bound.bind(address)
                unless_bound.pop_all()
        except OSError as error:
            raise TrainerError(
                f"cannot serve on {self.host}:{self.port} ({error.strerror}); try another --port"
            ) from error
        return bound


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers. model: what requests call it."""

    model: str
    base_url: str
    backend: str
