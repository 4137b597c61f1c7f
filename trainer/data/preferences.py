"""From rows of preferences to token ids, and which of them are scored.

A conversation is a prompt, whose turns are context, and a completion, of which only what the agent
wrote has a log-probability. TRL counts every token after the prompt: observations, role headers
and what users say.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets import Dataset  # type: ignore[import-untyped]

from engine.templates.base import Message
from trainer.data.mask import IGNORE, is_trained, merge, turns
from trainer.data.rows import conversation, read_objects, refuse_test, tools_of
from trainer.errors import RowError, TemplateRefused, TrainerError
from trainer.tokens.chat_template import ChatTemplate

if TYPE_CHECKING:
    from trainer.training.options import Training
    from trainer.training.run import LoadedModel


@dataclass(frozen=True, slots=True)
class Case:
    """One way that a task went. prompt: messages before the agent's choice.   completion: those
    from it on.   good: whether it is what the student is to do."""

    prompt: list[Message]
    completion: list[Message]
    tools: list[dict[str, Any]]
    good: bool


@dataclass(frozen=True, slots=True)
class Preference:
    """A row: chosen and rejected, or one case alone. line: in its file, from 1."""

    line: int
    cases: tuple[Case, ...]
    split: str = ""


@dataclass(frozen=True, slots=True)
class Scored:
    """Token ids of a case. mask: as many as completion; 1 where the agent wrote it, else 0.

    prompt: the context of the first scored token.
    """

    prompt: list[int]
    completion: list[int]
    mask: list[int]
    good: bool

    @property
    def tokens(self) -> int:
        return len(self.prompt) + len(self.completion)


@dataclass(slots=True)
class PreTokenized:
    """rows: each row's cases, as many as it had.   read: rows.   dropped: left out, by reason."""

    rows: list[tuple[Scored, ...]] = field(default_factory=list)
    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def tokens(self) -> int:
        """Token ids in all cases."""
        return sum(case.tokens for row in self.rows for case in row)

    @property
    def scored(self) -> int:
        """Tokens that have a log-probability in the loss."""
        return sum(sum(case.mask) for row in self.rows for case in row)

    @property
    def reasons(self) -> str:
        """Why rows were dropped, in words."""
        return ", ".join(f"{reason} {number}" for reason, number in self.dropped.most_common())


@dataclass(frozen=True, slots=True)
class Files:
    """What the files of a run hold. held_out: of --eval_dataset."""

    train: PreTokenized
    held_out: PreTokenized | None = None


def gather(
    options: "Training", student: "LoadedModel", read: Callable[[Path], Iterator[Preference]]
) -> Files:
    """The one place where files become token ids of preferences.

    Raises:
        TrainerError: a file cannot be used, or nothing is left of it.
    """
    made = []
    for file in filter(None, (options.dataset, options.eval_dataset)):
        rows = list(read(file))
        if not options.allow_test_split:
            refuse_test([row.split for row in rows], file)
        found = tokenise(student.renderer, rows, student.longest(options.max_length))
        if not found.rows:
            raise TrainerError(f"{file}: no row is left: {found.reasons or 'no rows'}")
        made.append(found)
    return Files(*made)


def read_pairs(file: Path) -> Iterator[Preference]:
    """The pairs of a JSON-lines file as `engine export --to dpo` writes it.

    Raises:
        TrainerError: the file is missing, or a line is no pair; with the line's number.
    """
    for number, value in read_objects(file):
        yield _read(file, number, value, _pair)


def read_cases(file: Path, min_reward: float) -> Iterator[Preference]:
    """Single cases: rows of `engine export --to sft --min-reward 0`, good from `min_reward` on;
    a pair is a good case and a bad one. Raises: as `read_pairs`."""
    for number, value in read_objects(file):
        if "chosen" in value:
            pair = _read(file, number, value, _pair)
            yield from (Preference(number, (case,), pair.split) for case in pair.cases)
        else:
            yield _read(file, number, value, lambda row: _single(row, min_reward))


def tokenise(renderer: ChatTemplate, rows: Iterable[Preference], max_length: int) -> PreTokenized:
    """Token ids and masks of `rows`. A row of which any case is over `max_length` tokens is
    dropped: what is left of a cut one would be another preference.

    Raises:
        TemplateRefused: naming the line.
    """
    made = PreTokenized()
    for row in rows:
        made.read += 1
        try:
            cases = tuple(score(renderer, case) for case in row.cases)
            _check(cases, max_length)
        except RowError as error:
            made.dropped[str(error)] += 1
        except TemplateRefused as error:
            raise TemplateRefused(f"line {row.line}: {error}") from error
        else:
            made.rows.append(cases)
    return made


def tables(
    files: Files, columns: Callable[[PreTokenized], dict[str, list[Any]]]
) -> tuple[Dataset, Dataset | None]:
    """What TRL is given, of the rows to train on and of those held out."""
    held_out = Dataset.from_dict(columns(files.held_out)) if files.held_out else None
    return Dataset.from_dict(columns(files.train)), held_out


def score(renderer: ChatTemplate, case: Case) -> Scored:
    """Token ids and mask of one case.

    Raises:
        TemplateRefused: as `mask.turns`.
        RowError: likewise; or no single sequence of tokens shows the completion to the student.
    """
    said = [message for message in case.completion if message["role"] == "assistant"]
    if not any(map(is_trained, said)):
        raise RowError("its completion has no assistant message that is trained")
    whole = [*case.prompt, *case.completion]
    pairs = turns(renderer, whole, case.tools, len(case.prompt))
    paths = merge(pairs)
    if len(paths) > 1:
        raise RowError(
            "the chat template changes earlier turns, so several of them do not fit one sequence: "
            "export with --pairs step"
        )
    start = next(len(turn.context) for turn in pairs if turn.trained)
    ids, labels = paths[0].ids, paths[0].labels
    mask = [int(label != IGNORE) for label in labels[start:]]
    return Scored(ids[:start], ids[start:], mask, case.good)


def _check(cases: Sequence[Scored], max_length: int) -> None:
    if any(case.tokens > max_length for case in cases):
        raise RowError(f"over --max_length {max_length}")
    if len(cases) == 2 and cases[0].completion == cases[1].completion:
        raise RowError("chosen and rejected are the same")


def _read(file: Path, number: int, value: dict[str, Any], cases: Any) -> Preference:
    try:
        return Preference(number, cases(value), str(value.get("split") or ""))
    except RowError as error:
        raise TrainerError(f"{file}: line {number}: {error}") from error


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
