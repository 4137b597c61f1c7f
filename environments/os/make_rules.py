"""Rules that make random tasks over files, in the form of `environments.os.tasks`."""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Record = dict[str, Any]

TOWNS = ("Aston", "Brill", "Corby", "Dover", "Ely", "Frome", "Goole", "Hythe")
GOODS = ("apples", "pears", "plums", "figs", "quinces", "grapes")
MODULES = ("auth", "billing", "cache", "mail", "search", "upload")
_NAMES = (
    "amber basil cedar delta ember fern grove heron iris juniper kelp lotus maple "
    "nettle olive poppy quartz reed sage thistle umber violet willow yarrow "
)
WORDS = tuple(_NAMES.split())
MESSAGES = ("timeout", "retry", "done", "started", "closed", "no route")


def sum_of_a_column(random: Random) -> Record:
    """Add up a column of the lines that two others choose."""
    towns, goods = random.sample(TOWNS, 4), random.sample(GOODS, 3)
    sales = [
        (_day(random), random.choice(towns), random.choice(goods), random.randint(2, 60))
        for _ in range(random.randint(14, 30))
    ]
    _, town, good, _ = random.choice(sales)
    chosen = [sale[3] for sale in sales if sale[1:3] == (town, good)]
    in_town = [sale[3] for sale in sales if sale[1] == town]
    name = f"{random.choice(('sales', 'orders', 'deliveries'))}.csv"
    return _question(
        f"{name} has the columns date, town, good and crates. How many crates of {good} are "
        f"listed for {town} in all?",
        {name: _lines(["date,town,good,crates", *(",".join(map(str, sale)) for sale in sales)])},
        sum(chosen),
        [sum(in_town), len(chosen), sum(chosen) + 1],
        [
            ("What does the file look like?", f"head -n 4 {name}"),
            (
                "I add up the fourth column of the lines that fit.",
                f'awk -F, \'$2 == "{town}" && $3 == "{good}" {{sum += $4}} END {{print sum}}\' '
                f"{name}",
                f"grep {town} {name} | grep -c {good}",
                f"awk -F, '$2 == \"{town}\" {{sum += $4}} END {{print sum}}' {name}",
            ),
        ],
    )


def errors_of_a_module(random: Random) -> Record:
    """Find the module with the most lines of a level in a log."""
    modules, level = random.sample(MODULES, 4), random.choice(("ERROR", "WARN"))
    lines = [
        f"{_day(random)} {random.choice(('ERROR', 'WARN', 'INFO'))} {random.choice(modules)}: "
        f"{random.choice(MESSAGES)}"
        for _ in range(random.randint(25, 45))
    ]
    lines.sort()
    counts = Counter(line.split()[2][:-1] for line in lines if line.split()[1] == level)
    ranked = counts.most_common()
    best = [name for name, number in ranked if number == ranked[0][1]]
    if len(best) > 1:  # one more line decides
        lines.append(f"2024-12-31 {level} {best[0]}: {random.choice(MESSAGES)}")
    wrong = [name for name in modules if name != best[0]]
    return _question(
        f"app.log has a line for each event: date, level, module and message. Which module has "
        f"the most lines of the level {level}?",
        {"app.log": _lines(lines)},
        best[0],
        wrong,
        [
            ("What does the log look like?", "head -n 5 app.log"),
            (
                "I count the lines of that level by module, and take the first.",
                f"awk '$2 == \"{level}\" {{print $3}}' app.log | tr -d : | sort | uniq -c | "
                "sort -rn | awk 'NR == 1 {print $2}'",
                "awk '{print $3}' app.log | tr -d : | sort | uniq -c | sort -rn | "
                "awk 'NR == 1 {print $2}'",
            ),
        ],
    )


def unique_lines(random: Random) -> Record:
    """Write each line of a file once, in order."""
    words = random.sample(WORDS, random.randint(6, 10))
    lines = random.choices(words, k=random.randint(15, 25))
    source, target = random.sample(("names.txt", "list.txt", "plants.txt", "found.txt"), 2)
    reverse = random.random() < 0.5
    wanted = _lines(sorted(set(lines), reverse=reverse))
    order = "in reverse alphabetical order" if reverse else "in alphabetical order"
    flag = "-ru" if reverse else "-u"
    return _operation(
        f"Write to {target} every different line of {source} once, {order}. Leave {source} as it "
        "is.",
        {source: _lines(lines)},
        [
            {"check": "text", "path": target, "is_": wanted},
            {"check": "text", "path": source, "is_": _lines(lines)},
        ],
        [
            ("What is in it?", f"cat {source}"),
            (
                "sort -u leaves each line once.",
                f"LC_ALL=C sort {flag} {source} > {target}",
                f"uniq {source} > {target}",
                f"sort {source} > {target}",
            ),
            ("Is it right?", f"cat {target}"),
        ],
    )


def move_by_ending(random: Random) -> Record:
    """Move all files with an ending, at any depth, into one folder."""
    names = random.sample(WORDS, 9)
    endings, folder = random.sample(("log", "txt", "csv", "md"), 3), random.choice(("kept", "old"))
    wanted = endings[0]
    files = {}
    for number, name in enumerate(names):
        ending = wanted if number < 3 else random.choice(endings)
        place = random.choice(("", "a/", "a/b/", "c/"))
        files[f"{place}{name}.{ending}"] = f"{name} {random.randint(1, 99)}\n"
    moved = {
        f"{folder}/{path.rpartition('/')[2]}" if path.endswith(f".{wanted}") else path: text
        for path, text in files.items()
    }
    left = {path.rpartition("/")[0] for path in moved}
    empty = [f"{each}/" for each in ("a", "a/b", "c") if _emptied(each, files, left)]
    return _operation(
        f"Move every file whose name ends in .{wanted}, in the current folder and at any depth "
        f"below it, into a new folder called {folder}; the names stay. Leave all else as it is.",
        files,
        [{"check": "tree", "folder": ".", "holds": moved | dict.fromkeys(empty, "")}],
        [
            ("Where are they?", "find . -type f | sort"),
            (
                "find goes through all folders.",
                f"mkdir {folder} && find . -name '*.{wanted}' -not -path './{folder}/*' "
                f"-exec mv {{}} {folder}/ \\;",
                f"mkdir {folder} && mv *.{wanted} {folder}/",
                f"mkdir {folder} && find . -name '*.{wanted}' -exec cp {{}} {folder}/ \\;",
            ),
            ("And now?", "find . -type f | sort"),
        ],
    )


def largest_file(random: Random) -> Record:
    """Find the largest file of an ending."""
    names = random.sample(WORDS, 7)
    sizes = random.sample(range(3, 60), 7)
    ending, other = random.sample(("txt", "log", "dat"), 2)
    files = {
        f"{random.choice(('', 'in/', 'in/deep/'))}{name}.{ending if at < 5 else other}": "x" * size
        + "\n"
        for at, (name, size) in enumerate(zip(names, sizes, strict=True))
    }
    ours = sorted(
        (path for path in files if path.endswith(ending)), key=lambda path: -len(files[path])
    )
    plain = [path.rpartition("/")[2] for path in ours]
    return _question(
        f"Which file whose name ends in .{ending} is the largest, in the current folder and below "
        "it? Answer with its name, without its folder.",
        files,
        plain[0],
        plain[1:],
        [
            ("Which files are there?", "find . -type f | sort"),
            (
                "I sort them by size.",
                f"find . -name '*.{ending}' -printf '%s %f\\n' | sort -rn | "
                "awk 'NR == 1 {print $2}'",
                f"find . -name '*.{ending}' -printf '%s %f\\n' | sort -n | "
                "awk 'NR == 1 {print $2}'",
            ),
        ],
    )


def replace_in_files(random: Random) -> Record:
    """Replace a value in all files of an ending, and in no other."""
    old, new = random.sample(WORDS, 2)
    port = random.randint(2000, 9000)
    names = random.sample(WORDS, 5)
    files = {}
    for number, name in enumerate(names):
        place = random.choice(("", "site/", "site/extra/"))
        ending = "conf" if number < 3 else "txt"
        host = old if number in (0, 1, 3) else random.choice((old, f"{old}-2"))
        files[f"{place}{name}.{ending}"] = f"host = {host}\nport = {port + number}\n"
    wanted = {
        path: text.replace(f"host = {old}\n", f"host = {new}\n") if path.endswith("conf") else text
        for path, text in files.items()
    }
    return _operation(
        f"In every file that ends in .conf, in the current folder and below it, a line "
        f"`host = {old}` must become `host = {new}`. Change no other line and no other file.",
        files,
        [{"check": "tree", "folder": ".", "holds": wanted}],
        [
            ("What is in them?", "grep -rn host . | sort"),
            (
                "Only whole lines, and only in these files.",
                f"find . -name '*.conf' -exec sed -i 's/^host = {old}$/host = {new}/' {{}} +",
                f"find . -name '*.conf' -exec sed -i 's/port/{new}/' {{}} +",
                f"find . -type f -exec sed -i 's/^host = {old}$/host = {new}/' {{}} +",
            ),
            ("And now?", "grep -rn host . | sort"),
        ],
    )


RULES: tuple[tuple[str, Callable[[Random], Record]], ...] = (
    ("train", sum_of_a_column),
    ("train", errors_of_a_module),
    ("train", unique_lines),
    ("train", move_by_ending),
    ("test", largest_file),
    ("test", replace_in_files),
)
"""Each rule with its split: a rule is a group of tasks, and no group is in both."""


def _emptied(folder: str, files: dict[str, str], left: set[str]) -> bool:
    """Return whether a folder that held files, and no folder, holds none any more."""
    places = {path.rpartition("/")[0] for path in files}
    deeper = any(each.startswith(f"{folder}/") for each in places)
    return folder in places and not deeper and folder not in left


def _question(
    prompt: str,
    files: dict[str, str],
    answer: Any,
    wrong: Sequence[Any],
    steps: Sequence[tuple[str, ...]],
) -> Record:
    others = [str(each) for each in dict.fromkeys(wrong) if each != answer]
    end = {"answer": [str(answer)], "wrong_answers": others}
    return {"prompt": prompt, "files": files, **end, "solution": _steps(steps)}


def _operation(
    prompt: str,
    files: dict[str, str],
    checks: Sequence[dict[str, Any]],
    steps: Sequence[tuple[str, ...]],
) -> Record:
    return {"prompt": prompt, "files": files, "checks": list(checks), "solution": _steps(steps)}


def _steps(steps: Sequence[tuple[str, ...]]) -> list[dict[str, Any]]:
    return [
        {"thought": thought, "command": command, "mistakes": wrong}
        for thought, command, *wrong in steps
    ]


def _lines(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _day(random: Random) -> str:
    return f"2024-{random.randint(1, 11):02d}-{random.randint(1, 28):02d}"
