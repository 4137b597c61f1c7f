"""The options of a server of a world."""

from dataclasses import dataclass, field

from engine.web import HOST, LOOPBACK
from treegraft.ranges import check_ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How a world is served.

    Attributes:
        host: Address to listen on; 127.0.0.1 is reached by this machine only.
        port: Port; 0 takes any free port.
        sessions: Clients at once; a further one is refused.
        idle: Seconds after which a silent session is closed.
    """

    host: str = HOST
    port: int = field(default=8000, metadata={"min": 0, "max": 65535})
    sessions: int = field(default=16, metadata={"min": 1})
    idle: float = field(default=3600.0, metadata={"above": 0.0})

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return self.host in LOOPBACK
