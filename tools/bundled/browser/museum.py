"""A museum: exhibitions with pages of their own, opening hours, tickets by a form."""

from collections.abc import Iterator
from typing import Any

from tools.bundled.browser.calls import click, finish, select, type_
from tools.bundled.browser.pages import box, chooser, field, form, page, table, thanks

HOST = "museum.test"
SITE = "Harbour Museum"
LINKS = {
    "Home": "/",
    "Exhibitions": "/exhibitions.html",
    "Opening hours": "/hours.html",
    "Tickets": "/tickets.html",
    "Membership": "/membership.html",
}
EXHIBITIONS = (
    ("Salt and Rope", "2", "Ines Falk", "14 June 2026", "tools of sail makers"),
    ("Letters from the Cape", "5", "Tomas Reed", "30 August 2026", "letters of a ship's cook"),
    ("The Night Ferry", "1", "Aiko Brandt", "24 May 2026", "photographs of a ferry line"),
    ("Harbour in Winter", "4", "Lena Obi", "6 September 2026", "paintings of ice"),
    ("Maps of the Deep", "3", "Jonas Vale", "19 July 2026", "charts of the sea bed"),
    ("Children of the Docks", "6", "Mara Quist", "11 October 2026", "toys and school books"),
    ("A Whale Comes Home", "7", "Rafael Dunn", "2 November 2026", "the skeleton of a whale"),
    ("Lamps and Lenses", "8", "Petra Lindqvist", "27 December 2026", "lenses of lighthouses"),
)
HOURS = (
    ("Monday", "closed", "closed"),
    ("Tuesday", "10:00", "17:00"),
    ("Wednesday", "10:00", "17:00"),
    ("Thursday", "12:00", "21:00"),
    ("Friday", "10:00", "17:00"),
    ("Saturday", "09:30", "18:00"),
    ("Sunday", "09:30", "16:30"),
)
LEVELS = (
    ("Friend", "30 euros", "free entry"),
    ("Family", "55 euros", "free entry for two adults and all children"),
    ("Patron", "180 euros", "free entry and two evenings a year"),
)
TIMES = ("10:00", "12:00", "14:00", "16:00")
DAYS = ("Tuesday 5 May", "Thursday 7 May", "Saturday 9 May", "Sunday 10 May")


def address(title: str) -> str:
    """Return the path of an exhibition's page."""
    return f"/{title.lower().replace(' ', '-')}.html"


def files() -> Iterator[tuple[str, str]]:
    """Yield the site's files: name and content."""
    yield "index.html", page(SITE, "Welcome", LINKS, "<p>Eight exhibitions by the water.</p>")
    names = "".join(f'<li><a href="{address(e[0])}">{e[0]}</a></li>' for e in EXHIBITIONS)
    yield "exhibitions.html", page(SITE, "Exhibitions", LINKS, f"<ul>{names}</ul>")
    for title, room, curator, until, about in EXHIBITIONS:
        facts = table(("Room", "Curator", "Until"), [(room, curator, until)])
        yield address(title)[1:], page(SITE, title, LINKS, f"<p>It shows {about}.</p>", facts)
    yield "hours.html", page(SITE, "Opening hours", LINKS, table(("Day", "From", "To"), HOURS))
    ticket = form(
        "/booked.html",
        "Book",
        chooser("Day", "day", DAYS),
        chooser("Time", "time", TIMES),
        field("Adults", "adults", "number"),
        field("Children", "children", "number"),
        box("Audio guide", "guide"),
    )
    yield "tickets.html", page(SITE, "Tickets", LINKS, ticket)
    yield "booked.html", page(SITE, "Booked", LINKS, thanks("Your tickets are booked:"))
    levels = table(("Level", "Price", "What you get"), LEVELS)
    join = form(
        "/joined.html",
        "Join",
        chooser("Level", "level", [each[0] for each in LEVELS]),
        field("Name", "name"),
        field("E-mail", "email", "email"),
    )
    yield "membership.html", page(SITE, "Membership", LINKS, levels, join)
    yield "joined.html", page(SITE, "Joined", LINKS, thanks("You are a member:"))


def tasks() -> Iterator[dict[str, Any]]:
    """Yield the tasks without their splits; the group is what they ask about."""
    for number, (title, room, curator, until, _) in enumerate(EXHIBITIONS):
        other = EXHIBITIONS[(number + 1) % len(EXHIBITIONS)]
        asked, answer, wrong = (
            ("Who is the curator of", curator, other[2]),
            ("Until which day does the museum show", until, other[3]),
            ("In which room is", room, other[1]),
        )[number % 3]
        yield {
            "name": f"exhibition-{number}",
            "prompt": f'{asked} the exhibition "{title}"?',
            "answer": [answer] if answer != room else [room, f"room {room}"],
            "group": f"museum {title}",
            "solution": [
                click("Exhibitions", "link", click("Opening hours")),
                click(title, "link", click(other[0])),
                finish(answer, wrong),
            ],
        }
    for number, (day, start, end) in enumerate(HOURS[3::2]):
        asked, answer, wrong = (("open", start, end), ("close", end, start))[number % 2]
        yield {
            "name": f"hours-{number}",
            "prompt": f"At what time does the museum {asked} on a {day}?",
            "answer": [answer],
            "group": f"museum {day}",
            "solution": [click("Opening hours", "link", click("Tickets")), finish(answer, wrong)],
        }
    for number, (adults, children) in enumerate(((2, 1), (1, 0), (3, 2), (2, 4))):
        day, time, guide = DAYS[number], TIMES[number], number % 2 == 0
        wish = "with the audio guide" if guide else "without the audio guide"
        sent = {"day": day, "time": time, "adults": str(adults), "children": str(children)}
        yield {
            "name": f"tickets-{number}",
            "prompt": f"Book tickets for {day} at {time}, {wish}: "
            f"adults {adults}, children {children}.",
            "sent": [_sent("/booked.html", sent | ({"guide": "yes"} if guide else {}))],
            "group": f"museum tickets {number}",
            "solution": [
                click("Tickets", "link", click("Membership")),
                select("Day", day, DAYS[number - 1]),
                select("Time", time, TIMES[number - 1]),
                type_("Adults", str(adults), type_("Adults", str(adults + 1))),
                type_("Children", str(children)),
                *([click("Audio guide", "checkbox")] if guide else []),
                click("Book", "button"),
                finish(),
            ],
        }
    level, name = LEVELS[1][0], "Ada Holm"
    mail = "ada@holm.example"
    yield {
        "name": "membership-0",
        "prompt": f"Join the museum as a {level} member: {name}, {mail}.",
        "sent": [_sent("/joined.html", {"level": level, "name": name, "email": mail})],
        "group": "museum membership",
        "solution": [
            click("Membership"),
            select("Level", level, "Friend"),
            type_("Name", name),
            type_("E-mail", mail),
            click("Join", "button"),
            finish(),
        ],
    }


def _sent(path: str, fields: dict[str, str]) -> dict[str, Any]:
    return {"host": HOST, "path": path, "fields": fields}
