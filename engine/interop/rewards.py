"""What a recorded reward says: the rule by which an imported conversation is a success.

A reward of at least `--success` is a success and becomes 1, the full reward of a world. A smaller
one is a failure and becomes its share of that, at least 0. Without a reward nobody knows: the path
stays open, and makes no rows and no pairs, unless `--default-reward` says what it is.
"""

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.interop.conversation import Conversation, json_object, records, text_at, value_at
from treegraft.text_files import read_text


def scaled(raw: float, success: float) -> float:
    """Return a recorded reward on the scale of worlds, where 1 is a success."""
    if raw >= success:
        return 1.0
    return min(max(raw / success, 0.0), 1.0 - 1e-9) if success > 0 else 0.0


def number(raw: Any, place: str) -> float | None:
    """Return a recorded reward as a number; None if there is none.

    Raises:
        UsageError: it is something else.
    """
    if raw is None:
        return None
    if isinstance(raw, bool | int | float) and isfinite(raw):
        return float(raw)
    raise UsageError(f"{place}: its reward is {raw!r}, not a number; see --reward")


class RewardFile:
    """Rewards that stand in a file beside the records, by the records' ids.

    The file holds one JSON object from ids to rewards, or JSON lines with an id and a reward.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._known: Mapping[str, Any] = {} if file is None else _read(file)

    def of(self, conversation: Conversation) -> Any:
        """Return the reward of a conversation; None if the file has none for it."""
        names = (each for each in conversation.ids if each in self._known)
        return next((self._known[each] for each in names), None)


def _read(file: Path) -> dict[str, Any]:
    if file.suffix.lower() == ".json":
        return json_object(read_text(file), str(file))
    found = {}
    for place, record in records(file):
        id = text_at(record, "id")
        if not id or "reward" not in record:
            raise UsageError(f"{place}: a line of rewards has an id and a reward")
        found[id] = value_at(record, "reward")
    if not found:
        raise UsageError(f"{file} holds no reward: a line has an id and a reward")
    return found
