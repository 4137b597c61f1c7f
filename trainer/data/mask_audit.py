"""Prove masks from outside: by what the template renders and what the token ids decode to.

For every conversation of a file, without looking at how the mask was made:
- each assistant message is trained exactly once, except those of weight 0, and nothing else is: no
  token of system, user or tool text, no header;
- each of its tokens has the weight of its message;
- what is trained decodes to what the template writes of that message, up to and including a stop
  token, and holds its text, calls and arguments;
- what precedes it is what the template renders for generation, control token for control token; so
  text that spells a control token is still text.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.templates.base import Message
from trainer.data.mask import IGNORE, Labelled, is_trained, label, unshown, weight_of
from trainer.data.row_source import RowSource, SourceRow, source_rows
from trainer.errors import RowError, TemplateRefused
from trainer.tokens.chat_template import ChatTemplate
from trainer.tokens.encoder import loose
from trainer.tokens.trie import pack


@dataclass(frozen=True, slots=True)
class Conversation:
    """A row, or one half of a pair.

    Attributes:
        line: Its line in a file of JSON lines, else its record; from 1.
        column: messages, chosen or rejected.
        messages: The conversation.
        tools: Tool definitions.
        first: Assistant messages before this index are context only.
        defect: Why it cannot be used, or "".
    """

    line: int
    column: str
    messages: list[Message]
    tools: list[dict[str, Any]]
    first: int = 0
    defect: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """Trained tokens of a sequence, up to a stop token.

    Attributes:
        before: All token ids before them.
        trained: Their ids.
        weights: Their loss weights.
    """

    before: list[int]
    trained: list[int]
    weights: list[float]


@dataclass(slots=True)
class Audit:
    """What was checked, and what is wrong.

    Attributes:
        conversations: Conversations read; a pair has two.
        turns: Assistant messages that are trained.
        weighted: Those of them whose weight is not 1.
        sequences: Sequences.
        tokens: Tokens in all sequences.
        distinct: The same, with the common prefixes of a row counted once.
        trained: Tokens that the loss sees.
        dropped: Conversations that cannot be used, by reason.
        violations: What is wrong, one text per fault.
    """

    conversations: int = 0
    turns: int = 0
    weighted: int = 0
    sequences: int = 0
    tokens: int = 0
    distinct: int = 0
    trained: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


def read_conversations(
    source: RowSource, convert: Callable[[Any], Any] | None = None
) -> Iterator[list[Conversation]]:
    """Yield the rows of a source, in any known format; see docs/data.md.

    Args:
        source: Where they are.
        convert: As of `row_source.source_rows`.

    Raises:
        TrainerError: The source cannot be read, or a row is not one; names the record.
    """
    for row in source_rows(source, convert):
        yield list(conversations_of(row))


def conversations_of(row: SourceRow) -> Iterator[Conversation]:
    """Yield the conversation of a row, or both of a pair."""
    value, tools = row.value, row.value.get("tools", [])
    if "prompt" not in value:
        yield Conversation(row.number, "messages", value.get("messages", []), tools, 0, row.defect)
        return
    prompt = value["prompt"]
    for column in ("chosen", "rejected"):
        yield Conversation(row.number, column, [*prompt, *value[column]], tools, len(prompt))


def audit(renderer: ChatTemplate, rows: Iterable[list[Conversation]]) -> Audit:
    """Label every conversation and prove the mask.

    Raises:
        TemplateRefused: The chat template refuses a row; names the line.
    """
    found = Audit()
    for row in rows:
        labelled: list[Labelled] = []
        for one in row:
            found.conversations += 1
            sequences = label_or_reason(renderer, one)
            if isinstance(sequences, str):
                found.dropped[sequences] += 1
                continue
            wrong = violations(renderer, one, sequences)
            replies = _replies(one)
            found.turns += len(replies)
            found.weighted += sum(weight_of(one.messages[number]) != 1 for number in replies)
            found.violations += [f"line {one.line}, {one.column}{text}" for text in wrong]
            labelled += sequences
        found.sequences += len(labelled)
        found.trained += sum(sequence.trained for sequence in labelled)
        trie = pack([sequence.ids for sequence in labelled])
        found.tokens += trie.tokens
        found.distinct += trie.distinct
    return found


def label_or_reason(renderer: ChatTemplate, one: Conversation) -> list[Labelled] | str:
    """Return the sequences of a conversation, or why it cannot be used.

    Raises:
        TemplateRefused: The chat template refuses it; names the line.
    """
    if one.defect:
        return one.defect
    try:
        return label(renderer, one.messages, one.tools, one.first)
    except RowError as error:
        return str(error)
    except TemplateRefused as error:
        raise TemplateRefused(f"line {one.line}: {error}") from error


def violations(
    renderer: ChatTemplate, conversation: Conversation, sequences: Sequence[Labelled]
) -> list[str]:
    """Return what is wrong with the mask of a conversation; nothing if it is exact."""
    if not all(_well_formed(sequence) for sequence in sequences):
        return [": a label is neither IGNORE nor its token"]
    left = [span for sequence in sequences for span in spans(renderer, sequence)]
    wrong = []
    for number in _replies(conversation):
        span = next((s for s in left if _is_turn(renderer, conversation, number, s)), None)
        if span:
            left.remove(span)
            if set(span.weights) != {weight := weight_of(conversation.messages[number])}:
                wrong.append(f"[{number}]: not each of its tokens has its weight, {weight:g}")
        else:
            wrong.append(
                f"[{number}]: it is not trained as the template writes it, after the context that "
                "the template renders for generation"
            )
    decode = renderer.tokenizer.decode
    wrong += [f": trained, but not an assistant message: {decode(s.trained)!r}" for s in left]
    return wrong


def spans(renderer: ChatTemplate, sequence: Labelled) -> Iterator[Span]:
    """Yield the runs of trained tokens; a run that continues after a stop token is cut there."""
    stops = {renderer.control_ids.get(renderer.stop), renderer.tokenizer.eos_token_id}
    start = None
    for end, (id, seen) in enumerate(zip(sequence.ids, sequence.labels, strict=True), 1):
        if seen != IGNORE and start is None:
            start = end - 1
        last = end == len(sequence.ids) or sequence.labels[end] == IGNORE
        if start is not None and (last or id in stops):
            part = slice(start, end)
            yield Span(sequence.ids[:start], sequence.ids[part], sequence.weights[part])
            start = None


def _is_turn(renderer: ChatTemplate, whole: Conversation, number: int, span: Span) -> bool:
    """Return whether `span` is the message at index `number`, in its context."""
    messages, tools = whole.messages, whole.tools
    context = renderer.render(messages[:number], tools, generation=True)
    if not _decodes_to(renderer, span.before, context):
        return False
    closed = renderer.render(messages[: number + 1], tools, generation=False)
    written, header = renderer.plain(closed), renderer.plain(renderer.header(context))
    if closed.startswith(context):
        written = renderer.plain(closed[len(context) :])
    elif header:  # the template rewrote earlier messages
        written = renderer.plain(closed.rpartition(renderer.header(context))[2])
        if _count_control(renderer, [*span.before, *span.trained]) > len(
            renderer.control.findall(closed)
        ):
            return False  # it holds more than one turn
    trained = str(renderer.tokenizer.decode(span.trained))
    stops = renderer.control.fullmatch(str(renderer.tokenizer.decode(span.trained[-1:])))
    return (
        bool(stops)
        and _same_turn(renderer, loose(written), loose(trained))
        and not unshown(header + trained, messages[number])
    )


def _decodes_to(renderer: ChatTemplate, ids: list[int], rendered: str) -> bool:
    """Return whether `ids` are `rendered`: as many control tokens, and the same text.

    Where the text holds what the vocabulary cannot write, the tokenizer's own ids count.
    """
    if _count_control(renderer, ids) != len(renderer.control.findall(rendered)):
        return False
    text, plain = str(renderer.tokenizer.decode(ids)), renderer.plain(rendered)
    return text == plain or loose(text) == loose(plain) or ids == renderer.encode(rendered)


def _count_control(renderer: ChatTemplate, ids: list[int]) -> int:
    known = set(renderer.control_ids.values())
    return sum(id in known for id in ids)


def _same_turn(renderer: ChatTemplate, written: str, trained: str) -> bool:
    """Return whether `trained` is `written`, apart from its end.

    The template may write control tokens after the stop token, or no stop token at all.
    """
    if written.startswith(trained):
        return not renderer.control.sub("", written[len(trained) :])
    return trained.startswith(written) and bool(renderer.control.fullmatch(trained[len(written) :]))


def _replies(whole: Conversation) -> list[int]:
    """Return the indexes of the messages that are to be trained."""
    return [
        number
        for number, message in enumerate(whole.messages)
        if message["role"] == "assistant" and number >= whole.first and is_trained(message)
    ]


def _well_formed(sequence: Labelled) -> bool:
    if not len(sequence.ids) == len(sequence.labels) == len(sequence.weights):
        return False
    pairs = zip(sequence.ids, sequence.labels, strict=True)
    return all(label in (IGNORE, id) for id, label in pairs)
