"""All attacks, by theme."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.attacks.attack import Attack, Query
from tests.attacks.catalogue.branches import BRANCHES
from tests.attacks.catalogue.channel import CHANNEL
from tests.attacks.catalogue.files import FILES
from tests.attacks.catalogue.kernel import KERNEL
from tests.attacks.catalogue.memory_and_disk import MEMORY_AND_DISK
from tests.attacks.catalogue.network import NETWORK
from tests.attacks.catalogue.processes import PROCESSES
from tests.attacks.catalogue.signals import SIGNALS
from tests.attacks.catalogue.sql import SQL
from tests.attacks.catalogue.verdicts import VERDICTS

THEMES: Mapping[str, tuple[Attack | Query, ...]] = {
    "Processes and time": PROCESSES,
    "Signals and priorities": SIGNALS,
    "Memory, disk, output": MEMORY_AND_DISK,
    "Files": FILES,
    "Other branches": BRANCHES,
    "Network": NETWORK,
    "Kernel": KERNEL,
    "Replies": CHANNEL,
    "Verdicts": VERDICTS,
    "SQL": SQL,
}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """An attack on a backend."""

    theme: str
    attack: Attack | Query
    backend: str


def cases(backends: tuple[str, ...]) -> list[Case]:
    return [
        Case(theme, attack, backend)
        for theme, attacks in THEMES.items()
        for attack in attacks
        for backend in backends
    ]
