"""The command `engine validate`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.env_flags import EnvChoice
from engine.cli.flags import command
from engine.errors import UsageError
from engine.panels import OUTPUT, TASKS
from engine.runs.quarantine import default_file, earlier
from engine.terminal import Json, Unsafe, confirmed, say
from engine.validate import Unsound, examine_world
from treegraft.write_files import beside, check_writable

if TYPE_CHECKING:
    from engine.proof.document import Opened
    from engine.proof.prove import Check
    from environments import Task, ToolEnv

SHOWN = 5
"""Tasks that fail a check, of those that are printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenChoice(EnvChoice):
    """An environment that is proven, or compared with a proof.

    Attributes:
        env: A registered environment (`engine envs` lists them), `module:Class` or
            `FILE.py:Class`; --verify takes it from the proof.
    """

    env: str = field(default="", metadata={"panel": TASKS, "default": "that of --verify"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofFlags:
    """The file of a proof.

    Attributes:
        proof: Also play a panel of cheaters, and write what was checked into this file.
        floor: Mean reward that a cheater may earn, NAME=X; repeat it for more. A guess solves half
            of the questions with yes or no (common=0.5).
        key_env: Environment variable with the key that signs the proof, or that --verify expects:
            an Ed25519 key in PEM, or a long random text for an HMAC.
        verify: Check this proof instead: its digest, its signature, and whether the world here is
            the proven one.
    """

    proof: Path | None = field(default=None, metadata={"panel": OUTPUT})
    floor: tuple[str, ...] = field(default=(), metadata={"panel": OUTPUT, "default": "0 for each"})
    key_env: str = field(default="", metadata={"panel": OUTPUT, "default": "no signature"})
    verify: Path | None = field(default=None, metadata={"panel": OUTPUT})

    def __post_init__(self) -> None:
        if self.proof is None and self.verify is None and (self.floor or self.key_env):
            raise UsageError("--floor and --key-env are for --proof FILE")

    @property
    def floors(self) -> dict[str, float]:
        """The floors, by the names of cheaters.

        Raises:
            UsageError: One cannot be read.
        """
        found = {}
        for given in self.floor:
            name, _, value = given.rpartition("=")
            try:
                found[name] = float(value)
            except ValueError:
                found[name] = -1.0
            if not name or not 0 <= found[name] <= 1:
                raise UsageError(f"--floor {given}: write NAME=X with X from 0 to 1, as common=0.5")
        return found


def _validate(
    choice: ProvenChoice,
    proving: ProofFlags,
    limit: Annotated[int | None, typer.Option(min=1, help="Most tasks to play.")] = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(help="Where to write.", show_default="runs/quarantine-ENV.json"),
    ] = None,
    unsafe: Unsafe = False,
    json_: Json = False,
) -> None:
    """Hold a world to its contract, and write down the tasks that are unsound.

    Every task's own solution is played twice, with branches.

    A task is unsound if its solution does not solve it, if doing nothing solves it, if the same
    actions return something else another time or in another process, or if they do after a restore.

    With --proof, cheaters play the tasks, too, and the file tells what was found. The exit code is
    0 if the world is proven, 1 if not.

    For example:

    engine validate --env bird --limit 10 --proof bird.json

    engine validate --verify bird.json
    """
    confirmed(choice.sandbox, unsafe)
    if proving.verify is not None:
        _verify(choice, proving)
        return
    if not choice.env:
        raise UsageError("name the world: --env NAME; `engine envs` lists them")
    floors = proving.floors
    file = quarantine or default_file(choice.env, choice.data)
    check_writable(file)
    if proving.proof is not None:
        check_writable(proving.proof)
        _check_key(proving.key_env)
    before = earlier(file, choice.env, choice.data)
    again = partial(choice.make, choice.env)
    checks: Mapping[str, Check] = {}
    with choice.open(limit) as (world, tasks):
        found = examine_world(world, tasks, again)
        if proving.proof is not None:
            checks = _prove(choice, proving, floors, (world, tasks, found))
    before.updated(tasks, {one.task: f"{one.kind}: {one.reason}" for one in found}).write(file)
    results = beside(file, proving.proof)
    report = {"tasks": len(tasks), "sound": len(tasks) - len(found), "quarantine": str(file)}
    if checks:
        report["checks"] = {name: check.to_dict() for name, check in checks.items()}
    if json_:
        print(json.dumps({**report, "unsound": [asdict(one) for one in found]}), file=results)
    else:
        for one in found:
            print(f"{one.task}\t{one.group}\t{one.kind}\t{one.reason}", file=results)
        others = f"; the others are in {file}" if found else ""
        say(f"{report['sound']} of {len(tasks)} tasks are sound{others}")
        _tell(checks, proving.proof)
    if not all(check.passed for check in checks.values()):
        raise typer.Exit(1)


def _check_key(key_env: str) -> None:
    """See before anything is played that the key can sign."""
    from engine.proof.signing import sign

    sign("", key_env)


def _opened(choice: ProvenChoice) -> "Opened":
    from engine.proof.document import Opened

    return Opened(
        choice.env,
        choice.options(choice.env),
        choice.data,
        choice.split,
        choice.task_file,
        choice.sandbox,
    )


def _prove(
    choice: ProvenChoice,
    proving: ProofFlags,
    floors: Mapping[str, float],
    played: "tuple[ToolEnv, Sequence[Task], Sequence[Unsound]]",
) -> "Mapping[str, Check]":
    """Play the cheaters, and write the proof."""
    from engine.proof.document import document, write
    from engine.proof.panel import ABOUT
    from engine.proof.prove import prove
    from engine.proof.trials import trials

    assert proving.proof is not None
    world, tasks, found = played
    tried = trials(partial(choice.make, choice.env), tasks)
    checks = prove(tasks, found, tried, floors, ABOUT)
    write(proving.proof, document(world, _opened(choice), tasks, checks), proving.key_env)
    return checks


def _tell(checks: "Mapping[str, Check]", file: Path | None) -> None:
    """Print what failed, and in one line what was proven."""
    if file is None:
        return
    for name, check in checks.items():
        if check.passed:
            continue
        shown = list(check.failures.items())[:SHOWN]
        for task, why in shown:
            say(f"{name}: {task}: {why}")
        if more := len(check.failures) - len(shown):
            say(f"{name}: {more} more tasks")
    failed = [name for name, check in checks.items() if not check.passed]
    words = f"not proven: {', '.join(failed)}" if failed else f"proven by {len(checks)} checks"
    say(f"{words}; in {file}")


def _verify(choice: ProvenChoice, proving: ProofFlags) -> None:
    """Check a proof, and tell in one line whether the world here is the proven one.

    Raises:
        UsageError: The file is no proof, or the data that it names was not given.
        typer.Exit: With 1: it was changed, or the world is another.
    """
    from engine.proof.document import differences, intact, read

    assert proving.verify is not None
    proof = read(proving.verify)
    right, words = intact(proof, proving.key_env)
    if not right:
        say(f"{proving.verify}: {words}")
        raise typer.Exit(1)
    world = proof["world"]
    for flag in ("data", "task_file"):
        if world[flag] and getattr(choice, flag) is None:
            raise UsageError(
                f"the proof is of other tasks than the bundled ones: name the place of "
                f"{world[flag]['name']} here, --{flag.replace('_', '-')} ..."
            )
    if not choice.env:
        given = {name: value for name, value in world["options"].items() if value is not None}
        own = tuple(f"{name}={_written(value)}" for name, value in given.items())
        choice = replace(choice, env=world["env"], split=world["split"], env_arg=own)
    with choice.open(None) as (env, _):
        found = differences(proof, env, _opened(choice))
    state = "proven" if proof["proven"] else "not proven"
    same = f"differs from it: {', '.join(found)}" if found else "is the one that was tried"
    say(f"{proving.verify}: {world['env']}, {state}; {words}; the world here {same}")
    if found or not proof["proven"]:
        raise typer.Exit(1)


def _written(value: object) -> str:
    """Return the value of an option as --env-arg takes it."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


validate = command(_validate)
