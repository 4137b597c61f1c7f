"""General conversations beside the agent's rows, so that the student forgets less.

Two settings, alone or together: how often each source is drawn (AgentTuning's eta,
arXiv:2310.12823, section 3.2: the share of agent data; 0.2 there), and how much each weighs in
L = lambda L_agent + (1 - lambda) L_general, where each term is the mean over the tokens of its
source in the whole training set.
"""

import random
from collections.abc import Sequence

from trainer.data.loss_weights import WeightedSequence


def draw(
    agent: Sequence[WeightedSequence], general: Sequence[WeightedSequence], ratio: float, seed: int
) -> list[WeightedSequence]:
    """Draw general sequences until `ratio` of an epoch's sequences are the agent's.

    They come in random order, each as often as any other to within one.

    Args:
        agent: The agent's sequences.
        general: The sequences to draw from.
        ratio: The agent's share; above 0, at most 1.
        seed: Random seed.
    """
    count = round(len(agent) * (1 - ratio) / ratio)
    order = list(general)
    random.Random(seed).shuffle(order)
    return [order[number % len(order)] for number in range(count)] if order else []


def balance(
    agent: Sequence[WeightedSequence], general: Sequence[WeightedSequence], weight: float
) -> list[WeightedSequence]:
    """Return both sources, scaled so that the loss over all of them is the weighted mean.

    That is `weight` times the agent's mean loss plus (1 - `weight`) times the general one. The
    scale is the same in every batch: if a batch of one source were normalised by its own weight,
    that would cancel the weight.

    Args:
        agent: The agent's sequences.
        general: The general sequences.
        weight: The agent's weight, from 0 to 1.
    """
    if weight in (0, 1):  # nothing would be learned from the other source, so leave it out
        return list(agent if weight else general)
    ours, theirs = (sum(one.loss_denominator for one in part) for part in (agent, general))
    whole = ours + theirs
    return [one.scaled(weight * whole / ours) for one in agent] + [
        one.scaled((1 - weight) * whole / theirs) for one in general
    ]
