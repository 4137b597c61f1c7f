"""Whether an attack reached its goal, seen from outside the sandbox."""

import ctypes
import os
import re
import socket
import threading
import time
from pathlib import Path

from sandbox.backends import BACKENDS
from sandbox.branching import BranchingSandbox
from sandbox.protocol import ROOT_NODE, StepLimits
from tests.attacks.attack import Reached, Unseen
from tests.attacks.bait import VARIABLE
from tests.attacks.scene import QUOTA, Scene

IPC_RMID = 0
TAKE_PROCESSES = """
import os, time
try:
    for _ in range(200):
        if not os.fork():
            time.sleep(600)
except OSError: pass
time.sleep(1)
"""
MANY = StepLimits(seconds=1.5, memory_bytes=8 << 30)
WRONG = "False"
"""The honest verdict on what every attacker of verdicts has done."""


def leaked(scene: Scene) -> bool:
    """A secret, of a file or process outside or of our environment, is in what the agent saw."""
    secrets = (scene.bait.secret, os.environ[VARIABLE])
    return any(
        secret in f"{result.output}{result.value}{result.exception}"
        for result in scene.results
        for secret in secrets
    )


def connected(scene: Scene) -> bool:
    """A listener outside heard of it."""
    return scene.bait.connected()


def wrote(scene: Scene) -> bool:
    """A file outside is new, gone, or another; set right again."""
    return bool(scene.bait.changes())


def harmed(scene: Scene) -> bool:
    """A process outside was ended, stopped, slowed or moved; replaced by another."""
    time.sleep(0.05)  # a signal takes its time
    found = not scene.bait.unharmed()
    if found:
        scene.bait.renew()
    return found


def to_be_taken(scene: Scene) -> bool:
    """The kernel would end a process outside before all others, if memory ran out."""
    return Path(f"/proc/{scene.bait.younger.pid}/oom_score_adj").read_text() == "1000\n"


def starves_neighbour(scene: Scene) -> bool:
    """While the attack holds all the processes that it may have, another sandbox cannot fork."""
    with BranchingSandbox(BACKENDS[scene.backend](), QUOTA) as other:
        other.step(ROOT_NODE, "a", "1")
        attack = threading.Thread(target=scene.probe, args=(TAKE_PROCESSES, "base", MANY))
        attack.start()
        time.sleep(0.3)
        found = other.step("a", "b", "import os\nos.fork() or os._exit(0)\nos.wait()[1]")
        attack.join()
    return found.value != "0"


def runs_on(scene: Scene) -> bool:
    """A process of the attack runs beside the nodes."""
    time.sleep(0.1)
    alive = scene.sandbox.stat().alive
    return len(scene.processes()) > len(alive)


def ended_others(scene: Scene) -> bool:
    """A node that was there before is not there any more."""
    time.sleep(0.05)
    return not scene.before <= set(scene.processes())


def appears(path: str, seconds: float = 0.4) -> Reached:
    """A file comes to be in another branch, `seconds` later at the most."""

    def reached(scene: Scene) -> bool:
        time.sleep(seconds)
        return scene.probe(f"import os; os.path.exists({path!r})").value == "True"

    return reached


def found_by(code: str, parent: str = "base") -> Reached:
    """Code in another branch, a fork of `parent`, sees what the attack left: its value is true."""

    def reached(scene: Scene) -> bool:
        return scene.probe(code, parent).value == "True"

    return reached


def changed(path: str, content: bytes) -> Reached:
    """The file of the attack's own first node (a parent by now) is not what that node made it."""

    def reached(scene: Scene) -> bool:
        if len(scene.attackers) < 2:
            return False
        return scene.sandbox.get(scene.attackers[0], path) != content

    return reached


def fetched(path: str) -> Reached:
    """The host, which wants a file of the node, gets what it must not."""

    def reached(scene: Scene) -> bool:
        try:
            return scene.bait.secret.encode() in scene.sandbox.get(scene.node, path)
        except FileNotFoundError:
            return False

    return reached


def judged(code: str, seconds: float = 1.0) -> Reached:
    """The verdict is not the honest one."""

    def reached(scene: Scene) -> bool:
        limits = StepLimits(seconds=seconds, memory_bytes=64 << 20)
        return scene.grade(code, limits).value not in (WRONG, None)

    return reached


def larger(most_bytes: int, most_files: int = 1 << 40) -> Reached:
    """The sandbox's folder on the machine's own disk holds more than its quota."""

    def reached(scene: Scene) -> bool:
        total = files = 0
        for folder, _, names in os.walk(scene.home):
            for name in names:
                files += 1
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
        return total > most_bytes or files > most_files

    return reached


def answered(scene: Scene) -> bool:
    """A connection from outside to the port that the attack printed is taken."""
    port = re.search(r"\d+", scene.output)
    if port is None:
        return False
    try:
        socket.create_connection(("127.0.0.1", int(port[0])), timeout=1).close()
    except OSError:
        return False
    return True


def supervisor_slowed(scene: Scene) -> bool:
    """The supervisor has the priority or the one processor that the attack gives it."""
    pid = scene.supervisor()
    pinned = os.sched_getaffinity(pid) == {0} and (os.cpu_count() or 1) > 1
    return pinned or os.getpriority(os.PRIO_PROCESS, pid) == 19


def supervisor_holds(most: int) -> Reached:
    """The supervisor has more open files than it opened itself."""

    def reached(scene: Scene) -> bool:
        try:
            return len(os.listdir(f"/proc/{scene.supervisor()}/fd")) > most
        except PermissionError as error:
            raise Unseen("the supervisor's open files") from error

    return reached


def shared_memory(key: int) -> Reached:
    """A System V segment is there, on the machine or for another branch; removed."""
    look = f"open('/proc/sysvipc/shm').read().find(' {key} ') >= 0"

    def reached(scene: Scene) -> bool:
        inside = scene.probe(look).value == "True"
        rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
        outside = [int(row[1]) for row in rows if int(row[0]) == key]
        for number in outside:
            ctypes.CDLL(None).shmctl(number, IPC_RMID, None)
        return inside or bool(outside)

    return reached


def left_behind(path: str) -> Reached:
    """A file is there for another branch, or on the machine; removed."""

    def reached(scene: Scene) -> bool:
        inside = scene.probe(f"import os; os.path.exists({path!r})").value == "True"
        outside = os.path.exists(path)
        if outside:
            os.unlink(path)
        return inside or outside

    return reached


def both(*checks: Reached) -> Reached:
    """Any of them; all are looked at."""

    def reached(scene: Scene) -> bool:
        return any([check(scene) for check in checks])

    return reached
