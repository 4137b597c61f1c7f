"""The demonstration teacher: plays the environment's own solution, with seeded mistakes.

It needs no key and no model, so the whole system can be tried with it; and it cold-starts a
student as AgentTuning's task derivation does (Zeng et al. 2023, arXiv:2310.12823, section 3.1).
Its name is the provenance of every tree it makes.
"""

from collections.abc import Callable, Sequence
from random import Random

from environments.tools import GIVE_UP
from environments.types import Action, Step, Task
from search.policy import Judgement, Proposal, Request

NAME = "demonstration"


class DemonstrationPolicy:
    """Proposes the next action of the solution, or, at `mistake_rate`, a wrong version of it; and
    judges by the solution, too.

    solution, mistakes, resume: as `ToolEnv` has them.   mistake_rate: probability in [0, 1] of each
        state.
    """

    name = NAME

    def __init__(
        self,
        solution: Callable[[Task], list[Action]],
        mistakes: Callable[[Task, Action], list[Action]],
        resume: Callable[[Task, Sequence[Step]], Action | None] = lambda task, path: None,
        *,
        mistake_rate: float = 0.3,
        seed: int = 0,
    ) -> None:
        self.solution, self.mistakes, self.resume = solution, mistakes, resume
        self.mistake_rate, self.seed = mistake_rate, seed

    async def propose(self, request: Request) -> Proposal:
        """See `search.Policy`. The same state is always answered by the same sequence."""
        tried, count, attempt = request.tried, request.count, request.attempt
        known = {step.action.key for step in tried}
        plan = self._plan(request.task, request.path, bool(tried) or count > 1 or attempt > 0)
        fresh = [action for action in plan if action.key not in known]
        fresh.append(Action(GIVE_UP.name, {}))
        start = 0 if tried else min(attempt, len(fresh) - 1)
        return Proposal(tuple(fresh[start : start + count]))

    async def value(self, task: Task, path: Sequence[Step]) -> Judgement[float]:
        """See `search.Judge`: how much of the solution is played, detours counted against it."""
        script = self.solution(task)
        done = _played(script, path)
        return Judgement(done / (len(script) + len(path) - done) if script else 0.0)

    async def compare(
        self, task: Task, path: Sequence[Step], one: Step, other: Step
    ) -> Judgement[float]:
        """See `search.Judge`: the step that comes further in the solution."""
        script = self.solution(task)
        gain = _played(script, [*path, one]) - _played(script, [*path, other])
        return Judgement(0.5 + 0.5 * gain)

    async def reflect(self, task: Task, path: Sequence[Step]) -> Judgement[str]:
        """See `search.Judge`: it has nothing to say, since nobody would read it."""
        return Judgement("")

    def _plan(self, task: Task, path: Sequence[Step], whole: bool) -> list[Action]:
        """What to propose in a state, first choice first.

        whole: more than the first choice is wanted. Mistakes are made only where they are needed:
        an environment may have to try them out.
        """
        script = self.solution(task)
        done = _played(script, path)
        if done == len(script):
            return []
        right = self.resume(task, path) or script[done]
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


def _played(script: Sequence[Action], path: Sequence[Step]) -> int:
    """How many actions of the solution were played on `path`, in their order."""
    done = 0
    for step in path:
        done += done < len(script) and step.action.key == script[done].key
    return done
