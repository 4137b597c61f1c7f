"""A row as the loss sees it: what is trained is highlighted, and in brackets where colour fails."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.text import Text

from engine.templates.base import Message
from trainer.data.mask import IGNORE, Labelled, is_trained
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
        for text, trained in parts(renderer, sequence):
            escaped = text.translate(_ESCAPES)
            if trained:
                shown.append(f"{OPEN}{escaped}{CLOSE}", "bold black on green")
            else:
                shown.append(escaped, "dim")
        shown.append("\n")
    return shown


def plain(messages: Sequence[Message], first: int = 0) -> Text:
    """Return a conversation without a chat template; what is trained is marked as in `view`."""
    shown = Text()
    for number, message in enumerate(messages):
        shown.append(f"{message['role']}: ", "bold")
        trained = message["role"] == "assistant" and number >= first and is_trained(message)
        said = [message.get("reasoning_content") or "", message["content"]]
        for call in message.get("tool_calls") or []:
            said.append(f"{call['function']['name']}({call['function']['arguments']})")
        text = "\n".join(part for part in said if part).translate(_ESCAPES)
        shown.append(f"{OPEN}{text}{CLOSE}" if trained else text, "green" if trained else "dim")
        shown.append("\n")
    return shown


def parts(renderer: ChatTemplate, sequence: Labelled) -> Iterator[tuple[str, bool]]:
    """Yield the text of each run of tokens, and whether the run is trained."""
    pairs = zip(sequence.ids, sequence.labels, strict=True)
    for trained, run in groupby(pairs, lambda pair: pair[1] != IGNORE):
        yield str(renderer.tokenizer.decode([id for id, _ in run])), trained
