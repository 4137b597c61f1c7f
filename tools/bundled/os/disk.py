"""Disk usage: sizes of files and folders, and what to remove."""

from tools.bundled.os.family import Family, check

DISK = Family("disk", "test")

FILES = {
    "home/ann/film.dat": "f" * 900,
    "home/ann/list.txt": "milk\n",
    "home/bob/a.log": "l" * 250,
    "home/bob/b.log": "l" * 260,
    "home/bob/c.log": "l" * 270,
    "home/bob/old/d.log": "l" * 400,
    "home/cy/note.txt": "n" * 12,
    "home/cy/old/film.dat": "f" * 300,
}


def total(folder: str) -> int:
    """The bytes of the files below a folder."""
    return sum(len(text) for name, text in FILES.items() if name.startswith(folder))


DISK.question(
    "bytes-of-bob",
    "How many bytes do the files below home/bob hold together? Folders do not count.",
    FILES,
    total("home/bob/"),
    [
        ("What is there?", "ls -lR home/bob"),
        (
            "I add the sizes that find prints.",
            "find home/bob -type f -printf '%s\\n' | awk '{sum += $1} END {print sum}'",
            "cat home/bob/*.log | wc -c",
            "find home/bob -type f | wc -c",
        ),
    ],
    [total("home/bob/") - 400, total("home/"), 4],
)
DISK.question(
    "largest-user",
    "Whose folder below home holds the most bytes in its files, all depths together? Answer with "
    "the folder's name.",
    FILES,
    max(("ann", "bob", "cy"), key=lambda name: total(f"home/{name}/")),
    [
        (
            "I add up for each folder.",
            'for d in home/*; do echo "$(find $d -type f -exec cat {} + | wc -c) $d"; done | '
            "sort -n",
            "ls -S home | head -n 1",
            "find home -type f -printf '%s %p\\n' | sort -n | tail -n 1",
        )
    ],
    ["ann", "cy"],
)
LOGS = {name: text for name, text in FILES.items() if name.endswith(".log")}
DISK.operation(
    "remove-logs",
    "Remove every .log file below home that is larger than 255 bytes. Everything else stays.",
    FILES,
    [
        check(
            "tree",
            folder="home",
            holds={
                name.removeprefix("home/"): text
                for name, text in FILES.items()
                if name not in LOGS or len(text) <= 255
            }
            | {"bob/old/": ""},
        )
    ],
    [
        ("Which are they?", "find home -name '*.log' -printf '%s %p\\n' | sort"),
        (
            "c is for bytes.",
            "find home -name '*.log' -size +255c -delete",
            "find home -size +255c -delete",
            "find home -name '*.log' -delete",
            "rm home/bob/b.log home/bob/c.log",
        ),
        ("What is left?", "find home -type f | sort"),
    ],
)
DISK.operation(
    "report",
    "Write report.txt: a line for each regular file below home, with its size in bytes, a "
    "space and "
    "its path (beginning with home/), the largest first.",
    FILES,
    [
        check(
            "text",
            path="report.txt",
            is_="".join(
                f"{len(text)} {name}\n"
                for name, text in sorted(FILES.items(), key=lambda item: -len(item[1]))
            ),
        )
    ],
    [
        (
            "find prints both, sort -rn orders by size.",
            "find home -type f -printf '%s %p\\n' | sort -rn > report.txt",
            "find home -type f -printf '%s %p\\n' | sort -r > report.txt",
            "find home -type f -printf '%p %s\\n' | sort -rn > report.txt",
        ),
        ("Is it right?", "cat report.txt"),
    ],
)
DISK.question(
    "same-size",
    "How many bytes has the smallest regular file below home?",
    FILES,
    min(len(text) for text in FILES.values()),
    [
        (
            "Sorted by size, the first.",
            "find home -type f -printf '%s %p\\n' | sort -n | head -n 1",
            "find home -type f -printf '%s %p\\n' | sort | head -n 1",
        )
    ],
    [12, 4, 900],
)
