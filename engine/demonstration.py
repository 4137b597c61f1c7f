"""The demonstration teacher: plays the environment's own solution, with seeded mistakes.

It needs no key and no model, so the whole system can be tried with it; and it cold-starts a
student as AgentTuning's task derivation does (Zeng et al. 2023, arXiv:2310.12823, section 3.1).
Its name is the provenance of every tree it makes.
"""

from collections.abc import Callable, Sequence
from random import Random

from environments.tools import GIVE_UP
from environments.types import Action, Step, Task
from search.policy import Proposal

NAME = "demonstration"


class Demonstration:
    """Proposes the next action of the solution, or, at `mistake_rate`, a wrong version of it.

    solution, mistakes: as `ToolEnv` has them.   mistake_rate: probability in [0, 1] a state.
    """

    name = NAME

    def __init__(
        self,
        solution: Callable[[Task], list[Action]],
        mistakes: Callable[[Task, Action], list[Action]],
        *,
        mistake_rate: float = 0.3,
        seed: int = 0,
    ) -> None:
        self.solution, self.mistakes = solution, mistakes
        self.mistake_rate, self.seed = mistake_rate, seed

    async def propose(
        self, task: Task, path: Sequence[Step], *, tried: Sequence[Step], count: int, attempt: int
    ) -> Proposal:
        """See `search.Policy`. The same state is always answered by the same sequence."""
        known = {step.action.key for step in tried}
        plan = self._plan(task, path, bool(tried) or count > 1 or attempt > 0)
        fresh = [action for action in plan if action.key not in known]
        fresh.append(Action(GIVE_UP.name, {}))
        start = 0 if tried else min(attempt, len(fresh) - 1)
        return Proposal(tuple(fresh[start : start + count]))

    def _plan(self, task: Task, path: Sequence[Step], whole: bool) -> list[Action]:
        """What to propose in a state, first choice first.

        whole: more than the first choice is wanted. Mistakes are made only where they are needed:
        an environment may have to try them out.
        """
        script = self.solution(task)
        done = 0
        for step in path:
            done += done < len(script) and step.action.key == script[done].key
        if done == len(script):
            return []
        right = script[done]
        rng = Random(f"{self.seed}|{task.id}|{[step.action.key for step in path]}")
        errs = rng.random() < self.mistake_rate
        if not (errs or whole):
            return [right]
        # Nobody errs in the same way twice on one path.
        made = {step.action.key for step in path}
        wrong = [action for action in self.mistakes(task, right) if action.key not in made]
        if not wrong:
            return [right]
        # A likely mistake, but not always the likeliest.
        first = wrong.pop(min(int(rng.expovariate(1.0)), len(wrong) - 1))
        return [first, right, *wrong] if errs else [right, first, *wrong]
