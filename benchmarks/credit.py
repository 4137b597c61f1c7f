"""What the value of a state costs: live branches, against replaying the path to it.

    python benchmarks/credit.py [--quick]

Needs bubblewrap. A chain of Python cells is searched once; then `engine credit`'s search values
each of its states by continuations of one step. Both contenders run that search over the same
world, in turn. The rival's world loses every snapshot, so the search plays the path again from the
start, as a system without snapshots must. Cells that take no time, and cells of 20 ms.

Exit status 1: the goal was missed.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # beside us, `sandbox` is another file

from environments import Action, Task, ToolEnv
from environments.base import Snapshot
from environments.python.env import PythonEnv
from sandbox.errors import StateLost
from search import Continuations, Proposal, React, Request, Tree
from search.values import Values

DEPTH, CONTINUATIONS = 16, 4
GOALS = {0: 5.0, 20: 5.0}
"""Milliseconds of a cell: least ratio."""


class Replayed(PythonEnv):
    """A world that loses every snapshot."""

    def restore(self, snapshot: Snapshot) -> None:
        """Raise StateLost, as if it had been lost."""
        raise StateLost("this world keeps no snapshot")


class Cells:
    """Runs another cell; ends a continuation after one step."""

    name = "cells"

    def __init__(self, milliseconds: int, ending: bool) -> None:
        self.wait, self.ending = milliseconds / 1000, ending

    async def propose(self, request: Request) -> Proposal:
        """See `search.Policy`."""
        if self.ending:
            return Proposal((Action("give_up", {}),))
        done = len(request.path)
        code = f"import time; time.sleep({self.wait}); x{done} = {done}; print({done})"
        return Proposal((Action("python", {"code": code}),))


async def chain(env: ToolEnv, task: Task, milliseconds: int) -> Tree:
    """Return a tree of one path of cells that ends at the depth limit."""
    search = React(width=1, depth=DEPTH + 1)
    return await search.search(env, task, Cells(milliseconds, ending=False))


async def seconds_per_value(env: ToolEnv, task: Task, tree: Tree) -> float:
    """Return the time that each state's value took."""
    rule = Continuations(
        depth=DEPTH + 2, least=CONTINUATIONS, most=CONTINUATIONS, trees=lambda _: tree
    )
    start = time.perf_counter()
    found = await rule.search(env, task, Cells(0, ending=True))
    took = time.perf_counter() - start
    values = Values(found)
    assert all(values.of(node) for node in range(DEPTH + 1))
    return took / (DEPTH + 1)


def main() -> int:
    """Print seconds per value and the ratio, for each kind of cell."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--quick", action="store_true", help="one round in place of five")
    rounds = 1 if flags.parse_args().quick else 5
    ours, rival = PythonEnv(sandbox="bubblewrap"), Replayed(sandbox="bubblewrap")
    task, missed = ours.tasks[0], False
    try:
        for milliseconds, goal in GOALS.items():
            tree = asyncio.run(chain(ours, task, milliseconds))
            times: dict[str, list[float]] = {"branch": [], "replay": []}
            for _ in range(rounds):
                for name, env in (("branch", ours), ("replay", rival)):
                    times[name].append(asyncio.run(seconds_per_value(env, task, tree)))
            best = {name: min(found) * 1000 for name, found in times.items()}
            ratio = best["replay"] / best["branch"]
            missed |= ratio < goal
            print(
                f"cells of {milliseconds} ms, depth {DEPTH}, {CONTINUATIONS} continuations: "
                f"{best['branch']:.1f} ms a value by branches, {best['replay']:.1f} ms by replay, "
                f"ratio {ratio:.1f} (goal {goal:g})"
            )
    finally:
        ours.close()
        rival.close()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
