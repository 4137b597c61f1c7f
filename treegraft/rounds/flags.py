"""Flags of the commands that a round calls: which there are, and how they stand in a command line.

The engine does not import the trainer; and a list of its flags kept here would go stale. So every
command is asked: what its --help names is what it takes.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from functools import cache

from engine.errors import UsageError
from treegraft.rounds.settings import Flags
from treegraft.rounds.subprocesses import executable

_WIDE = {"COLUMNS": "400", "TERM": "dumb"}
"""So that each flag stands whole, and at the beginning of a line of its own."""

_ALWAYS = {"help", "json", "config"}
_ENV_OPTIONS = {"db", "format", "partial", "goals", "observation", "schema"}
_WORLD = {"env", "data", "split", "tasks", "limit", "template", "sandbox", "unsafe"} | _ENV_OPTIONS
_SEARCHED = {"out", "journal", "quarantine", "teacher", "base_url"}
_STUDENT = {"swift", "swift_threshold", "swift_template"}
_TRAINED = {"model_name_or_path", "dataset", "output_dir"}
_RESUMED = {"resume_from_checkpoint", "overwrite_output_dir"}
_REPORTED = {"compare", "report", "reference", "sheet", "scores"}

SET_HERE: Mapping[str, set[str]] = {
    "engine explore": _WORLD | _SEARCHED | _STUDENT,
    "engine export": {"output", "to", "format"},
    "trainer sft": _TRAINED | _RESUMED,
    "trainer dpo": _TRAINED | _RESUMED,
    "trainer eval": _WORLD | _REPORTED | {"out", "model", "base_url"},
    "trainer serve": {"name", "host", "port", "api_key", "until_stdin_closes"},
}
"""What rounds decide themselves, or other tables of the file say."""

Known = Mapping[str, Mapping[str, str]]
"""Of each command, the spelling of each flag by its name with underscores."""


def ask(commands: Iterable[str]) -> Known:
    """The flags of each of `commands`.

    Raises:
        UsageError: there is no such command here.
    """
    names = list(commands)
    with ThreadPoolExecutor() as pool:
        return dict(zip(names, pool.map(_ask, names), strict=True))


@cache
def _ask(name: str) -> dict[str, str]:
    done = subprocess.run(
        [*executable(name.split()), "--help"],
        env={**os.environ, **_WIDE},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if any(map(str.isalnum, line))]
        why = words[-1].strip("│ ") if words else "it says nothing"
        raise UsageError(f"`{name}` cannot be called (pip install 'treegraft[train]'): {why}")
    return {_name(flag[2:]): flag for line in done.stdout.splitlines() for flag in _flags(line)}


def _flags(line: str) -> Iterator[str]:
    """The flags with which a line of help begins, as in "│ *  --bf16,--no-bf16  <bool>  ..."."""
    for word in line.strip("│* ").replace(",", " ").split():
        if not word.startswith("--"):
            return
        yield word


def check(known: Known, of: str, table: str, flags: Flags) -> None:
    """See that command `of` takes every one of `flags`, and that none is set elsewhere.

    Raises:
        UsageError: naming the nearest.
    """
    free = sorted(known[of].keys() - SET_HERE[of] - _ALWAYS)
    for name in flags:
        if _name(name) in SET_HERE[of] | _ALWAYS:
            raise UsageError(f"[{table}] {name}: rounds set this flag of `{of}` themselves")
        if _name(name) not in free:
            raise UsageError(f"[{table}] has no key {name!r}, nor has `{of}`{nearest(name, free)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """What was probably meant, as the end of a sentence."""
    names = sorted(known)
    close = get_close_matches(name, names, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(names)}"


def line(known: Mapping[str, str], flags: Flags) -> list[str]:
    """`flags` as they stand in a command line. `false` is --no-NAME where there is such a flag."""
    found: list[str] = []
    for name, value in flags.items():
        spelling = known[_name(name)]
        if value is True:
            found.append(spelling)
        elif value is not False:
            found += [spelling, str(value)]
        elif negation := known.get(f"no_{_name(name)}"):
            found.append(negation)
    return found


def _name(name: str) -> str:
    return name.replace("-", "_")
