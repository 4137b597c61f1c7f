"""The proof as a file: JSON with a digest over its canonical form, and a signature."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.proof import identity, signing
from engine.proof.prove import Check
from environments import Task, ToolEnv
from sandbox.check import choose
from treegraft.text_files import read_text
from treegraft.write_files import write_text

FORMAT = "treegraft-proof-1"
_BESIDE = ("digest", "signature")
"""Fields that the digest does not cover."""


@dataclass(frozen=True, slots=True)
class Opened:
    """How the world was opened.

    Attributes:
        env: Its name.
        options: Its own options.
        data: The data that was named; None for the bundled tasks.
        split: The split; None for the default.
        task_file: A file of tasks in place of the data's.
        sandbox: What confined the agent.
    """

    env: str
    options: Mapping[str, Any]
    data: str | None = None
    split: str | None = None
    task_file: Path | None = None
    sandbox: str = "auto"


def world_of(env: ToolEnv, opened: Opened) -> dict[str, Any]:
    """Return what a proof holds of a world: names and hashes."""
    name, colon, rest = opened.env.rpartition(":")
    return {
        "env": f"{Path(name).name}:{rest}" if colon and name.endswith(".py") else opened.env,
        "class": type(env).__qualname__,
        "code": identity.code_hashes(type(env)),
        "options": identity.public_options(opened.options),
        "split": opened.split,
        "data": identity.data_hash(opened.data),
        "task_file": identity.data_hash(opened.task_file),
    }


def document(
    env: ToolEnv, opened: Opened, tasks: Sequence[Task], checks: Mapping[str, Check]
) -> dict[str, Any]:
    """Return the proof, without digest and signature."""
    public = identity.task_hashes(env, tasks)
    return {
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "proven": all(check.passed for check in checks.values()),
        "versions": identity.versions(env.extra),
        "world": world_of(env, opened),
        "sandbox": choose(opened.sandbox).backend.name if env.sandboxed else "none",
        "tasks": {"count": len(tasks), "sha256": identity.digest(public), "public": public},
        "checks": {name: check.to_dict() for name, check in checks.items()},
    }


def write(file: Path, proof: Mapping[str, Any], key_env: str) -> None:
    """Write a proof with its digest, signed where a key is named."""
    found = identity.digest(dict(proof))
    whole = {**proof, "digest": found, "signature": signing.sign(found, key_env)}
    write_text(file, json.dumps(whole, ensure_ascii=False, indent=1) + "\n")


def read(file: Path) -> dict[str, Any]:
    """Read a proof.

    Raises:
        UsageError: The file is none.
    """
    try:
        found = json.loads(read_text(file))
        known = found["format"] == FORMAT and isinstance(found["world"]["code"], dict)
        known = known and isinstance(found["tasks"]["public"], dict)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{file} is not a proof ({error}); engine validate --proof writes one"
        ) from error
    if not known:
        raise UsageError(f"{file} is not a proof of the format {FORMAT}")
    return dict(found)


def intact(proof: Mapping[str, Any], key_env: str) -> tuple[bool, str]:
    """Return whether digest and signature are right, and in words what was checked."""
    covered = {name: value for name, value in proof.items() if name not in _BESIDE}
    found = identity.digest(covered)
    if found != proof.get("digest"):
        return False, "the file was changed: its digest is another"
    return signing.check(found, proof.get("signature"), key_env)


def differences(proof: Mapping[str, Any], env: ToolEnv, opened: Opened) -> list[str]:
    """Return what of the world here is not as it was proven; nothing if all is."""
    before, now = proof["world"], world_of(env, opened)
    found = [name for name in now if name != "code" and now[name] != before.get(name)]
    code = {"world": "its code", "base": "Treegraft's code"}
    found += [
        code.get(name, name)
        for name, value in now["code"].items()
        if value != before["code"].get(name)
    ]
    public = proof["tasks"]["public"]
    here = identity.task_hashes(env, [task for task in env.tasks if task.id in public])
    if gone := len(public.keys() - here.keys()):
        found.append(f"{gone} tasks are gone")
    if other := sum(public[id] != value for id, value in here.items()):
        found.append(f"{other} tasks are others")
    return found
