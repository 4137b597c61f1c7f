"""Logs: count, group, pick and clean lines."""

from random import Random

from tools.bundled.os.family import Family, check, joined

LOGS = Family("logs", "train")
ACCESS = Family("access-logs", "test")

_rng = Random(23)
LEVELS = ("INFO", "INFO", "INFO", "WARN", "ERROR")
PARTS = ("db", "mail", "web", "cron")
WHAT = {
    "INFO": ("started", "request served", "no ERROR found", "cache warm"),
    "WARN": ("slow answer", "disk nearly full"),
    "ERROR": ("connection refused", "timeout", "bad password"),
}
ENTRIES = []
for _minute in range(60):
    _level = _rng.choice(LEVELS)
    ENTRIES.append((f"{9 + _minute // 20:02d}:{_minute % 20 * 3:02d}", _level, _rng.choice(PARTS)))
LINES = [f"{time} {level} [{part}] {_rng.choice(WHAT[level])}" for time, level, part in ENTRIES]
FILES = {"app.log": joined(LINES)}
LOOK = ("What does a line look like?", "head -n 5 app.log")
ERRORS = [entry for entry in ENTRIES if entry[1] == "ERROR"]
BY_PART = {part: sum(entry[2] == part for entry in ERRORS) for part in PARTS}
WORST = max(BY_PART.values())

LOGS.question(
    "errors",
    "How many lines of app.log have the level ERROR?",
    FILES,
    len(ERRORS),
    [
        LOOK,
        (
            "The level is the second word; messages may hold it, too.",
            "awk '$2 == \"ERROR\"' app.log | wc -l",
            "grep -c ERROR app.log",
            "grep -ci error app.log",
        ),
    ],
    [sum("ERROR" in line for line in LINES), len(ERRORS) + 1, len(LINES)],
)
LOGS.question(
    "worst-part",
    "The part of the program is in brackets. Which part has the most lines of level ERROR in "
    "app.log? Answer with its name, without brackets.",
    FILES,
    [part for part, count in BY_PART.items() if count == WORST],
    [
        LOOK,
        (
            "I count the third word of these lines.",
            "awk '$2 == \"ERROR\" {print $3}' app.log | sort | uniq -c | sort -n",
            "awk '{print $3}' app.log | sort | uniq -c | sort -n",
            "awk '$2 == \"ERROR\" {print $3}' app.log | uniq -c | sort -n",
        ),
    ],
    [part for part, count in BY_PART.items() if count != WORST],
)
LOGS.question(
    "first-warning",
    "At what time is the first line of level WARN after 10:00 in app.log? Answer with the time.",
    FILES,
    next(time for time, level, _ in ENTRIES if level == "WARN" and time > "10:00"),
    [
        LOOK,
        (
            "Times of one length compare as texts.",
            'awk \'$2 == "WARN" && $1 > "10:00"\' app.log | head -n 1',
            "grep WARN app.log | head -n 1",
            'awk \'$2 == "WARN" && $1 > "10:00"\' app.log | tail -n 1',
        ),
    ],
    [
        next(time for time, level, _ in ENTRIES if level == "WARN"),
        [time for time, level, _ in ENTRIES if level == "WARN"][-1],
    ],
)
LOGS.question(
    "hour",
    "How many lines of app.log were written from 10:00 to 10:59?",
    FILES,
    sum(entry[0].startswith("10:") for entry in ENTRIES),
    [
        LOOK,
        (
            "Those that begin with 10:.",
            "grep -c '^10:' app.log",
            "awk '$1 >= \"10:00\"' app.log | wc -l",
        ),
    ],
    [len(LINES), sum("10" in line for line in LINES) + 1],
)
LOGS.operation(
    "split-by-level",
    "Write each line of app.log to info.log, warn.log or error.log, by its level, in the same "
    "order. "
    "Leave app.log as it is.",
    FILES,
    [
        *(
            check(
                "text",
                path=f"{level.lower()}.log",
                is_=joined([line for line in LINES if line.split()[1] == level]),
            )
            for level in ("INFO", "WARN", "ERROR")
        ),
        check("text", path="app.log", is_=FILES["app.log"]),
    ],
    [
        LOOK,
        (
            "awk can write to a file that is named after the level.",
            "awk '{print > (tolower($2) \".log\")}' app.log",
            "for l in info warn error; do grep -i $l app.log > $l.log; done",
            "awk '{print > ($2 \".log\")}' app.log",
        ),
        ("Are all lines there?", "wc -l *.log"),
    ],
)
LOGS.operation(
    "no-repeats",
    "In status.log, lines that repeat the one before them are noise. Remove them, in status.log "
    "itself; keep the first of each run.",
    {"status.log": "up\nup\ndown\nup\nup\nup\ndown\ndown\nlost\nup\n"},
    [check("text", path="status.log", is_="up\ndown\nup\ndown\nlost\nup\n")],
    [
        ("What is in it?", "cat -n status.log"),
        (
            "uniq drops repeats of neighbours; the file cannot be read and written at once.",
            "uniq status.log > new.log && mv new.log status.log",
            "sort -u -o status.log status.log",
            "uniq status.log > status.log",
        ),
        ("And now?", "cat status.log"),
    ],
)

_rng = Random(37)
HOSTS = tuple(f"10.0.{_rng.randint(0, 9)}.{_rng.randint(2, 250)}" for _ in range(7))
PAGES = ("/", "/news", "/shop", "/shop/cart", "/about", "/login")
HITS = [
    (
        _rng.choice(HOSTS[: 3 + number % 5]),
        _rng.choice(PAGES),
        _rng.choice((200, 200, 304, 404, 500)),
    )
    for number in range(80)
]
HIT_LINES = [
    f'{host} - - [05/Mar/2024:{8 + number // 16:02d}:{number % 16 * 3:02d}:00] "GET {page} '
    f'HTTP/1.1" '
    f"{status} {len(page) * 113 + number}"
    for number, (host, page, status) in enumerate(HITS)
]
HIT_FILES = {"logs/access.log": joined(HIT_LINES)}
SEE = ("What does a line look like?", "head -n 3 logs/access.log")
COUNTS = {host: sum(hit[0] == host for hit in HITS) for host in HOSTS}
TOP = max(COUNTS, key=lambda host: COUNTS[host])
NOT_FOUND = [hit for hit in HITS if hit[2] == 404]

ACCESS.question(
    "visitors",
    "From how many different addresses come the requests in logs/access.log?",
    HIT_FILES,
    len({hit[0] for hit in HITS}),
    [
        SEE,
        (
            "The address is the first word.",
            "cut -d' ' -f1 logs/access.log | sort -u | wc -l",
            "cut -d' ' -f1 logs/access.log | uniq | wc -l",
            "wc -l < logs/access.log",
        ),
    ],
    [len(HITS), len(HOSTS) + 2],
)
ACCESS.question(
    "busiest",
    "Which address sent the most requests, according to logs/access.log?",
    HIT_FILES,
    TOP,
    [
        SEE,
        (
            "I count each address.",
            "cut -d' ' -f1 logs/access.log | sort | uniq -c | sort -rn | head -n 1",
            "cut -d' ' -f1 logs/access.log | sort | uniq -c | head -n 1",
            "cut -d' ' -f1 logs/access.log | uniq -c | sort -n | head -n 1",
        ),
    ],
    [host for host in HOSTS if host != TOP][:3],
)
ACCESS.question(
    "not-found",
    "How many requests in logs/access.log got the status 404?",
    HIT_FILES,
    len(NOT_FOUND),
    [
        SEE,
        (
            "The status is the eighth word.",
            "awk '$8 == 404' logs/access.log | wc -l",
            "awk '$9 == 404' logs/access.log | wc -l",
            "grep -vc ' 404 ' logs/access.log",
        ),
    ],
    [len(HITS) - len(NOT_FOUND), len(NOT_FOUND) + 2],
)
ACCESS.question(
    "bytes",
    "The last number of a line of logs/access.log is the size of the answer. How many bytes "
    "did all "
    "requests of the page /shop get? Only that page, not those below it.",
    HIT_FILES,
    sum(int(line.split()[-1]) for line in HIT_LINES if ' "GET /shop HTTP' in f" {line}"),
    [
        SEE,
        (
            "The page is the sixth word.",
            "awk '$6 == \"/shop\" {sum += $NF} END {print sum}' logs/access.log",
            "awk '/shop/ {sum += $NF} END {print sum}' logs/access.log",
            "awk '$6 == \"/shop\" {sum += $8} END {print sum}' logs/access.log",
        ),
    ],
    [
        sum(int(line.split()[-1]) for line in HIT_LINES if "/shop" in line),
        sum(int(line.split()[-1]) for line in HIT_LINES),
    ],
)
ACCESS.operation(
    "hide-addresses",
    "Write logs/anonymous.log: the lines of logs/access.log with the last part of each address "
    "replaced by 0, as in 10.0.3.0. Leave the other file as it is.",
    HIT_FILES,
    [
        check(
            "text",
            path="logs/anonymous.log",
            is_=joined(
                [
                    " ".join([f"{line.split()[0].rpartition('.')[0]}.0", *line.split(" ")[1:]])
                    for line in HIT_LINES
                ]
            ),
        ),
        check("text", path="logs/access.log", is_=HIT_FILES["logs/access.log"]),
    ],
    [
        SEE,
        (
            "Only the number before the first space changes.",
            "sed 's/^\\([0-9.]*\\)\\.[0-9]* /\\1.0 /' logs/access.log > logs/anonymous.log",
            "sed 's/[0-9]* /0 /g' logs/access.log > logs/anonymous.log",
            "sed 's/^[0-9]*/0/' logs/access.log > logs/anonymous.log",
        ),
        ("Does it look right?", "head -n 3 logs/anonymous.log"),
    ],
)
