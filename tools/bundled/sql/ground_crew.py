"""An airport's ground crew: airlines and departures, workers, vehicles, jobs and incidents."""

import random
from collections.abc import Iterator

from tools.bundled.sql.words import Row, amount, day, items, links, maybe, people, words

SCHEMA = """
CREATE TABLE airlines (
    airline_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    country TEXT NOT NULL,
    founded_year INTEGER NOT NULL
);
CREATE TABLE flights (
    flight_id INTEGER PRIMARY KEY,
    airline_id INTEGER NOT NULL REFERENCES airlines (airline_id),
    flight_number TEXT NOT NULL,
    destination TEXT NOT NULL,
    departs_on TEXT NOT NULL,
    gate TEXT NOT NULL,
    passengers INTEGER NOT NULL,
    delay_minutes INTEGER
);
CREATE TABLE workers (
    worker_id INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,
    job TEXT NOT NULL,
    shift TEXT NOT NULL,
    hired_on TEXT NOT NULL,
    hourly_wage REAL NOT NULL,
    supervisor_id INTEGER REFERENCES workers (worker_id)
);
CREATE TABLE vehicles (
    vehicle_id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    maker TEXT NOT NULL,
    fuel TEXT NOT NULL,
    bought_on TEXT NOT NULL,
    price REAL NOT NULL,
    last_service_on TEXT
);
CREATE TABLE flight_workers (
    flight_id INTEGER NOT NULL REFERENCES flights (flight_id),
    worker_id INTEGER NOT NULL REFERENCES workers (worker_id),
    minutes INTEGER NOT NULL,
    PRIMARY KEY (flight_id, worker_id)
);
CREATE TABLE incidents (
    incident_id INTEGER PRIMARY KEY,
    flight_id INTEGER NOT NULL REFERENCES flights (flight_id),
    vehicle_id INTEGER REFERENCES vehicles (vehicle_id),
    kind TEXT NOT NULL,
    severity INTEGER NOT NULL,
    repair_cost REAL
);
"""

DESCRIPTIONS = {
    "airlines": """\
airline_id,airline id,identifies the airline,integer,
name,name,the airline's name,text,
country,country,where the airline is based,text,
founded_year,founded year,year of foundation,integer,
""",
    "flights": """\
flight_id,flight id,identifies the flight,integer,
airline_id,airline id,the airline that flies it,integer,
flight_number,flight number,number on the ticket,text,
destination,destination,city it flies to,text,
departs_on,departs on,day of departure,date,YYYY-MM-DD
gate,gate,gate of departure,text,
passengers,passengers,number of passengers booked,integer,
delay_minutes,delay,how late it left,integer,"in minutes; 0: on time, empty: cancelled"
""",
    "workers": """\
worker_id,worker id,identifies the worker,integer,
full_name,full name,the worker's name,text,
job,job,what the worker does,text,"baggage handler, cleaner, fueler, loader or marshaller"
shift,shift,when the worker works,text,"E: early, L: late, N: night"
hired_on,hired on,first day at work,date,YYYY-MM-DD
hourly_wage,hourly wage,pay for an hour,real,in dollars
supervisor_id,supervisor id,the worker's supervisor (a worker too),integer,empty: has none
""",
    "vehicles": """\
vehicle_id,vehicle id,identifies the vehicle,integer,
kind,kind,kind of vehicle,text,"belt loader, bus, fuel truck, stairs or tug"
maker,maker,who built it,text,
fuel,fuel,what drives it,text,"diesel, electric or hybrid"
bought_on,bought on,day of purchase,date,YYYY-MM-DD
price,price,what it cost,real,in dollars
last_service_on,last service on,day of the last service,date,empty: never serviced
""",
    "flight_workers": """\
flight_id,flight id,the flight,integer,
worker_id,worker id,a worker who served it,integer,
minutes,minutes,time worked on the flight,integer,in minutes
""",
    "incidents": """\
incident_id,incident id,identifies the incident,integer,
flight_id,flight id,the flight concerned,integer,
vehicle_id,vehicle id,the vehicle involved,integer,empty: none
kind,kind,what happened,text,
severity,severity,how bad it was,integer,from 1 (minor) to 3 (serious)
repair_cost,repair cost,cost of the repair,real,in dollars; empty: not known yet
""",
}

AIRLINES = items(
    "Aero Sur,Baltic Wings,Capital Air,Delta Norte,Emerald Airways,Fjordfly,Globe Express,"
    "Horizon Jet,Island Hopper,Jade Airlines,Kestrel Air,Lagoon Air,Meridian,Nova Fly,Orchid Air,"
    "Polar Lines"
)
COUNTRIES = words("Argentina Finland Ireland Norway Singapore")
CITIES = words("Bogota Cairo Dublin Helsinki Lisbon Nairobi Oslo Prague Seoul Toronto")
JOBS = ("baggage handler", "cleaner", "fueler", "loader", "marshaller")
KINDS = {"tug": 62000, "bus": 185000, "stairs": 24000, "fuel truck": 140000, "belt loader": 38000}
MAKERS = ("Hartmann", "Kobe Motors", "Liftwell")
FUELS = ("diesel", "diesel", "electric", "hybrid")
EVENTS = ("fuel spill", "damaged bag", "scratched door", "flat tire", "late loading")


def staff(rng: random.Random) -> Iterator[Row]:
    """Workers and vehicles; workers 1 to 6 supervise the rest."""
    for key, name in enumerate(people(rng, 48), 1):
        job = rng.choice(JOBS), rng.choice("EELLN"), day(rng, "2009-02-01", "2022-11-30")
        chief = rng.randint(1, 6) if key > 6 else None
        yield "workers", (key, name, *job, amount(rng, 16, 41), chief)
    for key in range(1, 33):
        kind = rng.choice(list(KINDS))
        price = amount(rng, KINDS[kind] * 0.8, KINDS[kind] * 1.25)
        serviced = maybe(rng, 0.2, day(rng, "2023-01-01", "2024-12-31"))
        made = kind, rng.choice(MAKERS), rng.choice(FUELS), day(rng, "2012-01-01", "2022-12-31")
        yield "vehicles", (key, *made, price, serviced)


def rows() -> Iterator[Row]:
    """All rows, parents before children."""
    rng = random.Random(808)
    for key, name in enumerate(AIRLINES, 1):
        yield "airlines", (key, name, rng.choice(COUNTRIES), rng.randint(1932, 2016))
    for key in range(1, 121):
        airline = rng.randint(1, 15)
        number = f"{AIRLINES[airline - 1][:2].upper()}{100 + key}"
        delay = maybe(rng, 0.08, max(0, rng.randint(-60, 150)))
        trip = number, rng.choice(CITIES), day(rng, "2024-01-01", "2024-12-31")
        gate = f"{rng.choice('ABC')}{rng.randint(1, 9)}"
        yield "flights", (key, airline, *trip, gate, rng.randint(38, 296), delay)
    yield from staff(rng)
    for flight, worker in links(rng, 118, 46, 1, 3):
        yield "flight_workers", (flight, worker, rng.randint(15, 140))
    for key in range(1, 46):
        vehicle = maybe(rng, 0.3, rng.randint(1, 30))
        cost = maybe(rng, 0.25, amount(rng, 40, 5200))
        event = rng.choice(EVENTS), rng.choice((1, 1, 1, 2, 2, 3))
        yield "incidents", (key, rng.randint(1, 115), vehicle, *event, cost)
