"""From pairs and single cases to token ids, with a mask of the tokens that are scored.

A case is a prompt, whose turns are context, and a completion, of which only what the agent wrote
has a log-probability. TRL counts every token after the prompt: observations, role headers and what
users say.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.templates.base import Message
from trainer.data.formats.values import check_unweighted
from trainer.data.mask import IGNORE, is_trained, merge, turns
from trainer.data.row_source import RowSource, SourceRow, name_of, source_rows
from trainer.data.rows import reasons, say_dropped
from trainer.errors import RowError, TemplateRefused, TrainerError, WrongValue
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
        line: Its line in a file of JSON lines, else its record; from 1.
        cases: The cases, chosen first.
        split: Split of its task, "" if unknown.
        id: Its id, "" if it has none.
        defect: Why it cannot be used, or ""; with one, there are no cases.
        kind: What a pair is of, step or trajectory; "" if unknown.
    """

    line: int
    cases: tuple[Case, ...]
    split: str = ""
    id: str = ""
    defect: str = ""
    kind: str = ""

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


Check = Callable[[Sequence[Preference], RowSource], tuple[Sequence[Preference], Counter[str]]]
"""Returns the rows to use, and how many are left out, by reason; such as a `RowCheck`."""


@dataclass(slots=True)
class TokenizedPreferences:
    """The rows of a source, tokenised, and counts.

    Attributes:
        rows: Each row's cases.
        kinds: Each row's kind; see `Preference`.
        read: Rows read.
        dropped: Rows left out, by reason.
    """

    rows: list[tuple[TokenizedCase, ...]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def keep(self, numbers: Sequence[int], reason: str) -> None:
        """Leave out all rows but those at `numbers`, for `reason`."""
        self.dropped += Counter({reason: len(self.rows) - len(numbers)})
        self.rows = [self.rows[number] for number in numbers]
        self.kinds = [self.kinds[number] for number in numbers]

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
    check: Check,
) -> TokenizedPreferences:
    """Read and tokenise the preferences of a source.

    Raises:
        TrainerError: The source cannot be used, or nothing is left of it.
    """
    rows, left_out = check(list(read(source)), source)
    found = tokenize(renderer, rows, max_length)
    say_dropped(source, found.read, found.dropped)
    found.read += left_out.total()
    found.dropped += left_out
    if not found.rows:
        raise TrainerError(f"{name_of(source)}: no row is left: {reasons(found.dropped)}")
    return found


def read_pairs(source: RowSource) -> Iterator[Preference]:
    """Yield the pairs of a source, in any known format; see docs/data.md.

    Raises:
        TrainerError: The source cannot be read, or a row is no pair; names the record.
    """
    for row in source_rows(source):
        if not row.defect and "chosen" not in row.value:
            raise TrainerError(
                f"{name_of(source)}: {row.place}: is no pair: it has no chosen and rejected "
                f"(it was taken for {row.format})"
            )
        cases = () if row.defect else _pair(row.value)
        kind = row.value.get("pair_kind", "")
        yield Preference(row.number, cases, row.split, row.id, row.defect, kind)


def read_cases(source: RowSource, min_reward: float) -> Iterator[Preference]:
    """Yield single cases: rows with a label or a reward, or the halves of pairs.

    A row with a reward is a success from `min_reward` on; chosen is a success, rejected a failure.

    Raises:
        TrainerError: The source cannot be read, or a row is neither; names the record.
    """
    for row in source_rows(source):
        cases: tuple[Case, ...] = ()
        if "chosen" in row.value:
            cases = _pair(row.value)
        elif not row.defect:
            cases = (_single(row, source, min_reward),)
        if not cases:
            yield Preference(row.number, (), row.split, row.id, row.defect)
        yield from (Preference(row.number, (case,), row.split, row.id) for case in cases)


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
            if row.defect:
                raise RowError(row.defect)
            cases = tuple(tokenize_case(renderer, case) for case in row.cases)
            _check(cases, max_length)
        except RowError as error:
            tokenized.dropped[str(error)] += 1
        except TemplateRefused as error:
            raise TemplateRefused(f"line {row.line}: {error}") from error
        else:
            tokenized.rows.append(cases)
            tokenized.kinds.append(row.kind)
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


def _pair(value: dict[str, Any]) -> tuple[Case, ...]:
    return tuple(
        Case(value["prompt"], value[column], value["tools"], column == "chosen")
        for column in ("chosen", "rejected")
    )


def _single(row: SourceRow, source: RowSource, min_reward: float) -> Case:
    messages, good = row.value["messages"], row.value.get("label")
    try:
        check_unweighted(messages)
    except WrongValue as error:
        raise TrainerError(f"{name_of(source)}: {row.place}: {error}") from error
    if good is None:
        reward = row.value.get("reward")
        if not isinstance(reward, int | float):
            raise TrainerError(
                f'{name_of(source)}: {row.place}: a row must have "reward", a number, or "label", '
                "true or false; or be a pair of chosen and rejected"
            )
        good = reward >= min_reward
    start = [message["role"] for message in messages].index("assistant")
    return Case(messages[:start], messages[start:], row.value["tools"], good)
