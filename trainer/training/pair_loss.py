"""The loss of DPO: of a pair, and how pairs weigh in a training set of several kinds.

The losses are TRL's, pair by pair. TRL returns their mean only, which leaves no room for the weight
of a pair, and it has no label smoothing for `sigmoid` and `sigmoid_norm`.

    loss of a batch = mean over its pairs of
        pair_weight x loss of the pair + sft_weight x mean of -log p over chosen's tokens

So batch size 4 and batch size 1 accumulated four times are one computation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import logsigmoid

from trainer.errors import TrainerError

TRAJECTORY = "trajectory"
"""`pair_kind` of pairs of whole paths; all other kinds are pairs of steps."""


@dataclass(frozen=True, slots=True)
class PairLoss:
    """The loss of pairs.

    Attributes:
        kind: sigmoid, sigmoid_norm, ipo or robust.
        beta: How strongly the student is held to the reference; IPO's tau.
        label_smoothing: Share of pairs that are taken to be the wrong way round.
    """

    kind: str
    beta: float
    label_smoothing: float = 0.0

    def __call__(self, gains: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the loss of each pair.

        Args:
            gains: (2, pairs) log-probability under the student minus that under the reference, of
                chosen and of rejected.
            lengths: (2, pairs) number of tokens that these are sums of.
        """
        if self.kind in ("sigmoid_norm", "ipo"):
            gains = gains / lengths
        delta, share = gains[0] - gains[1], self.label_smoothing
        right, wrong = self._as_labelled(delta), self._as_labelled(-delta)
        if self.kind == "robust":
            return ((1 - share) * right - share * wrong) / (1 - 2 * share)
        return (1 - share) * right + share * wrong

    def _as_labelled(self, delta: torch.Tensor) -> torch.Tensor:
        if self.kind == "ipo":
            return (delta - 1 / (2 * self.beta)) ** 2
        return -logsigmoid(self.beta * delta)


@dataclass(frozen=True, slots=True)
class PairWeights:
    """The weight of each pair of a data set in its loss.

    Attributes:
        pair: Weight of the pair's preference.
        sft: Weight of the negative log-likelihood of its chosen half.
    """

    pair: list[float]
    sft: list[float]


def pair_weights(kinds: Sequence[str], step_weight: float | None, sft_weight: float) -> PairWeights:
    """Return the weights of the pairs of a data set.

    With `step_weight`, its loss is the sum of three means (IPR: Xiong et al. 2024,
    arXiv:2406.11176): of pairs of trajectories, `step_weight` times that of pairs of steps, and
    `sft_weight` times that of chosen trajectories' negative log-likelihood. The scale is the same
    in every batch, as in `data.mixture`. Without, all pairs are alike.

    Args:
        kinds: What each pair is, "" if unknown.
        step_weight: Weight of pairs of steps, None for one mean over all pairs.
        sft_weight: Weight of the negative log-likelihood.
    """
    if step_weight is None:
        return PairWeights([1.0] * len(kinds), [sft_weight] * len(kinds))
    whole = [kind == TRAJECTORY for kind in kinds]
    trajectories = sum(whole)
    scale = {True: len(kinds) / max(trajectories, 1)}
    scale[False] = step_weight * len(kinds) / max(len(kinds) - trajectories, 1)
    return PairWeights(
        [scale[one] for one in whole], [sft_weight * scale[True] if one else 0.0 for one in whole]
    )


def check_named(kinds: Sequence[str]) -> None:
    """Require that each pair says its kind.

    Raises:
        TrainerError: Some do not.
    """
    if missing := kinds.count(""):
        raise TrainerError(
            f"--step-weight: {missing} of {len(kinds)} pairs do not say their pair_kind, step or "
            "trajectory, as engine export --to dpo does"
        )


def check_kinds(kinds: Sequence[str]) -> None:
    """Require pairs of steps and pairs of trajectories.

    Raises:
        TrainerError: There are only pairs of one kind, or a pair does not say its kind.
    """
    check_named(kinds)
    if not 0 < (trajectories := kinds.count(TRAJECTORY)) < len(kinds):
        raise TrainerError(
            f"--step-weight needs pairs of steps and of trajectories, and {trajectories} of "
            f"{len(kinds)} pairs are of trajectories: export both (engine export --to dpo --pairs "
            "step, and --pairs trajectory), and put their lines into one file"
        )
