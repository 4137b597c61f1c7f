"""ToolEval of a run: the pass rate, and the win rate against another run, by a model that judges.

Of each task the best path is judged (`engine.policies.answer_grader` has the questions). A path
that ended without an answer fails; only if it was given up, it passes where the task cannot be
solved. Of two runs, the one whose answer is solved wins a task against unsure, and unsure against
unsolved, as in ToolEval; where both are alike, the model compares them (`win_rate`).

Differences from ToolEval's programs: what they settle by a coin counts half, votes are those of a
majority, and a comparison is asked in both orders.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from engine.policies.answer_grader import (
    REWARDS,
    UNSOLVED,
    UNSURE,
    AnswerGrader,
    Verdict,
    has_answer,
    pass_rate,
)
from engine.runs.codec import tools_from_lists
from engine.runs.store import Store
from environments.tools import Tool
from environments.types import Step, Task
from search.policy import MAX_AGAIN, Judgement
from trainer.evaluation.measures.batch_ask import Asked, told
from trainer.evaluation.measures.statistics import Estimate, estimate
from trainer.evaluation.measures.trajectories import best_path, trajectory_text
from trainer.evaluation.measures.win_rate import WinRate, win_rate

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ToolEval:
    """What a model says of a run's answers.

    Attributes:
        passed: ToolEval's pass rate, with its interval by bootstrap over tasks.
        solved: StableToolBench's solvable pass rate (SoPR): solved is 1, unsure 0.5.
        answers: Number of tasks by the status of their answer: solved, unsure, unsolved.
        tasks: Number of tasks that were not solved, by whether they can be: solvable, ...
        statuses: The status of each task's answer.
        against: The run that this one was compared with, by name; "" if it was not.
        wins: Tasks that this run wins against it, as that run loses them.
        losses: Tasks that it loses.
        ties: Tasks that neither wins.
        won: The win rate: a tie is half of a win.
    """

    passed: Estimate | None
    solved: Estimate | None
    answers: dict[str, int]
    tasks: dict[str, int]
    statuses: dict[str, str] = field(default_factory=dict)
    against: str = ""
    wins: int = 0
    losses: int = 0
    ties: int = 0
    won: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A task of a run, with its best path, to be judged."""

    task: Task
    tools: tuple[Tool, ...]
    path: tuple[Step, ...]


def best_answers(run: Path) -> dict[str, Judged]:
    """Return each task of a run with its best path, by id.

    Raises:
        UsageError: there is no run.
    """
    found = {}
    with Store.open(run) as store:
        world = tools_from_lists(store.meta()["world"]["tools"])
        for tree in store.trees():
            own = tree.task.tools
            tools = tuple(world if own is None else own)
            found[tree.task.id] = Judged(tree.task, tools, tuple(best_path(tree)))
    return found


def tool_eval(
    model: str,
    asked: Asked,
    votes: int,
    answers: Mapping[str, Judged],
    lost: Iterable[str] = (),
) -> ToolEval:
    """Let `model` judge the answers of a run; `lost` are the tasks without a tree, which fail.

    Raises:
        TrainerError: a request was refused, or the budget is spent; what was paid is kept.
        PolicyError: the endpoint has no address or no key.
    """
    with told(f"--tooleval {model}"):
        verdicts = asyncio.run(_verdicts(model, asked, votes, answers))
    verdicts |= dict.fromkeys(sorted(lost), (UNSOLVED, ""))
    passes, solved = [], []
    answered, tasks = Counter[str](), Counter[str]()
    for answer, task in verdicts.values():
        answered[answer] += 1
        tasks.update([task] if task else [])
        solved.append((REWARDS[answer], 1.0))
        passes.append((pass_rate(answer, task) if task or REWARDS[answer] == 1 else 0.0, 1.0))
    return ToolEval(
        estimate(passes, share=True),
        estimate(solved, share=True),
        {word: answered[word] for word in REWARDS},
        dict(tasks),
        {id: answer for id, (answer, _) in verdicts.items()},
    )


def compared(
    model: str,
    asked: Asked,
    ours: tuple[ToolEval, Mapping[str, Judged]],
    theirs: tuple[ToolEval, Mapping[str, Judged]],
) -> WinRate:
    """Let `model` compare the answers of two runs to the tasks that both have.

    Raises:
        TrainerError, PolicyError: see `tool_eval`.
    """
    (one, our_paths), (other, their_paths) = ours, theirs
    wins = losses = 0
    alike = []
    both = [id for id in one.statuses if id in other.statuses]
    for id in both:
        ahead = REWARDS[one.statuses[id]] - REWARDS[other.statuses[id]]
        wins, losses = wins + (ahead > 0), losses + (ahead < 0)
        if not ahead and id in our_paths and id in their_paths:
            pair = our_paths[id], their_paths[id]
            alike.append(tuple(trajectory_text(each.task, each.path) for each in pair))
    found = win_rate(model, asked, [(a, b) for a, b in alike])
    wins, losses = wins + found.wins, losses + found.losses
    return WinRate(wins, losses, len(both) - wins - losses)


def with_wins(one: ToolEval, found: WinRate, against: str) -> ToolEval:
    """Return the figures of a run together with those of its comparison with another."""
    units = [(1.0, 1.0)] * found.wins + [(0.5, 1.0)] * found.ties + [(0.0, 1.0)] * found.losses
    return replace(
        one,
        against=against,
        wins=found.wins,
        losses=found.losses,
        ties=found.ties,
        won=estimate(units, share=True),
    )


async def _verdicts(
    model: str, asked: Asked, votes: int, answers: Mapping[str, Judged]
) -> dict[str, tuple[str, str]]:
    """Return each task's answer status, and whether it can be solved ("" if not asked)."""
    turn = asyncio.Semaphore(asked.concurrency)
    async with asked.opened() as chat:
        grader = AnswerGrader(chat, model, votes)

        async def one(judged: Judged) -> tuple[str, str]:
            async with turn:
                status = _word(await grader.answer_status(judged.task, judged.path, _consult))
                if REWARDS[status] == 1 or not _may_pass(judged.path):
                    return status, ""
                return status, _word(await grader.solvable(judged.task, judged.tools, _consult))

        async with asyncio.TaskGroup() as group:
            asking = {id: group.create_task(one(judged)) for id, judged in answers.items()}
    return {id: task.result() for id, task in asking.items()}


def _may_pass(path: tuple[Step, ...]) -> bool:
    return has_answer(path) or bool(path and path[-1].info.get("gave_up"))


def _word(verdict: Verdict | None) -> str:
    return verdict.word if verdict else UNSURE


async def _consult(ask: Callable[[], Awaitable[Judgement[T]]]) -> T | None:
    """Ask, and ask again while the reply is not complete; a budget that is spent is raised."""
    found = await ask()
    for _ in range(MAX_AGAIN):
        if found.again is None:
            break
        found = await found.again()
    return found.result
