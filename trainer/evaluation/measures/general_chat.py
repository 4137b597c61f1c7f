"""General ability: the loss of a model in this process on held-out general chat.

The loss is on the assistant's messages and their stop tokens, by the masks used in training
(`trainer.data.mask`): comparing it before and after training shows what was forgotten.

Limitation: one conversation at a time; one that exceeds the context is left out, not cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING

from engine.terminal import say
from trainer.data.loss_weights import WeightedSequence
from trainer.data.rows import PrepareOptions, Row, prepare, read_rows
from trainer.errors import TrainerError
from trainer.evaluation.measures.statistics import Estimate, estimate
from trainer.runtime import hardware
from trainer.runtime.loading import load
from trainer.tokens.chat_template import ChatTemplate

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CONTEXT = 4096
"""Maximum tokens per conversation; less for a model with a shorter context."""


@dataclass(frozen=True, slots=True)
class GeneralLoss:
    """Loss on held-out chat.

    Attributes:
        file: Name of the file of conversations.
        conversations: Number of conversations that were used.
        left_out: Number of conversations that were not, by reason.
        tokens: Number of tokens that the loss is on.
        loss: Nats per token, with its interval by bootstrap over conversations.
        perplexity: exp(loss).
    """

    file: str
    conversations: int
    left_out: dict[str, int]
    tokens: int
    loss: Estimate
    perplexity: float


def general_loss(model: str, file: Path) -> GeneralLoss:
    """Return the loss of `model` on the conversations of `file`, computed in float32.

    Args:
        model: A directory, a hub id or "smollm2".
        file: Conversations, in any format that `trainer.data.rows.read_rows` knows.

    Raises:
        TrainerError: The file holds no conversation that this model can take.
    """
    import torch

    rows = list(read_rows(file))
    say(f"computing the loss on {len(rows)} conversations of {file}")
    loaded, tokenizer = load(model, torch.float32)
    torch.nn.Module.to(loaded, hardware.device())
    longest = min(CONTEXT, getattr(loaded.config, "max_position_embeddings", CONTEXT))
    return loss_on(loaded, ChatTemplate(tokenizer), rows, longest, file.name)


def loss_on(
    model: "PreTrainedModel", renderer: ChatTemplate, rows: Sequence[Row], longest: int, name: str
) -> GeneralLoss:
    """Return the loss of a loaded model.

    Args:
        model: On the device where it is to run.
        renderer: The model's chat template.
        rows: The conversations.
        longest: Maximum tokens per conversation.
        name: Name of the file they came from.

    Raises:
        TrainerError: No conversation can be used.
    """
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
    return GeneralLoss(name, len(units), left_out, tokens, loss, exp(min(loss.value, 700.0)))


def nats(model: "PreTrainedModel", sequence: WeightedSequence) -> float:
    """Return the sum of -log p over the trained tokens of a sequence."""
    import torch

    ids = torch.tensor([sequence.ids], device=model.device)
    # Position i predicts token i + 1; nothing predicts the first token.
    at = [place for place, weight in enumerate(sequence.weights[1:]) if weight]
    with torch.inference_mode():
        keep: torch.Tensor = torch.tensor(at, device=model.device)
        logits = model(input_ids=ids, use_cache=False, logits_to_keep=keep).logits[0].float()
        log_probs = logits.log_softmax(-1).gather(-1, ids[0, keep + 1][:, None])
    return -float(log_probs.double().sum())
