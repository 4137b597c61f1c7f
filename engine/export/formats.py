"""File formats of rows: JSON lines, Parquet, ShareGPT, ToolBench."""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from engine.errors import UsageError
from engine.export.rows import Row
from engine.templates.base import Message
from treegraft.text_files import read_text
from treegraft.write_files import atomic_write, is_stream, write_text

Format = Literal["jsonl", "sharegpt", "toolbench", "atif"]

ENDINGS: dict[Format, tuple[str, ...]] = {
    "jsonl": ("", ".jsonl", ".ndjson", ".json", ".txt", ".parquet"),
    "sharegpt": ("", ".json", ".jsonl", ".txt"),
    "toolbench": ("", ".json", ".jsonl", ".txt"),
    "atif": ("",),
}
"""How a file of each format may be called: another ending promises another format."""
_BATCH = 1000
"""Rows per table when Parquet is written."""
_SHAREGPT_ROLES = {"user": "human", "assistant": "gpt", "tool": "observation"}


def check_name(output: Path, format: Format) -> None:
    """Check that the name of a file of rows does not promise another format.

    Raises:
        UsageError: It does.
    """
    endings = ENDINGS[format]
    if output.suffix.lower() not in endings and not is_stream(output):
        known = ", ".join(f"*{ending}" for ending in endings if ending)
        also = "" if format != "jsonl" else "; --format writes sharegpt and toolbench"
        raise UsageError(
            f"--output {output}: --format {format} writes {known}, or a name without an ending"
            + also
        )


def write_rows(
    rows: Iterable[Row], output: Path, format: Format = "jsonl", *, ranking: bool = False
) -> None:
    """Write `rows` to the file `output`, which appears only when all of them are written.

    "-", a pipe or a device is written through.

    "jsonl" writes Parquet if `output` is called *.parquet; "sharegpt" also describes the file in
    the `dataset_info.json` beside it.

    Raises:
        UsageError: pyarrow is missing, the file cannot be written, its name promises another
            format, or the `dataset_info.json` is not JSON.
    """
    check_name(output, format)
    if format == "toolbench":
        _write_json_list(map(toolbench_row, rows), output)
    elif format == "sharegpt":
        _write_json_list(map(sharegpt_row, rows), output)
        if not is_stream(output):
            _write_dataset_info(output, ranking=ranking)
    elif output.suffix.lower() == ".parquet":
        _write_parquet(rows, output)
    else:
        with atomic_write(output) as part, part.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def _write_json_list(rows: Iterable[Row], output: Path) -> None:
    """Write `rows` as one JSON list, as ToolBench and LLaMA-Factory read them."""
    with atomic_write(output) as part, part.open("w", encoding="utf-8") as file:
        file.write("[")
        for number, row in enumerate(rows):
            file.write(",\n" if number else "\n")
            json.dump(row, file, ensure_ascii=False, allow_nan=False)
        file.write("\n]\n")


def sharegpt_row(row: Row) -> Row:
    """Return an SFT or step-pair row in LLaMA-Factory's ShareGPT form, tools as a JSON string."""
    conversation = row.get("messages") or row["prompt"]
    out: Row = {
        "system": "".join(m["content"] for m in conversation if m["role"] == "system"),
        "conversations": [_sharegpt(m) for m in conversation if m["role"] != "system"],
        "tools": json.dumps(row["tools"], ensure_ascii=False) if row["tools"] else "",
    }
    if "chosen" in row:
        out |= {"chosen": _sharegpt(row["chosen"][0]), "rejected": _sharegpt(row["rejected"][0])}
    return out


def _write_dataset_info(output: Path, *, ranking: bool) -> None:
    """Describe `output` in the `dataset_info.json` beside it; keep the other entries there."""
    file = output.parent / "dataset_info.json"
    columns = {"messages": "conversations", "system": "system", "tools": "tools"}
    if ranking:
        columns |= {"chosen": "chosen", "rejected": "rejected"}
    entry: dict[str, Any] = {
        "file_name": output.name,
        "formatting": "sharegpt",
        "columns": columns,
        "tags": {
            "role_tag": "from",
            "content_tag": "value",
            "user_tag": "human",
            "assistant_tag": "gpt",
            "observation_tag": "observation",
            "function_tag": "function_call",
        },
    }
    if ranking:
        entry["ranking"] = True
    try:
        known = dict(json.loads(read_text(file))) if file.exists() else {}
    except (TypeError, ValueError) as error:
        raise UsageError(f"{file} is not a JSON object ({error}); move it away") from error
    write_text(file, json.dumps(known | {output.stem: entry}, indent=2) + "\n")


def toolbench_row(row: Row) -> Row:
    """Return an SFT row of text messages in the form of ToolBench's training files.

    In that form observations are from "function". So are here all messages that answer the agent.
    """
    conversation, agent_spoke = [], False
    for message in row["messages"]:
        role = message["role"]
        agent_spoke |= role == "assistant"
        origin = "function" if agent_spoke and role != "assistant" else role
        conversation.append({"from": origin, "value": message["content"]})
    return {"id": row["id"], "conversations": conversation}


def _sharegpt(message: Message) -> dict[str, str]:
    calls = message.get("tool_calls")
    if not calls:
        return {"from": _SHAREGPT_ROLES[message["role"]], "value": message["content"]}
    call = calls[0]["function"]
    text = json.dumps(
        {"name": call["name"], "arguments": json.loads(call["arguments"])}, ensure_ascii=False
    )
    thought = message["content"]
    return {
        "from": "function_call",
        "value": f"<think>{thought}</think>{text}" if thought else text,
    }


def _write_parquet(rows: Iterable[Row], output: Path) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow: pip install 'treegraft[parquet]'") from error
    with atomic_write(output) as part, ExitStack() as closing:
        writer = None
        for batch in _batches(map(_flat, rows)):
            table = pyarrow.Table.from_pylist(batch)
            if writer is None:
                writer = closing.enter_context(pyarrow.parquet.ParquetWriter(part, table.schema))
            writer.write_table(table)
        if writer is None:
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist([]), part)


def _flat(row: Row) -> Row:
    """Return `row` with nested columns as JSON text: Arrow would merge the keys of all tools."""
    nested = ("messages", "prompt", "chosen", "rejected", "tools")
    written = {name: value for name, value in row.items() if name in nested}
    return row | {k: json.dumps(v, ensure_ascii=False, allow_nan=False) for k, v in written.items()}


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch
