"""Requests per second of the engine, against a bare asyncio loop with the same openai client; and
its memory over 10,000 tasks.

    python benchmarks/engine.py [--quick] [--latency SECONDS]

One server, a process of its own, answers every request 50 ms (or SECONDS) after it came, with
recorded replies: searches of bundled tasks by the demonstration teacher, mistakes and backtracking
included. Contenders send the same requests to it, 64 tasks at once, in turn, in one run:

bare: 64 coroutines, each of which sends the requests of one task after another by
    `AsyncOpenAI.post`, and does nothing with the replies. The goals are judged by this one.
create: the same by `chat.completions.create`, as such a loop is usually written; told beside it.
engine: `explore` as the command runs it: real environments, rendering, journal (each
    reply is committed before it is used), budget, rates, retries, store. Once over `webshop`, whose
    pages are made in this process, and once over `bird`, whose queries run in 64 sandboxes.

processes: the same with `--executor processes`, one a processor, 64 tasks at once in all: what is
    there for endpoints that answer faster than one process can ask.

Rates are those of the middle 80 % of the requests, as the server counts them: neither the start of
environments nor the last tasks to end. Processor time is that of the contender's whole process, the
start of its environments included. 64 at once and 50 ms allow 1,280 requests/s, which is 780 us of
processor time each.

Memory is the resident set of this process, every 1,000 tasks; that of `stats` and `export` over the
same run is the most that a process of their own takes.

With another latency than 50 ms the rates are told, and neither memory nor goals.

Exit status 1: a goal was missed.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # beside us, `engine` is this file


from benchmarks import engine_rivals as rivals
from engine.chat.budget import Budget
from engine.chat.open import ChatSpec, ChatStack, EndpointSpec
from engine.config import Config
from engine.executors.local import Local
from engine.executors.processes import Processes
from engine.runs.explore import Progress, explore
from environments import Task
from sandbox.check import choose
from search import Tree

ROOT = Path(__file__).resolve().parents[1]
AT_ONCE = 64
LATENCY = 0.05
SHARE = 0.9  # of the bare loop's requests per second: the goal
FLAT = 1.1  # resident set after the last task over that after a fifth of them: the goal
STREAMED = 30  # MB that ten times the trees may add to `stats` and `export`: the goal
SPLITS = {"webshop": None, "bird": "train"}
TASKS = {"webshop": 320, "bird": 640}  # in a round: several times as many as run at once
READ = """
import re, sys
from pathlib import Path
from engine.export.export import ExportSettings, export
from engine.runs.stats import stats
from engine.runs.store import Store
run = Path(sys.argv[2])
if sys.argv[1] == "stats":
    with Store.open(run) as store:
        stats(store)
else:
    export([run], run / sys.argv[1], ExportSettings("sft"))
# Not getrusage: its maximum comes along from the process that started this one.
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024)
"""


@dataclass(frozen=True)
class Plan:
    """rounds, and tasks of the memory run."""

    rounds: int
    many: int


FULL, QUICK = Plan(5, 10_000), Plan(2, 1_000)


@dataclass
class Found:
    """Of one contender, a value a round.   rates: requests/s.   cpu: us a request."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


@contextmanager
def server(recording: rivals.Recording, folder: Path, latency: float) -> Iterator[str]:
    """The address of a server of `recording`, a process of its own."""
    script = folder / "script.json"
    script.write_text(json.dumps(recording.replies), "utf-8")
    command = [sys.executable, rivals.__file__, str(script), str(latency)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.kill()


def middle(base_url: str) -> float:
    """Requests per second of the middle 80 % of those since the last call."""
    times = json.load(urlopen(base_url.removesuffix("/v1") + "/times"))
    first, last = len(times) // 10, len(times) * 9 // 10
    return (last - first) / (times[last] - times[first])


def rss() -> float:
    """MB of this process that are resident."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Watch(Progress):
    """Notes the resident set every `every` tasks."""

    def __init__(self, every: int) -> None:
        self.every, self.done = every, 0
        self.seen: list[float] = []

    def tree(self, tree: Tree) -> None:
        self.done += 1
        if self.done % self.every == 0:
            self.seen.append(rss())


async def shared(world: str, tasks: list[Task], base_url: str, out: Path) -> None:
    """The engine in several processes, over `tasks`."""
    config = Config(env=world, split=SPLITS[world], teacher=rivals.MODEL, base_url=base_url)
    chats = ChatSpec(out / "journal.db", Budget(), EndpointSpec(base_url))
    number = os.cpu_count() or 1
    executor = Processes(number, max(1, AT_ONCE // number), chats)
    found = await explore(config, tasks, out / "run", executor)
    if not found.complete:
        raise SystemExit(f"the engine did not finish: {found}")


async def explored(
    world: str, tasks: list[Task], base_url: str, out: Path, watch: Watch | None = None
) -> None:
    """The engine, over `tasks`; every one must be solved, as it was when it was recorded."""
    config = Config(env=world, split=SPLITS[world], teacher=rivals.MODEL, base_url=base_url)
    async with ChatStack(out / "journal.db") as stack:
        chat = stack.add(EndpointSpec(base_url).open(AT_ONCE))
        found = await explore(config, tasks, out / "run", Local(chat, AT_ONCE), progress=watch)
    if not found.complete:
        raise SystemExit(f"the engine did not finish: {found}")


def throughput(world: str, recording: rivals.Recording, plan: Plan, base_url: str) -> float:
    """Print the contenders, and give the share of the bare loop's rate that `processes` reaches:
    the median of the rounds."""
    found = {name: Found() for name in ("bare", "create", "engine", "processes")}
    tasks, bodies = recording.copies(TASKS[world]), recording.bodies(TASKS[world])
    number = sum(map(len, bodies))
    for _ in range(plan.rounds):
        for name, one in found.items():
            with tempfile.TemporaryDirectory() as folder:
                began = sum(os.times()[:4])
                if name in ("bare", "create"):
                    typed = name == "create"
                    asyncio.run(rivals.bare(base_url, bodies, AT_ONCE, typed=typed))
                elif name == "engine":
                    asyncio.run(explored(world, tasks, base_url, Path(folder)))
                else:
                    asyncio.run(shared(world, tasks, base_url, Path(folder)))
                one.cpu.append((sum(os.times()[:4]) - began) / number * 1e6)
                one.rates.append(middle(base_url))
    shares = {
        name: statistics.median(
            mine / bare for mine, bare in zip(one.rates, found["bare"].rates, strict=True)
        )
        for name, one in found.items()
    }
    print(f"\n{world}: {plan.rounds} rounds of {number} requests, {len(tasks)} tasks")
    for name, one in found.items():
        rates = " ".join(f"{rate:.0f}" for rate in one.rates)
        print(
            f"  {name:9} {statistics.median(one.rates):6.0f} requests/s ({rates}), "
            f"{statistics.median(one.cpu):5.0f} us of processor time each"
        )
    print(
        f"  of the bare loop's rate, medians of the rounds: create {shares['create']:.1%}, "
        f"engine {shares['engine']:.1%}, "
        f"processes {shares['processes']:.1%}; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return shares["processes"]


def memory(
    recording: rivals.Recording, plan: Plan, base_url: str, folder: Path
) -> dict[str, float]:
    """Print and give how the resident set grows, of exploring and of reading what it left."""
    watch = Watch(plan.many // 10)
    tasks = recording.copies(plan.many)
    asyncio.run(explored("bird", tasks, base_url, folder / "many", watch))
    asyncio.run(explored("bird", tasks[: plan.many // 10], base_url, folder / "few"))
    print(f"\nmemory, MB, every {watch.every} of {plan.many} tasks")
    print("  explore       ", " ".join(f"{each:.1f}" for each in watch.seen))
    found = {"explore": watch.seen[-1] / watch.seen[1]}
    for what in ("stats", "rows.jsonl", "rows.parquet"):
        few, many = (read(what, folder / each / "run") for each in ("few", "many"))
        print(f"  {what:14} {few:.1f} after {len(tasks) // 10} trees, {many:.1f} after all")
        found[what] = many - few
    return found


def read(what: str, run: Path) -> float:
    """MB at most of a process that reads `run`."""
    command = [sys.executable, "-c", READ, what, str(run)]
    told = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return float(told.stdout)


def judged(world: str, share: float, growth: dict[str, float]) -> Iterator[tuple[bool, str]]:
    """Whether each goal was reached, and the figure."""
    yield share >= SHARE, f"{world}: processes / bare {share:.1%} (goal: at least {SHARE:.0%})"
    for what, value in growth.items():
        if what == "explore":
            yield value <= FLAT, f"explore: memory, last / second {value:.2f} (goal: {FLAT})"
        else:
            yield value <= STREAMED, f"{what}: {value:.1f} MB more (goal: {STREAMED})"


def main() -> None:
    parser = argparse.ArgumentParser(description="The engine's throughput and memory.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and tasks")
    parser.add_argument("--latency", type=float, default=LATENCY, help="of the server, seconds")
    given = parser.parse_args()
    plan = QUICK if given.quick else FULL
    print(f"Machine: {os.cpu_count()} cores, Python {platform.python_version()}; ", end="")
    print(f"sandbox {choose('auto').backend.name}; load {os.getloadavg()[0]:.1f}", flush=True)
    goals: list[tuple[bool, str]] = []
    for world, split in SPLITS.items():
        recording = asyncio.run(rivals.recorded(world, split, TASKS[world]))
        with (
            tempfile.TemporaryDirectory() as name,
            server(recording, Path(name), given.latency) as base_url,
        ):
            share = throughput(world, recording, plan, base_url)
            growth = {}
            if world == "bird" and given.latency == LATENCY:
                growth = memory(recording, plan, base_url, Path(name))
            goals += judged(world, share, growth)
    if given.latency == LATENCY:
        print("\n" + "\n".join(f"{'PASS' if good else 'FAIL'}  {line}" for good, line in goals))
        sys.exit(not all(good for good, _ in goals))


if __name__ == "__main__":
    main()
