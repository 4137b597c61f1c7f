"""The format `chat`: one conversation a line, in OpenAI's form, as fine-tuning files have it.

The columns are `messages` and, if there are, `tools`; TRL's `prompt` and `completion` are read as
well. Both may be JSON in a text. The reward and the task's id are columns that the user names.
"""

from collections.abc import Iterator, Mapping
from json import loads
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.interop.conversation import Conversation, records, text_at, value_at
from engine.interop.settings import ImportSettings

_READ = ("messages", "prompt", "completion", "tools")


def read_chat(file: Path, settings: ImportSettings) -> Iterator[Conversation]:
    """Yield the conversations of a file.

    Raises:
        UsageError: it cannot be read, or a record is none.
    """
    for place, record in records(file):
        messages = _messages(record, place)
        tools = _json(record.get("tools"), f"{place}: its tools") or []
        if not isinstance(tools, list):
            raise UsageError(f"{place}: its tools are not a list")
        name = settings.reward or "reward"
        yield Conversation(
            place=place,
            messages=messages,
            tools=tools,
            task=text_at(record, settings.task_id),
            ids=tuple(filter(None, (text_at(record, "id"), text_at(record, settings.task_id)))),
            reward=value_at(record, name),
            source=text_at(record, "model"),
            kept={key: value for key, value in record.items() if key not in _READ},
        )


def _messages(record: Mapping[str, Any], place: str) -> Any:
    if "messages" in record:
        return _json(record["messages"], f"{place}: its messages")
    if "prompt" in record and "completion" in record:
        halves = (_json(record[each], f"{place}: its {each}") for each in ("prompt", "completion"))
        prompt, completion = halves
        if isinstance(prompt, list) and isinstance(completion, list):
            return [*prompt, *completion]
    known = ", ".join(record) or "none"
    raise UsageError(f"{place}: no column messages (its columns: {known})")


def _json(value: Any, what: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return loads(value) if value.strip() else None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{what} are a text that is not JSON ({error})") from error
