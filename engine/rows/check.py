"""What no row may hold. A row that fails stops the export before anything is written."""

from collections.abc import Iterable

from engine.errors import LeakError
from engine.judge import SEARCH_TEXTS
from engine.leaks import Fingerprint, holds, texts
from engine.rows.render import Row


def check(row: Row, secret_marks: Iterable[Fingerprint]) -> None:
    """See that `row` shows the student nothing that it would not meet.

    A secret (a gold query) may stand in what the agent itself wrote, and in an observation after
    it: that is the right answer, found. Anywhere else it is a leak. The text that asks the
    teacher for another action may stand nowhere.

    Raises:
        LeakError: naming the row and the message.
    """
    marks = list(secret_marks)
    for column in ("messages", "chosen", "rejected"):
        if column not in row:
            continue
        written_by_agent = False
        for number, message in enumerate([*row.get("prompt", []), *row[column]]):
            text = "\n".join(texts(message))
            if any(words in text for words in SEARCH_TEXTS):
                raise LeakError(f"row {row['id']}, {column}[{number}]: holds a search prompt")
            if holds(text, marks):
                written_by_agent |= message["role"] == "assistant"
                if not written_by_agent:
                    raise LeakError(
                        f"row {row['id']}, {column}[{number}] ({message['role']}): holds the "
                        "task's secret"
                    )
