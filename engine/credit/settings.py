"""How the states of a run are valued, and the config of the run that this makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.config import Config, current_names
from engine.credit.plays_on import PlaysOn, config_with, repeats_itself
from search import Continuations, Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditSettings(PlaysOn):
    """Who plays on, and how often.

    Attributes:
        least: Continuations of each state at least.
        most: Continuations of each state at most.
        confidence: Of a value's interval; a state gets no further continuation once its interval
            leaves out 1/2.
        splice: Also play, after each wrong turn, the rest of a successful path beside it, without
            asking the policy: for recovery rows.
    """

    least: int = field(default=4, metadata={"min": 1})
    most: int = field(default=16, metadata={"min": 1})
    confidence: float = field(default=0.9, metadata={"above": 0, "max": 0.999})
    splice: bool = False

    def config(self, stored: Mapping[str, Any], trees: Callable[[str], Tree]) -> Config:
        """Return the config of the credit of a run.

        Args:
            stored: The run's stored config.
            trees: Returns the tree of a task.

        Raises:
            UsageError: The options do not go together.
        """
        default = Config(env=stored["env"]).to_dict()  # what a run of an older version lacks
        options = self.options(default | current_names(stored))
        same = repeats_itself(options)
        search = Continuations(
            depth=options["depth"],
            retries=options["retries"],
            least=1 if same else self.least,
            most=1 if same else self.most,
            confidence=self.confidence,
            splice=self.splice,
            trees=trees,
        )
        return config_with(options, search)
