"""The steps of a round in order.

Finished steps are skipped, so a resumed run simply executes this function again.
"""

import shutil
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from engine.cli.option_table import Options
from engine.errors import UsageError
from engine.terminal import say
from treegraft.rounds import curve
from treegraft.rounds.held_out import check_rows
from treegraft.rounds.serving import base_url, served
from treegraft.rounds.state import State
from treegraft.rounds.step_options import LEFT, MISSED, Kind, Searcher, StepOptions
from treegraft.rounds.subprocesses import Result, StepFailed, run_step
from treegraft.rounds.tasks import ChosenTasks, write_ids


@dataclass(frozen=True, slots=True)
class Loop:
    """A run of rounds.

    Attributes:
        options: Makes the options of each step.
        state: The finished steps.
        chosen: The tasks.
        passed: Finished steps that this process has come to.
    """

    options: StepOptions
    state: State
    chosen: ChosenTasks
    passed: set[str] = field(default_factory=set)

    def play(self, number: int) -> None:
        """Do round `number`, or the rest of it; 0 measures the student before any training."""
        if number > 0:
            self._search(number)
            self._export(number)
            self._train(number)
        if number > 0 or self.options.settings.eval.base:
            self._evaluate(number)

    def student(self, number: int) -> str:
        """Return the model that round `number` has trained."""
        for kind in ("dpo", "sft"):
            if f"{number}/{kind}" in self.state.done:
                return str(self.options.path(number, kind))
        return self.options.settings.student.model

    def _search(self, number: int) -> None:
        """Search the tasks left: first the student, from round 2 on, then the teacher.

        Without a teacher the student searches alone, in round 1 untrained.
        """
        todo = curve.left(self.state, number)
        tasks = self._write_ids(number, LEFT, todo)
        if not self.options.settings.rounds.taught:
            found = self._explore(number, "student", tasks, len(todo))
            if not found["student"]:
                say(f"round {number}: the student solved none of the {len(todo)} tasks left")
            self._credit(number, tasks, len(todo))
            return
        if number == 1:
            self._explore(number, "teacher", tasks, len(todo))
            return
        if self.options.settings.student.threshold is not None:
            self._explore(number, "both", tasks, len(todo))
            return
        found = self._explore(number, "student", tasks, len(todo))
        missed = [id for id in todo if id not in set(found["student"])]
        if missed:
            tasks = self._write_ids(number, MISSED, missed)
            self._explore(number, "teacher", tasks, len(missed))

    def _credit(self, number: int, tasks: Path, count: int) -> None:
        """Value the states of the student's search, if the file asks for it."""
        if self.options.settings.credit is None:
            return
        searched = self.options.search(number, "student", tasks, base_url(self.state.port))
        options = self.options.credit(number, searched)
        self._step(f"{number}/credit", options, self._served(number - 1), tasks=count)

    def _explore(self, number: int, searcher: Searcher, tasks: Path, count: int) -> Result:
        """Search, with the student of the round before if the searcher needs it."""
        url = base_url(self.state.port)
        options = self.options.search(number, searcher, tasks, url)
        serving = nullcontext() if searcher == "teacher" else self._served(number - 1)
        return self._step(f"{number}/{searcher}", options, serving, tasks=count)

    def _export(self, number: int) -> None:
        """Write the rows of every round so far."""
        # The run of a credit holds the search, too.
        searches = curve.SEARCHES if self.options.settings.credit is None else ("credit",)
        runs = [
            self.options.path(before, name)
            for before in range(1, number + 1)
            for name in searches
            if f"{before}/{name}" in self.state.done
        ]
        rows = self._step(f"{number}/rows", self.options.export(number, "sft", runs))
        settings = self.options.settings.rounds
        if not rows["rows"]:
            how = "" if settings.taught else ", such as more width, or examples (shots)"
            raise StepFailed(
                f"round {number}: no task was solved, so there is nothing to train on (`engine "
                f"stats {runs[-1]}` shows more): change the settings{how}, and choose another "
                "--output"
            )
        if settings.pairs:
            self._step(f"{number}/pairs", self.options.export(number, "dpo", runs))

    def _train(self, number: int) -> None:
        """Train by SFT, then by DPO if there are enough pairs."""
        settings = self.options.settings
        start = settings.student.model
        if settings.train.start == "last" and number > 1:
            start = self.student(number - 1)
        written = self.state.done.get(f"{number}/pairs")
        pairs, least = written.result["rows"] if written else 0, settings.train.least_pairs
        both = least > 0 and pairs >= least
        self._fit(number, "sft", start, both=both)
        if both:
            self._fit(number, "dpo", str(self.options.path(number, "sft")), both=both)

    def _fit(self, number: int, kind: Kind, model: str, *, both: bool) -> None:
        """Train a model, once its rows are checked for held-out tasks."""
        folder, name = self.options.path(number, kind), f"{number}/{kind}"
        if name not in self.state.done:
            check_rows(self.chosen.known, self.options.path(number, f"{kind}.jsonl"))
            _clear(folder)
        self._step(name, self.options.train(number, kind, model, both=both))
        for checkpoint in folder.glob("checkpoint-*"):  # three times the model, and useless now
            shutil.rmtree(checkpoint)

    def _evaluate(self, number: int) -> None:
        model, tasks = self.student(number), len(self.chosen.measured)
        name = f"{number}/evaluate"
        if self.options.settings.eval.served:
            options = self.options.evaluate(number, model, base_url(self.state.port))
            self._step(name, options, self._served(number), tasks=tasks)
        else:
            self._step(name, self.options.evaluate(number, model), tasks=tasks)

    def _served(self, number: int) -> AbstractContextManager[None]:
        return served(self.options.serve(number, self.student(number), self.state.port))

    def _step(
        self,
        name: str,
        options: Options,
        around: AbstractContextManager[None] | None = None,
        tasks: int = 0,
    ) -> Result:
        """Return the result of a step, which is done now unless it is finished.

        Args:
            name: Its name, such as "2/sft".
            options: Its options.
            around: Entered while the step runs.
            tasks: Number of tasks that it works on.

        Raises:
            StepFailed: It ended with an error, or too many of its tasks failed.
            UsageError: It was done earlier with other options.
        """
        earlier = self.state.earlier(name, options)
        if earlier is None:
            self._begin(name)
            number, _, step = name.partition("/")
            say(f"== round {number}: {step}")
            start = time.monotonic()
            with around or nullcontext():
                earlier = run_step(step, options, self.options.path(int(number), f"{step}.out"))
            self._check_failures(earlier, tasks)
            self.state.finish(name, options, earlier, time.monotonic() - start)
        self.passed.add(name)
        return earlier

    def _begin(self, name: str) -> None:
        """Record that step `name` is under way, unless later ones are finished."""
        if later := [done for done in self.state.done if done not in self.passed]:
            raise UsageError(
                f"{self.state.folder} was made with other settings, which did not ask for {name} "
                f"before {later[0]}: restore them, or choose another --output"
            )
        self.state.begin(name)

    def _check_failures(self, result: Result, tasks: int) -> None:
        failed = result.get("failed", 0)
        if failed > self.options.settings.rounds.failures * tasks:
            raise StepFailed(f"{failed} of {tasks} tasks failed ({result.get('why', 'see above')})")

    def _write_ids(self, number: int, name: str, ids: Sequence[str]) -> Path:
        file = self.options.path(number, name)
        write_ids(file, ids)
        return file


def _clear(folder: Path) -> None:
    """Remove what a killed training left, if training cannot be resumed from it.

    That is a model, perhaps incomplete, without a checkpoint; or a folder that does not yet say
    which training it belongs to.
    """
    begun = (folder / "treegraft.json").is_file()
    if begun and (not (folder / "config.json").exists() or list(folder.glob("checkpoint-*"))):
        return
    shutil.rmtree(folder, ignore_errors=True)
