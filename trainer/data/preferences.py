"""From pairs and single cases to token ids, with a mask of the tokens that are scored.

A case is a prompt, whose turns are context, and a completion, of which only what the agent wrote
has a log-probability. TRL counts every token after the prompt: observations, role headers and what
users say.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.templates.base import Message
from trainer.data.mask import IGNORE, is_trained, merge, turns
from trainer.data.row_check import RowCheck
from trainer.data.row_source import (
    RowSource,
    conversation,
    name_of,
    read_objects,
    tools_of,
)
from trainer.data.rows import reasons
from trainer.errors import RowError, TemplateRefused, TrainerError
from trainer.tokens.chat_template import ChatTemplate


@dataclass(frozen=True, slots=True)
class Case:
    """One way in which a task went.

    Attributes:
        prompt: Messages before the agent's choice.
        completion: Messages from the choice on.
        tools: Tool definitions, in OpenAI's format.
        good: Whether the student is to do this.
    """

    prompt: list[Message]
    completion: list[Message]
    tools: list[dict[str, Any]]
    good: bool


@dataclass(frozen=True, slots=True)
class Preference:
    """A row: chosen and rejected, or one case alone.

    Attributes:
        line: Its line in the file, from 1.
        cases: The cases, chosen first.
        split: Split of its task, "" if unknown.
        id: Its id, "" if it has none.
    """

    line: int
    cases: tuple[Case, ...]
    split: str = ""
    id: str = ""

    @property
    def messages(self) -> list[Message]:
        """All that it shows: its prompt once, then each completion."""
        completions = [message for case in self.cases for message in case.completion]
        return [*self.cases[0].prompt, *completions] if self.cases else []


@dataclass(frozen=True, slots=True)
class TokenizedCase:
    """Token ids of a case.

    Attributes:
        prompt: The context of the first scored token.
        completion: All tokens from that one on.
        mask: One entry per token of the completion: 1 where the agent wrote it, else 0.
        good: Whether the student is to do this.
    """

    prompt: list[int]
    completion: list[int]
    mask: list[int]
    good: bool

    @property
    def tokens(self) -> int:
        """Number of tokens."""
        return len(self.prompt) + len(self.completion)


@dataclass(slots=True)
class TokenizedPreferences:
    """The rows of a source, tokenised, and counts.

    Attributes:
        rows: Each row's cases.
        read: Rows read.
        dropped: Rows left out, by reason.
    """

    rows: list[tuple[TokenizedCase, ...]] = field(default_factory=list)
    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def counts(self) -> dict[str, Any]:
        """Return the counts that the summaries of DPO and KTO report."""
        cases = [case for row in self.rows for case in row]
        return {
            "rows": self.read,
            "used": len(self.rows),
            "dropped": dict(self.dropped),
            "tokens": sum(case.tokens for case in cases),
            "scored_tokens": sum(sum(case.mask) for case in cases),
        }


def load_preferences(
    source: RowSource,
    read: Callable[[RowSource], Iterable[Preference]],
    renderer: ChatTemplate,
    max_length: int,
    check: RowCheck,
) -> TokenizedPreferences:
    """Read and tokenise the preferences of a source.

    Raises:
        TrainerError: The source cannot be used, or nothing is left of it.
    """
    rows, left_out = check(list(read(source)), source)
    found = tokenize(renderer, rows, max_length)
    found.read += left_out.total()
    found.dropped += left_out
    if not found.rows:
        raise TrainerError(f"{name_of(source)}: no row is left: {reasons(found.dropped)}")
    return found


def read_pairs(source: RowSource) -> Iterator[Preference]:
    """Yield the pairs of a source, in the form of `engine export --to dpo`.

    Raises:
        TrainerError: The file is missing, or a line is not a pair; names the line.
    """
    for number, value in read_objects(source):
        yield _preference(source, number, value, _pair)


def read_cases(source: RowSource, min_reward: float) -> Iterator[Preference]:
    """Yield single cases: rows of `engine export --to sft --min-reward 0`, or the halves of pairs.

    A row is a success from `min_reward` on; chosen is a success, rejected a failure.

    Raises:
        TrainerError: The file is missing, or a line is neither; names the line.
    """
    for number, value in read_objects(source):
        if "chosen" in value:
            pair = _preference(source, number, value, _pair)
            yield from (replace(pair, cases=(case,)) for case in pair.cases)
        else:
            yield _preference(source, number, value, lambda row: _single(row, min_reward))


def tokenize(
    renderer: ChatTemplate, rows: Iterable[Preference], max_length: int
) -> TokenizedPreferences:
    """Return token ids and masks of `rows`.

    A row with a case of more than `max_length` tokens is dropped: truncated, it would be another
    preference.

    Raises:
        TemplateRefused: The chat template refuses a row; names the line.
    """
    tokenized = TokenizedPreferences()
    for row in rows:
        tokenized.read += 1
        try:
            cases = tuple(tokenize_case(renderer, case) for case in row.cases)
            _check(cases, max_length)
        except RowError as error:
            tokenized.dropped[str(error)] += 1
        except TemplateRefused as error:
            raise TemplateRefused(f"line {row.line}: {error}") from error
        else:
            tokenized.rows.append(cases)
    return tokenized


def tokenize_case(renderer: ChatTemplate, case: Case) -> TokenizedCase:
    """Return token ids and mask of one case.

    Raises:
        TemplateRefused: As `mask.turns`.
        RowError: As `mask.turns`; or no single sequence of tokens holds the whole completion.
    """
    replies = [message for message in case.completion if message["role"] == "assistant"]
    if not any(map(is_trained, replies)):
        raise RowError("its completion has no assistant message that is trained")
    whole = [*case.prompt, *case.completion]
    found = turns(renderer, whole, case.tools, len(case.prompt))
    paths = merge(found)
    if len(paths) > 1:
        raise RowError(
            "the chat template changes earlier turns, so several of them do not fit one sequence: "
            "export with --pairs step"
        )
    start = next(len(turn.context) for turn in found if turn.trained)
    ids, labels = paths[0].ids, paths[0].labels
    mask = [int(label != IGNORE) for label in labels[start:]]
    return TokenizedCase(ids[:start], ids[start:], mask, case.good)


def _check(cases: Sequence[TokenizedCase], max_length: int) -> None:
    if any(case.tokens > max_length for case in cases):
        raise RowError(f"over --max-length {max_length}")
    if len(cases) == 2 and cases[0].completion == cases[1].completion:
        raise RowError("chosen and rejected are the same")


def _preference(
    source: RowSource,
    number: int,
    value: dict[str, Any],
    cases: Callable[[dict[str, Any]], tuple[Case, ...]],
) -> Preference:
    try:
        split, id = str(value.get("split") or ""), str(value.get("id") or "")
        return Preference(number, cases(value), split, id)
    except RowError as error:
        raise TrainerError(f"{name_of(source)}: line {number}: {error}") from error


def _pair(value: dict[str, Any]) -> tuple[Case, ...]:
    prompt, tools = conversation(value, "prompt"), tools_of(value)
    return tuple(
        Case(prompt, conversation(value, column), tools, column == "chosen")
        for column in ("chosen", "rejected")
    )


def _single(value: dict[str, Any], min_reward: float) -> tuple[Case, ...]:
    messages = conversation(value, "messages")
    if not isinstance(value.get("reward"), int | float):
        raise RowError('a row must have "reward", a number; or be a pair of chosen and rejected')
    roles = [message["role"] for message in messages]
    start = roles.index("assistant") if "assistant" in roles else len(roles)
    good = float(value["reward"]) >= min_reward
    return (Case(messages[:start], messages[start:], tools_of(value), good),)
