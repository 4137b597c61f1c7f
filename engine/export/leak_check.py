"""The leak check: a row that shows a secret stops the export before anything is written."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.errors import LeakError
from engine.policies.judge import SEARCH_TEXTS
from engine.runs.fingerprints import Fingerprint, contains_secret, strings_in
from engine.templates.base import Message


def check_row(row: Mapping[str, Any], fingerprints: Sequence[Fingerprint]) -> None:
    """Check that `row` shows the student nothing that it would not see when it acts.

    The agent itself may write a secret (a gold query), and observations after that may repeat it:
    the agent then found the right answer. Anywhere else it is a leak. The notes that the search
    adds to a request (for example to ask for a different action) must not occur at all.

    Raises:
        LeakError: the row leaks; the error names the row and the message.
    """
    for column in ("messages", "chosen", "rejected"):
        if column not in row:
            continue
        messages = [*row.get("prompt", []), *row[column]]
        for number, message in enumerate(messages):
            text = "\n".join(strings_in(message))
            if any(note in text for note in SEARCH_TEXTS):
                raise LeakError(f"row {row['id']}, {column}[{number}]: holds a search prompt")
        agent_wrote_secret(f"row {row['id']}, {column}", messages, fingerprints)


def agent_wrote_secret(
    place: str,
    messages: Iterable[Message],
    fingerprints: Sequence[Fingerprint],
    wrote_before: bool = False,
) -> bool:
    """Return whether the agent wrote the secret in `messages`, or already before them.

    Raises:
        LeakError: A message contains the secret before the agent wrote it; names the `place`.
    """
    wrote = wrote_before
    for number, message in enumerate(messages):
        if not wrote and contains_secret("\n".join(strings_in(message)), fingerprints):
            if message["role"] != "assistant":
                raise LeakError(f"{place}[{number}] ({message['role']}): holds the task's secret")
            wrote = True
    return wrote
