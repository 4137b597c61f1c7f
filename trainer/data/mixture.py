"""General conversations beside the agent's rows, so that the student forgets less.

Two knobs, alone or together: how often each source is drawn (AgentTuning's eta,
arXiv:2310.12823, section 3.2: the share of agent data; 0.2 there), and what each weighs in
L = lambda L_agent + (1 - lambda) L_general, where either term is the mean over the tokens of
its source in the whole training set.
"""

import random
from collections.abc import Sequence

from trainer.data.loss_weights import WeightedSequence


def draw(
    agent: Sequence[WeightedSequence], general: Sequence[WeightedSequence], ratio: float, seed: int
) -> list[WeightedSequence]:
    """General sequences, so many that `ratio` of an epoch's sequences are the agent's.

    They are taken in random order, each as often as any other to within one.

    ratio: above 0, at most 1.
    """
    wanted = round(len(agent) * (1 - ratio) / ratio)
    order = list(general)
    random.Random(seed).shuffle(order)
    return [order[number % len(order)] for number in range(wanted)] if order else []


def balance(
    agent: Sequence[WeightedSequence], general: Sequence[WeightedSequence], weight: float
) -> list[WeightedSequence]:
    """Both sources, scaled so that the loss over all of them at once is
    `weight` times the agent's mean loss plus (1 - `weight`) times the general one.

    The scale is the same in every batch, whatever the batch holds of either source: a batch of
    one source is not normalised by its own weight, which would undo it.

    weight: in [0, 1].
    """
    if weight in (0, 1):  # of the other source nothing would be learnt: it is not even computed
        return list(agent if weight else general)
    ours, theirs = (sum(one.items for one in part) for part in (agent, general))
    whole = ours + theirs
    return [one.scaled(weight * whole / ours) for one in agent] + [
        one.scaled((1 - weight) * whole / theirs) for one in general
    ]
