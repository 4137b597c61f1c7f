"""One sandbox under attack: made, attacked, checked from outside, inspected afterwards."""

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

from sandbox.backends import BACKENDS
from sandbox.branching import BranchingSandbox
from sandbox.errors import SandboxError
from sandbox.program import Program, inside
from sandbox.protocol import ROOT_NODE, Quota, Result, StepLimits
from tests.attacks.attack import (
    CONTAINED,
    NOT_RUN,
    OPEN,
    SHARED,
    STOPPED,
    Attack,
    Outcome,
    Trial,
    Unseen,
)
from tests.attacks.bait import MARK, Bait

QUOTA = Quota(memory_bytes=256 << 20, disk_bytes=16 << 20, inodes=2000, pids=64)
PROBE = StepLimits(seconds=5.0)
SET_UP = "x = {number}\nwith open('mark', 'w') as _file: _file.write({name!r})"
LOOK = "x, open('mark').read()"
CRASHES = (SandboxError, ValueError, OverflowError, KeyError, TypeError, RecursionError)
"""A `SandboxError` is the sandbox's end; the others are defects on our side of it."""
SETTLE_SECONDS = 3.0
ZOMBIES = 3
"""Dead children that stopped nodes have not yet collected."""


class Scene:
    """A sandbox with nodes "base" and, beside the attackers, its child "sibling".

    before: the machine's numbers of the nodes when the attack began.
    home: of the nodes' files, as they see it.
    results: of the attack's steps.   attackers: its nodes.   node: the last one of them.
    YOUNGER in the code stands for the number of a process outside that began after the sandbox.
    """

    def __init__(self, backend: str, bait: Bait) -> None:
        self.backend, self.bait = backend, bait
        self.results: list[Result] = []
        self.attackers: list[str] = []
        self.crash = ""
        self.before: set[int] = set()
        self._names: Iterator[str] = (f"n{number}" for number in itertools.count())
        self._mine: list[str] = []
        self.home = ""
        self.sandbox = self._open()

    @property
    def output(self) -> str:
        """Of the attack's last step."""
        return self.results[-1].output if self.results else ""

    @property
    def value(self) -> str:
        """Of the attack's last step."""
        return str(self.results[-1].value) if self.results else ""

    def _open(self) -> BranchingSandbox:
        backend, shared = BACKENDS[self.backend](), Path(self.bait.facts.shared)
        program = Program("supervisor", (), (shared,), branches=True)
        prelude = self.bait.prelude(inside(shared, program) if backend.own_root else str(shared))
        sandbox = BranchingSandbox(backend, QUOTA, prelude, (shared,))
        sandbox.start()
        for number, (parent, name) in enumerate(((ROOT_NODE, "base"), ("base", "sibling")), 1):
            result = sandbox.step(parent, name, SET_UP.format(number=number, name=name), PROBE)
            assert result.ok and result.exception is None, result
        home = sandbox.step("base", "home", "import os; os.getcwd()", PROBE).value
        self.home = str(home).strip("'")
        sandbox.drop("home")
        self.bait.renew()
        if not self._began_after():
            sandbox.close()
            return self._open()
        return sandbox

    def _began_after(self) -> bool:
        """Whether the younger process outside has a higher number than the nodes.

        It does unless the machine's numbers have just wrapped around; then we begin anew.
        """
        return self.bait.younger.pid > min(self.processes(), default=0)

    @property
    def node(self) -> str:
        return self.attackers[-1] if self.attackers else "base"

    def attempt(self, attack: Attack) -> Trial:
        """Run the attack and see what came of it.

        It is run again where the machine's numbers wrapped around meanwhile: without a pid
        namespace, signals reach processes of higher numbers only.
        """
        if attack.expected[self.backend] is NOT_RUN:
            return Trial(NOT_RUN)
        while True:
            oldest = min(self.processes(), default=0)
            trial = self._attempt(attack)
            if _newest() >= oldest:
                return trial
            assert not self._start_afresh()

    def _attempt(self, attack: Attack) -> Trial:
        started = time.monotonic()
        self.before = set(self.processes())
        self._run(attack)
        took = time.monotonic() - started
        broken = self._in_time(attack, took)
        unseen = ""
        try:
            outcome = self._outcome(attack)
        except Unseen as error:
            outcome, unseen = NOT_RUN, str(error)
        broken += self._look_over(attack)
        seen = "; ".join(_short(result) for result in self.results)
        return Trial(
            outcome,
            tuple(broken),
            _plain(f"{self.crash} {seen}"),
            time.monotonic() - started,
            unseen,
        )

    def probe(self, code: str, parent: str = "base", limits: StepLimits = PROBE) -> Result:
        """Run code of ours in a new fork of a node."""
        name = next(self._names)
        self._mine.append(name)
        return self.sandbox.step(parent, name, code, limits)

    def grade(self, code: str, limits: StepLimits = PROBE) -> Result:
        """Grade the attacker's files with `code`."""
        return self.sandbox.grade(self.node, code, limits)

    def processes(self) -> list[int]:
        """Of this sandbox, by the machine's numbers, without the supervisor."""
        return [pid for pid in _numbers() if _marked(pid, self.bait.mark)]

    def supervisor(self) -> int:
        """The machine's number of the supervisor: the parent of the oldest of its nodes."""
        root = min(self.processes(), key=lambda pid: int(_fields(pid)[19]))
        return int(_fields(root)[1])

    def close(self) -> list[str]:
        """End the sandbox; return what is left of it."""
        self.sandbox.close()
        left = self._until_none_is_left()
        return [f"process {pid} outlived the sandbox" for pid in left]

    def _run(self, attack: Attack) -> None:
        self.results, self.attackers, self.crash = [], [], ""
        try:
            for code in attack.codes:
                in_place = attack.in_place and bool(self.attackers)
                name = self.node if in_place else next(self._names)
                code = code.replace("YOUNGER", str(self.bait.younger.pid))
                self.results.append(self.sandbox.step(self.node, name, code, attack.limits))
                if not self.results[-1].ok:
                    return
                self.attackers += [] if in_place else [name]
        except CRASHES as error:
            self.crash = f"{type(error).__name__}: {error}"

    def _outcome(self, attack: Attack) -> Outcome:
        try:
            if attack.reached(self):
                return SHARED if attack.within else OPEN
        except CRASHES as error:
            self.crash = f"{type(error).__name__}: {error}"
        if self.crash or any(result.why or result.exception for result in self.results):
            return STOPPED
        return CONTAINED

    def _in_time(self, attack: Attack, took: float) -> list[str]:
        allowed = len(attack.codes) * attack.limits.seconds + attack.overtime
        return [f"it took {took:.1f} s"] if took > allowed else []

    def _look_over(self, attack: Attack) -> list[str]:
        """What is not as it should be, now that the attack is over."""
        broken = []
        if self.crash and not (attack.ends and self.crash.startswith("SandboxError")):
            broken.append(f"the sandbox failed: {self.crash}")
        try:
            broken += self._others_unchanged()
            for name in reversed(self.attackers + self._mine):
                self.sandbox.drop(name)
            self._mine = []
            broken += self._nothing_runs_on()
        except CRASHES as error:
            broken.append(f"the sandbox does not go on: {type(error).__name__}: {error}")
        if broken:
            broken += self._start_afresh()
        if attack.expected[self.backend] is not OPEN:
            broken += self._host_unchanged()
        return broken

    def _others_unchanged(self) -> list[str]:
        broken = []
        for node, value in (("base", "(1, 'base')"), ("sibling", "(2, 'sibling')")):
            found = self.probe(LOOK, node)
            if found.value != value:
                broken.append(f"{node} has changed: {_short(found)}")
        return broken

    def _nothing_runs_on(self) -> list[str]:
        self.sandbox.step("sibling", "sibling", "None", PROBE)  # its end sweeps
        stat = self.sandbox.stat()
        deadline = time.monotonic() + SETTLE_SECONDS
        while len(left := self.processes()) > len(stat.alive) and time.monotonic() < deadline:
            time.sleep(0.02)
        broken = []
        if len(left) > len(stat.alive):
            broken.append(f"processes {left} beside {len(stat.alive)} nodes")
        if stat.pids > len(stat.alive) + ZOMBIES:
            broken.append(f"{stat.pids} processes inside beside {len(stat.alive)} nodes")
        return broken

    def _host_unchanged(self) -> list[str]:
        broken = [] if self.bait.unharmed() else ["a process outside was harmed"]
        if changes := self.bait.changes():
            broken.append(f"files outside were changed: {', '.join(changes)}")
        return broken

    def _start_afresh(self) -> list[str]:
        left = self.close()
        self.sandbox = self._open()
        return left

    def _until_none_is_left(self) -> list[int]:
        deadline = time.monotonic() + SETTLE_SECONDS
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left


def _short(result: Result) -> str:
    last = result.value or (result.exception or "").strip().rpartition("\n")[2] or result.output
    words = f"{result.why} {result.status} {' '.join(result.unforkable)}".split()
    return " ".join([*words, last[:150]])


def _plain(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


def _numbers() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _newest() -> int:
    """Return the number that the machine gave out last."""
    return int(Path("/proc/loadavg").read_text().split()[-1])


def _fields(pid: int) -> list[str]:
    """Of /proc/<pid>/stat, from the state on."""
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()


def _marked(pid: int, mark: str) -> bool:
    """Whether a living process has the mark in its name, or was given it with its environment."""
    try:
        if _fields(pid)[0] in "ZX":
            return False
        if Path(f"/proc/{pid}/comm").read_text(errors="replace").strip() == mark:
            return True
        return f"{MARK}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
