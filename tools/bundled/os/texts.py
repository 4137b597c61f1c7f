"""Texts: count words, replace, cut, sort, compare."""

from tools.bundled.os.family import Family, check

TEXTS = Family("texts", "train")

POEM = (
    "The wind is in the north\nThe snow is on the hill\n\nWe lit the fire at dusk\n"
    "And now the wind is still\n\n  The end  \n"
)
WORDS = [word.lower() for word in POEM.split()]
COLOURS = "teal\nred\nblue\nred\ngreen\nblue\nred\namber\n"

TEXTS.question(
    "the-word",
    "How often does the word the occur in poem.txt, whatever its letter case?",
    {"poem.txt": POEM},
    WORDS.count("the"),
    [
        ("Let me read it.", "cat poem.txt"),
        (
            "One word in each line of output, then count.",
            "grep -oiw the poem.txt | wc -l",
            "grep -ciw the poem.txt",
            "grep -ow the poem.txt | wc -l",
        ),
    ],
    [WORDS.count("the") - 2, sum("the" in line.lower() for line in POEM.splitlines()), 3],
)
TEXTS.operation(
    "tidy",
    "In poem.txt, remove empty lines, and spaces at the beginning and end of each line. Change the "
    "file itself.",
    {"poem.txt": POEM},
    [
        check(
            "lines",
            path="poem.txt",
            are=[line.strip() for line in POEM.splitlines() if line.strip()],
        ),
        check(
            "text",
            path="poem.txt",
            is_="\n".join(line.strip() for line in POEM.splitlines() if line.strip()),
        ),
    ],
    [
        ("Let me see it, with the ends of the lines.", "cat -A poem.txt"),
        (
            "sed -i edits the file.",
            "sed -i 's/^ *//; s/ *$//; /^$/d' poem.txt",
            "sed -i '/^$/d' poem.txt",
            "sed 's/^ *//; s/ *$//; /^$/d' poem.txt",
        ),
        ("And now?", "cat -A poem.txt"),
    ],
)
TEXTS.question(
    "commonest",
    "Which line occurs most often in colours.txt?",
    {"colours.txt": COLOURS},
    "red",
    [
        (
            "Sort, count, sort by count.",
            "sort colours.txt | uniq -c | sort -rn | head -n 1",
            "uniq -c colours.txt | sort -rn | head -n 1",
            "sort colours.txt | tail -n 1",
        )
    ],
    ["blue", "teal", "amber"],
)
TEXTS.operation(
    "once-each",
    "Write each line of colours.txt once to unique.txt, in the order in which they first occur.",
    {"colours.txt": COLOURS},
    [check("text", path="unique.txt", is_="teal\nred\nblue\ngreen\namber\n")],
    [
        ("What is in it?", "cat colours.txt"),
        (
            "awk remembers what it has seen.",
            "awk '!seen[$0]++' colours.txt > unique.txt",
            "sort -u colours.txt > unique.txt",
            "uniq colours.txt > unique.txt",
        ),
        ("Is it right?", "cat unique.txt"),
    ],
)
TEXTS.operation(
    "replace-everywhere",
    "The firm Brown is called Green now. In every .txt file below the current folder, replace the "
    "word Brown by Green. Brownfield is another firm, and stays; so does every other file.",
    {
        "a.txt": "Dear Brown,\nBrown and Brownfield\n",
        "old/b.txt": "no firm here\nBrown Brown\n",
        "old/c.md": "Brown\n",
    },
    [
        check(
            "tree",
            folder=".",
            holds={
                "a.txt": "Dear Green,\nGreen and Brownfield",
                "old/b.txt": "no firm here\nGreen Green",
                "old/c.md": "Brown",
            },
        )
    ],
    [
        ("Where does it occur?", "grep -rn Brown . | sort"),
        (
            "\\b is the border of a word.",
            "find . -name '*.txt' -exec sed -i 's/\\bBrown\\b/Green/g' {} +",
            "find . -name '*.txt' -exec sed -i 's/Brown/Green/g' {} +",
            "sed -i 's/\\bBrown\\b/Green/g' *.txt",
            "find . -name '*.txt' -exec sed -i 's/\\bBrown\\b/Green/' {} +",
        ),
        ("And now?", "grep -rn -e Brown -e Green . | sort"),
    ],
)
TEXTS.question(
    "longest-line",
    "How many characters has the longest line of poem.txt, its spaces included?",
    {"poem.txt": POEM},
    max(map(len, POEM.splitlines())),
    [
        (
            "awk knows the length of each line.",
            "awk 'length > most {most = length} END {print most}' poem.txt",
            "wc -c poem.txt",
            "awk '{print length}' poem.txt | tail -n 1",
        )
    ],
    [len(POEM), max(map(len, POEM.splitlines())) + 1, 23],
)
TEXTS.operation(
    "middle",
    "Write lines 40 to 60 of long.txt to part.txt, both included.",
    {"long.txt": "".join(f"line {number} of 100\n" for number in range(1, 101))},
    [
        check(
            "text",
            path="part.txt",
            is_="".join(f"line {number} of 100\n" for number in range(40, 61)),
        )
    ],
    [
        (
            "sed prints a range of lines.",
            "sed -n 40,60p long.txt > part.txt",
            "head -n 60 long.txt | tail -n 20 > part.txt",
            "sed -n 41,60p long.txt > part.txt",
        ),
        ("First and last?", "sed -n '1p;$p' part.txt; wc -l part.txt"),
    ],
)
