"""The command lines of a round: what a person would type, from the settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from treegraft.rounds.flags import Known, line
from treegraft.rounds.settings import Flags, Settings

Kind = Literal["sft", "dpo"]

HELD_OUT, LEFT, MISSED = "held-out.txt", "left.txt", "missed.txt"
"""Files of task ids, one a line: what measures; what a round takes; what its student left."""


@dataclass(frozen=True, slots=True)
class Commands:
    """Of a run in `folder`. known: see `flags.ask`; of every command that is called."""

    settings: Settings
    folder: Path
    known: Known

    def path(self, number: int, name: str) -> Path:
        """A file or folder of round `number`. All of a run lie side by side, so that they share
        one journal, and the names of explored folders, which open the rows' ids, differ."""
        return self.folder / f"round-{number}-{name}"

    def teach(self, number: int, tasks: Path) -> list[str]:
        """The teacher searches."""
        teacher = self.settings.teacher
        return [
            *self._explore(number, "teacher", tasks, self.settings.explore.teacher),
            *_given("--teacher", teacher.model),
            *_given("--base-url", teacher.base_url),
            *_given("--template", teacher.template),
        ]

    def attempt(self, number: int, tasks: Path, base_url: str) -> list[str]:
        """The student searches."""
        return [
            *self._explore(number, "student", tasks, self.settings.explore.student),
            *("--teacher", student_name(number - 1), "--base-url", base_url),
            *("--template", self.settings.student.template),
        ]

    def together(self, number: int, tasks: Path, base_url: str) -> list[str]:
        """The student acts, and where it is not sure, or wrong, the teacher."""
        student, teacher = self.settings.student, self.settings.teacher
        return [
            *self._explore(number, "both", tasks, self.settings.explore.teacher),
            *_given("--teacher", teacher.model),
            *_given("--base-url", teacher.base_url),
            *_given("--template", teacher.template),
            *("--swift", f"{student_name(number - 1)}@{base_url}"),
            *("--swift-threshold", str(student.swift_threshold)),
            *("--swift-template", student.template),
        ]

    def export(self, number: int, kind: Kind, runs: Sequence[Path]) -> list[str]:
        """Rows of every run so far; equal ones are written once."""
        flags: Flags = getattr(self.settings.export, kind)
        known = self.known["engine export"]
        own = {"template": self.settings.student.template, **_names(flags)}
        output = self.path(number, f"{kind}.jsonl")
        return [
            *("engine", "export"),
            *map(str, runs),
            *("--to", kind, "--output", str(output)),
            *line(known, own),
            "--json",
        ]

    def train(self, number: int, kind: Kind, model: str) -> list[str]:
        """`model` learns the rows of round `number`."""
        flags: Flags = getattr(self.settings.train, kind)
        checkpoints: Flags = {"save_strategy": "epoch", "save_total_limit": 1}
        return [
            *("trainer", kind),
            *("--model_name_or_path", model),
            *("--dataset", str(self.path(number, f"{kind}.jsonl"))),
            *("--output_dir", str(self.path(number, kind))),
            "--resume_from_checkpoint",
            *line(self.known[f"trainer {kind}"], {**checkpoints, **_names(flags)}),
            "--json",
        ]

    def evaluate(self, number: int, model: str, base_url: str = "") -> list[str]:
        """The student of round `number` on the held-out tasks: `model`, or the one served."""
        tasks, known = self.settings.tasks, self.known["trainer eval"]
        data = tasks.held_out_data or tasks.data
        return [
            *("trainer", "eval"),
            *self._world("trainer eval", data, tasks.held_out, self.folder / HELD_OUT),
            *("--model", student_name(number) if base_url else model),
            *_given("--base-url", base_url),
            *("--template", self.settings.student.template),
            *("--out", str(self.path(number, "held-out"))),
            *line(known, self.settings.evaluate.flags),
            "--json",
        ]

    def serve(self, number: int, model: str, port: int) -> list[str]:
        """The student of round `number`, until this process ends."""
        return [
            *("trainer", "serve"),
            *(model, "--name", student_name(number), "--port", str(port)),
            *line(self.known["trainer serve"], self.settings.student.serve),
            *("--until-stdin-closes", "--json"),
        ]

    def _explore(self, number: int, who: str, tasks: Path, more: Flags) -> list[str]:
        world, explore = self.settings.tasks, self.settings.explore
        flags = {**_names(explore.flags), **_names(more)}
        seed = int(flags.get("seed", 0)) + number - 1
        return [
            *("engine", "explore"),
            *self._world("engine explore", world.data, world.train, tasks),
            *("--out", str(self.path(number, who))),
            *line(self.known["engine explore"], flags | {"seed": seed}),
            "--json",
        ]

    def _world(self, of: str, data: str | None, split: str | None, tasks: Path) -> list[str]:
        world = self.settings.tasks
        return [
            *("--env", world.env),
            *_given("--data", data),
            *_given("--split", split),
            *("--tasks", f"@{tasks}"),
            *("--sandbox", world.sandbox),
            *(["--unsafe"] if world.unsafe else []),
            *line(self.known[of], world.options),
        ]


def student_name(number: int) -> str:
    """What the student of round `number` is served as: the journal keeps replies by this name."""
    return f"student-{number}"


def _given(flag: str, value: str | None) -> list[str]:
    return [flag, value] if value else []


def _names(flags: Flags) -> Flags:
    """With one spelling, so that one table goes before another."""
    return {name.replace("-", "_"): value for name, value in flags.items()}
