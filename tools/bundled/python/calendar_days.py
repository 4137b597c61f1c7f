"""Functions over dates and times of day."""

from datetime import date, timedelta

from tools.bundled.python.topic import Topic

TOPIC = Topic("calendar", "train")


@TOPIC.function(
    ["'2024-02-27', '2024-03-01'"],
    ["'2025-01-01', '2025-01-01'", "'2023-12-31', '2024-12-31'", "'2025-03-10', '2025-03-01'"],
)
def nights(arrival: str, departure: str) -> int:
    """Count the nights between two dates in the form YYYY-MM-DD; 0 if the departure is not after
    the arrival."""
    days = (date.fromisoformat(departure) - date.fromisoformat(arrival)).days
    return max(days, 0)


@TOPIC.function(["2024"], ["1900", "2000", "2023", "2100", "2400"])
def days_in_year(year: int) -> int:
    """How many days has a year of the Gregorian calendar?"""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 366 if leap else 365


@TOPIC.function(["'09:40', 35"], ["'23:50', 20", "'00:00', 1440", "'12:05', 0", "'06:59', 61"])
def clock_after(start: str, minutes: int) -> str:
    """What does a clock in the form HH:MM (00:00 to 23:59) show so many minutes later?"""
    hours, rest = start.split(":")
    total = (int(hours) * 60 + int(rest) + minutes) % (24 * 60)
    return f"{total // 60:02d}:{total % 60:02d}"


@TOPIC.function(["3725"], ["0", "59", "3600", "86399"])
def spoken(seconds: int) -> str:
    """Write a duration in the form '1 h 2 min 5 s'. Parts that are zero are left out; no time at
    all is '0 s'."""
    parts = []
    for size, unit in ((3600, "h"), (60, "min"), (1, "s")):
        if seconds // size:
            parts.append(f"{seconds // size} {unit}")
        seconds %= size
    return " ".join(parts) or "0 s"


@TOPIC.function(["'2025-06-06', 1"], ["'2025-06-02', 5", "'2025-06-07', 1", "'2025-06-05', 10"])
def due_date(start: str, working_days: int) -> str:
    """Add working days (Monday to Friday) to a date in the form YYYY-MM-DD. The first working day
    counted is the first one after the start."""
    day = date.fromisoformat(start)
    while working_days > 0:
        day += timedelta(days=1)
        if day.weekday() < 5:
            working_days -= 1
    return day.isoformat()


@TOPIC.function(
    ["'2000-05-20', '2025-05-19'"],
    ["'2000-05-20', '2025-05-20'", "'1999-12-31', '2000-01-01'", "'1990-03-03', '2020-11-01'"],
)
def age_on(born: str, day: str) -> int:
    """How old, in completed years, is somebody on a day? Both dates are in the form YYYY-MM-DD."""
    birth, now = date.fromisoformat(born), date.fromisoformat(day)
    before_birthday = (now.month, now.day) < (birth.month, birth.day)
    return now.year - birth.year - before_birthday


@TOPIC.function(
    ["[(9, 11), (10, 12)]"],
    ["[]", "[(8, 9), (9, 10)]", "[(8, 12), (9, 10), (13, 14)]", "[(1, 5), (2, 3), (4, 7)]"],
)
def hours_busy(meetings: list[tuple[int, int]]) -> int:
    """Each meeting goes from one full hour to a later one, and meetings may overlap. For how many
    hours of the day is at least one meeting going on?"""
    busy: set[int] = set()
    for start, end in meetings:
        busy.update(range(start, end))
    return len(busy)


@TOPIC.function(["2025, 10"], ["2026, 2", "2024, 12", "2023, 9"])
def last_friday(year: int, month: int) -> int:
    """On which day of the month is its last Friday?"""
    following = date(year + month // 12, month % 12 + 1, 1)
    day = following - timedelta(days=1)
    while day.weekday() != 4:
        day -= timedelta(days=1)
    return day.day
