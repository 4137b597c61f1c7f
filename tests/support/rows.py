"""Small rows for the tests of training."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.templates.base import Message

BATCH = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 1}


def dialogue(*texts: str) -> list[Message]:
    """User and assistant in turn."""
    roles = ["user", "assistant"]
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]


def call(thought: str, tool: str = "count") -> str:
    """An assistant's message in the template react."""
    return f"Thought: {thought}\nAction: {tool}\nAction Input: {{}}"


def write(file: Path, rows: Iterable[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


AGENT = [
    dialogue("How many books?", call("I count the books."), "Observation: 3", call("So.", "say")),
    dialogue("How many loans?", call("Loans, then."), "Observation: 5", call("Five.", "say")),
    dialogue("Who wrote it?", call("I look.", "authors"), "Observation: Ann " * 9, "Ann."),
    dialogue("And?", "No."),
    dialogue("More " * 20, call("Hm.", "more"), "Observation: none", "None."),
]
"""Conversations of different lengths, with thoughts and without."""

GENERAL = [
    {"instruction": "Name a colour.", "input": "", "output": "Blue."},
    {"instruction": "Add.", "input": "1 and 2", "output": "3"},
    {"instruction": "Say hello.", "input": "", "output": "Hello, and welcome to everybody."},
]
"""In Alpaca's form."""


def pair(prompt: list[Message], chosen: list[Message], rejected: list[Message]) -> dict[str, Any]:
    """A row as `engine export --to dpo` writes it, without its origin."""
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, "tools": []}


STARTED = dialogue("How many books?", call("I look.", "tables"), "Observation: books, loans")
PAIRS = [
    pair(STARTED, dialogue("", call("Books."))[1:], dialogue("", call("Loans?", "loans"))[1:]),
    pair(
        STARTED[:1],
        dialogue("", call("A."), "Observation: 3", call("Three.", "say"))[1:],
        dialogue("", call("B.", "loans"), "Observation: 5 " * 4, call("Five.", "say"))[1:],
    ),
    pair(dialogue("Why?"), dialogue("", "Because.")[1:], dialogue("", "No idea at all.")[1:]),
]
"""A step pair in the middle of a path, a trajectory pair, and one without calls."""
