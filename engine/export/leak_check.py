"""What no row may hold. A row that fails stops the export before anything is written."""

from collections.abc import Iterable, Sequence

from engine.errors import LeakError
from engine.export.rows import Row
from engine.export.secrets import Fingerprint, holds, texts
from engine.policies.judge import SEARCH_TEXTS
from engine.templates.base import Message


def check(row: Row, fingerprints: Iterable[Fingerprint]) -> None:
    """See that `row` shows the student nothing that it would not meet.

    A secret (a gold query) may stand in what the agent itself wrote, and in an observation after
    it: that is the right answer, found. Anywhere else it is a leak. The text that asks the
    teacher for another action may stand nowhere.

    Raises:
        LeakError: naming the row and the message.
    """
    marks = list(fingerprints)
    for column in ("messages", "chosen", "rejected"):
        if column not in row:
            continue
        shown = [*row.get("prompt", []), *row[column]]
        for number, message in enumerate(shown):
            text = "\n".join(texts(message))
            if any(words in text for words in SEARCH_TEXTS):
                raise LeakError(f"row {row['id']}, {column}[{number}]: holds a search prompt")
        secret_written(f"row {row['id']}, {column}", shown, marks)


def secret_written(
    place: str,
    messages: Iterable[Message],
    fingerprints: Sequence[Fingerprint],
    written_before: bool = False,
) -> bool:
    """Whether the agent has written the secret in `messages`, or `written_before` them.

    Raises:
        LeakError: a message holds the secret though the agent had not written it.
    """
    written = written_before
    for number, message in enumerate(messages):
        if not written and holds("\n".join(texts(message)), fingerprints):
            if message["role"] != "assistant":
                raise LeakError(f"{place}[{number}] ({message['role']}): holds the task's secret")
            written = True
    return written
