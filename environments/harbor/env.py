"""The world "harbor": task folders of Harbor and Terminal-Bench 2, in their own containers.

A state is the container's files, saved as an image, and the shell's folder and variables, carried
as text. Programs left in the background end with their command, so a task whose tests need a
service that the agent started cannot be solved here.

`tests/` is uploaded only to grade, into a new container with the files of the leaf, after what lay
at /tests and /logs/verifier was removed. As in Harbor, an agent that is root can change the
programs that the tests use. `solution/` is in the container only while the demonstration runs.

The `info` of the end holds all "rewards" by name. The reward is the one called "reward", else their
mean. Tests that leave none fail the task: that is never a reward of 0.

Limitation: the restore law holds only for commands that do not read the clock, process numbers or
the kernel's randomness.
"""

from collections.abc import Sequence
from pathlib import Path

from environments.base import Outcome, ToolEnv
from environments.errors import DataError
from environments.forked import BASH
from environments.harbor.archives import archive, empty_folders, solving_command
from environments.harbor.folders import HarborTask, read_folder, task_folders
from environments.harbor.rewards import read_rewards, single
from environments.harbor.states import State, States
from environments.records import BadRecord, Faults, of_split
from environments.tools import GIVE_UP, NO_ARGUMENTS, Tool
from environments.types import Action, Step, Task
from sandbox.docker import task_images
from sandbox.docker.containers import Bounds, Call, Container, Ran
from sandbox.docker.task_images import TaskImage
from sandbox.errors import SandboxError

BUNDLED = Path(__file__).parent / "data"
"""Folders of the bundled tasks, by split."""
SUBMIT = Tool("submit", "Say that the task is done. This ends it; its tests are run.", NO_ARGUMENTS)
LOGS = ("logs", "logs/agent", "logs/verifier", "logs/artifacts")
VERIFIER = "/logs/verifier"
GRADE = f"/tests/test.sh > {VERIFIER}/test-stdout.txt 2>&1"
KEPT = 24_000
"""Bytes of a command's output that are shown, half from each end."""
WHY = {
    "timeout": "it was stopped after {seconds:g} s",
    "flood": "it was stopped: it wrote too much",
}


class HarborEnv(ToolEnv):
    """Task folders of Harbor, solved with a shell in their own containers; needs Docker.

    Args:
        data: a task folder, or one with task folders below it; None for the bundled ones.
        split: the part of the bundled tasks to use; None for the default.
        sandbox: "auto" or "docker": tasks bring their own image.
        network: whether tasks whose settings ask for the network get it.
        seconds: a command of the agent's may take, at most the task's own limit.
    """

    sandboxed = True
    branching = "an image of the container's files"
    tools = (BASH, SUBMIT, GIVE_UP)
    instructions = (
        "You solve a task with the shell of a Linux container. Each call of bash runs a command of "
        "yours, which must not wait for input; the shell keeps its folder and variables, but "
        "programs left in the background end with the command. Look at what is there before you "
        "change it. Call submit when the task is done: its tests are run then, and it ends. Call "
        "give_up only if there is no way."
    )

    def __init__(
        self,
        *,
        data: str | None = None,
        split: str | None = None,
        sandbox: str = "auto",
        network: bool = False,
        seconds: int = 120,
    ) -> None:
        super().__init__(data=data, split=split, sandbox=sandbox)
        self._network, self._seconds = network, seconds
        self._states = States(empty_folders(LOGS))
        self._read: dict[str, HarborTask] = {}
        self._image = ("", "")

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`."""
        faults = Faults(self.strict)
        place = Path(self.data) if self.data else BUNDLED / (self.split or "train")
        tasks = []
        for folder in task_folders(place.resolve()):
            try:
                tasks.append(self._task(folder, faults))
            except BadRecord as bad:
                faults.add(bad.place, bad.why)
        if not tasks:
            raise DataError(faults.first())
        faults.report()
        return of_split(tasks, self.split, place)

    def _task(self, folder: Path, faults: Faults) -> Task:
        read = read_folder(folder, faults, network=self._network)
        solution = folder / "solution"
        secret = {}
        if (solution / "solve.sh").is_file():
            secret["solution"] = solving_command(solution, read.solution_variables)
        split = "" if self.data else self.split or "train"
        return Task(
            id=folder.name,
            prompt=read.instruction,
            secret=secret,
            details={"folder": str(folder)},
            tags=dict(read.tags),
            group=folder.name,
            split=split,
        )

    def begin(self, task: Task) -> None:
        """See `ToolEnv.begin`."""
        if self.sandbox not in ("auto", "docker"):
            raise SandboxError(f"harbor needs --sandbox docker, not {self.sandbox}")
        read = self._folder(task)
        self._image = task_images.ensure(self._wanted(read))
        self._states.begin(self._image[0], _bounds(read, read.networks[0]))

    def _folder(self, task: Task) -> HarborTask:
        folder = str(task.details["folder"])
        if folder not in self._read:
            self._read[folder] = read_folder(Path(folder), Faults(), network=self._network)
        return self._read[folder]

    def _wanted(self, read: HarborTask) -> TaskImage:
        bundled = read.folder.is_relative_to(BUNDLED)
        return TaskImage(
            read.folder / "environment",
            read.image,
            {"BASE_IMAGE": task_images.plain_base()} if bundled else {},
            read.build_seconds,
            offline=bundled,
        )

    def act(self, action: Action) -> Outcome:
        """See `ToolEnv.act`."""
        assert self.task is not None
        read = self._folder(self.task)
        if action.tool == "submit":
            return self._graded(read)
        return self._ran(read, action.arguments["command"])

    def _ran(self, read: HarborTask, command: str) -> Outcome:
        seconds = min(self._seconds, read.agent_seconds or self._seconds)
        user = read.agent_user or self._image[1]
        call = Call((), user, read.workdir, dict(read.variables))
        ran = self._states.run(command.replace("\0", ""), call, seconds)
        if ran.why:
            why = WHY[ran.why].format(seconds=seconds)
            return Outcome.slip("stopped", f"{why}; all is as before this command")
        said = _shown(ran.output)
        end = f"[exit status {ran.status}]" if ran.status else "" if said else "(no output)"
        return Outcome("\n".join(filter(None, (said, end))), info={"status": ran.status})

    def _graded(self, read: HarborTask) -> Outcome:
        """Grade the end in a copy. The observation hides the tests, since it may be trained on."""
        self._states.keep()
        container = Container(self._states.current.image, _bounds(read, read.networks[1]))
        try:
            rewards = self._tested(container, read)
        finally:
            container.remove()
        reward = single(rewards)
        return Outcome("submitted", reward, terminated=True, info={"rewards": rewards})

    def _tested(self, container: Container, read: HarborTask) -> dict[str, float]:
        clean = f"rm -rf /tests /solution {VERIFIER}; [ ! -L /logs ] || rm /logs"
        container.run(Call(("bash", "-c", clean), "0", "/"), self._seconds)
        container.upload(empty_folders(LOGS))
        container.upload(archive(read.folder / "tests", "tests"))
        user = read.test_user or self._image[1]
        variables = {**read.variables, **read.test_variables}
        call = Call(("bash", "-c", GRADE), user, read.workdir, variables)
        ran: Ran = container.run(call, read.test_seconds)
        if ran.why:
            why = WHY[ran.why].format(seconds=read.test_seconds)
            raise DataError(f"{read.name}: no reward: the tests did not end: {why}")
        found = [container.read(f"{VERIFIER}/{file}") for file in ("reward.json", "reward.txt")]
        if found == [None, None]:
            said = _shown(container.read(f"{VERIFIER}/test-stdout.txt") or b"").replace("\n", " ")
            raise DataError(
                f"{read.name}: its tests left no reward.txt and no reward.json (exit status "
                f"{ran.status}); they said: {said[-200:] or 'nothing'}"
            )
        return read_rewards(read.name, *found)

    def save(self) -> State:
        """See `ToolEnv.save`."""
        return self._states.save()

    def load(self, state: State) -> None:
        """See `ToolEnv.load`."""
        self._states.load(state)

    def free(self, state: State) -> None:
        """See `ToolEnv.free`."""
        self._states.free(state)

    def end(self) -> None:
        """See `ToolEnv.end`."""
        self._states.close()

    def solution(self, task: Task) -> list[Action] | None:
        """See `Demonstrable.solution`: one action that runs the task's own solve.sh."""
        if "solution" not in task.secret:
            return None
        return [Action("bash", {"command": task.secret["solution"]}), Action("submit", {})]

    def noop(self, task: Task) -> list[Action]:
        """See `Demonstrable.noop`."""
        return [Action("submit", {})]

    def thought(self, task: Task, path: Sequence[Step], action: Action) -> str:
        """See `Demonstrable.thought`."""
        if action.tool == "submit":
            return "The task is done, so I submit it."
        return "I write a script that does what the task asks for, and run it."


def _bounds(read: HarborTask, network: bool) -> Bounds:
    return Bounds(read.memory_mb << 20, read.cpus, network=network)


def _shown(output: bytes) -> str:
    left_out = len(output) - KEPT
    if left_out > 0:
        gap = f"\n... {left_out} bytes left out ...\n".encode()
        output = output[: KEPT // 2] + gap + output[-KEPT // 2 :]
    return output.decode("utf-8", "replace").rstrip("\n")
