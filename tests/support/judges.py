"""Judges and policies for tests of searches that ask for values. Nothing is patched."""

from collections.abc import Sequence

from environments import Step, Task
from search import Judgement, Usage
from tests.support.fakes import Arms

PAID = Usage(1, 20, 1)


class ArmJudge:
    """Likes high arms: a path's value is the mean of its arms. Each question costs 1 call.

    biased: of two siblings, always prefers the one it is told first.
    """

    def __init__(self, *, biased: bool = False) -> None:
        self.biased = biased
        self.compared: list[tuple[str, str]] = []

    async def value(self, task: Task, path: Sequence[Step]) -> Judgement[float]:
        arms = [_arm(step) for step in path]
        return Judgement(min(sum(arms) / len(arms), 1.0), PAID, f"value of {arms}")

    async def compare(
        self, task: Task, path: Sequence[Step], one: Step, other: Step
    ) -> Judgement[float]:
        self.compared.append((f"go {_arm(one)}", f"go {_arm(other)}"))
        better = self.biased or _arm(one) > _arm(other)
        return Judgement(float(better), PAID, f"comparison {len(self.compared)}")

    async def reflect(self, task: Task, path: Sequence[Step]) -> Judgement[str]:
        arms = [_arm(step) for step in path]
        return Judgement(f"{arms} is wrong", PAID, f"reflection on {arms}")


class Told(Arms):
    """`Arms`, that keeps the lessons of every request."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.lessons: list[tuple[str, ...]] = []

    async def propose(self, request):
        self.lessons.append(tuple(request.lessons))
        return await super().propose(request)


def _arm(step: Step) -> int:
    return int(step.action.arguments.get("arm", 0))
