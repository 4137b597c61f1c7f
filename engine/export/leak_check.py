"""The leak check: a row that shows a secret stops the export before anything is written."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.errors import LeakError
from engine.policies.judge import SEARCH_TEXTS
from engine.runs.fingerprints import Fingerprint, secrets_in, strings_in
from engine.templates.base import Message


def check_row(row: Mapping[str, Any], fingerprints: Sequence[Fingerprint]) -> None:
    """Check that `row` shows the student nothing that it would not see when it acts.

    The agent itself may write a part of the secret (a gold query), and observations after that may
    repeat it: the agent then found the right answer. Anywhere else it is a leak; so is another part
    that the agent has not written. The notes that the search adds to a request (for example to ask
    for a different action) must not occur at all.

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
        not_written(f"row {row['id']}, {column}", messages, fingerprints)


def not_written(
    place: str, messages: Iterable[Message], fingerprints: Sequence[Fingerprint]
) -> list[Fingerprint]:
    """Return those of `fingerprints` whose part of the secret the agent does not write.

    Raises:
        LeakError: A message contains a part before the agent wrote it; names the `place`.
    """
    hidden = list(fingerprints)
    for number, message in enumerate(messages):
        found = secrets_in("\n".join(strings_in(message)), hidden)
        if found and message["role"] != "assistant":
            raise LeakError(f"{place}[{number}] ({message['role']}): holds the task's secret")
        hidden = [part for part in hidden if part not in found]
    return hidden
