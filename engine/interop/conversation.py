"""A conversation that some system recorded: what every reader yields."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from json import loads
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.templates.base import Message
from search.usage import Usage
from treegraft.text_files import read_lines

Record = Mapping[str, Any]

NO_USAGE = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One recorded attempt at a task.

    Attributes:
        place: the record, as errors name it: "rows.jsonl, line 3".
        messages: in OpenAI's form.
        tools: the tools' definitions, in OpenAI's form.
        task: the id of its task; "" if it names none.
        ids: names of the record, by which a file of rewards may call it.
        reward: as it was recorded; None if it was not.
        source: the model that acted; "" if it is not known.
        cut: whether a limit ended it.
        facts: what is known of a reply beside its message (token ids, ...), by the message's place.
        usage: what a reply cost, by the message's place.
        kept: all else that the record holds.
    """

    place: str
    messages: Sequence[Message]
    tools: Sequence[Record] = ()
    task: str = ""
    ids: tuple[str, ...] = ()
    reward: Any = None
    source: str = ""
    cut: bool = False
    facts: Mapping[int, Record] = field(default_factory=dict)
    usage: Mapping[int, Usage] = field(default_factory=dict)
    kept: Record = field(default_factory=dict)


def records(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place and the object of each line of a file of JSON lines.

    Raises:
        UsageError: the file cannot be read, or a line is not a JSON object.
    """
    for number, line in enumerate(read_lines(file), 1):
        if line.strip():
            place = f"{file}, line {number}"
            yield place, json_object(line, place)


def json_object(text: str, place: str) -> dict[str, Any]:
    """Return the JSON object in `text`.

    Raises:
        UsageError: it is none.
    """
    try:
        found = loads(text)
    except ValueError as error:
        raise UsageError(f"{place}: not JSON ({error})") from error
    except RecursionError as error:
        raise UsageError(f"{place}: nested too deeply") from error
    if not isinstance(found, dict):
        raise UsageError(f"{place}: not a JSON object")
    return found


def value_at(record: Record, name: str) -> Any:
    """Return the value called `name` of a record; dots go into objects ("metadata.reward")."""
    if name in record:
        return record[name]
    first, _, rest = name.partition(".")
    inner = record.get(first)
    return value_at(inner, rest) if rest and isinstance(inner, Mapping) else None


def text_at(record: Record, name: str) -> str:
    """Return the text or number called `name` of a record as text; "" if there is none."""
    found = value_at(record, name)
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
