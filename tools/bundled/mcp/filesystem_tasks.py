"""Tasks of the server for files: move, change a setting, collect lines, find a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.bundled.mcp.task import call, task, wrong

SERVER = {
    "command": "mcp-server-filesystem",
    "args": ["{work}"],
    "state": "folder",
    # These show times or sizes that differ from machine to machine, or give whole files as base64.
    "hidden": ["get_file_info", "list_directory_with_sizes", "read_media_file", "read_file"],
}


@dataclass(frozen=True)
class Theme:
    """A folder of notes about one thing.

    Attributes:
        notes: file name and its lines; in one of them is `place`.
        config: lines of a settings file, of which `key` is changed.
    """

    name: str
    folder: str
    notes: dict[str, list[str]]
    moved: str
    target: str
    key: str
    old: str
    new: str
    word: str
    clue: str
    clue_file: str


THEMES = [
    Theme(
        "garden",
        "beds",
        {
            "north.txt": ["tomato: 12 plants", "basil: 6 plants", "todo: tie up the tomatoes"],
            "south.txt": ["carrot: 40 plants", "todo: thin out the carrots", "leek: 15 plants"],
            "pond.txt": ["lily: 3 plants", "reed: 9 plants"],
        },
        "pond.txt",
        "water",
        "litres",
        "20",
        "35",
        "todo",
        "leek",
        "south.txt",
    ),
    Theme(
        "choir",
        "songs",
        {
            "spring.txt": ["key: G major", "voices: 4", "open: find a soloist"],
            "winter.txt": ["key: D minor", "voices: 3", "open: copy the alto part"],
            "harvest.txt": ["key: C major", "voices: 2", "open: ask for the church"],
        },
        "winter.txt",
        "archive",
        "rehearsals",
        "2",
        "3",
        "open",
        "D minor",
        "winter.txt",
    ),
    Theme(
        "workshop",
        "tools",
        {
            "saws.txt": ["band saw: 1", "hand saw: 5", "buy: blades"],
            "drills.txt": ["drill press: 1", "hand drill: 2"],
            "clamps.txt": ["bar clamp: 8", "spring clamp: 20", "buy: bar clamps"],
        },
        "drills.txt",
        "lent",
        "opening_hour",
        "9",
        "8",
        "buy",
        "drill press",
        "drills.txt",
    ),
    Theme(
        "museum",
        "rooms",
        {
            "glass.txt": ["vase: 1720", "goblet: 1685", "check: the lock"],
            "coins.txt": ["ducat: 1610", "thaler: 1588", "check: the lamp"],
            "maps.txt": ["globe: 1740", "atlas: 1699"],
        },
        "maps.txt",
        "store",
        "tours",
        "4",
        "6",
        "check",
        "thaler",
        "coins.txt",
    ),
]
NAMES = [theme.name for theme in THEMES]


def tasks() -> Iterator[dict[str, Any]]:
    """Yield the tasks."""
    for theme in THEMES:
        before = {f"{theme.folder}/{name}": _text(lines) for name, lines in theme.notes.items()}
        before["settings.ini"] = f"[{theme.name}]\nname = {theme.name}\n{theme.key} = {theme.old}\n"
        for made in (_move, _change, _collect, _find):
            fields = made(theme, before)
            kind = made.__name__.strip("_")
            yield task("filesystem", theme.name, kind, NAMES, files_before=before, **fields)


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _at(*parts: str) -> str:
    return "/".join(("{work}", *parts))


def _move(theme: Theme, before: dict[str, str]) -> dict[str, Any]:
    source, target = f"{theme.folder}/{theme.moved}", f"{theme.target}/{theme.moved}"
    moving = "Now the file can be moved there."
    return {
        "prompt": f"Move the file {_at(source)} into a new folder {_at(theme.target)}, and keep "
        "its name.",
        "files": {target: before[source]},
        "absent": [source],
        "solution": [
            call(
                "create_directory",
                "The new folder has to exist before something can be moved into it.",
                path=_at(theme.target),
            ),
            call("move_file", moving, source=_at(source), destination=_at(target)),
        ],
        "mistakes": [
            wrong(0, "move_file", moving, source=_at(source), destination=_at(target)),
            wrong(1, "write_file", moving, path=_at(target), content=before[source]),
        ],
    }


def _change(theme: Theme, before: dict[str, str]) -> dict[str, Any]:
    path, old, new = "settings.ini", f"{theme.key} = {theme.old}", f"{theme.key} = {theme.new}"
    doing = f"The line is '{old}'; only its value changes."
    return {
        "prompt": f"In {_at(path)}, set {theme.key} to {theme.new}. Leave the rest as it is.",
        "files": {path: before[path].replace(old, new)},
        "solution": [
            call("read_text_file", "First see how the setting is written.", path=_at(path)),
            call("edit_file", doing, path=_at(path), edits=[{"oldText": old, "newText": new}]),
        ],
        "mistakes": [
            wrong(1, "write_file", doing, path=_at(path), content=f"{new}\n"),
            wrong(
                1,
                "edit_file",
                doing,
                path=_at(path),
                edits=[{"oldText": f"{theme.key}={theme.old}", "newText": new}],
            ),
        ],
    }


def _collect(theme: Theme, before: dict[str, str]) -> dict[str, Any]:
    names = sorted(theme.notes)
    found = [
        line.removeprefix(f"{theme.word}: ")
        for name in names
        for line in theme.notes[name]
        if line.startswith(f"{theme.word}: ")
    ]
    paths = [_at(theme.folder, name) for name in names]
    writing = "Each such line, in the order of the files' names."
    return {
        "prompt": f"Some files in {_at(theme.folder)} have a line that begins with "
        f"'{theme.word}: '. Write what follows in these lines into "
        f"{_at(theme.word + '.txt')}, one a line, in the order of the files' names.",
        "files": {f"{theme.word}.txt": _text(found)},
        "solution": [
            call("list_directory", "See which files there are.", path=_at(theme.folder)),
            call("read_multiple_files", "Read all of them at once.", paths=paths),
            call("write_file", writing, path=_at(f"{theme.word}.txt"), content=_text(found)),
        ],
        "mistakes": [
            wrong(
                2,
                "write_file",
                writing,
                path=_at(f"{theme.word}.txt"),
                content=_text([f"{theme.word}: {each}" for each in found]),
            )
        ],
    }


def _find(theme: Theme, before: dict[str, str]) -> dict[str, Any]:
    paths = [_at(theme.folder, name) for name in sorted(theme.notes)]
    return {
        "prompt": f"Which file in {_at(theme.folder)} mentions '{theme.clue}'? Answer with its "
        "name alone, without the folder.",
        "answer": theme.clue_file,
        "solution": [
            call("list_directory", "See which files there are.", path=_at(theme.folder)),
            call("read_multiple_files", "Their contents tell.", paths=paths),
        ],
        "mistakes": [
            wrong(
                1,
                "search_files",
                "A search may tell.",
                path=_at(theme.folder),
                pattern=f"*{theme.clue}*",
            ),
            *(
                wrong(2, "finish", "This seems to be the file.", answer=name)
                for name in sorted(theme.notes)
                if name != theme.clue_file
            ),
        ],
    }
