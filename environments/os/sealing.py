"""Keep what the grader compares with in one word.

The leak check of an export takes a text of a secret that an observation shows for a leak. Here a
right command shows the answer, or the file that is asked for, before the agent has written it. One
word is too short for that check; what the solution writes stays plain, and is checked.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from environments.types import Task


def sealed(hidden: Mapping[str, Any]) -> str:
    """Return `hidden` as one word."""
    return base64.b32encode(json.dumps(hidden).encode()).decode().rstrip("=")


def unsealed(task: Task) -> dict[str, Any]:
    """Return what is sealed in the secret of `task`."""
    word: str = task.secret["sealed"]
    found: dict[str, Any] = json.loads(base64.b32decode(word + "=" * (-len(word) % 8)))
    return found
