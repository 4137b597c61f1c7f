"""A city bike rental: stations, bikes and their repairs, riders, rentals, favourite stations."""

import random
from collections.abc import Iterator

from tools.bundled.sql.words import (
    Row,
    amount,
    day,
    email,
    items,
    links,
    maybe,
    people,
    words,
)

SCHEMA = """
CREATE TABLE stations (
    station_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    district TEXT NOT NULL,
    docks INTEGER NOT NULL,
    opened_on TEXT NOT NULL,
    elevation_m REAL NOT NULL
);
CREATE TABLE bikes (
    bike_id INTEGER PRIMARY KEY,
    home_station_id INTEGER NOT NULL REFERENCES stations (station_id),
    model TEXT NOT NULL,
    type TEXT NOT NULL,
    bought_on TEXT NOT NULL,
    purchase_price REAL NOT NULL,
    retired_on TEXT
);
CREATE TABLE repairs (
    repair_id INTEGER PRIMARY KEY,
    bike_id INTEGER NOT NULL REFERENCES bikes (bike_id),
    repaired_on TEXT NOT NULL,
    problem TEXT NOT NULL,
    cost REAL
);
CREATE TABLE riders (
    rider_id INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,
    email TEXT,
    plan TEXT NOT NULL,
    signed_up_on TEXT NOT NULL,
    birth_year INTEGER NOT NULL
);
CREATE TABLE rentals (
    rental_id INTEGER PRIMARY KEY,
    bike_id INTEGER NOT NULL REFERENCES bikes (bike_id),
    rider_id INTEGER NOT NULL REFERENCES riders (rider_id),
    start_station_id INTEGER NOT NULL REFERENCES stations (station_id),
    end_station_id INTEGER REFERENCES stations (station_id),
    rented_on TEXT NOT NULL,
    minutes INTEGER,
    distance_km REAL,
    charge REAL
);
CREATE TABLE favorite_stations (
    rider_id INTEGER NOT NULL REFERENCES riders (rider_id),
    station_id INTEGER NOT NULL REFERENCES stations (station_id),
    added_on TEXT NOT NULL,
    PRIMARY KEY (rider_id, station_id)
);
"""

DESCRIPTIONS = {
    "stations": """\
station_id,station id,identifies the station,integer,
name,name,the station's name,text,
district,district,part of the city,text,"Center, East, Harbor, North or West"
docks,docks,how many bikes it can hold,integer,
opened_on,opened on,day of opening,date,YYYY-MM-DD
elevation_m,elevation,height above the sea,real,in metres
""",
    "bikes": """\
bike_id,bike id,identifies the bike,integer,
home_station_id,home station id,station where the bike belongs,integer,
model,model,the maker's model name,text,
type,type,kind of bike,text,"cargo, city or electric"
bought_on,bought on,day of purchase,date,YYYY-MM-DD
purchase_price,purchase price,what the bike cost,real,in euros
retired_on,retired on,day it was taken out of service,date,empty: in service
""",
    "repairs": """\
repair_id,repair id,identifies the repair,integer,
bike_id,bike id,the bike repaired,integer,
repaired_on,repaired on,day of the repair,date,YYYY-MM-DD
problem,problem,what was broken,text,
cost,cost,what the repair cost,real,"in euros; empty: under warranty, free"
""",
    "riders": """\
rider_id,rider id,identifies the rider,integer,
full_name,full name,the rider's name,text,
email,email,e-mail address,text,empty: none given
plan,plan,payment plan,text,"D: day pass, M: monthly, Y: yearly"
signed_up_on,signed up on,day of registration,date,YYYY-MM-DD
birth_year,birth year,year of birth,integer,
""",
    "rentals": """\
rental_id,rental id,identifies the rental,integer,
bike_id,bike id,the bike rented,integer,
rider_id,rider id,who rented it,integer,
start_station_id,start station id,where the ride began,integer,
end_station_id,end station id,where the ride ended,integer,empty: not returned
rented_on,rented on,day of the ride,date,YYYY-MM-DD
minutes,minutes,length of the ride,integer,empty: not returned
distance_km,distance,length of the ride,real,in kilometres; empty: not returned
charge,charge,what the rider paid,real,in euros; empty: not returned
""",
    "favorite_stations": """\
rider_id,rider id,the rider,integer,
station_id,station id,a station the rider marked as favorite,integer,
added_on,added on,day of marking,date,YYYY-MM-DD
""",
}

STATIONS = items(
    "Market Square,Old Bridge,Central Station,Fish Pier,Opera House,Linden Park,University Gate,"
    "City Hospital,North Mill,Rose Garden,Stadium,Harbor Light,Town Hall,Cedar Hill,River Bend,"
    "Glass Works,West End Plaza,Botanic Garden"
)
DISTRICTS = words("Center East Harbor North West")
MODELS = {"city": ("Breeze", 420), "electric": ("Volta", 1450), "cargo": ("Mule", 1900)}
PROBLEMS = ("flat tire", "worn brakes", "broken chain", "bent wheel", "loose saddle")


def fleet(rng: random.Random) -> Iterator[Row]:
    """Stations, bikes and repairs."""
    for key, name in enumerate(STATIONS, 1):
        place = name, rng.choice(DISTRICTS), rng.randint(8, 40)
        yield "stations", (key, *place, day(rng, "2015-04-01", "2021-09-30"), amount(rng, 2, 96, 1))
    for key in range(1, 61):
        kind = rng.choice(("city", "city", "city", "electric", "electric", "cargo"))
        model, price = MODELS[kind]
        bought = day(rng, "2017-01-15", "2022-06-30")
        retired = maybe(rng, 0.8, day(rng, "2024-07-01", "2025-06-30"))
        label = f"{model} {rng.randint(1, 3)}"
        cost = amount(rng, price * 0.9, price * 1.3)
        yield "bikes", (key, rng.randint(1, 17), label, kind, bought, cost, retired)
    for key in range(1, 81):
        when = day(rng, "2022-08-01", "2024-06-30")
        paid = maybe(rng, 0.2, amount(rng, 8, 140))
        yield "repairs", (key, rng.randint(1, 55), when, rng.choice(PROBLEMS), paid)


def rows() -> Iterator[Row]:
    """All rows, parents before children."""
    rng = random.Random(303)
    yield from fleet(rng)
    for key, name in enumerate(people(rng, 52), 1):
        address = maybe(rng, 0.18, email(name, "post.example"))
        joined = day(rng, "2020-01-05", "2022-12-28")
        yield "riders", (key, name, address, rng.choice("DMMYY"), joined, rng.randint(1951, 2005))
    for key in range(1, 231):
        minutes = rng.randint(5, 118)
        trip = minutes, amount(rng, minutes * 0.12, minutes * 0.3, 1), round(minutes * 0.07, 2)
        ended = maybe(rng, 0.05, (rng.randint(1, 18), trip))
        stop, trip_or_none = ended if ended else (None, (None, None, None))
        who = rng.randint(1, 57), rng.randint(1, 49), rng.randint(1, 17)
        yield "rentals", (key, *who, stop, day(rng, "2023-01-01", "2024-06-30"), *trip_or_none)
    for rider, station in links(rng, 50, 17, 0, 4):
        added = day(rng, "2023-01-01", "2024-06-30")
        yield "favorite_stations", (rider, station, added)
