"""What is asked of the services. A template draws, plays the solution, and says what is asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.bundled.api.draft import Draft, Unsuitable
from tools.bundled.api.rows import MEMBERS, MONEY, PEOPLE, address

Fill = Callable[[Draft], None]


@dataclass(frozen=True)
class Template:
    """A kind of task; `group` has its services in it, so no other split has its like.

    Attributes:
        trouble: what has to be worked around: "pages", "quota", "sign-in", or "".
        quotas: calls that the tasks allow, by short name.
    """

    name: str
    split: str
    trouble: str
    fill: Fill
    quotas: Mapping[str, int] = field(default_factory=dict)


TEMPLATES: list[Template] = []


def template(split: str, trouble: str = "", **quotas: int) -> Callable[[Fill], Fill]:
    """Register a template under the function's name."""

    def register(fill: Fill) -> Fill:
        TEMPLATES.append(Template(fill.__name__, split, trouble, fill, quotas))
        return fill

    return register


# One service


@template("train")
def weather_day(t: Draft) -> None:
    day = t.pick("sky_report/days")
    body = t.call("get_forecast", "One day is asked.", city=day["city"], date=day["date"])
    t.ask(
        f"What is the highest temperature in {day['city']} on {day['date']}?",
        "the number of degrees Celsius",
        body["high"],
        body["low"],
        body["wind_kmh"],
    )


@template("train", "pages")
def weather_wettest(t: Draft) -> None:
    city = t.pick("sky_report/days")["city"]
    days = t.pages("list_forecasts", "All days of the city have to be compared.", city=city)
    best = t.one(days, lambda row: -row["rain_mm"])
    first = max(days[:3], key=lambda row: row["rain_mm"])
    t.ask(
        f"On which of the forecast days does it rain most in {city}?",
        "the date as YYYY-MM-DD",
        best["date"],
        first["date"],
        min(days, key=lambda row: row["rain_mm"])["date"],
        days[0]["date"],
    )


@template("train", "quota", get_forecast=0)
def weather_wind(t: Draft) -> None:
    day = t.pick("sky_report/days", date=f"2026-05-{t.draw.randint(7, 11):02d}")
    where = {"city": day["city"]}
    t.refused("get_forecast", "One day is asked.", 429, **where, date=day["date"])
    days = t.pages("list_forecasts", "The quota is used up, but the list has it, too.", **where)
    (found,) = [row for row in days if row["date"] == day["date"]]
    t.ask(
        f"How strong is the wind in {day['city']} on {day['date']}?",
        "the number of km/h",
        found["wind_kmh"],
        days[0]["wind_kmh"],
        found["rain_mm"],
    )


@template("test", "pages")
def calendar_count(t: Draft) -> None:
    events = t.pages("list_events", "I read the whole calendar and count.")
    outside = [row for row in events if row["outdoors"]]
    who = t.draw.choice(PEOPLE)[0]
    own = [row for row in outside if row["with"] != who]
    if len(own) == len(outside):
        raise Unsuitable(who)
    t.ask(
        f"How many events in my calendar are outdoors, not counting those with {who}?",
        "the number",
        len(own),
        len(outside),
        sum(row["outdoors"] for row in events[:4]),
        len(events),
    )


@template("train")
def calendar_move(t: Draft) -> None:
    event = t.pick("day_planner/events")
    day, start = t.draw.choice(["2026-05-13", "2026-05-14", "2026-05-15"]), "15:30"
    found = t.pages("list_events", "I look for the event.", **{"with": event["with"]})
    event = t.only([row for row in found if row["title"] == event["title"]])
    t.call("move_event", "This is the one.", id=event["id"], date=day, start=start)
    t.ask(
        f'Move my "{event["title"]}" with {event["with"]} to {day} at {start}.',
        "the id of the event that you moved",
        event["id"],
        *[row["id"] for row in t.rows("day_planner/events")[:3]],
    )


@template("train")
def mail_code(t: Draft) -> None:
    name = t.draw.choice(PEOPLE[:8])[0]
    sender = address(name)
    found = t.pages("list_messages", "The code was in a message.", **{"from": sender})
    message = t.only([row for row in found if row["subject"] == "Door code"])
    text = t.call("read_message", "The subject fits.", id=message["id"])["text"]
    code = next(word for word in text.split() if word.isdigit())
    t.ask(
        f"{name} ({sender}) sent me the code of the side door. What is it?",
        "the code",
        code,
        int(code) + 37,
        message["id"],
    )


@template("train", "pages")
def mail_archive(t: Draft) -> None:
    sender = address(t.draw.choice(PEOPLE[:8])[0])
    where = {"folder": "inbox", "from": sender}
    found = t.pages("list_messages", "What is in the inbox from them?", **where)
    if len(found) < 2:
        raise Unsuitable("too few")
    for row in found:
        t.call("move_message", "This goes to the archive.", id=row["id"], folder="archive")
    t.ask(
        f"Move all messages from {sender} in my inbox to the archive.",
        "how many messages you moved",
        len(found),
        len(found) + 1,
        len(found) - 1,
    )


@template("train")
def contacts_phone(t: Draft) -> None:
    name, company = t.draw.choice(PEOPLE)
    phone = f"555-{t.draw.randint(1000, 9999)}"
    part = name.split()[0]
    found = t.pages("search_people", "I need the contact's id.", name_contains=part)
    person = t.only([row for row in found if row["name"] == name])
    t.call("update_phone", "Now I can change the number.", id=person["id"], phone=phone)
    t.ask(
        f"{name} of {company} has a new phone number, {phone}. Put it into my contacts.",
        "the id of the contact",
        person["id"],
        "P201",
        "P208",
    )


@template("train", "pages")
def flights_cheapest(t: Draft) -> None:
    some = t.pick("wing_fares/flights")
    way = {"origin": some["origin"], "destination": some["destination"]}
    found = t.pages("search_flights", "I compare all flights on this route.", **way)
    best = t.one(found, lambda row: row["price_eur"])
    t.ask(
        f"Which flight from {way['origin']} to {way['destination']} is the cheapest, "
        "be it full or not?",
        "the flight's number",
        best["number"],
        min(found[:3], key=lambda row: row["price_eur"])["number"],
        found[0]["number"],
        found[-1]["number"],
    )


@template("test", "pages")
def flights_book(t: Draft) -> None:
    some = t.pick("wing_fares/flights")
    way = {"origin": some["origin"], "destination": some["destination"]}
    count, who = t.draw.choice([2, 3]), t.draw.choice(PEOPLE)[0]
    found = t.pages("search_flights", "I look for flights on this route.", **way)
    free = [row for row in found if row["seats"] >= count]
    best = t.one(free, lambda row: row["price_eur"])
    number = best["number"]
    body = t.call("book_flight", "It has the seats.", number=number, passenger=who, count=count)
    t.ask(
        f"Book {count} seats for {who} on the cheapest flight from {way['origin']} to "
        f"{way['destination']} that has {count} free seats.",
        "the id of the booking",
        body["id"],
        number,
        "B802",
    )


@template("train", "pages")
def hotels_best(t: Draft) -> None:
    city = t.pick("room_finder/hotels")["city"]
    most = t.draw.choice([150, 180, 210])
    found = t.pages("search_hotels", "The price is a filter.", city=city, max_price_eur=most)
    best = t.one(found, lambda row: (-row["stars"], row["price_eur"]))
    t.ask(
        f"Which hotel in {city} has the most stars and costs at most {most} EUR a night? Of two "
        "with as many stars, the cheaper.",
        "the hotel's id",
        best["hotel"],
        min(found, key=lambda row: row["price_eur"])["hotel"],
        found[0]["hotel"],
        found[-1]["hotel"],
    )


@template("train")
def hotels_book(t: Draft) -> None:
    hotel, who = t.pick("room_finder/hotels"), t.draw.choice(PEOPLE)[0]
    day, nights = f"2026-06-{t.draw.randint(10, 28)}", t.draw.randint(2, 6)
    found = t.pages("search_hotels", "I need the hotel's id.", city=hotel["city"])
    (own,) = [row for row in found if row["name"] == hotel["name"]]
    booked = {"hotel": own["hotel"], "guest": who, "arrival": day, "nights": nights}
    body = t.call("book_room", "I book the room.", **booked)
    t.ask(
        f"Book a room in {hotel['name']} for {who}, {nights} nights from {day} on.",
        "the id of the booking",
        body["id"],
        "S502",
        own["hotel"],
    )


@template("train")
def currency_convert(t: Draft) -> None:
    base, quote = t.draw.sample(list(MONEY), 2)
    amount = t.draw.randrange(100, 900, 50)
    rate = t.call("get_rate", "I need the rate.", base=base, quote=quote)["rate"]
    t.ask(
        f"How much are {amount} {base} in {quote}?",
        "the amount with two decimals",
        f"{amount * rate:.2f}",
        f"{amount / rate:.2f}",
        f"{rate:.2f}",
    )


@template("test", "quota", get_rate=0)
def currency_list(t: Draft) -> None:
    base, quote = t.draw.sample(list(MONEY), 2)
    amount = t.draw.randrange(100, 900, 50)
    t.refused("get_rate", "I need the rate.", 429, base=base, quote=quote)
    rates = t.pages("list_rates", "The quota is used up; the list has the rate.", base=base)
    (rate,) = [row["rate"] for row in rates if row["quote"] == quote]
    t.ask(
        f"I have {amount} {base}. How much is that in {quote}?",
        "the amount with two decimals",
        f"{amount * rate:.2f}",
        f"{amount * rates[0]['rate'] + 1:.2f}",
        f"{rate:.2f}",
    )


def _sign_in(t: Draft) -> tuple[str, str]:
    member, pin = t.draw.choice(MEMBERS)
    card = f"My library card is L{member}, the PIN {pin}."
    thought = "The library wants a token first."
    return card, t.call("sign_in", thought, member=f"L{member}", pin=pin)["token"]


@template("train", "sign-in")
def library_due(t: Draft) -> None:
    card, token = _sign_in(t)
    loans = t.pages("list_loans", "Now I can see the loans.", token=token)
    first = t.one(loans, lambda row: row["due"])
    t.ask(
        f"{card} Which of my loans is due first?",
        "the id of the loan",
        first["id"],
        min(loans[:2], key=lambda row: row["due"])["id"],
        loans[0]["id"],
        loans[-1]["id"],
    )


@template("train", "sign-in")
def library_titles(t: Draft) -> None:
    card, token = _sign_in(t)
    loans = t.pages("list_loans", "Now I can see the loans.", token=token)
    books = [t.call("get_book", "Which year?", book=row["book"]) for row in loans]
    old = t.one(books, lambda row: row["year"])
    t.ask(
        f"{card} Which of the books that I have borrowed is the oldest?",
        "the title of the book",
        old["title"],
        max(books, key=lambda row: row["year"])["title"],
        books[0]["title"],
    )


@template("test", "sign-in")
def library_reserve(t: Draft) -> None:
    card, token = _sign_in(t)
    author = t.pick("town_library/books")["author"]
    books = t.pages("search_books", "I look for the author's books.", author_contains=author)
    new = t.one([row for row in books if row["copies"]], lambda row: -row["year"])
    body = t.call("reserve_book", "It is on the shelf.", book=new["book"], token=token)
    t.ask(
        f"{card} Reserve the newest book by {author} of which there is a copy on the shelf.",
        "the id of the reservation",
        body["id"],
        new["book"],
        "R902",
    )


@template("train", "pages")
def orders_total(t: Draft) -> None:
    who = t.pick("shop_orders/orders")["customer"]
    status = t.draw.choice(["delivered", "shipped", "processing"])
    asked = {"customer": who, "status": status}
    found = t.pages("list_orders", "I add up the totals.", **asked)
    if len(found) < 2:
        raise Unsuitable("nothing to add")
    t.ask(
        f"What is the total, in EUR, of all orders of {who} with the status {status}?",
        "the number",
        sum(row["total_eur"] for row in found),
        found[0]["total_eur"],
        sum(row["total_eur"] for row in found) + 10,
    )


@template("train")
def orders_cancel(t: Draft) -> None:
    who = t.pick("shop_orders/orders")["customer"]
    found = t.pages("list_orders", "Which order is it?", customer=who, status="processing")
    big = t.one(found, lambda row: -row["total_eur"])
    t.call("cancel_order", "It is still processing.", order=big["order"])
    others = [row["order"] for row in t.rows("shop_orders/orders") if row["customer"] == who]
    t.ask(
        f"Cancel the most expensive order of {who} that is still processing.",
        "the number of the order",
        big["order"],
        *others[:3],
    )


@template("train", "pages")
def inventory_low(t: Draft) -> None:
    where = t.pick("stock_room/items")["warehouse"]
    items = t.pages("list_items", "I compare stock and limit of every item.", warehouse=where)
    low = sorted(row["sku"] for row in items if row["stock"] < row["reorder_at"])
    if len(low) < 2:
        raise Unsuitable("too few")
    t.ask(
        f"Of which items in the warehouse {where} is there less stock than the level at which to "
        "order more?",
        "their numbers (sku), separated by commas",
        ", ".join(low),
        ", ".join(low[:-1]),
        ", ".join(row["sku"] for row in items),
    )


@template("test", "pages")
def inventory_hold(t: Draft) -> None:
    where, count = t.pick("stock_room/items")["warehouse"], t.draw.randint(2, 6)
    items = t.pages("list_items", "I look for the largest stock.", warehouse=where)
    most = t.one(items, lambda row: -row["stock"])
    body = t.call("hold_stock", "This has the most.", sku=most["sku"], quantity=count)
    t.ask(
        f"Hold {count} pieces of the item with the largest stock in the warehouse {where}.",
        "the id of the hold",
        body["id"],
        most["sku"],
        "HD22",
    )


@template("train", "pages")
def issues_assign(t: Draft) -> None:
    project, who = t.pick("bug_desk/issues")["project"], t.draw.choice(PEOPLE[:5])[0]
    wanted = {"project": project, "status": "open", "priority": "high"}
    found = t.pages("list_issues", "Which issues are these?", **wanted)
    others = [row for row in found if row["assignee"] != who]
    if not 2 <= len(others) <= 4:
        raise Unsuitable("too many or too few")
    for row in others:
        t.call("assign_issue", "This is not theirs yet.", id=row["id"], assignee=who)
    t.ask(
        f"Assign all open issues of the project {project} with high priority to {who}, as far as "
        "they are not theirs already.",
        "how many issues you assigned",
        len(others),
        len(found) + 1,
        len(others) - 1,
    )


@template("train")
def issues_create(t: Draft) -> None:
    project = t.pick("bug_desk/issues")["project"]
    title = t.draw.choice(["Help page is missing", "Zoom is stuck", "Old price shown"])
    body = t.call("create_issue", "I open it.", project=project, title=title, priority="low")
    t.ask(
        f'Open an issue with low priority in the project {project}, titled "{title}".',
        "the id of the issue",
        body["id"],
        "T702",
        "T524",
    )


@template("train", "pages")
def music_longest(t: Draft) -> None:
    artist = t.pick("tune_box/tracks")["artist"]
    tracks = t.pages("search_tracks", "I compare all tracks of the artist.", artist=artist)
    long = t.one(tracks, lambda row: -row["seconds"])
    t.ask(
        f"Which track of {artist} is the longest?",
        "the title of the track",
        long["title"],
        max(tracks[:3], key=lambda row: row["seconds"])["title"],
        tracks[0]["title"],
        tracks[-1]["title"],
    )


@template("test", "pages")
def music_playlist(t: Draft) -> None:
    artist, name = t.pick("tune_box/tracks")["artist"], t.pick("tune_box/entries")["playlist"]
    tracks = t.pages("search_tracks", "I look for the shortest track.", artist=artist)
    short = t.one(tracks, lambda row: row["seconds"])
    body = t.call("add_to_playlist", "I add it.", playlist=name, track=short["track"])
    t.ask(
        f"Add the shortest track of {artist} to the playlist {name}.",
        "the id of the new entry",
        body["id"],
        short["track"],
        "E92",
    )


# Services of one category


@template("train", "pages")
def trip_cost(t: Draft) -> None:
    some, nights = t.pick("wing_fares/flights"), t.draw.randint(2, 5)
    way = {"origin": some["origin"], "destination": some["destination"]}
    flights = t.pages("search_flights", "First the flight.", **way)
    hotels = t.pages("search_hotels", "Then the hotel.", city=way["destination"], min_stars=3)
    flight = min(row["price_eur"] for row in flights)
    if not hotels:
        raise Unsuitable("no hotel")
    night = min(row["price_eur"] for row in hotels)
    t.ask(
        f"I travel from {way['origin']} to {way['destination']}. What do the cheapest flight there "
        f"(one way) and {nights} nights in the cheapest hotel of at least 3 stars cost together?",
        "the number of EUR",
        flight + nights * night,
        flight + night,
        flights[0]["price_eur"] + nights * hotels[0]["price_eur"],
        nights * night,
    )


@template("train")
def mail_contact(t: Draft) -> None:
    name, company = t.draw.choice(PEOPLE)
    subject, text = t.draw.choice(
        [("Thursday", "Shall we meet at nine?"), ("Thanks", "The parcel has come.")]
    )
    found = t.pages("search_people", "I need the address.", company=company)
    (person,) = [row for row in found if row["name"] == name]
    to = t.call("get_person", "The contact has it.", id=person["id"])["email"]
    body = t.call("send_message", "Now I can write.", to=to, subject=subject, text=text)
    t.ask(
        f'Write to {name} of {company}: subject "{subject}", text "{text}".',
        "the id of the message that you sent",
        body["id"],
        "M72",
        "M11",
    )


@template("test")
def calendar_contact(t: Draft) -> None:
    event = t.pick("day_planner/events")
    (there,) = [t.pages("list_events", "Whom do I meet?", date=event["date"])]
    found = t.only([row for row in there if row["title"] == event["title"]])
    part = found["with"].split()[-1]
    (person,) = t.pages("search_people", "I look the person up.", name_contains=part)
    phone = t.call("get_person", "The contact has the number.", id=person["id"])["phone"]
    others = [row["phone"] for row in t.rows("people_book/people")]
    t.ask(
        f"What is the phone number of the person whom I meet on {event['date']} for the event "
        f'"{event["title"]}"?',
        "the phone number",
        phone,
        *others[:2],
    )


@template("train")
def order_stock(t: Draft) -> None:
    number = t.pick("shop_orders/orders")["order"]
    order = t.call("get_order", "Which item is it?", order=number)
    item = t.call("get_item", "How many are there?", sku=order["sku"])
    left = item["stock"] - order["quantity"]
    t.ask(
        f"How many pieces of its item are left in stock if order {number} is taken from it? The "
        "number is negative if there are too few.",
        "the number",
        left,
        item["stock"],
        order["quantity"],
        -left if left else 1,
    )


@template("test")
def order_price(t: Draft) -> None:
    number = t.pick("shop_orders/orders")["order"]
    order = t.call("get_order", "Which item is it?", order=number)
    item = t.call("get_item", "What does it cost today?", sku=order["sku"])
    cost = item["price_eur"] * order["quantity"]
    t.ask(
        f"What would the items of order {number} cost at the price of today?",
        "the number of EUR",
        cost,
        item["price_eur"],
        order["total_eur"],
    )


# Services of several categories


@template("train", "pages")
def weather_calendar(t: Draft) -> None:
    day = t.pick("day_planner/events", outdoors=True)["date"]
    events = t.pages("list_events", "I look for the event.", date=day)
    own = t.only([row for row in events if row["outdoors"]])
    sky = t.call("get_forecast", "How is the weather there?", city=own["city"], date=day)
    rains = sky["rain_mm"] >= 5
    if rains:
        t.call("delete_event", "It rains too much.", id=own["id"])
    t.ask(
        f"I have one event outdoors on {day}. If at least 5 mm of rain are forecast in its city, "
        "delete the event.",
        'the id of the event if you deleted it, else "kept"',
        own["id"] if rains else "kept",
        "kept",
        own["id"],
        "EV101",
    )


@template("test", "pages")
def weather_contact(t: Draft) -> None:
    name, company = t.draw.choice(PEOPLE)
    day = t.pick("sky_report/days")["date"]
    found = t.pages("search_people", "I need the contact's id.", company=company)
    (person,) = [row for row in found if row["name"] == name]
    city = t.call("get_person", "Where is that?", id=person["id"])["city"]
    sky = t.call("get_forecast", "Now the forecast.", city=city, date=day)
    t.ask(
        f"How cold does it get on {day} in the city where {name} of {company} lives?",
        "the lowest number of degrees Celsius",
        sky["low"],
        sky["high"],
        sky["wind_kmh"],
    )


@template("train", "pages")
def flight_money(t: Draft) -> None:
    some, money = t.pick("wing_fares/flights"), t.draw.choice(["USD", "GBP", "NOK", "CZK"])
    way = {"origin": some["origin"], "destination": some["destination"]}
    flights = t.pages("search_flights", "I need the cheapest price.", **way)
    price = min(row["price_eur"] for row in flights)
    rate = t.call("get_rate", "The price is in EUR.", base="EUR", quote=money)["rate"]
    t.ask(
        f"What does the cheapest flight from {way['origin']} to {way['destination']} cost in "
        f"{money}?",
        "the amount with two decimals",
        f"{price * rate:.2f}",
        f"{flights[0]['price_eur'] * rate + 1:.2f}",
        f"{price:.2f}",
        f"{price / rate:.2f}",
    )


@template("test", "quota", get_rate=0)
def hotel_money(t: Draft) -> None:
    hotel, money = t.pick("room_finder/hotels"), t.draw.choice(["USD", "GBP", "NOK", "PLN"])
    nights = t.draw.randint(2, 6)
    hotels = t.pages("search_hotels", "What does a night cost?", city=hotel["city"])
    (own,) = [row for row in hotels if row["name"] == hotel["name"]]
    t.refused("get_rate", "The price is in EUR.", 429, base="EUR", quote=money)
    rates = t.pages("list_rates", "No more single rates; the list may help.", base="EUR")
    (rate,) = [row["rate"] for row in rates if row["quote"] == money]
    cost = own["price_eur"] * nights
    t.ask(
        f"What do {nights} nights in {hotel['name']} cost in {money}?",
        "the amount with two decimals",
        f"{cost * rate:.2f}",
        f"{cost:.2f}",
        f"{own['price_eur'] * rate:.2f}",
    )


@template("train")
def mail_order(t: Draft) -> None:
    name = t.draw.choice(PEOPLE[:8])[0]
    sender = address(name)
    found = t.pages("list_messages", "I look for the message.", **{"from": sender})
    message = t.only([row for row in found if row["subject"] == "My order"])
    text = t.call("read_message", "Which order is meant?", id=message["id"])["text"]
    number = next(w.strip(".") for w in text.split() if w[0] == "O" and w[1:].strip(".").isdigit())
    order = t.call("get_order", "Can it still be cancelled?", order=number)
    done = {"processing": "cancel_order", "delivered": "return_order"}.get(order["status"])
    if done:
        t.call(done, f"It is {order['status']}.", order=number)
    t.ask(
        f"{sender} wrote to me about an order that is no longer wanted. If it is processing, "
        "cancel it; if it was delivered, return it; else leave it.",
        "cancelled, returned, or left",
        {"cancel_order": "cancelled", "return_order": "returned"}.get(done or "", "left"),
        "cancelled",
        "returned",
        "left",
    )


@template("train")
def mail_issue(t: Draft) -> None:
    name = t.draw.choice(PEOPLE[:8])[0]
    sender = address(name)
    found = t.pages("list_messages", "I look for the message.", **{"from": sender})
    message = t.only([row for row in found if row["subject"] == "Found a bug"])
    text = t.call("read_message", "Which bug is it?", id=message["id"])["text"]
    project, title = text.split()[1].rstrip(":"), text.split('"')[1]
    body = t.call("create_issue", "I report it.", project=project, title=title, priority="high")
    t.ask(
        f"{sender} wrote to me about a bug. Open an issue with high priority in the project that "
        "the message names; its title is what the message quotes.",
        "the id of the issue",
        body["id"],
        "T702",
        message["id"],
    )


@template("test", "sign-in")
def mail_book(t: Draft) -> None:
    name = t.draw.choice(PEOPLE[:8])[0]
    sender = address(name)
    found = t.pages("list_messages", "I look for the message.", **{"from": sender})
    message = t.only([row for row in found if row["subject"] == "A book"])
    text = t.call("read_message", "Which book is it?", id=message["id"])["text"]
    title = text.split('"')[1]
    (book,) = t.pages("search_books", "Does the library have it?", title_contains=title)
    card, token = _sign_in(t)
    body = t.call("reserve_book", "I reserve it.", book=book["book"], token=token)
    t.ask(
        f"{sender} wrote to me about a book that they liked. Reserve it at the library. {card}",
        "the id of the reservation",
        body["id"],
        book["book"],
        "R902",
    )


@template("train", "pages")
def playlist_time(t: Draft) -> None:
    name = t.pick("tune_box/entries")["playlist"]
    title, day, who = "Listening hour", f"2026-05-{t.draw.randint(12, 20)}", PEOPLE[4][0]
    entries = t.pages("list_playlist", "How many tracks are there?", playlist=name)
    if len(entries) > 5:
        raise Unsuitable("too long")
    found = [t.call("get_track", "How long is it?", track=row["track"]) for row in entries]
    seconds = sum(row["seconds"] for row in found)
    event: dict[str, Any] = {"title": title, "date": day, "start": "18:00", "with": who}
    t.call("create_event", "Now the event.", **event)
    t.ask(
        f'Put "{title}" with {who} into my calendar, on {day} at 18:00. How many seconds is the '
        f"playlist {name} long, which we want to hear?",
        "the number of seconds",
        seconds,
        seconds - found[-1]["seconds"],
        found[0]["seconds"],
    )
