"""Tables: CSV and columns, with awk, cut, sort and join."""

from random import Random

from tools.bundled.os.family import Family, check, joined

COLUMNS = Family("columns", "train")

_rng = Random(11)
TOWNS = ("Aston", "Brill", "Corby", "Dover")
GOODS = ("apples", "pears", "plums")
SALES = [
    (f"2024-02-{_rng.randint(1, 28):02d}", town, good, _rng.randint(2, 40), _rng.randint(3, 9))
    for town in TOWNS
    for good in GOODS
    for _ in range(2)
]
_rng.shuffle(SALES)
FILES = {
    "sales.csv": joined(
        ["date,town,good,crates,price", *(",".join(map(str, sale)) for sale in SALES)]
    )
}
LOOK = ("What does the file look like?", "head -n 4 sales.csv")
BY_TOWN = {town: sum(sale[3] for sale in SALES if sale[1] == town) for town in TOWNS}
BEST = max(BY_TOWN, key=lambda town: BY_TOWN[town])

COLUMNS.question(
    "crates-of-corby",
    "sales.csv lists sales. How many crates were sold in Corby, of all goods together?",
    FILES,
    BY_TOWN["Corby"],
    [
        LOOK,
        (
            "awk adds the fourth column.",
            "awk -F, '$2 == \"Corby\" {sum += $4} END {print sum}' sales.csv",
            "grep -c Corby sales.csv",
            "awk -F, '$2 == \"Corby\" {sum += $5} END {print sum}' sales.csv",
        ),
    ],
    [sum(sale[1] == "Corby" for sale in SALES), sum(sale[3] for sale in SALES)],
)
COLUMNS.question(
    "best-town",
    "Which town in sales.csv sold the most crates, of all goods together?",
    FILES,
    BEST,
    [
        LOOK,
        (
            "I add up by town, and sort by the sum.",
            "awk -F, 'NR > 1 {sum[$2] += $4} END {for (t in sum) print sum[t], t}' sales.csv"
            " | sort -n",
            "sort -t, -k4 -n sales.csv | tail -n 1",
            "cut -d, -f2 sales.csv | sort | uniq -c | sort -n",
        ),
    ],
    [town for town in TOWNS if town != BEST],
)
COLUMNS.question(
    "money",
    "In sales.csv, crates times price is what a sale earned. What did all the plums earn?",
    FILES,
    sum(sale[3] * sale[4] for sale in SALES if sale[2] == "plums"),
    [
        LOOK,
        (
            "I multiply in each line of plums.",
            "awk -F, '$3 == \"plums\" {sum += $4 * $5} END {print sum}' sales.csv",
            "awk -F, '{sum += $4 * $5} END {print sum}' sales.csv",
            "awk -F, '$3 == \"plums\" {n += $4; p += $5} END {print n * p}' sales.csv",
        ),
    ],
    [
        sum(sale[3] * sale[4] for sale in SALES),
        sum(sale[3] for sale in SALES if sale[2] == "plums"),
    ],
)
COLUMNS.question(
    "days",
    "On how many different days was something sold, according to sales.csv?",
    FILES,
    len({sale[0] for sale in SALES}),
    [
        LOOK,
        (
            "The first column, without the heading, each day once.",
            "tail -n +2 sales.csv | cut -d, -f1 | sort -u | wc -l",
            "cut -d, -f1 sales.csv | sort -u | wc -l",
            "tail -n +2 sales.csv | cut -d, -f1 | uniq | wc -l",
        ),
    ],
    [len(SALES), len({sale[0] for sale in SALES}) + 1],
)
SORTED = sorted(SALES, key=lambda sale: (sale[3], ",".join(map(str, sale))), reverse=True)
PEARS = sorted(",".join(map(str, sale)) for sale in SALES if sale[2] == "pears")
COLUMNS.operation(
    "only-pears",
    "Write the lines of pears in sales.csv to pears.csv, sorted by date, without the heading. "
    "Leave sales.csv as it is.",
    FILES,
    [
        check("text", path="pears.csv", is_=joined(PEARS)),
        check("text", path="sales.csv", is_=FILES["sales.csv"]),
    ],
    [
        LOOK,
        (
            "The date comes first, so sort needs no key.",
            "grep ,pears, sales.csv | sort > pears.csv",
            "grep ,pears, sales.csv > pears.csv",
            "grep pears sales.csv | sort -t, -k4 -n > pears.csv",
        ),
        ("Is it right?", "cat pears.csv"),
    ],
)
TOTALS = joined([f"{town}\t{BY_TOWN[town]}" for town in TOWNS])
COLUMNS.operation(
    "totals",
    "Write totals.tsv from sales.csv: a line for each town, with the town, a tab, and its "
    "crates of "
    "all goods; in the order of the towns' names, without a heading.",
    FILES,
    [check("text", path="totals.tsv", is_=TOTALS)],
    [
        LOOK,
        (
            "I add up by town, and sort.",
            "awk -F, 'NR > 1 {sum[$2] += $4} END {for (t in sum) print t \"\\t\" sum[t]}' sales.csv"
            " | sort > totals.tsv",
            "awk -F, 'NR > 1 {sum[$2] += $4} END {for (t in sum) print t, sum[t]}' sales.csv"
            " | sort > totals.tsv",
            "awk -F, '{sum[$2] += $4} END {for (t in sum) print t \"\\t\" sum[t]}' sales.csv"
            " | sort > totals.tsv",
        ),
        ("Is it right?", "cat totals.tsv"),
    ],
)
COLUMNS.operation(
    "join",
    "people.txt has an id and a name in each line, rooms.txt an id and a room. Write names.txt "
    "with "
    "lines of name and room, parted by a space, for those in both files, sorted by name.",
    {
        "people.txt": "3 Eve\n1 Zoe\n4 Max\n2 Ida\n7 Tom\n",
        "rooms.txt": "4 B12\n2 A01\n1 C30\n9 D05\n3 A02\n",
    },
    [check("text", path="names.txt", is_="Eve A02\nIda A01\nMax B12\nZoe C30\n")],
    [
        ("Let me see both.", "cat people.txt; echo; cat rooms.txt"),
        (
            "join needs both sorted by id.",
            "join <(sort people.txt) <(sort rooms.txt) | cut -d' ' -f2,3 | sort > names.txt",
            "join people.txt rooms.txt | cut -d' ' -f2,3 | sort > names.txt",
            "paste -d' ' people.txt rooms.txt | cut -d' ' -f2,4 | sort > names.txt",
        ),
        ("Is it right?", "cat names.txt"),
    ],
)
