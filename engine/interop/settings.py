"""Settings of an import."""

from dataclasses import dataclass, field
from pathlib import Path

from treegraft.ranges import check_ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSettings:
    """How records become conversations of tasks.

    Attributes:
        task_id: The field that names a record's task; dots go into objects (metadata.task). Without
            it, records that open alike are of one task.
        reward: The field with the reward; dots go into objects.
        success: The least reward of a success. It becomes 1, and a smaller one its share.
        default_reward: The reward of records that have none; without it their paths stay open, and
            make no rows and no pairs.
        rewards: A file with rewards by the records' ids: one JSON object, or JSON lines with id and
            reward.
    """

    task_id: str = "task_id"
    reward: str = field(default="", metadata={"default": "the format's own"})
    success: float = field(default=1.0, metadata={"min": -1e9, "max": 1e9})
    default_reward: float | None = field(
        default=None, metadata={"min": 0, "max": 1, "default": "none"}
    )
    rewards: Path | None = None

    def __post_init__(self) -> None:
        check_ranges(self)
