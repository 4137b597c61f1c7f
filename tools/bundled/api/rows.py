"""Names that the rows of the services are drawn from; all but the cities are invented."""

from typing import Any

TODAY = "2026-05-04"
DATES = tuple(f"2026-05-{day:02d}" for day in range(4, 12))
CITIES = ("Oslo", "Lisbon", "Prague", "Vienna", "Dublin", "Porto", "Ghent", "Turin")
PEOPLE = (
    ("Nora Lindqvist", "Harbor Paper"),
    ("Tomas Beran", "Field Optics"),
    ("Ines Duarte", "Harbor Paper"),
    ("Paul Okafor", "Tidewater Labs"),
    ("Mara Vogel", "Field Optics"),
    ("Henrik Solberg", "Tidewater Labs"),
    ("Aoife Brennan", "Harbor Paper"),
    ("Luca Ferri", "Field Optics"),
    ("Jana Novak", "Tidewater Labs"),
    ("Rui Tavares", "Northgate Tools"),
    ("Emma Brandt", "Northgate Tools"),
    ("Pauline Moreau", "Harbor Paper"),
)
EVENTS = (
    "Budget talk",
    "Garden visit",
    "Site walk",
    "Contract review",
    "Team run",
    "Dentist",
    "Boat tour",
    "Hiring panel",
    "Bike check",
    "Launch rehearsal",
    "Roof inspection",
    "Quarter review",
    "Lunch",
    "Photo walk",
    "Press call",
    "Design sketching",
    "Market stall",
    "Data audit",
    "Kitchen tasting",
    "Harbor tour",
)
OUTDOORS = {
    "Garden visit",
    "Site walk",
    "Team run",
    "Boat tour",
    "Roof inspection",
    "Photo walk",
    "Market stall",
    "Harbor tour",
}
HOTELS = ("Lantern House", "The Quay", "Copper Inn", "Station Rooms", "Mill Garden")
MONEY = {"EUR": 1.0, "USD": 0.8, "GBP": 1.25, "NOK": 0.1, "CZK": 0.04, "CHF": 1.05, "PLN": 0.24}
BOOKS = (
    ("Salt Roads", "Ada Winter"),
    ("The Slow Bridge", "Ada Winter"),
    ("A Map of Rain", "Ada Winter"),
    ("North Window", "Ada Winter"),
    ("Copper Year", "Bela Kertesz"),
    ("The Ferry Clerk", "Bela Kertesz"),
    ("Low Tide", "Bela Kertesz"),
    ("Nine Orchards", "Bela Kertesz"),
    ("Paper Harbor", "Cleo Marsh"),
    ("The Quiet Engine", "Cleo Marsh"),
    ("Winter Accounts", "Cleo Marsh"),
    ("Glass Meadow", "Cleo Marsh"),
    ("Letters to a Mill", "Dov Amsel"),
    ("The Third Lantern", "Dov Amsel"),
    ("Field Notes", "Dov Amsel"),
    ("Bread and Weather", "Dov Amsel"),
)
MEMBERS = ((1204, "7731"), (1377, "2048"), (1490, "5516"), (1622, "9083"))
WAREHOUSES = ("North", "South", "East")
GOODS = tuple(
    (f"SK-{11 + number}", name)
    for number, name in enumerate(
        (
            "desk lamp",
            "paper tray",
            "cork board",
            "wall clock",
            "door stop",
            "file box",
            "hand drill",
            "work gloves",
            "tape roll",
            "step stool",
            "label maker",
            "cable reel",
            "tool bag",
            "glue pen",
            "paint set",
            "floor mat",
            "key cabinet",
            "water can",
        )
    )
)
PROJECTS = ("atlas", "beacon", "cinder")
ISSUES = (
    "Login page is blank",
    "Export cuts the last row",
    "Map tiles load twice",
    "Wrong time zone",
    "Search ignores accents",
    "Logo is blurred",
    "Upload stops at 2 GB",
    "Dark mode flickers",
    "Typo in the welcome mail",
    "Chart has no legend",
    "Sort order is lost",
    "Session ends too early",
    "Print view is empty",
    "Filter resets itself",
    "Password hint is shown",
    "Slow start on phones",
    "Broken link in the footer",
    "Currency sign is wrong",
    "Undo skips a step",
    "Backup fails on Sunday",
    "Tooltip covers the button",
    "Names are cut at 20 letters",
    "Scroll jumps to the top",
    "Old icon in the menu",
)
ARTISTS = ("The Wharf Lights", "Mila Sand", "Green Almanac")
SONGS = (
    "Harbor Line",
    "Paper Moon Road",
    "Seven Lanterns",
    "Cold Coffee",
    "Weather Vane",
    "Slow Ferry",
    "Orchard Gate",
    "Night Market",
    "Copper Wire",
    "Salt and Tin",
    "Borrowed Coat",
    "Window Seat",
    "Long Platform",
    "Ink",
    "River Clock",
    "Second Winter",
    "Tall Grass",
    "Empty Stage",
    "Low Bridge",
    "Morning Tram",
    "Glasshouse",
)
PLAYLISTS = ("focus", "evening", "road")


def address(name: str) -> str:
    """The mail address of a person."""
    return f"{name.lower().replace(' ', '.')}@post.example"


def messages() -> list[dict[str, Any]]:
    """Mail whose texts name an order, a book, a bug, or a code of a door."""
    texts = []
    for number, (name, _) in enumerate(PEOPLE[:8]):
        order, book = f"O{4001 + number + 8 * (number % 3)}", BOOKS[number * 2 + number % 2][0]
        issue = ISSUES[number * 3]
        texts += [
            (name, "Door code", f"The code of the side door is {5210 + 37 * number} this week."),
            (name, "My order", f"I no longer need order {order}. Could you stop it? {name}"),
            (name, "A book", f'I liked "{book}" a lot; the library has it.'),
            (name, "Found a bug", f'In {PROJECTS[number % 3]}: "{issue}" happens to me again.'),
        ]
    order_of_arrival = sorted(range(len(texts)), key=lambda each: each * 11 % len(texts))
    return [
        {
            "id": f"M{11 + place}",
            "folder": "inbox" if place % 3 else "archive",
            "from": address(texts[each][0]),
            "to": "me@office.example",
            "subject": texts[each][1],
            "date": f"2026-04-{1 + place % 30:02d}",
            "text": texts[each][2],
        }
        for place, each in enumerate(order_of_arrival)
    ]
