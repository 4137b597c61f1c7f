"""Tasks of the Python environment per second, against `docker exec` per step with replay.

    python benchmarks/python_env.py [--quick]

Needs Docker and bubblewrap. The episodes are searches by the demonstration teacher over the bundled
tasks, mistakes and backtracking included, recorded once; every contender plays the same moves, in
turn, in one run. Ours is the whole environment as the search drives it: snapshots after every step,
tools, the judge with its hidden tests.

The rival has a container of the same image for each task at once and plays each move by one
`docker exec CONTAINER python3 -c CODE`, by Docker's command line or its API, whichever is faster
here. Where the search goes back, one exec empties the working directory and puts the task's files
there, and the path to that state is played again, one exec an action; a task begins with such an
exec too. It is given what a real one would have to pay for: its cells keep no variables, and its
tests run beside the answer, in the same process.

Exit status 1: the goal was missed.
"""

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # beside us, `sandbox` is another file

from benchmarks import sandbox_rivals as rivals
from engine.policies.demonstration import DemonstrationPolicy
from environments import Action, Task, ToolEnv, make
from environments.python.grading import graded
from sandbox.docker import daemon, image
from search import Dfsdt

OURS = ("bubblewrap", "docker")
GOAL = 20.0
MISTAKE_RATE = 0.5
FRESH = """
import os, shutil
shutil.rmtree('/episode', ignore_errors=True)
os.mkdir('/episode')
for path, content in {files!r}.items():
    open('/episode/' + path, 'w').write(content)
"""
IN_PLACE = "import os\nos.chdir('/episode')\n"
READ = "print(open({path!r}).read())"


@dataclass(frozen=True)
class Episode:
    """moves: an action, and the number of the move that led to the state it is played in (0 for the
    start), in the order of the search."""

    task: Task
    moves: tuple[tuple[int, Action], ...]

    @property
    def execs(self) -> int:
        """What the rival needs: the moves, and a fresh start and a replay for each way back."""
        back = [at for move, (at, _) in enumerate(self.moves) if move != at]
        return 1 + len(self.moves) + sum(1 + len(self.path(at)) for at in back)

    def path(self, at: int) -> list[Action]:
        """The actions from the start to the state that move `at` led to."""
        found: list[Action] = []
        while at:
            at, action = self.moves[at - 1]
            found.append(action)
        return found[::-1]


@dataclass(frozen=True)
class Plan:
    """at_once: rounds, and episodes a round and task, ours and the rival's, by tasks at once."""

    at_once: dict[int, tuple[int, int, int]]


FULL = Plan({1: (2, 20, 3), 8: (2, 12, 2), 32: (1, 4, 1)})
QUICK = Plan({1: (1, 20, 3), 8: (1, 8, 1)})


async def recorded() -> list[Episode]:
    """A search of every bundled task."""
    env = make("python", sandbox="bubblewrap")
    teacher = DemonstrationPolicy(env, mistake_rate=MISTAKE_RATE)
    episodes = []
    try:
        for task in env.tasks:
            tree = await Dfsdt().search(env, task, teacher)
            moves = tuple((node.parent, node.step.action) for node in tree.nodes)
            episodes.append(Episode(task, moves))
    finally:
        env.close()
    return episodes


def play(env: ToolEnv, episode: Episode) -> None:
    """As `search.episode` does."""
    env.reset(options={"task": episode.task})
    saved = {0: env.snapshot()}
    for move, (at, action) in enumerate(episode.moves):
        if at != move:
            env.restore(saved[at])
        _, reward, terminated, _, _ = env.step(action)
        if not terminated:
            saved[move + 1] = env.snapshot()
    for snapshot in saved.values():
        env.release(snapshot)
    if reward != 1.0:
        raise SystemExit(f"{episode.task.id} was not solved")


def play_by_exec(execute: Callable[[str], None], episode: Episode) -> None:
    """As systems do that have no snapshots."""
    fresh = FRESH.format(files=dict(episode.task.details.get("files", {})))
    execute(fresh)
    for move, (at, action) in enumerate(episode.moves):
        if at != move:
            execute(fresh)
            for earlier in episode.path(at):
                execute(code_of(episode.task, earlier))
        execute(code_of(episode.task, action))


def code_of(task: Task, action: Action) -> str:
    """What an exec runs in the place of a tool."""
    match action.tool:
        case "python":
            return str(action.arguments["code"])
        case "answer":
            return "\n".join([str(action.arguments.get("code", "")), *graded(task)])
        case "read_file":
            return READ.format(path=action.arguments["path"])
        case _:
            return "import os; print(os.listdir('.'))"


def compete(
    players: Sequence[Callable[[Episode], None]],
    shares: Sequence[Sequence[Episode]],
    repeats: int,
    into: rivals.Measured,
) -> None:
    steps = [working(one, share) for one, share in zip(players, shares, strict=True)]
    rivals.side_by_side(steps, repeats, into)


def working(play_one: Callable[[Episode], None], episodes: Sequence[Episode]) -> rivals.Step:
    """Plays one episode after the other, and says how long each took."""
    following = iter(list(episodes) * 1000)
    return lambda: rivals.timed(partial(play_one, next(following)))


@contextmanager
def environments(name: str, count: int) -> Iterator[list[ToolEnv]]:
    """Started, so that the start is no part of an episode."""
    with ExitStack() as stack:
        made = [make("python", sandbox=name) for _ in range(count)]
        for env in made:
            stack.callback(env.close)
            env.reset(options={"task": env.tasks[0]})
            env.step(Action("python", {"code": "1"}))
        yield made


def measure(count: int, sizes: tuple[int, int, int], episodes: list[Episode]) -> list[float]:
    """Rows for `count` tasks at once; how many times as many tasks ours does."""
    rounds, ours, theirs = sizes
    shares = [episodes[number % 7 :: 7] for number in range(count)]
    found = {name: rivals.Measured() for name in ("docker exec", *OURS)}
    for _ in range(rounds):
        with daemon.connected() as client:
            tag = image.ensure(client)
            way, _ = rivals.faster_exec(client, tag)
            with rivals.containers(client, tag, count) as ids:
                players = [partial(by_exec, way, client, one) for one in ids]
                compete(players, shares, theirs, found["docker exec"])
        for name in OURS:  # not at once: the machine's memory may not hold so many
            with environments(name, count) as envs:
                compete([partial(play, env) for env in envs], shares, ours, found[name])
    for name, measured in found.items():
        print(measured.row(f"{count:2} {name}", found["docker exec"]), flush=True)
    return [rate(found[name]) / rate(found["docker exec"]) for name in OURS]


def by_exec(
    way: Callable[..., None], client: rivals.Client, container: str, episode: Episode
) -> None:
    def execute(code: str) -> None:
        with suppress(subprocess.CalledProcessError):  # a wrong answer fails its tests
            way(client, container, code if "shutil" in code else IN_PLACE + code)

    play_by_exec(execute, episode)


def rate(measured: rivals.Measured) -> float:
    return len(measured.seconds) / measured.wall


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="less of everything")
    plan = QUICK if parser.parse_args().quick else FULL
    episodes = asyncio.run(recorded())
    moves, execs = sum(len(one.moves) for one in episodes), sum(one.execs for one in episodes)
    print(f"# Python environment, {time.strftime('%Y-%m-%d')}\n")
    print(f"Machine: {os.cpu_count()} cores, kernel {platform.release()}")
    print("Command: python " + " ".join(["benchmarks/python_env.py", *sys.argv[1:]]))
    print(f"{len(episodes)} episodes, {moves} moves; the rival needs {execs} execs\n")
    print("  tasks at once              median   p90 ms  tasks/s    shorter        more")
    ratios = [
        ratio for count, sizes in plan.at_once.items() for ratio in measure(count, sizes, episodes)
    ]
    met = min(ratios) >= GOAL
    word = "PASS" if met else "FAIL"
    print(f"\n{word}  tasks per second, worst case: {min(ratios):.1f} x (goal: at least {GOAL:g})")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
