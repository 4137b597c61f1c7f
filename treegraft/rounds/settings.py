"""What one file says of a run of rounds: a table of the file is a class, a key of it a field.

A field of type `Flags` holds flags of the command in its metadata, by their own names; one called
`flags` takes them from the table itself, any other from a table below it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Flags = Mapping[str, str | int | float | bool]
"""Flags of a command, by name; with "-" or "_", as in the commands themselves."""

OPTIONS = ""
"""Stands for a command where an environment's own options are meant."""


def flags_of(command: str) -> Any:
    """A field of flags of `command`; none is the default."""
    return field(default_factory=dict, metadata={"command": command})


@dataclass(frozen=True, slots=True)
class Tasks:
    """[tasks]: what is explored and trained on, and what only measures.

    env, data, sandbox, unsafe: as `engine explore` takes them.
    train, held_out: the two splits.   held_out_data: where its data is, if not in `data`.
    train_tasks, held_out_tasks: ids, as --tasks takes them; "" for all of the split.
    train_limit, held_out_limit: at most so many, in order.
    shared_groups: allow a group (a database, a product) on both sides.
    shared_questions: allow the same words of a question on both sides, where they are not the same
        task (each in a world of its own).
    options: what the environment takes besides, by name (db, format, goals, ...).
    """

    env: str
    data: str | None = None
    train: str | None = "train"
    held_out: str | None = "test"
    held_out_data: str | None = None
    train_tasks: str = ""
    held_out_tasks: str = ""
    train_limit: int | None = None
    held_out_limit: int | None = None
    sandbox: str = "auto"
    unsafe: bool = False
    shared_groups: bool = False
    shared_questions: bool = False
    options: Flags = flags_of(OPTIONS)


@dataclass(frozen=True, slots=True)
class Student:
    """[student]: who is trained.

    model: a directory, a hub id or "smollm2".   template: in which it acts, learns and is measured.
    swift_threshold: from the second round on, student and teacher search each task together: the
        student acts, and the teacher where the student's mean log-probability (nats a token) is
        under this (`engine explore --swift`). None: the student searches alone, then the teacher
        searches what the student did not solve.
    serve: flags of `trainer serve`.
    """

    model: str
    template: str = "react"
    swift_threshold: float | None = None
    serve: Flags = flags_of("trainer serve")


@dataclass(frozen=True, slots=True)
class Teacher:
    """[teacher]: who shows how it is done; as `engine explore` takes them."""

    model: str = "demonstration"
    base_url: str = ""
    template: str = "native"


@dataclass(frozen=True, slots=True)
class Explore:
    """[explore]: flags of `engine explore` for both; those of [explore.student] and
    [explore.teacher] go before them. Bounds (max_usd, ...) are of each round. Round n adds n - 1 to
    the seed.
    """

    flags: Flags = flags_of("engine explore")
    student: Flags = flags_of("engine explore")
    teacher: Flags = flags_of("engine explore")


@dataclass(frozen=True, slots=True)
class Export:
    """[export.sft], [export.dpo]: flags of `engine export`."""

    sft: Flags = flags_of("engine export")
    dpo: Flags = flags_of("engine export")


@dataclass(frozen=True, slots=True)
class Train:
    """[train]: how a student is made of rows; [train.sft], [train.dpo]: flags under TRL's names.

    start: "base" trains the student's model anew in every round, "last" goes on from the student of
        the round before. Either way on the rows of all rounds.
    least_pairs: DPO follows where there are so many pairs; 0: never.
    """

    start: Literal["base", "last"] = "base"
    least_pairs: int = 16
    sft: Flags = flags_of("trainer sft")
    dpo: Flags = flags_of("trainer dpo")


@dataclass(frozen=True, slots=True)
class Evaluate:
    """[evaluate]: flags of `trainer eval`.

    base: measure the student before its first training too.
    served: ask it over `trainer serve` as exploring does, instead of in the measuring process.
    """

    base: bool = True
    served: bool = False
    flags: Flags = flags_of("trainer eval")


@dataclass(frozen=True, slots=True)
class Rounds:
    """[rounds]: how long.

    number: of rounds.   least_gain: stop after a round whose held-out solve rate, in [0, 1], is not
    higher by so much; None: never.   failures: the share, in [0, 1], of a step's tasks that may be
    without a tree; where more are, the run stops for a person to look.
    """

    number: int = 3
    least_gain: float | None = None
    failures: float = 0.5


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole file."""

    tasks: Tasks
    student: Student
    teacher: Teacher
    explore: Explore
    export: Export
    train: Train
    evaluate: Evaluate
    rounds: Rounds
