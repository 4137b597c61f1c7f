"""The demonstration teacher: plays a world's own solutions, with seeded mistakes.

It needs no key and no model, so the whole system can be tried with it. It also cold-starts a
student, as AgentTuning's task derivation does (Zeng et al. 2023, arXiv:2310.12823, section 3.1).
Its name is the `source` of every tree it makes.
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from engine.policies.answer_only import no_answer
from engine.templates.reading.names import is_answer
from environments import Demonstrable, NoSolution, ToolEnv
from environments.contract import held
from environments.demonstrable import gold_actions, trajectory_of, wrong_versions
from environments.tools import GIVE_UP
from environments.types import Action, Step, Task
from search.policy import Judgement, PolicyError, Proposal, Request

NAME = "demonstration"
GAVE_UP = Action(GIVE_UP.name, {})


class DemonstrationPolicy:
    """Proposes the next action of the solution or, at `mistake_rate`, a wrong version of it.

    It is a judge, too: it rates a path by how much of the solution was played.

    Args:
        world: the environment whose solutions are played.
        mistake_rate: probability of a mistake at each state, in [0, 1].
        redraw: draw anew at each further request in a state, as a model does, in place of the next
            best action.

    Raises:
        NoSolution: the world does not define `solution`.
    """

    name = NAME

    def __init__(
        self,
        world: ToolEnv,
        *,
        mistake_rate: float = 0.3,
        seed: int = 0,
        redraw: bool = False,
    ) -> None:
        require_solutions(world)
        self.redraw = redraw
        self.world, self.mistake_rate, self.seed = world, mistake_rate, seed

    async def propose(self, request: Request) -> Proposal:
        """See `search.Policy`. The same state is always answered by the same sequence."""
        if request.answer_only:
            return self._answer(request.task)
        tried, count, attempt = request.tried, request.count, request.attempt
        known = {step.action.key for step in tried}
        draw, attempt = (attempt, 0) if self.redraw else (0, attempt)
        whole = bool(tried) or count > 1 or attempt > 0
        plan = self._plan(request.task, request.path, whole, draw)
        fresh = [action for action in plan if action.key not in known]
        if any(tool.name == GIVE_UP.name for tool in self.world.tools_of(request.task)):
            fresh.append(GAVE_UP)
        elif not fresh:
            fresh.append(_repeated(request))
        start = 0 if tried else min(attempt, len(fresh) - 1)
        chosen = fresh[start : start + count]
        return Proposal(tuple(self._with_thought(request, action) for action in chosen))

    def _with_thought(self, request: Request, action: Action) -> Action:
        """Return `action` with the world's thought, made by rule from what the agent has seen.

        A trajectory that the task brings along keeps its own thoughts.
        """
        if action.thought and trajectory_of(request.task):
            return action
        thought = self.world.thought(request.task, request.path, action)
        return replace(action, thought=held(self.world, "thought", thought))

    def _answer(self, task: Task) -> Proposal:
        """Propose the solution's answer without what leads to it."""
        *_, last = self._script(task)
        if not (is_answer(last.tool) and last.arguments):
            raise no_answer(task)
        return Proposal((last,))

    async def value(self, task: Task, path: Sequence[Step]) -> Judgement[float]:
        """Return how much of the solution is played, less for detours; see `search.Judge`."""
        script = self._script(task)
        done = _played(script, path)
        return Judgement(done / (len(script) + len(path) - done) if script else 0.0)

    async def compare(
        self, task: Task, path: Sequence[Step], one: Step, other: Step
    ) -> Judgement[float]:
        """Prefer the step that gets further in the solution; see `search.Judge`."""
        script = self._script(task)
        gain = _played(script, [*path, one]) - _played(script, [*path, other])
        return Judgement(0.5 + 0.5 * gain)

    async def reflect(self, task: Task, path: Sequence[Step]) -> Judgement[str]:
        """Return no lesson, since this policy would not read it; see `search.Judge`."""
        return Judgement("")

    def _script(self, task: Task) -> list[Action]:
        try:
            return gold_actions(self.world, task)
        except NoSolution as error:  # of this task only: the search of the others goes on
            raise PolicyError(str(error)) from error

    def _plan(self, task: Task, path: Sequence[Step], whole: bool, draw: int) -> list[Action]:
        """Return the actions to propose in a state, first choice first.

        whole: whether more than the first choice is needed. Mistakes are computed only on demand,
        because an environment may have to try them out.

        draw: the number of the draw in this state.
        """
        script = self._script(task)
        done = _played(script, path)
        if done == len(script):
            return []
        right = self.world.recover(task, path) or script[done]
        actions = [step.action.key for step in path]
        rng = Random(f"{self.seed}|{task.id}|{actions}" + (f"|{draw}" if draw else ""))
        errs = rng.random() < self.mistake_rate
        if not (errs or whole):
            return [right]
        # A path never holds the same mistake twice.
        made = {step.action.key for step in path}
        wrong = [a for a in wrong_versions(self.world, task, right) if a.key not in made]
        if not wrong:
            return [right]
        # A likely mistake, but not always the likeliest.
        first = wrong.pop(min(int(rng.expovariate(1.0)), len(wrong) - 1))
        return [first, right, *wrong] if errs else [right, first, *wrong]


def _repeated(request: Request) -> Action:
    """Return an action again, as a model without another idea does."""
    steps = request.tried or request.path
    return steps[-1].action if steps else GAVE_UP


def require_solutions(world: Demonstrable) -> None:
    """Raise `NoSolution` if neither `world` nor a task file may know how its tasks are solved."""
    from_file = getattr(world, "task_source", None) is not None
    if type(world).solution is Demonstrable.solution and not from_file:
        raise NoSolution(
            f"--teacher {NAME} plays solutions, and {type(world).__name__} defines none: name a "
            f"model with --teacher, or define {type(world).__name__}.solution(task)"
        )


def _played(script: Sequence[Action], path: Sequence[Step]) -> int:
    """Return how many actions of the solution were played on `path`, in their order."""
    done = 0
    for step in path:
        done += done < len(script) and step.action.key == script[done].key
    return done
