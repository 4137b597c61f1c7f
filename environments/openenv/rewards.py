"""One reward from 0 to 1 for an episode, of the rewards that an OpenEnv environment gave."""

from collections.abc import Sequence
from math import isnan, nan
from typing import Any, Literal

from environments.base import ToolEnv
from environments.errors import BadOutcome, UnknownEnvironment


class RewardOptions(ToolEnv):
    """A world that is graded by an environment's own rewards.

    Args:
        reward: "last" for the last reward that the environment gave, or "sum" for all.
        least: the reward that counts as 0.
        most: the reward that counts as 1.
        finish: whether the agent may end a task: for an environment that never says that it is.
    """

    def __init__(
        self,
        *,
        reward: Literal["last", "sum"] = "last",
        least: float = 0.0,
        most: float = 1.0,
        finish: bool = False,
        **keywords: Any,
    ) -> None:
        super().__init__(**keywords)
        if not least < most:  # NaN fails too
            raise UnknownEnvironment(f"least={least:g} must be below most={most:g}")
        self._which, self._least, self._most, self._finish = reward, least, most, finish

    def earned(self, rewards: Sequence[Any]) -> float:
        """Return what an episode is worth in which the environment gave `rewards`.

        Raises:
            BadOutcome: One is no number.
        """
        given = [number(each) for each in rewards]
        raw = sum(given) if self._which == "sum" else (given or [0.0])[-1]
        share = (raw - self._least) / (self._most - self._least)
        return nan if isnan(share) else min(max(share, 0.0), 1.0)


def number(reward: Any) -> float:
    """Return a reward of OpenEnv's; raise BadOutcome if it is no number."""
    try:
        return float(reward)
    except (TypeError, ValueError) as error:
        raise BadOutcome(f"OpenEnv's environment gave the reward {reward!r:.80}") from error
