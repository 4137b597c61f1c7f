"""What a step, a branch and an idle node cost, against what other systems do in their place.

    python benchmarks/sandbox.py [--quick]

Needs Docker, bubblewrap and root (for other processes' memory). Everything is measured in one run,
contenders in turn, so that what else the machine does hits all of them; medians. The sandbox runs
as it does in the engine: confined, watched, memory and files accounted after every step.

Step: the same trivial code, at 1, 8 and 64 sandboxes at once, one thread each, against
`docker exec CONTAINER python3 -c CODE` in as many containers of the same image: by Docker's command
line or its API, whichever is faster here. `docker exec` starts an interpreter each time and keeps
no variable; a step in place keeps all of them; a fork also leaves the parent to branch from.

Branch: a fork of a node plus a trivial step in it, by the node's depth and its state, against
replay of its path where each action takes 20 ms (all of them again, in a fresh fork of the root,
and the same trivial step), copy.deepcopy of the state in one process (no isolation, no files), and
`docker commit` + `docker run` of a container that has the state on its disk, until it has read it
(the interpreter's own state would be lost). Then by what is in the node's working directory, where
"again" branches from the same node and "in turn" from two whose files all differ.

Memory: growth of Pss over all processes of the sandbox, with 32 idle nodes in a binary tree, each
after a trivial step. Pss counts a shared page once in all. Page tables are not in it, and shown.

Exit status 1: a goal was missed.
"""

import argparse
import itertools
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # beside us, `sandbox` is this file

from benchmarks import sandbox_rivals as rivals
from benchmarks.sandbox_rivals import MB, Measured, Step, side_by_side, timed
from sandbox.backends import BACKENDS
from sandbox.branching import BranchingSandbox
from sandbox.docker import daemon, image
from sandbox.owner import LABEL, owner
from sandbox.protocol import ROOT_NODE, Quota, StepLimits

OURS = ("bubblewrap", "docker")
TRIVIAL = "x = 1\nprint(x)"
ROOMY = Quota(memory_bytes=1536 * MB, disk_bytes=200 * MB)
LIMITS = StepLimits(seconds=60.0, memory_bytes=1024 * MB)
ACTION = "import time\ntime.sleep(0.02)"
IDLE_NODES = 32
KINDS = {
    "bytes": "state = bytearray({size})\nfor page in range(0, {size}, 4096): state[page] = 1",
    "objects": "state = [[number] for number in range({size} // 128)]",
}
"""Interpreter state of so many bytes; a list of one number takes about 128, its slot included."""


@dataclass(frozen=True)
class Plan:
    """How much of everything.

    at_once: sandboxes, with rounds, and steps of ours and of `docker exec` a round and sandbox.
    """

    at_once: dict[int, tuple[int, int, int]]
    megabytes: tuple[int, ...]
    depths: tuple[int, ...] = (1, 4, 8, 16)
    branches: int = 15
    replays: int = 5
    commits: int = 2


FULL = Plan({1: (6, 40, 5), 8: (4, 20, 3), 64: (2, 8, 1)}, (0, 10, 100))
QUICK = Plan({1: (2, 20, 3), 4: (1, 10, 1)}, (0, 10), (1, 16), 7, 1, 1)


@dataclass
class Goals:
    """Every goal with what was found, and whether it is met."""

    found: list[tuple[str, str, bool]] = field(default_factory=list)

    def at_least(self, goal: str, value: float, bound: float) -> None:
        self.found.append((goal, f"{value:.1f} (goal: at least {bound:g})", value >= bound))

    def at_most(self, goal: str, value: float, bound: float) -> None:
        self.found.append((goal, f"{value:.2f} (goal: at most {bound:g})", value <= bound))

    def show(self) -> bool:
        print("\nGoals")
        for goal, value, met in self.found:
            print(f"  {'PASS' if met else 'FAIL'}  {goal:44} {value}")
        return all(met for _, _, met in self.found)


def do(sandbox: BranchingSandbox, parent: str, node: str, code: str = TRIVIAL) -> None:
    result = sandbox.step(parent, node, code, LIMITS)
    if not result.ok or result.exception:
        raise SystemExit(f"a step failed: {result}")


def branch(sandbox: BranchingSandbox, parent: str) -> float:
    """Seconds of one branch, which is given up afterwards."""
    took = timed(partial(do, sandbox, parent, "branch"))
    sandbox.drop("branch")
    return took


@contextmanager
def opened(quota: Quota, count: int = 1) -> Iterator[dict[str, list[BranchingSandbox]]]:
    """`count` running sandboxes of each backend."""
    with ExitStack() as stack, ThreadPoolExecutor(rivals.STARTING_AT_ONCE) as pool:
        made: dict[str, list[BranchingSandbox]] = {}
        for name in OURS:
            made[name] = [BranchingSandbox(BACKENDS[name](), quota) for _ in range(count)]
            for sandbox in made[name]:
                stack.enter_context(sandbox)
        list(pool.map(BranchingSandbox.start, itertools.chain(*made.values())))
        yield made


def measure_steps(plan: Plan, client: rivals.Client, goals: Goals) -> None:
    tag = image.ensure(client)
    execute, how = rivals.faster_exec(client, tag)
    print(f"\nA step; the rival is `docker exec` by {how}, the faster of command line and API")
    print("  sandboxes at once          median   p90 ms  steps/s    cheaper        more")
    for count, (rounds, ours, theirs) in plan.at_once.items():
        # All containers share one user, and with it the limit on its processes: 64 * 64 and more.
        quota = Quota(memory_bytes=128 * MB, pids=8192)
        with opened(quota, count) as sandboxes, rivals.containers(client, tag, count) as ids:
            contenders = contending(sandboxes)
            rival = [partial(timed, partial(execute, client, one, TRIVIAL)) for one in ids]
            found = {name: Measured() for name in ("docker exec", *contenders)}
            for _ in range(rounds):
                side_by_side(rival, theirs, found["docker exec"])
                for name, steps in contenders.items():
                    side_by_side(steps, ours, found[name])
        for name, measured in found.items():
            print(measured.row(f"{count:2} {name}", found["docker exec"]))
        if count == 1:
            for name in OURS:
                ratio = found["docker exec"].median / found[f"{name} in place"].median
                goals.at_least(f"{name}: step in place against docker exec", ratio, 100)


def contending(sandboxes: dict[str, list[BranchingSandbox]]) -> dict[str, list[Step]]:
    """By name, a step for each sandbox: in place, and with a fork."""
    steps: dict[str, list[Step]] = {}
    for name, made in sandboxes.items():
        for sandbox in made:
            do(sandbox, ROOT_NODE, "parent")
            do(sandbox, "parent", "place")
        steps[f"{name} in place"] = [
            partial(timed, partial(do, sandbox, "place", "place")) for sandbox in made
        ]
        steps[f"{name} fork"] = [partial(branch, sandbox, "parent") for sandbox in made]
    return steps


def measure_branches(plan: Plan, client: rivals.Client, goals: Goals) -> None:
    print("\nA branch (fork and trivial step), median ms, by the state and the depth of its node")
    head = "".join(f"{depth:>9}" for depth in plan.depths)
    print(f"  {'depth':30}{head}  deepest / first")
    replay = replayed(plan)
    print_depths("replay of 20 ms actions", replay)
    deepest, worst, empty = plan.depths[-1], dict.fromkeys(OURS, 0.0), dict.fromkeys(OURS, 0.0)
    for kind, size in itertools.product(KINDS, plan.megabytes):
        if kind == "objects" and not size:
            continue
        for name, found in branched(plan, KINDS[kind].format(size=size * MB)).items():
            print_depths(f"{name}, {size} MB of {kind}", found)
            worst[name] = max(worst[name], found[deepest] / found[1])
            empty[name] = empty[name] or found[deepest]
    for name in OURS:
        goals.at_most(f"{name}: branch at depth {deepest} / depth 1, worst", worst[name], 1.5)
        ratio = replay[deepest] / empty[name]
        goals.at_least(f"{name}: branch against replay, depth {deepest}", ratio, 20)
    rivals.show_copies(client, image.ensure(client), plan, KINDS)


def print_depths(name: str, found: dict[int, float]) -> None:
    cells = "".join(f"{seconds * 1e3:9.2f}" for seconds in found.values())
    depths = list(found)
    print(f"  {name:30}{cells}  {found[depths[-1]] / found[depths[0]]:13.2f} x")


def branched(plan: Plan, state: str) -> dict[str, dict[int, float]]:
    """By backend, median seconds by depth."""
    with opened(ROOMY) as sandboxes:
        found = {name: {depth: [] for depth in plan.depths} for name in OURS}
        for name in OURS:
            grow(sandboxes[name][0], state, plan.depths[-1])
        for _, depth, name in itertools.product(range(plan.branches), plan.depths, OURS):
            found[name][depth].append(branch(sandboxes[name][0], f"node {depth}"))
    return {name: medians(by_depth) for name, by_depth in found.items()}


def medians(by_depth: dict[int, list[float]]) -> dict[int, float]:
    return {depth: statistics.median(seconds) for depth, seconds in by_depth.items()}


def grow(sandbox: BranchingSandbox, state: str, depth: int) -> None:
    """A chain of nodes, the first of which makes the state."""
    do(sandbox, ROOT_NODE, "node 1", state)
    for level in range(2, depth + 1):
        do(sandbox, f"node {level - 1}", f"node {level}")


def replayed(plan: Plan) -> dict[int, float]:
    """Median seconds by depth, over the backends."""

    def again(sandbox: BranchingSandbox, depth: int) -> None:
        do(sandbox, ROOT_NODE, "branch", ACTION)
        for _ in range(depth - 1):
            do(sandbox, "branch", "branch", ACTION)
        do(sandbox, "branch", "branch")

    found: dict[int, list[float]] = {depth: [] for depth in plan.depths}
    with opened(ROOMY) as sandboxes:
        for _, depth, name in itertools.product(range(plan.replays), plan.depths, OURS):
            sandbox = sandboxes[name][0]
            found[depth].append(timed(partial(again, sandbox, depth)))
            sandbox.drop("branch")
    return medians(found)


def measure_files(plan: Plan) -> None:
    print("\nA branch by the files in its working directory, of 1 MB each, median ms")
    print(f"  {'MB':30}" + "".join(f"{size:>9}" for size in plan.megabytes))
    fill = "for number in range({size}): open(f'{{number}}', 'wb').write(b'{letter}' * (1 << 20))"
    rows: dict[str, str] = {}
    for size in plan.megabytes:
        with opened(ROOMY) as sandboxes:
            for name in OURS:
                sandbox = sandboxes[name][0]
                for letter in "ab":
                    do(sandbox, ROOT_NODE, letter, fill.format(size=size, letter=letter))
                again = [branch(sandbox, "a") for _ in range(plan.branches)]
                turns = [branch(sandbox, letter) for _ in range(plan.branches) for letter in "ab"]
                for order, seconds in (("again", again), ("in turn", turns)):
                    label = f"{name} ({sandbox.facts['files']}), {order}"
                    cell = f"{statistics.median(seconds[1:]) * 1e3:9.2f}"
                    rows[label] = rows.get(label, "") + cell
    for label, cells in rows.items():
        print(f"  {label:30}{cells}")


def measure_memory(client: rivals.Client, goals: Goals) -> None:
    print(f"\nMemory of an idle node, MB, over {IDLE_NODES}")
    with opened(ROOMY) as sandboxes:
        for name in OURS:
            sandbox, pid = sandboxes[name][0], supervisor(name, client)
            do(sandbox, ROOT_NODE, "node 1")
            before = rivals.memory(pid)
            for number in range(2, IDLE_NODES + 2):
                do(sandbox, f"node {number // 2}", f"node {number}")
            after = rivals.memory(pid)
            if len(sandbox.stat().alive) != IDLE_NODES + 2:
                raise SystemExit("nodes were evicted while their memory was measured")
            pss, tables = ((after[kind] - before[kind]) / IDLE_NODES / MB for kind in (0, 1))
            print(f"  {name:30} Pss {pss:5.2f}   page tables {tables:5.2f}")
            goals.at_most(f"{name}: MB private of an idle node", pss, 4)


def supervisor(name: str, client: rivals.Client) -> int:
    """The process that all others of the one open sandbox of this backend descend from."""
    if name != "docker":
        return rivals.family(os.getpid())[1]
    (found,) = client.api.containers(filters={"label": f"{LABEL}={owner()}"})
    return int(client.api.inspect_container(found["Id"])["State"]["Pid"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="less of everything, under 20 s")
    plan, goals = QUICK if parser.parse_args().quick else FULL, Goals()
    began = time.perf_counter()
    with daemon.connected() as client:
        rivals.clean(client)
        version = client.version()["Version"]
        print(f"# Sandboxes, {time.strftime('%Y-%m-%d')}\n")
        print(f"Machine: {os.cpu_count()} cores, kernel {platform.release()}, Docker {version}")
        print("Command: python " + " ".join(["benchmarks/sandbox.py", *sys.argv[1:]]))
        measure_steps(plan, client, goals)
        measure_branches(plan, client, goals)
        measure_files(plan)
        measure_memory(client, goals)
    met = goals.show()
    print(f"\n{time.perf_counter() - began:.0f} s")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
