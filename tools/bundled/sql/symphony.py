"""A symphony orchestra: musicians, composers and works, concerts, programmes and soloists."""

import random
from collections.abc import Iterator
from itertools import count

from tools.bundled.sql.words import (
    Row,
    amount,
    day,
    items,
    links,
    maybe,
    people,
    phrases,
    words,
)

SCHEMA = """
CREATE TABLE musicians (
    musician_id INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,
    section TEXT NOT NULL,
    instrument TEXT NOT NULL,
    hired_on TEXT NOT NULL,
    left_on TEXT,
    salary REAL NOT NULL
);
CREATE TABLE composers (
    composer_id INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,
    nationality TEXT NOT NULL,
    birth_year INTEGER NOT NULL,
    death_year INTEGER
);
CREATE TABLE works (
    work_id INTEGER PRIMARY KEY,
    composer_id INTEGER NOT NULL REFERENCES composers (composer_id),
    title TEXT NOT NULL,
    form TEXT NOT NULL,
    composed_year INTEGER,
    duration_minutes REAL NOT NULL
);
CREATE TABLE concerts (
    concert_id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    held_on TEXT NOT NULL,
    hall TEXT NOT NULL,
    conductor TEXT NOT NULL,
    tickets_sold INTEGER NOT NULL,
    ticket_price REAL NOT NULL,
    sponsor TEXT
);
CREATE TABLE concert_works (
    concert_id INTEGER NOT NULL REFERENCES concerts (concert_id),
    work_id INTEGER NOT NULL REFERENCES works (work_id),
    is_encore INTEGER NOT NULL,
    PRIMARY KEY (concert_id, work_id)
);
CREATE TABLE soloists (
    concert_id INTEGER NOT NULL REFERENCES concerts (concert_id),
    musician_id INTEGER NOT NULL REFERENCES musicians (musician_id),
    extra_fee REAL,
    PRIMARY KEY (concert_id, musician_id)
);
"""

DESCRIPTIONS = {
    "musicians": """\
musician_id,musician id,identifies the musician,integer,
full_name,full name,the musician's name,text,
section,section,part of the orchestra,text,"brass, percussion, strings or woodwind"
instrument,instrument,what the musician plays,text,
hired_on,hired on,first day in the orchestra,date,YYYY-MM-DD
left_on,left on,last day in the orchestra,date,empty: still a member
salary,salary,pay for a year,real,in dollars
""",
    "composers": """\
composer_id,composer id,identifies the composer,integer,
full_name,full name,the composer's name,text,
nationality,nationality,the composer's nationality,text,
birth_year,birth year,year of birth,integer,
death_year,death year,year of death,integer,empty: alive
""",
    "works": """\
work_id,work id,identifies the work,integer,
composer_id,composer id,who composed it,integer,
title,title,the work's title,text,
form,form,kind of composition,text,"concerto, overture, suite, symphony or tone poem"
composed_year,composed year,year of composition,integer,empty: unknown
duration_minutes,duration,usual playing time,real,in minutes
""",
    "concerts": """\
concert_id,concert id,identifies the concert,integer,
title,title,title on the poster,text,
held_on,held on,day of the concert,date,YYYY-MM-DD
hall,hall,where it was held,text,
conductor,conductor,who conducted,text,
tickets_sold,tickets sold,number of tickets sold,integer,
ticket_price,ticket price,price of a ticket,real,in dollars
sponsor,sponsor,company that paid for the concert,text,empty: no sponsor
""",
    "concert_works": """\
concert_id,concert id,the concert,integer,
work_id,work id,a work played at it,integer,
is_encore,is encore,whether it was played as an encore,integer,"1: yes, 0: no"
""",
    "soloists": """\
concert_id,concert id,the concert,integer,
musician_id,musician id,a musician who played solo at it,integer,
extra_fee,extra fee,extra pay for the solo,real,in dollars; empty: played for free
""",
}

INSTRUMENTS = {
    "strings": words("violin violin violin viola cello double-bass"),
    "woodwind": words("flute oboe clarinet bassoon"),
    "brass": words("trumpet horn trombone tuba"),
    "percussion": words("timpani marimba"),
}
SECTIONS = words("strings strings strings strings woodwind woodwind brass brass percussion")
NATIONALITIES = words("Austrian Czech Finnish French Russian American")
FORMS = items("concerto,overture,suite,symphony,tone poem")
HALLS = items("Aurora Hall,Riverside Theater,Stone Chapel,Grand Pavilion")
SPONSORS = items("Northwind Bank,Calder Motors,Lumen Energy")
MOODS = "Northern Eternal Quiet Stormy Midnight Festive Solemn Scarlet Alpine Forgotten"
THEMES = "Dances Voyage Legends Seasons Fountains Procession Dreams Horizon"
SHOWS = "Spring Autumn Holiday Gala Family Candlelight Sunday Opening"
KINDS = "Concert Matinee Serenade Evening Festival"


def repertoire(rng: random.Random) -> Iterator[Row]:
    """Composers and works."""
    work_ids = count(1)
    titles = iter(phrases(rng, MOODS, THEMES, 66))
    for key, name in enumerate(people(rng, 22), 1):
        born = rng.randint(1770, 1978)
        gone = None if born > 1945 else min(born + rng.randint(38, 90), 2019)
        yield "composers", (key, name, rng.choice(NATIONALITIES), born, gone)
        for _ in range(rng.randint(0, 3)):
            title = next(titles)
            form = rng.choice(FORMS)
            year = maybe(rng, 0.2, born + rng.randint(20, 37))
            length = amount(rng, 6, 62, 1)
            yield "works", (next(work_ids), key, title, form, year, length)


def rows() -> Iterator[Row]:
    """All rows, parents before children."""
    rng = random.Random(505)
    for key, name in enumerate(people(rng, 54), 1):
        section = rng.choice(SECTIONS)
        left = maybe(rng, 0.75, day(rng, "2024-07-01", "2025-12-31"))
        job = section, rng.choice(INSTRUMENTS[section]), day(rng, "1996-09-01", "2019-09-01")
        yield "musicians", (key, name, *job, left, amount(rng, 38000, 92000))
    made = list(repertoire(rng))
    yield from made
    works = sum(table == "works" for table, _ in made)
    conductors = people(rng, 5)
    for key, title in enumerate(phrases(rng, SHOWS, KINDS, 36), 1):
        where = day(rng, "2021-09-10", "2024-06-20"), rng.choice(HALLS), rng.choice(conductors)
        tickets = rng.randint(140, 1180), amount(rng, 14, 85)
        yield "concerts", (key, title, *where, *tickets, maybe(rng, 0.5, rng.choice(SPONSORS)))
    for concert, work in links(rng, 36, works - 3, 2, 5):
        yield "concert_works", (concert, work, int(rng.random() < 0.2))
    for concert, musician in links(rng, 35, 54, 0, 3):
        fee = maybe(rng, 0.25, amount(rng, 150, 1400))
        yield "soloists", (concert, musician, fee)
