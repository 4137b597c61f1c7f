"""Data in two CSV files: what a tool library lends."""

import csv
from datetime import date

from tools.bundled.python.topic import Topic

TOOLS = """\
tool,kind,deposit
T01,drill,20
T02,drill,25
T03,saw,15
T04,sander,30
T05,ladder,10
T06,saw,18
"""
LOANS = """\
tool,member,taken,returned
T01,iris,2025-03-01,2025-03-04
T03,omar,2025-03-02,2025-03-09
T05,iris,2025-03-05,
T02,wen,2025-03-06,2025-03-07
T01,omar,2025-03-10,2025-03-21
T06,iris,2025-03-11,2025-03-12
T04,wen,2025-03-14,
T03,wen,2025-03-15,2025-03-18
T01,iris,2025-03-25,
"""
TOPIC = Topic("loans", "test", {"loans.csv": LOANS, "tools.csv": TOOLS})


@TOPIC.value
def longest_loan() -> int:
    """How many days did the longest loan in loans.csv last, of those that are over?"""
    with open("loans.csv", newline="") as file:
        over = [row for row in csv.DictReader(file) if row["returned"]]
    ends = [(date.fromisoformat(r["returned"]), date.fromisoformat(r["taken"])) for r in over]
    return max((end - start).days for end, start in ends)


@TOPIC.value
def saw_loans() -> int:
    """How many loans in loans.csv are of tools of the kind "saw"? tools.csv tells the kinds."""
    with open("tools.csv", newline="") as file:
        kinds = {row["tool"]: row["kind"] for row in csv.DictReader(file)}
    with open("loans.csv", newline="") as file:
        return sum(kinds[row["tool"]] == "saw" for row in csv.DictReader(file))


@TOPIC.value
def deposits_held() -> int:
    """The deposit of a tool is held while it is lent. What do the deposits of all tools add up to
    that have not been returned yet, according to loans.csv and tools.csv?"""
    with open("tools.csv", newline="") as file:
        deposits = {row["tool"]: int(row["deposit"]) for row in csv.DictReader(file)}
    with open("loans.csv", newline="") as file:
        return sum(deposits[r["tool"]] for r in csv.DictReader(file) if not r["returned"])


@TOPIC.value
def keenest_member() -> str:
    """Which member has taken the most loans according to loans.csv?"""
    with open("loans.csv", newline="") as file:
        members = [row["member"] for row in csv.DictReader(file)]
    return max(sorted(set(members)), key=members.count)


@TOPIC.function(
    ["'loans.csv', '2025-03-03'"],
    [
        "'loans.csv', '2025-03-09'",
        "'loans.csv', '2025-03-01'",
        "'loans.csv', '2024-01-01'",
        "'loans.csv', '2025-04-30'",
    ],
)
def out_on(path: str, day: str) -> list[str]:
    """Read a file like loans.csv and list the tools that are lent on a day, in alphabetical order.
    A tool is lent on the day when it is taken, and no more on the day when it is returned."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    lent = {
        r["tool"] for r in rows if r["taken"] <= day and (not r["returned"] or day < r["returned"])
    }
    return sorted(lent)


@TOPIC.function(
    ["'loans.csv', 'wen'"], ["'loans.csv', 'iris'", "'loans.csv', 'omar'", "'loans.csv', 'nobody'"]
)
def days_of(path: str, member: str) -> int:
    """Read a file like loans.csv and add up the days of a member's loans that are over."""
    days = 0
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            if row["member"] == member and row["returned"]:
                end, start = date.fromisoformat(row["returned"]), date.fromisoformat(row["taken"])
                days += (end - start).days
    return days
