"""Names of files: rename many, number them, sort them into folders."""

from tools.bundled.os.family import Family, check

NAMES = Family("names", "train")

PHOTOS = {f"IMG_{number}.JPG": f"photo {number}\n" for number in (7, 12, 103)}
NAMES.operation(
    "lower-case",
    "Rename every file in the current folder to the same name in lower case.",
    PHOTOS | {"readme.txt": "my photos\n"},
    [
        check(
            "tree",
            folder=".",
            holds={name.lower(): text for name, text in PHOTOS.items()}
            | {"readme.txt": "my photos"},
        )
    ],
    [
        ("Which files are there?", "ls"),
        (
            "tr makes the new name; mv only where it differs.",
            'for f in *; do n=$(echo "$f" | tr A-Z a-z); [ "$f" = "$n" ] || mv "$f" "$n"; done',
            "for f in *.JPG; do mv $f ${f%.JPG}.jpg; done",
            "for f in *; do cp $f $(echo $f | tr A-Z a-z); done",
        ),
        ("And now?", "ls"),
    ],
)
NAMES.operation(
    "extension",
    "Rename every file that ends in .jpeg, below the current folder at any depth, so that it "
    "ends in "
    ".jpg. Change nothing else.",
    {"a.jpeg": "1\n", "x/b.jpeg": "2\n", "x/y/c.jpeg.txt": "3\n", "x/y/d.jpeg": "4\n"},
    [
        check(
            "tree",
            folder=".",
            holds={"a.jpg": "1", "x/b.jpg": "2", "x/y/c.jpeg.txt": "3", "x/y/d.jpg": "4"},
        )
    ],
    [
        ("Where are they?", "find . -type f | sort"),
        (
            "The shell cuts the end of the name.",
            'find . -name \'*.jpeg\' | while read -r f; do mv "$f" "${f%.jpeg}.jpg"; done',
            "for f in *.jpeg; do mv $f ${f%.jpeg}.jpg; done",
            "find . -name '*.jpeg*' | while read -r f; do mv $f $(echo $f | sed s/jpeg/jpg/); done",
        ),
        ("And now?", "find . -type f | sort"),
    ],
)
NAMES.operation(
    "spaces",
    "In the folder letters, replace each space in a file's name by an underscore.",
    {"letters/to ann.txt": "a\n", "letters/to bob and cy.txt": "b\n", "letters/old.txt": "c\n"},
    [
        check(
            "tree",
            folder="letters",
            holds={"to_ann.txt": "a", "to_bob_and_cy.txt": "b", "old.txt": "c"},
        )
    ],
    [
        ("Which names?", "ls letters"),
        (
            "Every space, and with quotes around the names.",
            'cd letters && for f in *\\ *; do mv "$f" "${f// /_}"; done; cd ..',
            'cd letters && for f in *\\ *; do mv "$f" "${f/ /_}"; done; cd ..',
            "for f in letters/*; do mv $f ${f// /_}; done",
        ),
        ("And now?", "ls letters"),
    ],
)
NAMES.operation(
    "pad-numbers",
    "The files are called part1.txt to part12.txt. Rename them so that every number has two "
    "digits, "
    "as in part01.txt.",
    {f"part{number}.txt": f"{number}\n" for number in range(1, 13)},
    [
        check(
            "tree",
            folder=".",
            holds={f"part{number:02d}.txt": f"{number}" for number in range(1, 13)},
        )
    ],
    [
        ("Which files are there?", "ls"),
        (
            "Only those with one digit change.",
            'for f in part?.txt; do mv "$f" "part0${f#part}"; done',
            'for f in part*.txt; do mv "$f" "part0${f#part}"; done',
            "mv part?.txt part0?.txt",
        ),
        ("And now?", "ls"),
    ],
)
DATED = {
    "2023-11-02_a.txt": "a\n",
    "2023-12-24_b.txt": "b\n",
    "2024-01-05_c.txt": "c\n",
    "2024-01-30_d.txt": "d\n",
    "todo.txt": "t\n",
}
NAMES.operation(
    "by-month",
    "Some names begin with a date. Move each of these files into a folder that is called after the "
    "year and month, as in 2023-11; make the folders. The names stay.",
    DATED,
    [
        check(
            "tree",
            folder=".",
            holds={
                "2023-11/2023-11-02_a.txt": "a",
                "2023-12/2023-12-24_b.txt": "b",
                "2024-01/2024-01-05_c.txt": "c",
                "2024-01/2024-01-30_d.txt": "d",
                "todo.txt": "t",
            },
        )
    ],
    [
        ("Which files are there?", "ls"),
        (
            "The first seven characters are the folder.",
            'for f in 20*_*; do mkdir -p "${f:0:7}" && mv "$f" "${f:0:7}/"; done',
            'for f in 20*_*; do mkdir -p "${f:0:4}" && mv "$f" "${f:0:4}/"; done',
            'for f in *.txt; do mkdir -p "${f:0:7}" && mv "$f" "${f:0:7}/"; done',
        ),
        ("And now?", "find . -type f | sort"),
    ],
)
NAMES.question(
    "same-name",
    "One name occurs in both of the folders left and right. Which?",
    {
        **{f"left/{name}": "1\n" for name in ("ash", "beech", "elm", "fir")},
        **{f"right/{name}": "2\n" for name in ("alder", "birch", "fir", "oak")},
    },
    "fir",
    [
        (
            "comm -12 shows what both lists have.",
            "comm -12 <(ls left) <(ls right)",
            "comm -3 <(ls left) <(ls right)",
            "ls left right | sort | head -n 1",
        )
    ],
    ["elm", "alder", "ash"],
)
