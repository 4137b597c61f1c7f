"""Which messages another trainer trains, against which ones the rows say.

A reading of another trainer's data set (`mask_readings`) marks each message that it trains. Here
the marks are taken off, and compared with what the row says: the assistant's messages, except those
of weight 0 and those before the choice of a pair.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import jinja2

from trainer.data.mask import is_trained
from trainer.data.mask_audit import Conversation
from trainer.data.mask_tokens import TokenRule, TrainedTokens, differences
from trainer.errors import RowError, TemplateRefused
from trainer.tokens.chat_template import ChatTemplate

MARK = "trained_elsewhere"
"""Key of a message: whether the other trainer trains it."""
TOKENS = "tokens_elsewhere"
"""Key of the last message: token ids and mask, where the row has its own (TRL's form)."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A conversation, and what another trainer does with it.

    Attributes:
        conversation: It, without marks.
        trained: The numbers of the messages that are trained.
        tokens: Its tokens, where the row has them.
    """

    conversation: Conversation
    trained: frozenset[int]
    tokens: TrainedTokens | None = None


def unmarked(one: Conversation) -> Marked:
    """Take the marks off a conversation."""
    numbers = frozenset(
        number
        for number, message in enumerate(one.messages)
        if message.get(MARK) and number >= one.first
    )
    given = next((message[TOKENS] for message in one.messages if message.get(TOKENS)), None)
    marks = (MARK, TOKENS)
    bare = [{k: v for k, v in message.items() if k not in marks} for message in one.messages]
    tokens = TrainedTokens(*given) if given else None
    return Marked(replace(one, messages=bare), numbers, tokens)


def findings(
    renderer: ChatTemplate, rows: Iterable[Iterable[Marked]], rule: TokenRule | None
) -> list[str]:
    """Return what is trained otherwise than the rows and the template say, one text each.

    Args:
        renderer: The chat template.
        rows: The conversations of each row.
        rule: Which tokens the trainer trains, where that is known; without it, messages are
            compared.
    """
    found = []
    for row in rows:
        for one in row:
            if not one.conversation.defect:
                place = f"line {one.conversation.line}, {one.conversation.column}"
                found += [f"{place}{text}" for text in _of(renderer, one, rule)]
    return found


def _of(renderer: ChatTemplate, one: Marked, rule: TokenRule | None) -> list[str]:
    conversation = one.conversation
    if not one.tokens:
        wrong = of_messages(one)
        if rule is None or wrong:
            return wrong
    try:
        tokens = one.tokens or (rule and rule(renderer, conversation, one.trained))
        return differences(renderer, conversation, tokens) if tokens else []
    except (RowError, TemplateRefused, jinja2.TemplateError) as error:
        return [f": cannot be compared: {error}"]


def of_messages(one: Marked) -> list[str]:
    """Return which messages are trained that should not be, and the other way round."""
    wrong = []
    for number, message in enumerate(one.conversation.messages):
        is_reply = message["role"] == "assistant" and number >= one.conversation.first
        should, does = is_reply and is_trained(message), number in one.trained
        if does and not is_reply:
            wrong.append(f"[{number}]: trains a message of {message['role']}")
        elif does and not should:
            wrong.append(f"[{number}]: trains a reply of which the row says that it is context")
        elif should and not does:
            wrong.append(f"[{number}]: does not train this reply")
    return wrong
