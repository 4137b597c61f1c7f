"""The options of each step of a round, from the settings: what the step's process is given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.cli.option_table import Options
from engine.errors import UsageError
from engine.terminal import confirmed
from treegraft.errors import TreegraftError
from treegraft.rounds.settings import Settings
from treegraft.rounds.step import BUILDERS

Searcher = Literal["teacher", "student", "both"]
Kind = Literal["sft", "dpo"]

HELD_OUT, LEFT, MISSED = "held-out.txt", "left.txt", "missed.txt"
"""Files of task ids, one per line: those that measure, those a round takes, and those its student
did not solve."""

RFT_PER_TASK = 10
"""Most successes of a task that RFT trains on, unless [export.sft] per_task says so; ReST-EM's
(Singh et al. 2023, arXiv:2312.06585). Solved tasks are not searched again, so it holds for all
rounds."""


@dataclass(frozen=True, slots=True)
class StepOptions:
    """Makes the options of the steps of the run in `folder`."""

    settings: Settings
    folder: Path

    def path(self, number: int, name: str) -> Path:
        """Return a file or folder of round `number`.

        All lie side by side: explored folders share one journal, and their names, with which the
        ids of rows begin, differ.
        """
        return self.folder / f"round-{number}-{name}"

    def search(self, number: int, searcher: Searcher, tasks: Path, base_url: str = "") -> Options:
        """Return the options of a search by the teacher, the student, or both together.

        Args:
            number: The round.
            searcher: Who searches; it is the name of the step, too.
            tasks: File of the ids of the tasks.
            base_url: Where the student is served.
        """
        student, teacher = self.settings.student, self.settings.teacher
        explore = self.settings.explore
        own = explore.student if searcher == "student" else explore.teacher
        if searcher == "student" and number == 1:
            own = {**own, **explore.untrained}
        options = {**self._world(tasks, held_out=False), **explore.options, **own}
        options["seed"] = options.get("seed", 0) + number - 1
        options["output"] = str(self.path(number, searcher))
        name = student_name(number - 1)
        if searcher == "student":
            return options | {"teacher": name, "base_url": base_url, "template": student.template}
        options |= {
            "teacher": teacher.model,
            "base_url": teacher.base_url,
            "template": teacher.template,
        }
        if searcher == "both":
            options |= {
                "student": f"{name}@{base_url}",
                "student_threshold": student.threshold,
                "student_template": student.template,
            }
        return options

    def credit(self, number: int, searched: Options) -> Options:
        """Return the options of valuing the states of a search of the student's.

        Args:
            number: The round.
            searched: The options of the search.
        """
        return {
            "run": searched["output"],
            "output": str(self.path(number, "credit")),
            "shots_from": searched.get("shots_from", "") if searched.get("shots") else "",
            **(self.settings.credit or {}),
        }

    def export(self, number: int, kind: Kind, runs: Sequence[Path]) -> Options:
        """Return the options of writing the rows of every run so far, each of them once."""
        chosen = self.settings.export.sft if kind == "sft" else self.settings.export.dpo
        if kind == "sft" and not self.settings.rounds.taught:
            chosen = {"per_task": RFT_PER_TASK, **chosen}
        return {
            "runs": [str(run) for run in runs],
            "output": str(self.path(number, f"{kind}.jsonl")),
            "template": [self.settings.student.template],
            **chosen,
        }

    def train(self, number: int, kind: Kind, model: str, *, both: bool = False) -> Options:
        """Return the options of training `model` on the rows of round `number`.

        Args:
            number: The round.
            kind: What is done.
            model: The model's folder or name.
            both: Whether the round trains by SFT and by DPO, so that they share its tokens.
        """
        return {
            "model": model,
            "dataset": str(self.path(number, f"{kind}.jsonl")),
            "output": str(self.path(number, kind)),
            "resume_from_checkpoint": True,
            "save_strategy": "epoch",
            "save_total_limit": 1,
            **(self.settings.sft if kind == "sft" else self.settings.dpo),
            **self._length(kind, both=both),
        }

    def _length(self, kind: Kind, *, both: bool) -> Options:
        """Return how long a training is, if [train] tokens says so."""
        train = self.settings.train
        if train.tokens is None:
            return {}
        dpo = max(round(train.tokens * train.dpo_share), 1) if both else 0
        return {"trained_tokens": dpo if kind == "dpo" else train.tokens - dpo}

    def evaluate(self, number: int, model: str, base_url: str = "") -> Options:
        """Return the options of measuring the student of round `number` on the held-out tasks.

        Args:
            number: The round.
            model: The student's folder.
            base_url: Where it is served; "" to load it.
        """
        return {
            **self._world(self.folder / HELD_OUT, held_out=True),
            "model": student_name(number) if base_url else model,
            "base_url": base_url,
            "template": self.settings.student.template,
            "output": str(self.path(number, "held-out")),
            **self.settings.eval.options,
            **({} if number else self.settings.eval.untrained),
        }

    def serve(self, number: int, model: str, port: int) -> Options:
        """Return the options of serving the student of round `number`."""
        return {"model": model, "name": student_name(number), "port": port, **self.settings.serve}

    def _world(self, tasks: Path, *, held_out: bool) -> Options:
        world = self.settings.tasks
        return {
            "env": world.env,
            "data": world.held_out_data or world.data if held_out else world.data,
            "split": world.held_out if held_out else world.train,
            "env_args": world.env_args,
            "sandbox": world.sandbox,
            "tasks": f"@{tasks}",
        }


def student_name(number: int) -> str:
    """Return the name under which the student of round `number` is served.

    The journal keeps its replies under this name.
    """
    return f"student-{number}"


def check_settings(settings: Settings) -> None:
    """Check what the types of the keys do not say: options that contradict each other.

    Raises:
        UsageError: Naming the table.
        SandboxError: The sandbox confines nothing, and the file does not allow that.
    """
    confirmed(settings.tasks.sandbox, settings.tasks.unsafe)
    if settings.student.threshold is not None and settings.explore.student:
        raise UsageError(
            "[explore.student] is for a student that searches alone; with student.threshold it "
            "acts in the teacher's search: leave one of them out"
        )
    if settings.student.threshold is not None and not settings.rounds.taught:
        raise UsageError(
            f"student.threshold is for a teacher that helps; the method {settings.rounds.method} "
            "has none: leave it out"
        )
    if settings.credit is not None and settings.rounds.taught:
        raise UsageError(
            "[credit] values what the student searches alone: choose the method rft or rft-dpo"
        )
    if settings.train.tokens is not None:
        for table, options in (("sft", settings.sft), ("dpo", settings.dpo)):
            if "trained_tokens" in options:
                raise UsageError(f"[{table}] trained_tokens: train.tokens says this; keep one")
    for table, step, options in _samples(StepOptions(settings, Path("out")), settings):
        try:
            BUILDERS[step](dict(options))
        except TreegraftError as error:
            raise UsageError(f"[{table}] {error}") from None


def _samples(options: StepOptions, settings: Settings) -> Iterator[tuple[str, str, Options]]:
    """Yield the table, the step and its options, for one step of each kind."""
    ids, url, model = Path("ids"), "http://127.0.0.1:1/v1", settings.student.model
    if settings.rounds.taught:
        yield "explore", "teacher", options.search(1, "teacher", ids)
    else:
        search = options.search(1, "student", ids, url)
        yield "explore.untrained", "student", search
        yield "credit", "credit", options.credit(1, search)
    if settings.student.threshold is None:
        yield "explore.student", "student", options.search(2, "student", ids, url)
    else:
        yield "student", "both", options.search(2, "both", ids, url)
    yield "export.sft", "rows", options.export(1, "sft", [])
    yield "export.dpo", "pairs", options.export(1, "dpo", [])
    yield "sft", "sft", options.train(1, "sft", model)
    yield "dpo", "dpo", options.train(1, "dpo", model, both=True)
    served = url if settings.eval.served else ""
    yield "eval", "evaluate", options.evaluate(1, model, served)
    yield "eval.untrained", "evaluate", options.evaluate(0, model, served)
    yield "serve", "serve", options.serve(1, model, 1)
