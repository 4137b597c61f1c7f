"""Drift: assistant messages whose recorded tokens are not those that the student is trained on.

A run that was imported with token ids (`metrics.completion_token_ids` of ATIF, the sampled tokens
of verifiers) exports them in the column `completion_token_ids`: a list for each assistant message.
Text that is tokenised anew may give other tokens than the model drew (vLLM calls it retokenisation
drift): the probabilities that were recorded then belong to other tokens.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.data.mask import turns
from trainer.data.row_source import RowSource, source_rows
from trainer.errors import RowError, TemplateRefused, TrainerError
from trainer.tokens.chat_template import ChatTemplate

COLUMN = "completion_token_ids"
"""The column with the recorded tokens of each assistant message; [] where none are known."""


@dataclass(slots=True)
class Drift:
    """What differs from the recorded tokens.

    Attributes:
        messages: assistant messages with recorded tokens.
        drifted: those of them that tokenise otherwise.
        first: the first of these, in words; "" if there is none.
    """

    messages: int = 0
    drifted: int = 0
    first: str = ""

    def add(self, place: str, recorded: Sequence[int], ids: Sequence[int], text: str) -> None:
        """Count a message; `text` says what differs."""
        self.messages += 1
        if list(recorded) != list(ids):
            self.drifted += 1
            self.first = self.first or f"{place}: {text}"

    def __str__(self) -> str:
        if not self.drifted:
            return f"{self.messages} messages with recorded tokens, none tokenises otherwise"
        return (
            f"{self.drifted} of {self.messages} messages with recorded tokens tokenise otherwise; "
            f"{self.first}"
        )


def token_drift(renderer: ChatTemplate, source: RowSource) -> Drift | None:
    """Compare the recorded tokens of a source with those of the student's tokenizer.

    A stop token that only one of the two has at the end is no drift.

    Returns:
        None if no row has recorded tokens.

    Raises:
        TrainerError: a column of tokens does not fit its messages; names the row.
    """
    found, any_tokens = Drift(), False
    for row in source_rows(source):
        recorded = row.value.get(COLUMN)
        if recorded is None or row.defect:
            continue
        any_tokens = True
        messages = row.value.get("messages", [])
        replies = [n for n, each in enumerate(messages) if each["role"] == "assistant"]
        if not _fits(recorded, len(replies)):
            raise TrainerError(f"{row.place}: {COLUMN} does not have a list of ids for each reply")
        try:
            made = turns(renderer, messages, row.value.get("tools") or [])
        except (RowError, TemplateRefused):
            continue  # `trainer mask` counts it among the dropped ones
        for number, ids, turn in zip(replies, recorded, made, strict=True):
            if ids:
                mine = _like(turn.completion, ids)
                place = f"{row.place}, messages[{number}]"
                found.add(place, ids, mine, _difference(renderer, ids, mine))
    return found if any_tokens else None


def _fits(recorded: Any, replies: int) -> bool:
    lists = isinstance(recorded, list) and len(recorded) == replies
    return lists and all(
        isinstance(ids, list) and all(type(each) is int for each in ids) for ids in recorded
    )


def _like(completion: Sequence[int], recorded: Sequence[int]) -> list[int]:
    """Return the completion without the stop token that the record leaves out."""
    cut = list(completion)
    return cut[:-1] if cut[:-1] == list(recorded) else cut


def _difference(renderer: ChatTemplate, recorded: Sequence[int], ids: Sequence[int]) -> str:
    """Return the first token that differs, in words."""
    at = next(
        (n for n, pair in enumerate(zip(recorded, ids, strict=False)) if pair[0] != pair[1]),
        min(len(recorded), len(ids)),
    )
    said = (_token(renderer, each[at : at + 1]) for each in (recorded, ids))
    return "token {} was recorded as {} and is {}".format(at + 1, *said)


def _token(renderer: ChatTemplate, ids: Iterable[int]) -> str:
    listed = list(ids)
    if not listed:
        return "the end"
    if not 0 <= listed[0] < len(renderer.tokenizer):
        return f"{listed[0]} (not a token of this tokenizer)"
    return f"{listed[0]} {renderer.tokenizer.decode(listed)!r}"
