"""The grader of `--env bfcl` against the package's own `multi_turn_checker`, path by path.

    python benchmarks/bfcl_checker.py [--every N]

Paths are the gold answers of all 800 tasks, and of each: one call changed, left out, added, moved
within its turn, or moved to another turn. The verdict and its reason (no call, state, result) must
be equal. With `empty_turns=say` the verdict must be that of `multi_turn_checker` and
`multi_turn_irrelevance_checker` together. Calls that the world refuses are not given to the
original, which would run them. Needs `pip install --no-deps bfcl-eval`.

Exit status 1: a verdict differs, or fewer than 2,000 paths were compared.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from environments import SAY, Action, Task, make
from environments.bfcl.env import BfclEnv
from environments.bfcl.tools import ADDED

LEAST = 2000
REASONS = {
    "multi_turn:empty_turn_model_response": "no_call",
    "multi_turn:instance_state_mismatch": "state",
    "multi_turn:execution_response_mismatch": "result",
    "multi_turn:irrelevance_error:decoder_success": "called",
}
Turns = list[list[list[str]]]
"""The calls of each step of each turn, as the original reads them."""


@dataclass(frozen=True)
class Compared:
    """One path: what the two graders say; "" is right."""

    task: str
    kind: str
    ours: str
    original: str


def compare(worlds: Sequence[BfclEnv], tasks: Iterable[Task]) -> Iterator[Compared]:
    """Yield a comparison for each path of `tasks` and each world."""
    for task in tasks:
        rng = random.Random(task.id)
        for kind, path in paths(worlds[0], task, rng):
            for world in worlds:
                ours, turns = graded(world, task, path)
                original = graded_by_original(task, turns, irrelevance=world.only_say)
                yield Compared(task.id, kind, ours, original)


def paths(world: BfclEnv, task: Task, rng: random.Random) -> Iterator[tuple[str, list[Action]]]:
    """Yield the gold path and five wrong ones."""
    gold = world.solution(task)
    yield "gold", gold
    calls = [n for n, step in enumerate(gold) if step.tool != SAY.name]
    if not calls:
        return
    place = rng.choice(calls)
    rest = [*gold[:place], *gold[place + 1 :]]
    wrong = [each for each in world.mistakes(task, gold[place]) if each.tool != SAY.name]
    if wrong:
        yield "changed", [*gold[:place], rng.choice(wrong), *gold[place + 1 :]]
        yield "added", [*gold[:place], rng.choice([*wrong, gold[place]]), *gold[place:]]
    yield "left out", rest
    yield "reordered", reordered(gold, rng)
    to = rng.randrange(len(rest))
    yield "moved", [*rest[:to], gold[place], *rest[to:]]


def reordered(gold: Sequence[Action], rng: random.Random) -> list[Action]:
    """Return the path with the calls of each turn in another order."""
    path: list[Action] = []
    turn: list[Action] = []
    for step in gold:
        if step.tool == SAY.name:
            rng.shuffle(turn)
            path += [*turn, step]
            turn = []
        else:
            turn.append(step)
    return path


def graded(world: BfclEnv, task: Task, path: Iterable[Action]) -> tuple[str, Turns]:
    """Play `path`; return why it is wrong, and the turns. Our episode may end before the path."""
    world.reset(options={"task": task})
    turns: Turns = [[]]
    reason, over = "unfinished", False
    for action in path:
        refused = False
        if not over:
            _, reward, over, _, info = world.step(action)
            refused = "error" in info
            reason = "" if reward == 1.0 else info.get("wrong", reason)
        if action.tool == SAY.name:
            turns.append([])
        elif not refused:
            turns[-1].append([as_text(action)])
    return reason, turns[:-1]


def as_text(action: Action) -> str:
    """Return a call as the original evaluates it."""
    name, arguments = action.tool, action.arguments
    if name == ADDED.name:
        name, arguments = arguments["name"], arguments["arguments"]
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def graded_by_original(task: Task, turns: Turns, *, irrelevance: bool) -> str:
    """Return why the package's own checkers find the turns wrong."""
    from bfcl_eval.eval_checker.multi_turn_eval import multi_turn_checker as original
    from bfcl_eval.eval_checker.multi_turn_eval import multi_turn_utils

    entry = {
        "id": task.id,
        "initial_config": task.details["config"],
        "involved_classes": task.details["classes"],
    }
    gold: Any = task.secret["gold"]
    found = original.multi_turn_checker(turns, gold, entry, task.tags["category"], "model")
    # It keeps the objects under global names, and would go on with them.
    for name in [name for name in vars(multi_turn_utils) if name.endswith("_instance")]:
        delattr(multi_turn_utils, name)
    if found["valid"] and irrelevance:
        found = original.multi_turn_irrelevance_checker(turns, gold)
    return "" if found["valid"] else REASONS[found["error_type"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="only each N-th task")
    every = parser.parse_args().every
    started, total = time.monotonic(), Counter[str]()
    differ: list[Compared] = []
    for empty_turns in ("any", "say"):
        world = make("bfcl", split="all", categories="all", empty_turns=empty_turns)
        assert isinstance(world, BfclEnv)
        found = list(compare([world], world.tasks[::every]))
        differ += [each for each in found if (not each.ours) != (not each.original)]
        total["paths"] += len(found) if empty_turns == "any" else 0
        print(f"empty_turns={empty_turns}: {len(found)} paths")
        for kind in dict.fromkeys(each.kind for each in found):
            of_kind = [each for each in found if each.kind == kind]
            valid = sum(not each.original for each in of_kind)
            same = sum((not each.ours) == (not each.original) for each in of_kind)
            reasons = sum(each.ours == each.original for each in of_kind)
            print(
                f"  {kind:10} {len(of_kind):5} valid by the original {valid:5} "
                f"same verdict {same:5} same reason {reasons:5}"
            )
    print(f"different: {len(differ)} {differ[:5]}; {time.monotonic() - started:.0f} s")
    sys.exit(0 if not differ and (total["paths"] >= LEAST or every > 1) else 1)


if __name__ == "__main__":
    main()
