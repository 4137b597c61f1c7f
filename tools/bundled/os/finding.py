"""Find and count files by name, size, age and contents."""

from tools.bundled.os.family import Family, joined

FINDING = Family("finding", "train")

GARDEN = {
    "beds/north.txt": "carrots\nleeks\n",
    "beds/south.txt": "tomatoes\n",
    "beds/old/north.bak": "carrots\n",
    "notes.txt": "water daily\nweed weekly\nprune in March\n",
    "plans/2023/spring.txt": "sow leeks\n",
    "plans/2023/autumn.txt": "plant garlic\n",
    "plans/2024/spring.txt": "sow carrots\nsow leeks\n",
    "plans/2024/draft.md": "# Draft\n",
    "tools/list.csv": "spade,1\nrake,2\n",
    "tools/.hidden.txt": "secret key under the pot\n",
    "empty/": "",
}
TEXTS = [name for name in GARDEN if name.endswith(".txt")]

FINDING.question(
    "text-files",
    "How many files whose name ends in .txt are below the current folder, at any depth? Hidden "
    "files count.",
    GARDEN,
    len(TEXTS),
    [
        ("Let me see what is here.", "ls"),
        (
            "find goes through all folders, hidden files included.",
            "find . -type f -name '*.txt' | wc -l",
            "ls *.txt | wc -l",
            "ls -R | grep txt | wc -l",
        ),
    ],
    [1, len(TEXTS) - 1, len(GARDEN)],
)
FINDING.question(
    "leeks",
    "How many files below the current folder hold the word leeks?",
    GARDEN,
    sum("leeks" in text for text in GARDEN.values()),
    [
        ("Which files hold it?", "grep -rlw leeks . | sort", "grep -l leeks *", "ls | grep leeks"),
        ("I count them.", "grep -rlw leeks . | wc -l", "grep -rlw leeks beds | wc -l"),
    ],
    [1, 2, 4],
)
FINDING.question(
    "empty-folder",
    "One folder below the current one is empty. What is its name?",
    GARDEN | {"plans/2025/": "", "plans/2025/todo.txt": ""},
    "empty",
    [
        (
            "find can look for empty folders.",
            "find . -type d -empty",
            "find . -empty",
            "ls -d */",
        )
    ],
    ["todo.txt", "2025", "old"],
)
SIZES = {
    "photos/a.raw": "x" * 700,
    "photos/b.raw": "x" * 1500,
    "photos/c.raw": "x" * 90,
    "photos/trip/d.raw": "x" * 2600,
    "photos/trip/e.txt": "x" * 3100,
    "photos/trip/f.raw": "x" * 1024,
}
FINDING.question(
    "largest",
    "Which .raw file below photos is the largest? Answer with its name, without the folder.",
    SIZES,
    ["d.raw", "trip/d.raw", "photos/trip/d.raw"],
    [
        (
            "I print sizes and names, and sort by size.",
            "find photos -type f -name '*.raw' -printf '%s %p\\n' | sort -n | tail -n 1",
            "find photos -type f -printf '%s %p\\n' | sort -n | tail -n 1",
            "ls -S photos | head -n 1",
            "find photos -name '*.raw' -printf '%s %p\\n' | sort | tail -n 1",
        )
    ],
    ["e.txt", "b.raw", "a.raw"],
)
FINDING.question(
    "over-a-thousand",
    "How many files below photos are larger than 1000 bytes?",
    SIZES,
    sum(len(text) > 1000 for text in SIZES.values()),
    [
        ("Let me look.", "ls -lR photos"),
        (
            "With c, find counts bytes.",
            "find photos -type f -size +1000c | wc -l",
            "find photos -type f -size +1000 | wc -l",
            "find photos -type f -size +1k | wc -l",
        ),
    ],
    [0, 3, 6],
)
MAIL = {
    f"mail/{number:02d}.eml": joined([f"From: {who}", "", "Hello"])
    for number, who in enumerate(("ann", "bob", "ann", "cy", "ann", "bob"), 1)
}
TIMES = {
    name: f"2024-01-{day:02d} 09:00" for name, day in zip(MAIL, (3, 17, 11, 21, 12, 5), strict=True)
}
FINDING.question(
    "newest",
    "Which file in the folder mail was changed last? Answer with its name.",
    MAIL,
    ["04.eml", "mail/04.eml"],
    [
        ("ls -t puts the newest first.", "ls -t mail | head -n 1", "ls mail | tail -n 1"),
    ],
    ["06.eml", "01.eml", "02.eml"],
    times=TIMES,
)
FINDING.question(
    "since-the-tenth",
    "How many files in the folder mail were changed on 10 January 2024 or later?",
    MAIL,
    sum(time >= "2024-01-10" for time in TIMES.values()),
    [
        ("What are the dates?", "ls -l --time-style=long-iso mail"),
        (
            "find compares with a date.",
            "find mail -type f -newermt 2024-01-10 | wc -l",
            "find mail -type f ! -newermt 2024-01-10 | wc -l",
            "find mail -type f -newermt 2024-01-20 | wc -l",
        ),
    ],
    [2, 3, 6],
    times=TIMES,
)
FINDING.operation(
    "collect-backups",
    "Move every .bak file below the current folder into the folder attic, which you have to make. "
    "The names stay; nothing else changes.",
    {"a/x.bak": "1\n", "a/x.txt": "2\n", "b/c/y.bak": "3\n", "z.bak": "4\n", "z.txt": "5\n"},
    [
        {
            "check": "tree",
            "folder": ".",
            "holds": {
                "a/x.txt": "2",
                "attic/x.bak": "1",
                "attic/y.bak": "3",
                "attic/z.bak": "4",
                "b/c/": "",
                "z.txt": "5",
            },
        }
    ],
    [
        ("Where are they?", "find . -name '*.bak' | sort"),
        (
            "I make the folder and move them.",
            "mkdir attic && find . -path ./attic -prune -o -name '*.bak' -exec mv -t attic {} +",
            "mkdir attic && mv *.bak attic",
            "mkdir attic && cp */*.bak *.bak attic",
        ),
        ("Is all in its place?", "find . | sort"),
    ],
)
