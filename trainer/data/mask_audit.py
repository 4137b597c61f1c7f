"""Whether a mask is right, judged from outside: by what the template renders and the ids decode to.

Proved of every conversation of a file, without a look at how the mask was made:
- each assistant message is trained exactly once, but for those of weight 0, and nothing else is: no
  token of system, user or tool text, no header;
- what is trained decodes to what the template writes of that message, up to and with a stop token,
  and holds its text, calls and arguments;
- what comes before it is what the template renders for generation, control token for control
  token; so a text that spells one is still text.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unicodedata import normalize

from engine.templates.base import Message
from trainer.data.mask import IGNORE, Labelled, is_trained, label, unshown
from trainer.data.row_source import conversation, read_objects, tools_of
from trainer.errors import RowError, TemplateRefused, TrainerError
from trainer.tokens.chat_template import ChatTemplate
from trainer.tokens.encoder import squeeze
from trainer.tokens.trie import pack


@dataclass(frozen=True, slots=True)
class Conversation:
    """Part of a row. line: in the file, from 1.   column: messages, chosen or rejected.
    first: assistant messages before this index are context only."""

    line: int
    column: str
    messages: list[Message]
    tools: list[dict[str, Any]]
    first: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """Trained tokens of a sequence, up to a stop token. before: all that come before them."""

    before: list[int]
    trained: list[int]


@dataclass(slots=True)
class Audit:
    """turns: assistant messages that are trained.   tokens: in all sequences.   distinct: of them,
    if those of a row share their prefixes.   dropped: conversations that cannot be used, by reason.
    """

    conversations: int = 0
    turns: int = 0
    sequences: int = 0
    tokens: int = 0
    distinct: int = 0
    trained: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


def read_conversations(file: Path) -> Iterator[list[Conversation]]:
    """The rows of a JSON-lines file as `engine export` writes it, for SFT or DPO.

    Raises:
        TrainerError: the file is missing, or a line is no row; with the line's number.
    """
    for line, value in read_objects(file):
        try:
            yield list(_conversations(line, value))
        except RowError as error:
            raise TrainerError(f"{file}: line {line}: {error}") from error


def audit(renderer: ChatTemplate, rows: Iterable[list[Conversation]]) -> Audit:
    """Label every conversation and prove the mask.

    Raises:
        TemplateRefused: naming the line.
    """
    found = Audit()
    for row in rows:
        made: list[Labelled] = []
        for one in row:
            found.conversations += 1
            sequences = label_or_reason(renderer, one)
            if isinstance(sequences, str):
                found.dropped[sequences] += 1
                continue
            wrong = violations(renderer, one, sequences)
            found.turns += len(_replies(one))
            found.violations += [f"line {one.line}, {one.column}{text}" for text in wrong]
            made += sequences
        found.sequences += len(made)
        found.trained += sum(sequence.trained for sequence in made)
        trie = pack([sequence.ids for sequence in made])
        found.tokens += trie.tokens
        found.distinct += trie.distinct
    return found


def label_or_reason(renderer: ChatTemplate, one: Conversation) -> list[Labelled] | str:
    """The sequences of a conversation, or why it cannot be used. Raises: as `audit`."""
    try:
        return label(renderer, one.messages, one.tools, one.first)
    except RowError as error:
        return str(error)
    except TemplateRefused as error:
        raise TemplateRefused(f"line {one.line}: {error}") from error


def violations(
    renderer: ChatTemplate, conversation: Conversation, sequences: Sequence[Labelled]
) -> list[str]:
    """What is wrong with the mask of a conversation, in words; nothing if it is exact."""
    if not all(_well_formed(sequence) for sequence in sequences):
        return [": a label is neither IGNORE nor its token"]
    left = [span for sequence in sequences for span in spans(renderer, sequence)]
    wrong = []
    for number in _replies(conversation):
        span = next((s for s in left if _is_turn(renderer, conversation, number, s)), None)
        if span:
            left.remove(span)
        else:
            wrong.append(
                f"[{number}]: it is not trained as the template writes it, after the context that "
                "the template renders for generation"
            )
    decode = renderer.tokenizer.decode
    wrong += [f": trained, but no assistant message: {decode(s.trained)!r}" for s in left]
    return wrong


def spans(renderer: ChatTemplate, sequence: Labelled) -> Iterator[Span]:
    """The runs of trained tokens; one that goes on after a stop token is cut there."""
    stops = {renderer.control_ids.get(renderer.stop), renderer.tokenizer.eos_token_id}
    start = None
    for end, (id, seen) in enumerate(zip(sequence.ids, sequence.labels, strict=True), 1):
        if seen != IGNORE and start is None:
            start = end - 1
        last = end == len(sequence.ids) or sequence.labels[end] == IGNORE
        if start is not None and (last or id in stops):
            yield Span(sequence.ids[:start], sequence.ids[start:end])
            start = None


def _is_turn(renderer: ChatTemplate, whole: Conversation, number: int, span: Span) -> bool:
    """Whether `span` is the message at index `number`, in its context."""
    messages, tools = whole.messages, whole.tools
    context = renderer.render(messages[:number], tools, generation=True)
    if not _says(renderer, span.before, context):
        return False
    closed = renderer.render(messages[: number + 1], tools, generation=False)
    written, header = renderer.plain(closed), renderer.plain(renderer.header(context))
    if closed.startswith(context):
        written = renderer.plain(closed[len(context) :])
    elif header:  # earlier messages are written otherwise now
        written = renderer.plain(closed.rpartition(renderer.header(context))[2])
        if _control(renderer, [*span.before, *span.trained]) > len(
            renderer.control.findall(closed)
        ):
            return False  # it holds more than one turn
    trained = str(renderer.tokenizer.decode(span.trained))
    stops = renderer.control.fullmatch(str(renderer.tokenizer.decode(span.trained[-1:])))
    return (
        bool(stops)
        and _ends_well(renderer, _loose(written), _loose(trained))
        and not unshown(header + trained, messages[number])
    )


def _says(renderer: ChatTemplate, ids: list[int], rendered: str) -> bool:
    """Whether `ids` are `rendered`: with as many control tokens, and as text; or, where that holds
    what the vocabulary cannot write, as the tokenizer has it."""
    if _control(renderer, ids) != len(renderer.control.findall(rendered)):
        return False
    text, plain = str(renderer.tokenizer.decode(ids)), renderer.plain(rendered)
    return text == plain or _loose(text) == _loose(plain) or ids == renderer.encode(rendered)


def _control(renderer: ChatTemplate, ids: list[int]) -> int:
    known = set(renderer.control_ids.values())
    return sum(id in known for id in ids)


def _ends_well(renderer: ChatTemplate, written: str, trained: str) -> bool:
    """Whether `trained` is `written`, but for control tokens after the stop token; or for a stop
    token that the template does not write."""
    if written.startswith(trained):
        return not renderer.control.sub("", written[len(trained) :])
    return trained.startswith(written) and bool(renderer.control.fullmatch(trained[len(written) :]))


def _loose(text: str) -> str:
    return squeeze(normalize("NFKC", text))


def _replies(whole: Conversation) -> list[int]:
    """The messages that are to be trained."""
    return [
        number
        for number, message in enumerate(whole.messages)
        if message["role"] == "assistant" and number >= whole.first and is_trained(message)
    ]


def _well_formed(sequence: Labelled) -> bool:
    if len(sequence.ids) != len(sequence.labels):
        return False
    pairs = zip(sequence.ids, sequence.labels, strict=True)
    return all(label in (IGNORE, id) for id, label in pairs)


def _conversations(line: int, value: dict[str, Any]) -> Iterator[Conversation]:
    tools = tools_of(value)
    if "prompt" not in value:
        yield Conversation(line, "messages", conversation(value, "messages"), tools)
        return
    prompt = conversation(value, "prompt")
    for column in ("chosen", "rejected"):
        said = conversation(value, column)
        yield Conversation(line, column, [*prompt, *said], tools, len(prompt))
