"""Goals as tasks, and the splits.

There are two kinds of split:

- "train", "dev", "test": by product, 80, 10 and 10 in a hundred, by a hash of its id. A synthetic
  instruction makes a goal for every combination of options, up to hundreds for one product, so a
  split by goals would hold out hardly anything. A product is in the same split in every data set.
- "original-test", "original-dev", "original-train": the first 500 goals of the original's shuffled
  order, the next 1,000, and the rest, as published (Yao et al. 2022, arXiv:2207.01206, section 5);
  for comparison with published figures. These share products.

Tasks are made on demand, as goals are. A task's secret is only the goal's number: what is wanted is
in the instruction and on the product's pages anyway, so a leak of it could not be recognised.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, overload

from environments.errors import DataError
from environments.types import Task
from environments.webshop.goals import Goal, Goals

DEFAULT_SPLIT = "train"
BY_PRODUCT = ("train", "dev", "test")
PUBLISHED = {
    "original-test": slice(0, 500),
    "original-dev": slice(500, 1500),
    "original-train": slice(1500, None),
}
GoalKind = Literal["synthetic", "human"]

_HELD_OUT = {0: "test", 1: "dev"}


def split_of(asin: str) -> str:
    """Return the split of a product's goals: "train", "dev" or "test"."""
    return _HELD_OUT.get(int(sha256(asin.encode()).hexdigest(), 16) % 10, "train")


@dataclass(frozen=True)
class Tasks(Sequence[Task]):
    """The tasks of some goals.

    Attributes:
        numbers: the numbers of the goals that are tasks.
        kind: "synthetic" or "human".
        prompt: makes the first page from an instruction.
        split: the split of all tasks; "" if each is in its product's split.
    """

    goals: Sequence[Goal]
    numbers: Sequence[int]
    kind: str
    prompt: Callable[[str], str]
    split: str = ""

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Task: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Task]: ...
    def __getitem__(self, index: int | slice) -> Task | Sequence[Task]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        number = self.numbers[index]
        goal = self.goals[number]
        return Task(
            id=f"{self.kind}-{number}",
            prompt=self.prompt(goal.instruction),
            secret={"goal": f"{self.kind}-{number}"},
            details={"instruction": goal.instruction},
            tags={"category": goal.category, "kind": self.kind},
            group=goal.asin,
            split=self.split or split_of(goal.asin),
        )


def choose(goals: Goals, kind: str, split: str | None, prompt: Callable[[str], str]) -> Tasks:
    """Return the tasks of a split, by default "train"; raise `DataError` if it has none."""
    split = split or DEFAULT_SPLIT
    if split in PUBLISHED:
        numbers: Sequence[int] = range(len(goals))[PUBLISHED[split]]
        tasks = Tasks(goals, numbers, kind, prompt, split)
    elif split in BY_PRODUCT:
        numbers = goals.numbers(lambda asin: split_of(asin) == split)
        tasks = Tasks(goals, numbers, kind, prompt)
    else:
        names = ", ".join((*BY_PRODUCT, *PUBLISHED))
        raise DataError(f"no split {split!r} of the shop; use one of {names}")
    if not numbers:
        raise DataError(f"no {kind} goal is in the split {split!r} of this shop; name another")
    return tasks
