"""General ability: how well a model in this process still foretells general chat, held out.

The loss is on what the assistant says and its stop tokens, by the masks that training has
(`trainer.data.mask`): the same figure before and after training says what was forgotten.

Limitation: one conversation at a time; what is over the context is left out, not cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING

from engine.terminal import say
from trainer.data.chat_data import read_chats
from trainer.data.loss_weights import WeightedSequence
from trainer.data.rows import PrepareOptions, Row, prepare
from trainer.errors import TrainerError
from trainer.evaluation.measures.statistics import Estimate, estimate
from trainer.runtime import hardware
from trainer.runtime.loading import load
from trainer.tokens.chat_template import ChatTemplate

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CONTEXT = 4096
"""Tokens of a conversation, at most; less for a model with a shorter context."""


@dataclass(frozen=True, slots=True)
class General:
    """file: its name.   conversations: that count.   left_out: those that do not, by reason.
    tokens: that the loss sees.   loss: nats a token, with its interval by bootstrap over
    conversations.   perplexity: exp(loss)."""

    file: str
    conversations: int
    left_out: dict[str, int]
    tokens: int
    loss: Estimate
    perplexity: float


def general(model: str, file: Path) -> General:
    """The loss of `model` on the conversations of `file`.

    model: as `trainer.runtime.loading.load` takes it; computed in float32.

    Raises:
        TrainerError: the file holds nothing that this model can be asked about.
    """
    import torch

    rows = read_chats(file)
    say(f"the loss on {len(rows)} conversations of {file}, one at a time")
    loaded, tokenizer = load(model, torch.float32)
    torch.nn.Module.to(loaded, hardware.device())
    longest = min(CONTEXT, getattr(loaded.config, "max_position_embeddings", CONTEXT))
    return measured(loaded, ChatTemplate(tokenizer), rows, longest, file.name)


def measured(
    model: "PreTrainedModel", renderer: ChatTemplate, rows: Sequence[Row], longest: int, name: str
) -> General:
    """longest: tokens of a conversation, at most.   name: of the file.   Raises: as `general`."""
    options = PrepareOptions(lenient=True)
    left_out: dict[str, int] = {}
    units = []
    for row in rows:
        made = prepare(renderer, [row], longest, options)
        for reason, number in made.dropped.items():
            reason = reason.replace("--max-length", "the context of")
            left_out[reason] = left_out.get(reason, 0) + number
        if made.sequences:
            units.append((sum(nats(model, one) for one in made.sequences), made.trained))
    loss = estimate(units)
    if loss is None:
        reasons = ", ".join(left_out) or "it is empty"
        raise TrainerError(f"--general-data {name}: no conversation can be used: {reasons}")
    tokens = sum(count for _, count in units)
    return General(name, len(units), left_out, tokens, loss, exp(min(loss.value, 700.0)))


def nats(model: "PreTrainedModel", sequence: WeightedSequence) -> float:
    """The sum of -log p over the trained tokens of a sequence."""
    import torch

    ids = torch.tensor([sequence.ids], device=model.device)
    # Position i foretells token i + 1; nothing foretells the first.
    at = [place for place, weight in enumerate(sequence.weights[1:]) if weight]
    with torch.inference_mode():
        keep: torch.Tensor = torch.tensor(at, device=model.device)
        logits = model(input_ids=ids, use_cache=False, logits_to_keep=keep).logits[0].float()
        told = logits.log_softmax(-1).gather(-1, ids[0, keep + 1][:, None])
    return -float(told.double().sum())
