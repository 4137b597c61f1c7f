"""All attacks, by theme."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.attacks.attack import Attack, Query
from tests.attacks.branches import BRANCHES
from tests.attacks.channel import CHANNEL
from tests.attacks.files import FILES
from tests.attacks.kernel import KERNEL
from tests.attacks.memory_and_disk import MEMORY_AND_DISK
from tests.attacks.network import NETWORK
from tests.attacks.processes import PROCESSES
from tests.attacks.signals import SIGNALS
from tests.attacks.sql import SQL
from tests.attacks.verdicts import VERDICTS

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
