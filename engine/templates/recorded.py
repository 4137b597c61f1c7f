"""The messages that a step was in the conversation that it was imported from.

They are kept in the step's facts and written again, so that a conversation is exported as it was.
Where a step was changed since (its thought left out, its tool renamed) they no longer say what it
does, and are not used.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from environments.types import Step

MESSAGES = "messages"
"""Key of `Step.info`: the assistant's message and those that answer it, in OpenAI's form."""
FACTS = "recorded"
"""Key of `Step.info`: what the record says of the reply beside its message, named as in ATIF."""
_MARK, _OBSERVED = "messages_of", "observation_in"


def with_messages(step: Step, messages: Sequence[dict[str, Any]]) -> Step:
    """Return `step` with the `messages` that it was; the observation is not stored twice."""
    kept = [dict(message) for message in messages]
    facts: dict[str, Any] = {MESSAGES: kept, _MARK: _mark(step)}
    for number, message in enumerate(kept):
        if step.observation and message.get("content") == step.observation and number:
            del message["content"]
            facts[_OBSERVED] = number
            break
    return replace(step, info={**step.info, **facts})


def recorded(step: Step) -> list[dict[str, Any]] | None:
    """Return the messages that `step` was; None if none are kept, or it has changed since."""
    if MESSAGES not in step.info or step.info.get(_MARK) != _mark(step):
        return None
    observed = step.info.get(_OBSERVED)
    return [
        {**message, "content": step.observation} if number == observed else dict(message)
        for number, message in enumerate(step.info[MESSAGES])
    ]


def recorded_tokens(step: Step) -> list[int]:
    """Return the ids of the tokens that the model drew in this step; [] if they are not known."""
    metrics = step.info.get(FACTS, {}).get("metrics", {})
    return list(metrics.get("completion_token_ids") or ())


def _mark(step: Step) -> str:
    """Return a mark of what `step` says; steps that say the same have the same."""
    said = [step.action.key, step.action.thought, step.observation]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]
