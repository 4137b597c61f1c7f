"""A city museum: artists and artworks, exhibitions, guides and guided tours."""

import random
from collections.abc import Iterator

from tools.bundled.sql.words import (
    Row,
    amount,
    day,
    items,
    later,
    links,
    maybe,
    people,
    phrases,
    words,
)

SCHEMA = """
CREATE TABLE artists (
    artist_id INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,
    country TEXT NOT NULL,
    birth_year INTEGER NOT NULL,
    death_year INTEGER
);
CREATE TABLE artworks (
    artwork_id INTEGER PRIMARY KEY,
    artist_id INTEGER REFERENCES artists (artist_id),
    title TEXT NOT NULL,
    category TEXT NOT NULL,
    created_year INTEGER NOT NULL,
    height_cm REAL NOT NULL,
    insured_value REAL NOT NULL,
    acquired_on TEXT NOT NULL
);
CREATE TABLE exhibitions (
    exhibition_id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    gallery TEXT NOT NULL,
    starts_on TEXT NOT NULL,
    ends_on TEXT,
    ticket_price REAL NOT NULL
);
CREATE TABLE exhibition_artworks (
    exhibition_id INTEGER NOT NULL REFERENCES exhibitions (exhibition_id),
    artwork_id INTEGER NOT NULL REFERENCES artworks (artwork_id),
    is_highlight INTEGER NOT NULL,
    PRIMARY KEY (exhibition_id, artwork_id)
);
CREATE TABLE guides (
    guide_id INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,
    language TEXT NOT NULL,
    hired_on TEXT NOT NULL,
    day_rate REAL NOT NULL
);
CREATE TABLE tours (
    tour_id INTEGER PRIMARY KEY,
    exhibition_id INTEGER NOT NULL REFERENCES exhibitions (exhibition_id),
    guide_id INTEGER NOT NULL REFERENCES guides (guide_id),
    held_on TEXT NOT NULL,
    visitors INTEGER NOT NULL,
    rating REAL
);
"""

DESCRIPTIONS = {
    "artists": """\
artist_id,artist id,identifies the artist,integer,
full_name,full name,the artist's name,text,
country,country,country of birth,text,
birth_year,birth year,year of birth,integer,
death_year,death year,year of death,integer,empty: alive
""",
    "artworks": """\
artwork_id,artwork id,identifies the artwork,integer,
artist_id,artist id,who made it,integer,empty: artist unknown
title,title,the artwork's title,text,
category,category,kind of artwork,text,"ceramic, drawing, painting, photograph or sculpture"
created_year,created year,year it was made,integer,
height_cm,height,height of the artwork,real,in centimetres
insured_value,insured value,value it is insured for,real,in dollars
acquired_on,acquired on,day the museum got it,date,YYYY-MM-DD
""",
    "exhibitions": """\
exhibition_id,exhibition id,identifies the exhibition,integer,
title,title,the exhibition's title,text,
gallery,gallery,where in the museum it is shown,text,
starts_on,starts on,first day,date,YYYY-MM-DD
ends_on,ends on,last day,date,empty: permanent
ticket_price,ticket price,price of a ticket,real,in dollars
""",
    "exhibition_artworks": """\
exhibition_id,exhibition id,the exhibition,integer,
artwork_id,artwork id,an artwork shown in it,integer,
is_highlight,is highlight,whether it is a highlight of the exhibition,integer,"1: yes, 0: no"
""",
    "guides": """\
guide_id,guide id,identifies the guide,integer,
full_name,full name,the guide's name,text,
language,language,language of the guide's tours,text,
hired_on,hired on,first day at the museum,date,YYYY-MM-DD
day_rate,day rate,pay for a day,real,in dollars
""",
    "tours": """\
tour_id,tour id,identifies the tour,integer,
exhibition_id,exhibition id,the exhibition visited,integer,
guide_id,guide id,who led the tour,integer,
held_on,held on,day of the tour,date,YYYY-MM-DD
visitors,visitors,how many people took part,integer,
rating,rating,the visitors' average rating,real,from 1 to 5; empty: not rated
""",
}

COUNTRIES = words("Brazil Denmark Egypt Ghana Japan Netherlands Peru")
CATEGORIES = words("ceramic drawing painting painting painting photograph sculpture")
GALLERIES = items("East Wing,Glass Room,Main Hall,Tower Gallery")
LANGUAGES = words("English English French Spanish Japanese")
MOODS = "Blue Sleeping Ancient Morning Dancing Stone Rainy Lonely Burning Folded Amber"
THINGS = "Horses Window Fisherman Bridge Valley Mask Vase Dancer Market Moon Mother Boats"
TOPICS = "Hidden Modern Coastal Sacred Nordic Royal Urban Early"
SHOWS = "Treasures Visions Portraits Landscapes Stories"


def collection(rng: random.Random) -> Iterator[Row]:
    """Artists and artworks."""
    births = []
    for key, name in enumerate(people(rng, 34), 1):
        born = rng.randint(1830, 1965)
        gone = None if born > 1940 else min(born + rng.randint(40, 88), 2018)
        births.append(born)
        yield "artists", (key, name, rng.choice(COUNTRIES), born, gone)
    for key, title in enumerate(phrases(rng, MOODS, THINGS, 84), 1):
        artist = maybe(rng, 0.14, rng.randint(1, 31))
        year = births[(artist or 1) - 1] + rng.randint(21, 38)
        made = rng.choice(CATEGORIES), year, amount(rng, 12, 310, 1)
        worth = amount(rng, 900, 480000), day(rng, "2004-01-01", "2020-12-31")
        yield "artworks", (key, artist, title, *made, *worth)


def rows() -> Iterator[Row]:
    """All rows, parents before children."""
    rng = random.Random(707)
    yield from collection(rng)
    openings = []
    for key, title in enumerate(phrases(rng, TOPICS, SHOWS, 20), 1):
        starts = day(rng, "2021-01-15", "2023-12-01")
        openings.append(starts)
        ends = maybe(rng, 0.35, later(starts, rng.randint(40, 200)))
        where = title, rng.choice(GALLERIES), starts, ends
        yield "exhibitions", (key, *where, amount(rng, 5, 28))
    for exhibition, artwork in links(rng, 20, 76, 3, 9):
        yield "exhibition_artworks", (exhibition, artwork, int(rng.random() < 0.25))
    for key, name in enumerate(people(rng, 16), 1):
        hired = day(rng, "2010-01-10", "2020-12-01")
        yield "guides", (key, name, rng.choice(LANGUAGES), hired, amount(rng, 95, 210))
    for key in range(1, 141):
        show = rng.randint(1, 18)
        held = later(openings[show - 1], rng.randint(0, 39))
        who = show, rng.randint(1, 14), held
        score = maybe(rng, 0.2, amount(rng, 2.4, 5, 1))
        yield "tours", (key, *who, rng.randint(3, 32), score)
