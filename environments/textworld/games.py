"""The games: the bundled archive, or a user's.

A user's are story files (.z8, .z5) with TextWorld's .json beside, or ALFWorld's `game.tw-pddl`.
`tools/bundled/textworld` made the bundled ones. No game is ever run to read it.
"""

import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from environments.errors import DataError
from environments.records import Faults
from environments.textworld.pddl import FIELDS, commands, opening
from treegraft.file_errors import FileError
from treegraft.text_files import read_text

BUNDLED = Path(__file__).with_name("games.tar.xz")
SPLITS = ("train", "valid", "test", "valid_seen", "valid_unseen")
STORIES, PDDL = (".z8", ".z5", ".z3"), ".tw-pddl"
_UNITS = {3: 2, 4: 4, 5: 4, 8: 8}
"""Bytes that a file's length is counted in, by the version of the Z-machine."""


@dataclass(frozen=True, slots=True)
class Game:
    """A game.

    Attributes:
        name: unique within the data.
        story: the file's bytes.
        objective: what is to be done, in English; "" if the file does not say.
        walkthrough: commands that win; empty if none are known.
        kind: what the game is about.
        split: "train", "test", ... or "".
        group: see `environments.Task.group`; "" for the game's name.
        commands: the forms of its commands; "" for a story file, which has those of all.
    """

    name: str
    story: bytes
    objective: str = ""
    walkthrough: tuple[str, ...] = ()
    kind: str = ""
    split: str = ""
    group: str = ""
    commands: str = ""


@cache
def bundled() -> tuple[Game, ...]:
    """Return the bundled games."""
    with tarfile.open(BUNDLED) as archive:
        files = {member.name: archive.extractfile(member) for member in archive}
        content = {name: file.read() for name, file in files.items() if file is not None}
    return tuple(
        Game(
            each["name"],
            content[f"{each['name']}.z8"],
            each["objective"],
            tuple(each["walkthrough"]),
            each["kind"],
            each["split"],
        )
        for each in json.loads(content["games.json"])
    )


def read_games(data: Path, *, strict: bool) -> Sequence[Game]:
    """Return the games of one file, or of a folder and the folders in it, in order of name.

    A folder called train, valid, test, valid_seen or valid_unseen is the split of the games in it.

    Raises:
        DataError: there is none; or, if `strict`, one of them is broken.
    """
    found = sorted(data.rglob("*")) if data.is_dir() else [data]
    files = [file for file in found if file.suffix in (*STORIES, PDDL)]
    faults = Faults(strict)
    games = list(_read(data, files, faults))
    if not games:
        none = f"{data}: holds no story file ({', '.join((*STORIES, PDDL))})"
        raise DataError(faults.first() or none)
    faults.report()
    return games


def _read(data: Path, files: Sequence[Path], faults: Faults) -> Iterator[Game]:
    for file in files:
        root = data if data.is_dir() else data.parent
        within = file.relative_to(root)
        split = next((part for part in within.parts if part in SPLITS), "")
        try:
            story = file.read_bytes()
            if file.suffix == PDDL:
                yield _pddl_game(story, within, split)
                continue
            told = _told(file.with_suffix(".json"))
        except (OSError, FileError, ValueError) as error:
            faults.add(str(file), str(error))
            continue
        if fault := _fault(story):
            faults.add(str(file), fault)
            continue
        yield Game(
            str(within.with_suffix("")),
            story,
            str(told.get("objective") or ""),
            tuple(map(str, told.get("metadata", {}).get("walkthrough") or ())),
            within.parent.name or "game",
            split,
        )


def _pddl_game(story: bytes, within: Path, split: str) -> Game:
    """Return a game of ALFWorld's, TYPE-OBJECT-...-ROOM/TRIAL/game.tw-pddl; its group is the task.

    Raises:
        ValueError: it is none, or its planner did not solve it.
    """
    told = json.loads(story)
    if not (isinstance(told, dict) and all(isinstance(told.get(name), str) for name in FIELDS)):
        raise ValueError(f"is no game of ALFWorld's: it needs the texts {', '.join(FIELDS)}")
    if told.get("solvable") is False:
        raise ValueError("cannot be solved, as the file says")
    walkthrough = tuple(str(each).strip() for each in told.get("walkthrough") or ())
    objective = opening(told["pddl_problem"], told["grammar"])
    name = str(within.with_suffix("") if within.stem != "game" else within.parent)
    task = within.parent.parent.name if within.stem == "game" else within.stem
    kind = (task or name).partition("-")[0]
    own = commands(told["grammar"])
    return Game(name, story, objective, walkthrough, kind, split, task or name, own)


def _fault(story: bytes) -> str:
    """Return what is wrong with a story file, by its header (Z-Machine Standards 1.1, section 11).

    The interpreter ends the whole process where it meets a broken one.
    """
    if len(story) < 64 or story[0] not in _UNITS:
        return "is no story file of the Z-machine"
    length = int.from_bytes(story[0x1A:0x1C]) * _UNITS[story[0]]
    total = int.from_bytes(story[0x1C:0x1E])
    if length > len(story):
        return f"is cut off: {len(story)} bytes of {length}"
    if length and sum(story[64:length]) % 2**16 != total:
        return "is damaged: its checksum is wrong"
    return ""


def _told(file: Path) -> Mapping[str, Any]:
    """Return what TextWorld tells of a game; empty without such a file.

    Raises:
        ValueError: it is not TextWorld's.
    """
    if not file.exists():
        return {}
    told = json.loads(read_text(file))
    if not (isinstance(told, dict) and isinstance(told.get("metadata", {}), dict)):
        raise ValueError(f"{file.name} is not a game of TextWorld")
    return told
