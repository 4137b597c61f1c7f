"""The rounds, step after step. A step that is done is passed over; so this reads as if nothing
were ever cut off, and a run that was goes on here from its start.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from engine.errors import UsageError
from engine.terminal import say
from treegraft.rounds import curve
from treegraft.rounds.commands import LEFT, MISSED, Commands, Kind
from treegraft.rounds.errors import StepFailed
from treegraft.rounds.held_out import check_rows
from treegraft.rounds.serving import base_url, served
from treegraft.rounds.state import Result, State
from treegraft.rounds.subprocesses import last_object, run
from treegraft.rounds.tasks import Chosen, Who, outcome, write_ids

Finished = Callable[[Path], Result]
"""What came of a step, from the file of its standard output; raises StepFailed."""


@dataclass(frozen=True, slots=True)
class Loop:
    """One run of rounds.   met: steps that this process came to and found done."""

    commands: Commands
    state: State
    chosen: Chosen
    met: set[str] = field(default_factory=set)

    def play(self, number: int) -> None:
        """Round `number`, or what is left of it; 0 measures the student before any training."""
        settings = self.commands.settings
        if number > 0:
            self._search(number)
            self._rows(number)
            self._train(number)
        if number > 0 or settings.evaluate.base:
            self._evaluate(number)

    def student(self, number: int) -> str:
        """The model of round `number`'s student, which is trained."""
        for kind in ("dpo", "sft"):
            if f"{number}/{kind}" in self.state.done:
                return str(self.commands.path(number, kind))
        return self.commands.settings.student.model

    def _search(self, number: int) -> None:
        """Bring trees of the tasks left: first the teacher's, then the student's before it."""
        todo = curve.left(self.state, number)
        tasks = self._ids(number, LEFT, todo)
        if number == 1:
            self._explore(number, "teacher", todo, self.commands.teach(number, tasks))
            return
        url = base_url(self.state.port)
        if self.commands.settings.student.swift_threshold is not None:
            together = self.commands.together(number, tasks, url)
            self._explore(number, "both", todo, together)
            return
        found = self._explore(number, "student", todo, self.commands.attempt(number, tasks, url))
        missed = [id for id in todo if id not in set(found["student"])]
        if missed:
            tasks = self._ids(number, MISSED, missed)
            self._explore(number, "teacher", missed, self.commands.teach(number, tasks))

    def _explore(self, number: int, who: Who, ids: list[str], command: list[str]) -> Result:
        """Search, over the student that the round before made, where it is needed."""
        folder = self.commands.path(number, who)
        serving = nullcontext() if who == "teacher" else self._served(number - 1)

        def finished(_: Path) -> Result:
            found = outcome(folder, ids, who)
            self._enough(found["failed"], len(ids), found["why"])
            return found

        return self._step(f"{number}/{who}", command, finished, serving)

    def _rows(self, number: int) -> None:
        """Write the rows of every round so far."""
        runs = [
            self.commands.path(before, name)
            for before in range(1, number + 1)
            for name in curve.SEARCHES
            if f"{before}/{name}" in self.state.done
        ]
        rows = self._step(f"{number}/rows", self.commands.export(number, "sft", runs), _counted)
        if not rows["rows"]:
            raise StepFailed(
                f"round {number}: nobody solved a task, so there is nothing to learn from (`engine "
                f"stats {runs[-1]}` says more); it takes other settings, and another --out"
            )
        self._step(f"{number}/pairs", self.commands.export(number, "dpo", runs), _counted)

    def _train(self, number: int) -> None:
        """SFT, then DPO where there are pairs enough; on no row before it is looked at."""
        train = self.commands.settings.train
        start = self.commands.settings.student.model
        if train.start == "last" and number > 1:
            start = self.student(number - 1)
        self._learn(number, "sft", start)
        pairs = self.state.done[f"{number}/pairs"].result["rows"]
        if train.least_pairs and pairs >= train.least_pairs:
            self._learn(number, "dpo", str(self.commands.path(number, "sft")))

    def _learn(self, number: int, kind: Kind, model: str) -> None:
        made, name = self.commands.path(number, kind), f"{number}/{kind}"
        if name not in self.state.done:
            check_rows(self.chosen.known, self.commands.path(number, f"{kind}.jsonl"))
            _clear(made)
        self._step(name, self.commands.train(number, kind, model), last_object)
        for checkpoint in made.glob("checkpoint-*"):  # three times the model, and of no more use
            shutil.rmtree(checkpoint)

    def _evaluate(self, number: int) -> None:
        model, measured = self.student(number), self.chosen.measured

        def finished(output: Path) -> Result:
            report = last_object(output)
            self._enough(report["failed"], len(measured), "see above")
            return curve.rate_of(report)

        if self.commands.settings.evaluate.served:
            command = self.commands.evaluate(number, model, base_url(self.state.port))
            self._step(f"{number}/evaluate", command, finished, self._served(number))
        else:
            self._step(f"{number}/evaluate", self.commands.evaluate(number, model), finished)

    def _served(self, number: int) -> AbstractContextManager[None]:
        port = self.state.port
        return served(self.commands.serve(number, self.student(number), port), port)

    def _step(
        self,
        name: str,
        command: list[str],
        finished: Finished,
        around: AbstractContextManager[None] | None = None,
    ) -> Result:
        """What came of step `name`, now or earlier.

        Raises:
            StepFailed: it did not end well.
            UsageError: it was done by another command.
        """
        earlier = self.state.earlier(name, command)
        if earlier is not None:
            self.met.add(name)
            return earlier
        self._next(name)
        number, _, what = name.partition("/")
        say(f"== round {number}: {what}")
        output = self.commands.path(int(number), f"{what}.out")
        start = time.monotonic()
        with around or nullcontext():
            code = run(command, output)
        # 1: some tasks failed, or no row was written; whether that matters, `finished` says.
        good = (0,) if what in get_args(Kind) else (0, 1)
        if code not in good or not last_object(output):
            raise StepFailed(f"round {number}, {what}: the command ended with code {code}")
        result = finished(output)
        self.state.finish(name, command, result, time.monotonic() - start)
        self.met.add(name)
        return result

    def _next(self, name: str) -> None:
        """Note that step `name` is under way, once it is seen that it does come next."""
        if later := [done for done in self.state.done if done not in self.met]:
            raise UsageError(
                f"{self.state.folder} was made with other settings, which did not ask for {name} "
                f"before {later[0]}: put them back, or choose another --out"
            )
        self.state.begin(name)

    def _enough(self, failed: int, tasks: int, why: str) -> None:
        """See that not too many tasks failed."""
        if failed > self.commands.settings.rounds.failures * tasks:
            raise StepFailed(f"{failed} of {tasks} tasks failed ({why})")

    def _ids(self, number: int, name: str, ids: Sequence[str]) -> Path:
        file = self.commands.path(number, name)
        write_ids(file, ids)
        return file


def _counted(output: Path) -> Result:
    """Of `engine export --json`."""
    found = last_object(output)
    return {"rows": found["rows"], "dropped": found["dropped"]}


def _clear(folder: Path) -> None:
    """Remove what a killed training left from which none can go on: a model, perhaps half of one,
    without a checkpoint; or a folder that does not yet say whose it is."""
    begun = (folder / "treegraft.json").is_file()
    if begun and (not (folder / "config.json").exists() or list(folder.glob("checkpoint-*"))):
        return
    shutil.rmtree(folder, ignore_errors=True)
