"""A row as the loss sees it: what is trained is highlighted, and in brackets where colour fails.

A weight other than 1 stands after its bracket.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.text import Text

from engine.templates.base import Message
from trainer.data.mask import Labelled, weight_of
from trainer.tokens.chat_template import ChatTemplate

OPEN, CLOSE = "\u27e6", "\u27e7"
_ESCAPES = {
    code: f"\\x{code:02x}" for code in (*range(32), 127, *range(128, 160)) if code not in (9, 10)
}
"""Control characters, which would let a row steer the terminal."""


def view(renderer: ChatTemplate, sequences: Sequence[Labelled]) -> Text:
    """Return the text of each sequence, under a line that counts its tokens."""
    shown = Text()
    for number, sequence in enumerate(sequences, 1):
        shown.append(
            f"sequence {number} of {len(sequences)}: {len(sequence.ids)} tokens, "
            f"{sequence.trained} trained\n",
            "bold",
        )
        for text, weight in parts(renderer, sequence):
            escaped = text.translate(_ESCAPES)
            shown.append(*_marked(escaped, weight, "bold black on green"))
        shown.append("\n")
    return shown


def plain(messages: Sequence[Message], first: int = 0) -> Text:
    """Return a conversation without a chat template; what is trained is marked as in `view`."""
    shown = Text()
    for number, message in enumerate(messages):
        shown.append(f"{message['role']}: ", "bold")
        trained = message["role"] == "assistant" and number >= first
        said = [message.get("reasoning_content") or "", message["content"]]
        for call in message.get("tool_calls") or []:
            said.append(f"{call['function']['name']}({call['function']['arguments']})")
        text = "\n".join(part for part in said if part).translate(_ESCAPES)
        shown.append(*_marked(text, weight_of(message) if trained else 0, "green"))
        shown.append("\n")
    return shown


def parts(renderer: ChatTemplate, sequence: Labelled) -> Iterator[tuple[str, float]]:
    """Yield the text of each run of tokens of one weight, and the weight."""
    pairs = zip(sequence.ids, sequence.weights, strict=True)
    for weight, run in groupby(pairs, lambda pair: pair[1]):
        yield str(renderer.tokenizer.decode([id for id, _ in run])), weight


def _marked(text: str, weight: float, style: str) -> tuple[str, str]:
    """Return a text with its marks, and its style."""
    if not weight:
        return text, "dim"
    times = "" if weight == 1 else f"\u00d7{weight:g}"
    return f"{OPEN}{text}{CLOSE}{times}", style
