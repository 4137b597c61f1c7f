"""The formats that are known, each with the columns that it is recognised by."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.templates.base import Message
from trainer.data.formats import instructions, preferences, trajectories
from trainer.data.formats.conversations import check_whole, messages_of
from trainer.data.formats.values import Row, kind, label, origin, tools
from trainer.errors import RowError, WrongValue

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Format:
    """A format of records.

    Attributes:
        name: What it is called.
        columns: The columns that it is recognised by, for a person.
        fits: Whether a record is of this format, by its columns.
        row: Returns the row of a record, or of a part of one, without its origin.
        parts: Returns the parts of a record that is several rows.
    """

    name: str
    columns: str
    fits: Callable[[Record], bool]
    row: Callable[[Record], Row]
    parts: Callable[[Record], list[Any]] = lambda record: [record]


@dataclass(frozen=True, slots=True)
class Converted:
    """A row in our form.

    Attributes:
        format: The name of the format that it came in.
        row: The row; its origin only, if it has a defect.
        defect: Why it cannot be used, or "".
    """

    format: str
    row: Row
    defect: str = ""


def rows_of(record: Any) -> Iterator[Converted]:
    """Yield the rows of a record of any known format.

    Raises:
        WrongValue: The format is not known, or a value has the wrong type.
    """
    found = recognise(_object(record))
    about = origin(record)
    try:
        parts = found.parts(record)
    except RowError as error:
        yield Converted(found.name, about, str(error))
        return
    for part in parts:
        try:
            yield Converted(found.name, about | found.row(_object(part)))
        except RowError as error:
            yield Converted(found.name, about, str(error))


def recognise(record: Record) -> Format:
    """Return the format of a record, by the columns that are not null, else by all.

    Raises:
        WrongValue: None fits; the message lists the columns and the known formats.
    """
    filled = {column: value for column, value in record.items() if value is not None}
    for columns in (filled, record):
        for known in FORMATS:
            if known.fits(columns):
                return known
    found = ", ".join(map(str, record)) or "none"
    formats = "; ".join(f"{known.name} ({known.columns})" for known in FORMATS)
    raise WrongValue(f"its columns are of no known format: {found}. Known are: {formats}")


def _object(value: Any) -> Record:
    if not isinstance(value, Mapping):
        raise WrongValue(f"a row must be an object, not {kind(value)}")
    return value


def _has(*columns: str) -> Callable[[Record], bool]:
    return lambda record: all(column in record for column in columns)


def _has_any(*columns: str) -> Callable[[Record], bool]:
    return lambda record: any(column in record for column in columns)


def _turns_with(test: Callable[[Record], bool]) -> Callable[[Record], bool]:
    """Return a predicate: the record holds `conversations` with a turn that passes `test`."""

    def fits(record: Record) -> bool:
        turns = record.get("conversations")
        return isinstance(turns, list) and any(isinstance(t, Mapping) and test(t) for t in turns)

    return fits


def _is_trajectory(record: Record) -> bool:
    items = record.get("content")
    return isinstance(items, list) and any(isinstance(i, Mapping) and "class_" in i for i in items)


def _is_hermes(turn: Record) -> bool:
    said = turn.get("value")
    return isinstance(said, str) and ("<tool_call>" in said or "<tool_response>" in said)


def _messages(record: Record) -> list[Message]:
    return [*instructions.system_of(record), *messages_of(record.get("messages"), "messages")]


def _conversations(record: Record) -> Row:
    messages = messages_of(record.get("conversations"), "conversations")
    row = _whole(record, [*instructions.system_of(record), *messages])
    # Hermes: the system message describes the tools, and the calls are text.
    described = any("<tools>" in m["content"] for m in messages if m["role"] == "system")
    return row | ({"tools": []} if described else {})


def _plain(messages: Callable[[Record], list[Message]]) -> Callable[[Record], Row]:
    """Return the row of a format whose records are one conversation each."""
    return lambda record: _whole(record, messages(record))


_MEDIA = ("images", "image", "videos", "video", "audios", "audio")


def _whole(record: Record, messages: list[Message]) -> Row:
    """Return a row, with its label where the record is an example of TRL's unpaired form."""
    column = "functions" if record.get("tools") is None else "tools"
    row: Row = {"messages": messages, "tools": tools(record.get(column))}
    check_whole(messages)
    if media := [column for column in _MEDIA if record.get(column)]:
        raise RowError(f"it has {media[0]}, and only text is trained")
    said = record.get("kto_tag", record.get("label"))
    if "kto_tag" in record or isinstance(said, bool) or {"label", "completion"} <= record.keys():
        row["label"] = label(said)
    return row


FORMATS = (
    Format("preferences", "chosen, rejected", _has_any("chosen", "rejected"), preferences.pair),
    Format(
        "OpenAI preferences",
        "preferred_output",
        _has("preferred_output"),
        preferences.openai_pair,
    ),
    Format("messages", "messages", _has("messages"), _plain(_messages)),
    Format(
        "AgentInstruct",
        "conversations with loss",
        _turns_with(lambda turn: "loss" in turn),
        _conversations,
    ),
    Format(
        "ToolBench",
        "conversations with turns from function",
        _turns_with(lambda turn: turn.get("from") == "function"),
        _conversations,
    ),
    Format(
        "Hermes function calls",
        "conversations with <tool_call>",
        _turns_with(_is_hermes),
        _conversations,
    ),
    Format("ShareGPT", "conversations", _has("conversations"), _conversations),
    Format(
        "ToolBench answers",
        "answer_generation",
        _has("answer_generation"),
        lambda record: _whole(record, record["messages"]),
        trajectories.toolbench_answers,
    ),
    Format(
        "KAgentInstruct",
        "llm_prompt_response",
        _has("llm_prompt_response"),
        _plain(instructions.alpaca),
        instructions.kagent_instruct,
    ),
    Format(
        "KAgentBench",
        "prompt_input, golden_result_list",
        _has_any("prompt_input", "golden_result_list"),
        lambda record: _whole(record, instructions.prompt_completion(record)) | {"split": "test"},
        instructions.kagent_bench,
    ),
    Format("xLAM", "query, answers", _has("query", "answers"), _plain(instructions.xlam)),
    Format("Alpaca", "instruction", _has("instruction"), _plain(instructions.alpaca)),
    Format(
        "prompt and completion",
        "prompt, completion",
        _has_any("prompt", "completion"),
        _plain(instructions.prompt_completion),
    ),
    Format(
        "Agent Data Protocol",
        "content with class_",
        _is_trajectory,
        _plain(trajectories.agent_data),
    ),
)
