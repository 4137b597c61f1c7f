"""A town's site: waste collection by a script, rooms to book, faults to report, a bus timetable."""

from collections.abc import Iterator
from typing import Any

from tools.bundled.browser.calls import call, click, finish, select, type_
from tools.bundled.browser.pages import chooser, field, form, lookup, page, table, thanks

HOST = "town.test"
SITE = "Town of Elmbridge"
LINKS = {
    "Home": "/",
    "Waste collection": "/waste.html",
    "Report a fault": "/report.html",
    "Book a room": "/rooms.html",
    "Buses": "/buses.html",
}
STREETS = {
    "Mill Lane": "Tuesday 12 May",
    "Castle Street": "Friday 8 May",
    "Orchard Road": "Monday 11 May",
    "Station Square": "Wednesday 6 May",
    "Bridge Street": "Thursday 14 May",
    "Church Hill": "Wednesday 13 May",
}
FAULTS = ("Street light", "Pothole", "Litter bin", "Fallen tree")
ROOMS = (
    ("Old Library", "40", "25 euros"),
    ("Mill Hall", "120", "60 euros"),
    ("Garden Room", "15", "10 euros"),
    ("Council Cellar", "60", "35 euros"),
)
BUSES = (
    ("1", "Station Square", "Castle Street", "07:10", "22:40"),
    ("2", "Station Square", "Orchard Road", "06:45", "21:15"),
    ("5", "Mill Lane", "Hospital", "05:55", "23:05"),
    ("9", "Church Hill", "Airport", "04:30", "20:50"),
)


def files() -> Iterator[tuple[str, str]]:
    """Yield the site's files: name and content."""
    yield "index.html", page(SITE, "Welcome", LINKS, "<p>Services of the town.</p>")
    streets = {street: f"Next collection: {day}" for street, day in STREETS.items()}
    yield "waste.html", page(SITE, "Waste collection", LINKS, lookup("Street", streets))
    report = form(
        "/reported.html",
        "Send report",
        chooser("What is broken", "what", FAULTS),
        chooser("Street", "street", list(STREETS)),
        field("Details", "details"),
    )
    yield "report.html", page(SITE, "Report a fault", LINKS, report)
    yield "reported.html", page(SITE, "Thank you", LINKS, thanks("We have your report:"))
    booking = form(
        "/room-booked.html",
        "Book room",
        chooser("Room", "room", [room[0] for room in ROOMS]),
        field("Date", "date", "date"),
        field("Purpose", "purpose"),
    )
    rooms = table(("Room", "Seats", "Price for an evening"), ROOMS)
    yield "rooms.html", page(SITE, "Book a room", LINKS, rooms, booking)
    yield "room-booked.html", page(SITE, "Room booked", LINKS, thanks("Your booking:"))
    buses = table(("Line", "From", "To", "First bus", "Last bus"), BUSES)
    yield "buses.html", page(SITE, "Buses", LINKS, buses)


def tasks() -> Iterator[dict[str, Any]]:
    """Yield the tasks without their splits; the group is what they ask about."""
    for number, (street, day) in enumerate(list(STREETS.items())[:4]):
        other, wrong = list(STREETS.items())[number + 1]
        yield {
            "name": f"waste-{number}",
            "prompt": f"When is the next waste collection in {street}?",
            "answer": [day, f"on {day}", f"Next collection: {day}"],
            "group": f"town waste {street}",
            "solution": [
                click("Waste collection", "link", click("Buses")),
                select("Street", street, other),
                finish(day, wrong),
            ],
        }
    for number, (line, start, end, first, last) in enumerate(BUSES):
        asked, answer, wrong = (("first", first, last), ("last", last, first))[number % 2]
        yield {
            "name": f"buses-{number}",
            "prompt": f"When does the {asked} bus of line {line} leave, from {start} to {end}?",
            "answer": [answer],
            "group": f"town bus {line}",
            "solution": [click("Buses", "link", click("Book a room")), finish(answer, wrong)],
        }
    details = ("dark since Monday", "deep and full of water", "it overflows", "blocks the path")
    for number, (what, words) in enumerate(zip(FAULTS, details, strict=True)):
        street, other = list(STREETS)[number + 2], list(STREETS)[number + 1]
        fields = {"what": what, "street": street, "details": words}
        yield {
            "name": f"report-{number}",
            "prompt": f'Report to the town: {what}, {street}, details "{words}".',
            "sent": [{"host": HOST, "path": "/reported.html", "fields": fields}],
            "group": f"town fault {what}",
            "solution": [
                click("Report a fault", "link", click("Book a room")),
                select("What is broken", what, FAULTS[number - 1]),
                select("Street", street, other),
                type_("Details", words),
                click("Send report", "button"),
                finish(),
            ],
        }
    for number, (room, seats, price) in enumerate(ROOMS[:3]):
        purpose, date = (
            ("choir practice", "a talk", "a chess evening")[number],
            f"2026-06-0{number + 3}",
        )
        fields = {"room": room, "date": date, "purpose": purpose}
        early = call("finish", "It is booked.")
        yield {
            "name": f"rooms-{number}",
            "prompt": f"Book the room with {seats} seats, at {price}, on {date} for {purpose}.",
            "sent": [{"host": HOST, "path": "/room-booked.html", "fields": fields}],
            "group": f"town room {room}",
            "solution": [
                click("Book a room"),
                select("Room", room, ROOMS[number + 1][0]),
                type_("Date", date),
                type_("Purpose", purpose),
                click("Book room", "button", early),
                finish(),
            ],
        }
