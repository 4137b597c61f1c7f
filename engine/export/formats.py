"""Files of rows as other tools read them: JSON lines, Parquet, ShareGPT, ToolBench.

A file appears whole or not at all.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.export.rows import Row
from engine.runs.atomic import whole
from engine.templates.base import Message

BATCH = 1000
"""Rows that are in memory at once."""
_SHAREGPT_ROLES = {"user": "human", "assistant": "gpt", "tool": "observation"}


def write(rows: Iterable[Row], output: Path) -> None:
    """Write `rows` as they come to `output`: Parquet if it is called so, else JSON lines."""
    if output.suffix == ".parquet":
        _write_parquet(rows, output)
        return
    with whole(output) as part, part.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_list(rows: Iterable[Row], output: Path) -> None:
    """Write `rows` as one JSON list, as ToolBench and LLaMA-Factory read them."""
    with whole(output) as part, part.open("w", encoding="utf-8") as file:
        file.write("[")
        for number, row in enumerate(rows):
            file.write(",\n" if number else "\n")
            json.dump(row, file, ensure_ascii=False)
        file.write("\n]\n")


def sharegpt(row: Row) -> Row:
    """An SFT or step-pair row in LLaMA-Factory's ShareGPT form; tools as one JSON string."""
    conversation = row.get("messages") or row["prompt"]
    out: Row = {
        "system": "".join(m["content"] for m in conversation if m["role"] == "system"),
        "conversations": [_sharegpt(m) for m in conversation if m["role"] != "system"],
        "tools": json.dumps(row["tools"], ensure_ascii=False) if row["tools"] else "",
    }
    if "chosen" in row:
        out |= {"chosen": _sharegpt(row["chosen"][0]), "rejected": _sharegpt(row["rejected"][0])}
    return out


def write_dataset_info(output: Path, *, ranking: bool) -> Path:
    """Describe `output` in the `dataset_info.json` beside it; other entries there are kept."""
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
        known = json.loads(file.read_text("utf-8")) if file.exists() else {}
    except ValueError as error:
        raise UsageError(f"{file} is not JSON ({error}); move it away") from error
    with whole(file) as part:
        part.write_text(json.dumps(known | {output.stem: entry}, indent=2) + "\n", "utf-8")
    return file


def toolbench(row: Row) -> Row:
    """An SFT row of text messages as ToolBench's training files have them.

    There an observation is from "function"; in a row of ours it is whatever answers the agent.
    """
    conversation, answered = [], False
    for message in row["messages"]:
        said_by = message["role"]
        answered |= said_by == "assistant"
        origin = "function" if answered and said_by != "assistant" else said_by
        conversation.append({"from": origin, "value": message["content"]})
    return {"id": row["id"], "conversations": conversation}


def _sharegpt(message: Message) -> dict[str, str]:
    calls = message.get("tool_calls")
    if not calls:
        return {"from": _SHAREGPT_ROLES[message["role"]], "value": message["content"]}
    called = calls[0]["function"]
    text = json.dumps(
        {"name": called["name"], "arguments": json.loads(called["arguments"])}, ensure_ascii=False
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
    with whole(output) as part, ExitStack() as closing:
        writer = None
        for batch in _batches(map(_flat, rows)):
            table = pyarrow.Table.from_pylist(batch)
            if writer is None:
                writer = closing.enter_context(pyarrow.parquet.ParquetWriter(part, table.schema))
            writer.write_table(table)
        if writer is None:
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist([]), part)


def _flat(row: Row) -> Row:
    """Arrow would merge the keys of different tools and arguments; JSON text keeps them apart."""
    nested = ("messages", "prompt", "chosen", "rejected", "tools")
    return {k: json.dumps(v, ensure_ascii=False) if k in nested else v for k, v in row.items()}


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch
