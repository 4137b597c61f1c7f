"""What `benchmarks/sandbox.py` compares the sandbox with, and how time and memory are read.

Nothing here knows the sandbox. Every container and image that is made carries LABEL, and `clean`
removes it.
"""

import copy
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from docker import DockerClient as Client
from docker.errors import APIError

LABEL = "treegraft.benchmark"
KEPT = "/state"
IDLE = ["python3", "-c", "import time; time.sleep(3600)"]
SAVE = f"open('{KEPT}', 'wb').write(b'x' * {{size}})"
LOAD = (
    f"state = open('{KEPT}', 'rb').read(); print('ready', flush=True); import time; time.sleep(9)"
)
STARTING_AT_ONCE = 8
MB = 1 << 20


Step = Callable[[], float]
"""Does one step and returns how many seconds it took."""


@dataclass
class Measured:
    """seconds: of each step.   wall: in which all of them were done, side by side."""

    seconds: list[float] = field(default_factory=list)
    wall: float = 0.0

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def row(self, name: str, rival: "Measured") -> str:
        p90 = sorted(self.seconds)[int(0.9 * (len(self.seconds) - 1))]
        rate, rival_rate = len(self.seconds) / self.wall, len(rival.seconds) / rival.wall
        return (
            f"  {name:24} {self.median * 1e3:8.2f} {p90 * 1e3:8.2f} {rate:8.0f}"
            f" {rival.median / self.median:8.1f} x {rate / rival_rate:8.1f} x"
        )


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def side_by_side(steps: Sequence[Step], repeats: int, into: Measured) -> None:
    """Each of `steps` in a thread of its own, `repeats` times."""
    ready = threading.Barrier(len(steps) + 1)

    def work(step: Step) -> list[float]:
        ready.wait()
        return [step() for _ in range(repeats)]

    with ThreadPoolExecutor(len(steps)) as pool:
        working = [pool.submit(work, step) for step in steps]
        ready.wait()
        began = time.perf_counter()
        for thread in working:
            into.seconds += thread.result()
        into.wall += time.perf_counter() - began


def start(client: Client, image: str, command: list[str] = IDLE) -> str:
    """The id of a container as closed as the sandbox's, but with a root that it can write."""
    container = client.containers.run(
        image,
        command,
        detach=True,
        labels=[LABEL],
        network_mode="none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        user="0:0",
    )
    return str(container.id)


def remove(client: Client, container: str) -> None:
    with suppress(APIError):  # gone already
        client.api.remove_container(container, force=True)


def clean(client: Client) -> None:
    """Remove every container and image that this benchmark made."""
    labelled = {"label": LABEL}
    ids = [found["Id"] for found in client.api.containers(all=True, filters=labelled)]
    with ThreadPoolExecutor(STARTING_AT_ONCE) as pool:
        list(pool.map(partial(remove, client), ids))
    for image in client.api.images(filters=labelled):
        with suppress(APIError):
            client.api.remove_image(image["Id"], force=True)


@contextmanager
def containers(client: Client, image: str, count: int) -> Iterator[list[str]]:
    """The ids of `count` idle containers, removed in the end."""
    try:
        with ThreadPoolExecutor(STARTING_AT_ONCE) as pool:
            yield list(pool.map(lambda _: start(client, image), range(count)))
    finally:
        clean(client)


def exec_by_command(client: Client, container: str, code: str) -> None:
    """One step as most systems do it: by Docker's command line."""
    command = ["docker", "exec", container, "python3", "-c", code]
    subprocess.run(command, check=True, capture_output=True)


def exec_by_request(client: Client, container: str, code: str) -> None:
    """The same by the daemon's API: two requests, the exit status not asked for."""
    made = client.api.exec_create(container, ["python3", "-c", code])
    client.api.exec_start(made)


def faster_exec(client: Client, tag: str) -> tuple[Callable[..., None], str]:
    """The faster way of the two, with its name."""
    ways = {exec_by_command: "command line", exec_by_request: "API"}
    found: dict[Callable[..., None], list[float]] = {way: [] for way in ways}
    with containers(client, tag, 1) as (container,):
        for _ in range(7):
            for way, seconds in found.items():
                seconds.append(timed(partial(way, client, container, "1")))
    fastest = min(ways, key=lambda way: statistics.median(found[way]))
    return fastest, ways[fastest]


def deepcopies(code: str, most: int) -> float:
    """Median seconds of copies of what `code` makes, of `most` or as many as start within 2 s."""
    world: dict[str, Any] = {}
    exec(code, world)
    found: list[float] = []
    while len(found) < most and sum(found) < 2.0:
        found.append(timed(partial(copy.deepcopy, world["state"])))
    return statistics.median(found)


def commits(client: Client, image: str, size: int, repeats: int) -> float:
    """Median seconds to branch a container with `size` bytes on its disk, until they are read."""
    try:
        parent = start(client, image)
        exec_by_request(client, parent, SAVE.format(size=size))
        return statistics.median(timed(partial(_commit, client, parent)) for _ in range(repeats))
    finally:
        clean(client)


def _commit(client: Client, parent: str) -> None:
    committed = client.api.commit(parent, changes=f"LABEL {LABEL}=commit")["Id"]
    child = client.containers.get(start(client, committed, ["python3", "-c", LOAD]))
    line = next(child.logs(stream=True))
    if line.strip() != b"ready":
        raise SystemExit(f"the committed container says {line!r}")


def show_copies(client: Client, image: str, plan: Any, kinds: Mapping[str, str]) -> None:
    """What others copy with a state; the depth plays no part."""
    print("\nThe same by copies, median ms, by the state")
    print(f"  {'MB':30}" + "".join(f"{size:>9}" for size in plan.megabytes))
    for kind, code in kinds.items():
        found = [deepcopies(code.format(size=size * MB), plan.branches) for size in plan.megabytes]
        print(f"  {'copy.deepcopy, ' + kind:30}" + "".join(f"{took * 1e3:9.2f}" for took in found))
    found = [commits(client, image, size * MB, plan.commits) for size in plan.megabytes]
    print(
        f"  {'docker commit + run, on disk':30}" + "".join(f"{took * 1e3:9.0f}" for took in found)
    )


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def memory(pid: int) -> tuple[int, int]:
    """Bytes that the process and its descendants hold: Pss, and page tables besides."""
    pss = tables = 0
    for member in family(pid):
        with suppress(OSError):
            pss += _kilobytes(f"/proc/{member}/smaps_rollup", "Pss:")
            tables += _kilobytes(f"/proc/{member}/status", "VmPTE:")
    return pss << 10, tables << 10


def _kilobytes(path: str, name: str) -> int:
    lines = Path(path).read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)
