"""The twelve services: their rows and their endpoints."""

from random import Random
from typing import Any

from tools.bundled.api import rows

TEXT = {"type": "string"}
DATE = {"pattern": r"^\d{4}-\d\d-\d\d$"}
TIME = {"pattern": r"^\d\d:\d\d$"}
COUNT = {"type": "integer", "minimum": 1}
PRICE = {"type": "number"}
PAGE = {**COUNT, "description": "page of the results, from 1 on"}
TOKEN = {**TEXT, "description": "the token that sign_in returns"}


def services() -> list[dict[str, Any]]:
    """Every service with its tables and endpoints."""
    return [
        _weather(),
        _calendar(),
        _mail(),
        _contacts(),
        _flights(),
        _hotels(),
        _currency(),
        _library(),
        _orders(),
        _inventory(),
        _issues(),
        _music(),
    ]


def _service(
    name: str, category: str, tables: dict[str, Any], *endpoints: dict[str, Any]
) -> dict[str, Any]:
    return {"name": name, "category": category, "tables": tables, "endpoints": list(endpoints)}


def _endpoint(
    does: str, table: str, name: str, about: str, takes: dict[str, Any], **rest: Any
) -> dict[str, Any]:
    """Return an endpoint.   takes: description, or schema, of each argument; "?" is optional."""
    properties = {key.rstrip("?"): _schema(said) for key, said in takes.items()}
    if "token" in rest:
        properties["token"] = TOKEN
    needed = [key for key in takes if not key.endswith("?")] + (
        ["token"] if "token" in rest else []
    )
    if does == "list":
        properties["page"] = PAGE
    parameters = {
        "type": "object",
        "properties": properties,
        "required": needed,
        "additionalProperties": False,
    }
    line = {"name": name, "does": does, "table": table, "about": about, "parameters": parameters}
    return {**line, **rest}


def _schema(said: Any) -> dict[str, Any]:
    if isinstance(said, str):
        return {**TEXT, "description": said}
    if isinstance(said, list):
        return {**TEXT, "enum": said}
    description, schema = said
    return {**TEXT, **schema, "description": description}


def _weather() -> dict[str, Any]:
    draw = Random("weather")
    days = [
        {
            "city": city,
            "date": date,
            "sky": draw.choice(["sunny", "cloudy", "rain", "showers", "storm"]),
            "high": draw.randint(9, 29),
            "low": draw.randint(-2, 8),
            "rain_mm": draw.randint(0, 39),
            "wind_kmh": draw.randint(4, 60),
        }
        for city in rows.CITIES
        for date in rows.DATES
    ]
    place = {"city": "name of the city"}
    return _service(
        "sky_report",
        "Weather",
        {"days": days},
        _endpoint(
            "get",
            "days",
            "get_forecast",
            "Forecast of one day in a city: sky, temperatures in °C, rain in mm, wind in km/h.",
            {**place, "date": ("the day, as YYYY-MM-DD", DATE)},
            quota=4,
        ),
        _endpoint(
            "list",
            "days",
            "list_forecasts",
            "Forecasts of a city for all days that are known, three on a page.",
            place,
            page=3,
        ),
    )


def _calendar() -> dict[str, Any]:
    draw = Random("calendar")
    events = [
        {
            "id": f"EV{101 + number}",
            "title": title,
            "date": draw.choice(rows.DATES),
            "start": f"{draw.randint(8, 17):02d}:{draw.choice(['00', '30'])}",
            "with": draw.choice(rows.PEOPLE)[0],
            "outdoors": title in rows.OUTDOORS,
            "city": draw.choice(rows.CITIES),
        }
        for number, title in enumerate(rows.EVENTS)
    ]
    event = {"id": "the event's id, such as EV101"}
    when = {"date": ("the day, as YYYY-MM-DD", DATE), "start": ("the time, as HH:MM", TIME)}
    return _service(
        "day_planner",
        "Productivity",
        {"events": events},
        _endpoint(
            "list",
            "events",
            "list_events",
            "Events of the calendar, four on a page; of one day or with one person if named.",
            {"date?": ("the day, as YYYY-MM-DD", DATE), "with?": "full name of the person"},
            page=4,
        ),
        _endpoint(
            "create",
            "events",
            "create_event",
            "Put a new event into the calendar.",
            {"title": "its title", **when, "with": "full name of the person"},
            prefix="EV",
            first=301,
        ),
        _endpoint(
            "update",
            "events",
            "move_event",
            "Move an event to another day and time.",
            {**event, **when},
            by=["id"],
        ),
        _endpoint("delete", "events", "delete_event", "Delete an event.", event, by=["id"]),
    )


def _mail() -> dict[str, Any]:
    folder = ["inbox", "archive", "sent"]
    listed = ["id", "folder", "from", "subject", "date"]
    return _service(
        "quick_mail",
        "Productivity",
        {"messages": rows.messages()},
        _endpoint(
            "list",
            "messages",
            "list_messages",
            "Messages without their text, four on a page; of one folder or sender if named.",
            {"folder?": folder, "from?": "mail address of the sender"},
            page=4,
            shows=listed,
        ),
        _endpoint(
            "get",
            "messages",
            "read_message",
            "One message with its text.",
            {"id": "the message's id, such as M11"},
        ),
        _endpoint(
            "create",
            "messages",
            "send_message",
            "Send a message.",
            {"to": "mail address", "subject": "the subject", "text": "the text"},
            prefix="M",
            first=71,
            sets={"folder": "sent", "from": "me@office.example"},
        ),
        _endpoint(
            "update",
            "messages",
            "move_message",
            "Move a message to another folder.",
            {"id": "the message's id", "folder": folder},
            by=["id"],
            shows=listed,
        ),
    )


def _contacts() -> dict[str, Any]:
    draw = Random("contacts")
    people = [
        {
            "id": f"P{201 + number}",
            "name": name,
            "email": rows.address(name),
            "phone": f"555-{draw.randint(1000, 9999)}",
            "city": rows.CITIES[number % len(rows.CITIES)],
            "company": company,
        }
        for number, (name, company) in enumerate(rows.PEOPLE)
    ]
    return _service(
        "people_book",
        "Productivity",
        {"people": people},
        _endpoint(
            "list",
            "people",
            "search_people",
            "Contacts with id, name and company, three on a page, by a part of the name, city, "
            "or company.",
            {"name_contains?": "a part of the name", "city?": "the city", "company?": "company"},
            page=3,
            shows=["id", "name", "company"],
        ),
        _endpoint(
            "get",
            "people",
            "get_person",
            "All that is known of a contact: address, phone, city.",
            {"id": "the contact's id, such as P201"},
        ),
        _endpoint(
            "update",
            "people",
            "update_phone",
            "Change the phone number of a contact.",
            {"id": "the contact's id", "phone": "the new number"},
            by=["id"],
        ),
    )


def _flights() -> dict[str, Any]:
    draw = Random("flights")
    routes = [(a, b) for a in rows.CITIES[:6] for b in rows.CITIES[:6] if a != b]
    prices = draw.sample(range(49, 420), 5 * len(routes))
    flights = [
        {
            "number": f"KV{300 + number}",
            "origin": origin,
            "destination": destination,
            "date": rows.DATES[(number // 5) % 3 + 1],
            "departs": f"{draw.randint(5, 21):02d}:{draw.choice(['05', '20', '45'])}",
            "price_eur": prices[number],
            "seats": draw.choice([0, 2, 3, 5, 9]),
        }
        for number, (origin, destination) in enumerate(r for r in routes for _ in range(5))
    ]
    number = {"number": "the flight's number, such as KV300"}
    return _service(
        "wing_fares",
        "Travel",
        {"flights": flights, "bookings": []},
        _endpoint(
            "list",
            "flights",
            "search_flights",
            "Flights from a city to another, with price and free seats, three on a page.",
            {
                "origin": "city of departure",
                "destination": "city of arrival",
                "date?": ("the day, as YYYY-MM-DD", DATE),
            },
            page=3,
        ),
        _endpoint("get", "flights", "get_flight", "One flight.", number),
        _endpoint(
            "create",
            "bookings",
            "book_flight",
            "Book seats on a flight.",
            {**number, "passenger": "full name", "count": ("how many seats", COUNT)},
            takes_from=["flights", "number", "count", "seats"],
            prefix="B",
            first=801,
        ),
        _endpoint(
            "delete",
            "bookings",
            "cancel_booking",
            "Cancel a booking.",
            {"id": "the booking's id"},
            by=["id"],
        ),
    )


def _hotels() -> dict[str, Any]:
    draw = Random("hotels")
    prices = draw.sample(range(45, 260), 5 * len(rows.CITIES))
    hotels = [
        {
            "hotel": f"H{11 + number}",
            "name": f"{rows.HOTELS[number % len(rows.HOTELS)]} {city}",
            "city": city,
            "stars": draw.randint(2, 5),
            "price_eur": prices[number],
            "rooms": draw.choice([0, 1, 2, 6]),
        }
        for number, city in enumerate(c for c in rows.CITIES for _ in range(5))
    ]
    return _service(
        "room_finder",
        "Travel",
        {"hotels": hotels, "stays": []},
        _endpoint(
            "list",
            "hotels",
            "search_hotels",
            "Hotels of a city with stars and price of a night, three on a page.",
            {
                "city": "the city",
                "min_stars?": ("stars at least", COUNT),
                "max_price_eur?": ("price of a night at most", PRICE),
            },
            page=3,
            shows=["hotel", "name", "stars", "price_eur"],
        ),
        _endpoint(
            "get",
            "hotels",
            "get_hotel",
            "One hotel, with its free rooms.",
            {"hotel": "the hotel's id, such as H11"},
        ),
        _endpoint(
            "create",
            "stays",
            "book_room",
            "Book a room.",
            {
                "hotel": "the hotel's id",
                "guest": "full name",
                "arrival": ("the first night, as YYYY-MM-DD", DATE),
                "nights": ("how many nights", COUNT),
            },
            takes_from=["hotels", "hotel", "", "rooms"],
            prefix="S",
            first=501,
        ),
    )


def _currency() -> dict[str, Any]:
    rates = [
        {"base": base, "quote": quote, "rate": round(one / other, 2)}
        for base, one in rows.MONEY.items()
        for quote, other in rows.MONEY.items()
        if base != quote
    ]
    code = list(rows.MONEY)
    return _service(
        "money_desk",
        "Finance",
        {"rates": rates},
        _endpoint(
            "get",
            "rates",
            "get_rate",
            "How much of the quote currency one unit of the base currency is worth.",
            {"base": code, "quote": code},
            quota=3,
        ),
        _endpoint(
            "list",
            "rates",
            "list_rates",
            "All rates of a base currency, two on a page.",
            {"base": code},
            page=2,
        ),
    )


def _library() -> dict[str, Any]:
    draw = Random("library")
    books = [
        {
            "book": f"BK{31 + number}",
            "title": title,
            "author": author,
            "year": 1950 + draw.randint(0, 74),
            "copies": draw.choice([0, 1, 1, 2]),
        }
        for number, (title, author) in enumerate(rows.BOOKS)
    ]
    members = [
        {"member": f"L{number}", "pin": pin, "token": f"t-{draw.randrange(16**6):06x}"}
        for number, pin in rows.MEMBERS
    ]
    due = [f"2026-05-{day:02d}" for day in draw.sample(range(5, 30), 16)]
    loans = [
        {
            "id": f"LN{61 + number}",
            "member": members[number % len(members)]["member"],
            "book": books[number * 5 % len(books)]["book"],
            "due": due[number],
        }
        for number in range(16)
    ]
    token = ["members", "member"]
    return _service(
        "town_library",
        "Education",
        {"books": books, "members": members, "loans": loans, "reservations": []},
        _endpoint(
            "get",
            "members",
            "sign_in",
            "Sign in with card number and PIN; returns the token that other functions need.",
            {"member": "number of the library card", "pin": "the PIN"},
            shows=["token"],
        ),
        _endpoint(
            "list",
            "books",
            "search_books",
            "Books with the copies on the shelf, three on a page, by a part of title or author.",
            {"title_contains?": "a part of the title", "author_contains?": "a part of the author"},
            page=3,
        ),
        _endpoint("get", "books", "get_book", "One book.", {"book": "its id, such as BK31"}),
        _endpoint(
            "list",
            "loans",
            "list_loans",
            "The loans of the member who is signed in, two on a page.",
            {},
            page=2,
            token=token,
        ),
        _endpoint(
            "create",
            "reservations",
            "reserve_book",
            "Reserve a copy for the member who is signed in.",
            {"book": "the book's id"},
            takes_from=["books", "book", "", "copies"],
            token=token,
            prefix="R",
            first=901,
        ),
    )


def _orders() -> dict[str, Any]:
    draw = Random("orders")
    totals = draw.sample(range(12, 390), 32)
    orders = [
        {
            "order": f"O{4001 + number}",
            "customer": rows.PEOPLE[number % 8][0],
            "date": f"2026-04-{draw.randint(1, 30):02d}",
            "status": draw.choice(["processing", "shipped", "delivered"]),
            "sku": rows.GOODS[draw.randrange(len(rows.GOODS))][0],
            "quantity": draw.randint(1, 12),
            "total_eur": totals[number],
        }
        for number in range(32)
    ]
    order = {"order": "the order's number, such as O4001"}
    status = ["processing", "shipped", "delivered", "cancelled", "returned"]
    return _service(
        "shop_orders",
        "Commerce",
        {"orders": orders},
        _endpoint(
            "list",
            "orders",
            "list_orders",
            "Orders of a customer, of one status if named, three on a page.",
            {"customer": "full name", "status?": status},
            page=3,
            shows=["order", "date", "status", "total_eur"],
        ),
        _endpoint("get", "orders", "get_order", "One order with its item and quantity.", order),
        _endpoint(
            "update",
            "orders",
            "cancel_order",
            "Cancel an order that is still processing.",
            order,
            by=["order"],
            sets={"status": "cancelled"},
            only_if={"status": ["processing"]},
        ),
        _endpoint(
            "update",
            "orders",
            "return_order",
            "Return an order that was delivered.",
            order,
            by=["order"],
            sets={"status": "returned"},
            only_if={"status": ["delivered"]},
        ),
    )


def _inventory() -> dict[str, Any]:
    draw = Random("inventory")
    items = [
        {
            "sku": sku,
            "item": item,
            "warehouse": rows.WAREHOUSES[number % len(rows.WAREHOUSES)],
            "stock": draw.randint(0, 40),
            "reorder_at": draw.randint(5, 30),
            "price_eur": draw.randint(3, 90),
        }
        for number, (sku, item) in enumerate(rows.GOODS)
    ]
    sku = {"sku": "the item's number, such as SK-11"}
    return _service(
        "stock_room",
        "Commerce",
        {"items": items, "holds": []},
        _endpoint(
            "list",
            "items",
            "list_items",
            "Items of a warehouse with stock and the stock at which to order more, three on a "
            "page.",
            {"warehouse": list(rows.WAREHOUSES)},
            page=3,
            shows=["sku", "item", "stock", "reorder_at"],
        ),
        _endpoint("get", "items", "get_item", "One item with stock, warehouse and price.", sku),
        _endpoint(
            "create",
            "holds",
            "hold_stock",
            "Hold some of the stock of an item.",
            {**sku, "quantity": ("how many", COUNT)},
            takes_from=["items", "sku", "quantity", "stock"],
            prefix="HD",
            first=21,
        ),
    )


def _issues() -> dict[str, Any]:
    draw = Random("issues")
    issues = [
        {
            "id": f"T{501 + number}",
            "title": title,
            "project": rows.PROJECTS[number % len(rows.PROJECTS)],
            "status": draw.choice(["open", "open", "closed"]),
            "priority": draw.choice(["low", "high", "high"]),
            "assignee": draw.choice(rows.PEOPLE[:5])[0],
        }
        for number, title in enumerate(rows.ISSUES)
    ]
    issue = {"id": "the issue's id, such as T501"}
    priority = ["low", "high"]
    return _service(
        "bug_desk",
        "Software",
        {"issues": issues},
        _endpoint(
            "list",
            "issues",
            "list_issues",
            "Issues of a project, four on a page, by status, priority or assignee if named.",
            {
                "project": list(rows.PROJECTS),
                "status?": ["open", "closed"],
                "priority?": priority,
                "assignee?": "full name",
            },
            page=4,
        ),
        _endpoint(
            "create",
            "issues",
            "create_issue",
            "Open a new issue.",
            {"project": list(rows.PROJECTS), "title": "its title", "priority": priority},
            prefix="T",
            first=701,
            sets={"status": "open", "assignee": ""},
        ),
        _endpoint(
            "update",
            "issues",
            "assign_issue",
            "Assign an open issue to a person.",
            {**issue, "assignee": "full name"},
            by=["id"],
            only_if={"status": ["open"]},
        ),
        _endpoint(
            "update",
            "issues",
            "close_issue",
            "Close an open issue.",
            issue,
            by=["id"],
            sets={"status": "closed"},
            only_if={"status": ["open"]},
        ),
    )


def _music() -> dict[str, Any]:
    draw = Random("music")
    seconds = draw.sample(range(120, 480), len(rows.SONGS))
    tracks = [
        {
            "track": f"TR{71 + number}",
            "title": title,
            "artist": rows.ARTISTS[number % len(rows.ARTISTS)],
            "year": 1980 + draw.randint(0, 44),
            "seconds": seconds[number],
        }
        for number, title in enumerate(rows.SONGS)
    ]
    entries = [
        {"id": f"E{1 + number}", "playlist": rows.PLAYLISTS[number % 3], "track": track["track"]}
        for number, track in enumerate(tracks[::3])
    ]
    playlist = {"playlist": list(rows.PLAYLISTS)}
    return _service(
        "tune_box",
        "Music",
        {"tracks": tracks, "entries": entries},
        _endpoint(
            "list",
            "tracks",
            "search_tracks",
            "Tracks with their length in seconds, three on a page, by artist or part of the title.",
            {"artist?": "name of the artist", "title_contains?": "a part of the title"},
            page=3,
        ),
        _endpoint("get", "tracks", "get_track", "One track.", {"track": "its id, such as TR71"}),
        _endpoint(
            "list",
            "entries",
            "list_playlist",
            "Entries of a playlist with the ids of their tracks, four on a page.",
            playlist,
            page=4,
        ),
        _endpoint(
            "create",
            "entries",
            "add_to_playlist",
            "Add a track to a playlist.",
            {**playlist, "track": "the track's id"},
            refs={"track": ["tracks", "track"]},
            prefix="E",
            first=91,
        ),
        _endpoint(
            "delete",
            "entries",
            "remove_from_playlist",
            "Remove an entry from a playlist.",
            {"id": "the entry's id, such as E1"},
            by=["id"],
        ),
    )
