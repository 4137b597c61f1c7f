"""What workers elsewhere need for models that are paid: how to ask, and where it is booked."""

from dataclasses import dataclass
from pathlib import Path

from engine.chat.budget import Budget
from engine.chat.prices import Price


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """How a worker reaches the endpoint.

    base_url: "" for the default.   environment: variables that the worker is given if it lacks
        them; they hold the key, which is in no log and no file.
    """

    base_url: str
    environment: dict[str, str]
    price: Price | None


@dataclass(frozen=True, slots=True)
class ChatSpec:
    """journal: its file.  base_url: the endpoint, as the journal names it.
    asking: the teacher; None for one that asks nobody.   student: who acts first, if anybody does.
    """

    journal: Path
    base_url: str
    budget: Budget
    asking: EndpointSpec | None
    student: EndpointSpec | None = None
