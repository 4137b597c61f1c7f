"""Options of `trainer serve`, and the announcement of a running server."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from trainer.errors import TrainerError
from trainer.inference.eft import Eft
from treegraft.ranges import check_ranges

Backend = Literal["auto", "vllm", "builtin", "transformers"]


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Options of `trainer serve`.

    Attributes:
        model: a directory, a hub id, or "smollm2".
        backend: which server runs the model.
        host: the address to listen on.
        port: 0 for any free port.
        name: the model's name in requests; "" for `model_name` to choose one.
        context: maximum tokens of prompt and reply; None for the backend's default.
        slots: requests generated at the same time; None for the backend's default.
        key: what clients must send; "" for nothing.
        eft: what the built-in server adds to the model.

    Raises:
        TrainerError: there is no such backend, the key does not fit into an HTTP header, or
            another server was asked for `eft`.
    """

    model: str
    backend: Backend = "auto"
    host: str = "127.0.0.1"
    port: int = field(default=8000, metadata={"min": 0, "max": 65535})
    name: str = ""
    context: int | None = field(default=None, metadata={"min": 2})
    slots: int | None = field(default=None, metadata={"min": 1})
    key: str = ""
    eft: Eft | None = None

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.backend not in get_args(Backend):
            known = ", ".join(get_args(Backend))
            raise TrainerError(f"--backend is {self.backend!r}; use one of {known}")
        if not (self.key.isascii() and self.key.isprintable()):
            raise TrainerError("the key must consist of printable ASCII characters")
        if self.eft and self.backend not in ("auto", "builtin"):
            raise TrainerError(f"--backend {self.backend} has no --eft; use builtin")

    @property
    def model_name(self) -> str:
        """The given name, else the directory's name, else the id."""
        folder = Path(self.model).expanduser()
        return self.name or (folder.resolve().name if folder.is_dir() else self.model)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return self.host in ("127.0.0.1", "localhost", "::1")

    def base_url(self, port: int) -> str:
        """Return the API's URL for a client on this machine."""
        wildcards = {"0.0.0.0": "127.0.0.1", "::": "::1"}
        host = wildcards.get(self.host, self.host)
        return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


@dataclass(frozen=True, slots=True)
class Announcement:
    """A server that answers.

    Attributes:
        model: the model's name in requests.
        base_url: the API's URL.
        backend: which server it is.
    """

    model: str
    base_url: str
    backend: str
