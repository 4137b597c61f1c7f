"""Read what the tests of a task left: `reward.json`, else `reward.txt`, as Harbor does."""

import json
import math
from collections.abc import Mapping

from environments.errors import DataError


def read_rewards(task: str, as_json: bytes | None, as_text: bytes | None) -> dict[str, float]:
    """Return the rewards by name; a single one is called "reward".

    Raises:
        DataError: there is none, or it is not a number from 0 to 1. It is never taken for 0.
    """
    if as_json is None and as_text is None:
        raise DataError(f"{task}: its tests left no reward.txt and no reward.json")
    file = "reward.txt" if as_json is None else "reward.json"
    try:
        found = float(as_text or b"") if as_json is None else json.loads(as_json)
    except ValueError as error:
        raise DataError(f"{task}: its tests left a {file} that is not a number or JSON") from error
    rewards = found if isinstance(found, dict) else {"reward": found}
    for name, value in rewards.items():
        number = isinstance(value, int | float) and math.isfinite(value)
        if not number or not 0 <= value <= 1:
            raise DataError(
                f"{task}: its tests left {name!r} = {value!r} in {file}; a reward is a number "
                "from 0 to 1"
            )
    if not rewards:
        raise DataError(f"{task}: its tests left no reward in {file}")
    return {str(name): float(value) for name, value in rewards.items()}


def single(rewards: Mapping[str, float]) -> float:
    """Return one reward for several: that called "reward", else their mean."""
    return rewards.get("reward", sum(rewards.values()) / len(rewards))
