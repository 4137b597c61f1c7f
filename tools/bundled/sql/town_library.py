"""A town library: books and their authors, members, loans and fines."""

import random
from collections.abc import Iterator

from tools.bundled.sql.words import (
    Row,
    amount,
    day,
    email,
    later,
    maybe,
    people,
    phrases,
    words,
)

SCHEMA = """
CREATE TABLE authors (
    author_id INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,
    country TEXT NOT NULL,
    birth_year INTEGER NOT NULL,
    death_year INTEGER
);
CREATE TABLE books (
    book_id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    genre TEXT NOT NULL,
    language TEXT NOT NULL,
    published_year INTEGER NOT NULL,
    pages INTEGER NOT NULL,
    price REAL NOT NULL
);
CREATE TABLE book_authors (
    book_id INTEGER NOT NULL REFERENCES books (book_id),
    author_id INTEGER NOT NULL REFERENCES authors (author_id),
    role TEXT NOT NULL,
    PRIMARY KEY (book_id, author_id)
);
CREATE TABLE members (
    member_id INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,
    email TEXT,
    town TEXT NOT NULL,
    birth_date TEXT NOT NULL,
    joined_on TEXT NOT NULL,
    category TEXT NOT NULL
);
CREATE TABLE loans (
    loan_id INTEGER PRIMARY KEY,
    book_id INTEGER NOT NULL REFERENCES books (book_id),
    member_id INTEGER NOT NULL REFERENCES members (member_id),
    loaned_on TEXT NOT NULL,
    due_on TEXT NOT NULL,
    returned_on TEXT,
    fine REAL
);
"""

DESCRIPTIONS = {
    "authors": """\
author_id,author id,identifies the author,integer,
full_name,full name,the author's name,text,
country,country,country of birth,text,
birth_year,birth year,year of birth,integer,
death_year,death year,year of death,integer,empty: the author is alive
""",
    "books": """\
book_id,book id,identifies the book,integer,
title,title,the book's title,text,
genre,genre,the kind of book,text,"children, fantasy, history, mystery, poetry or science"
language,language,the language it is written in,text,
published_year,published year,year of first publication,integer,
pages,pages,number of pages,integer,
price,price,replacement price,real,in euros
""",
    "book_authors": """\
book_id,book id,the book,integer,
author_id,author id,one of its authors,integer,
role,role,what the author did for the book,text,"writer, editor or illustrator"
""",
    "members": """\
member_id,member id,identifies the member,integer,
full_name,full name,the member's name,text,
email,email,e-mail address,text,empty: none given
town,town,where the member lives,text,
birth_date,birth date,date of birth,date,YYYY-MM-DD
joined_on,joined on,day of joining the library,date,YYYY-MM-DD
category,category,kind of membership,text,"A: adult, C: child, S: senior"
""",
    "loans": """\
loan_id,loan id,identifies the loan,integer,
book_id,book id,the book lent,integer,
member_id,member id,who borrowed it,integer,
loaned_on,loaned on,day of lending,date,YYYY-MM-DD
due_on,due on,last day to return it without a fine,date,YYYY-MM-DD
returned_on,returned on,day of return,date,empty: still on loan
fine,fine,fine for late return,real,"in euros; 0: returned in time, empty: still on loan"
""",
}

COUNTRIES = words("Ireland Spain France Germany Nigeria Japan Chile India")
GENRES = words("children fantasy history mystery poetry science")
LANGUAGES = words("English English English Spanish French German")
TOWNS = words("Ashford Brookdale Millbury Northgate Riverton")
BORN = {"A": ("1962-01-01", "2003-12-31"), "C": ("2008-01-01", "2012-12-31")}
SENIOR = ("1936-01-01", "1957-12-31")
ADJECTIVES = "Silent Golden Broken Hidden Distant Winter Crimson Paper Wandering Last Salt Glass"
NOUNS = "Harbor Garden River Orchard Lantern Map Mountain Letter Forest Clock Island Sparrow Gate"


def rows() -> Iterator[Row]:
    """All rows, parents before children."""
    rng = random.Random(101)
    for key, name in enumerate(people(rng, 32), 1):
        born = rng.randint(1901, 1988)
        gone = min(born + rng.randint(48, 91), 2021)
        yield "authors", (key, name, rng.choice(COUNTRIES), born, gone if born < 1950 else None)
    for key, title in enumerate(phrases(rng, ADJECTIVES, NOUNS, 75), 1):
        shelf = rng.choice(GENRES), rng.choice(LANGUAGES), rng.randint(1948, 2022)
        yield "books", (key, f"The {title}", *shelf, rng.randint(48, 780), amount(rng, 6, 48))
    for book in range(1, 76):
        for place, author in enumerate(rng.sample(range(1, 31), rng.choice((1, 1, 1, 2, 3)))):
            role = rng.choice(("writer", "editor", "illustrator")) if place else "writer"
            yield "book_authors", (book, author, role)
    for key, name in enumerate(people(rng, 60), 1):
        category = rng.choice("AAACS")
        address = maybe(rng, 0.2, email(name, "mailbox.example"))
        born_on = day(rng, *BORN.get(category, SENIOR))
        joined = day(rng, "2016-01-10", "2022-11-30")
        yield "members", (key, name, address, rng.choice(TOWNS), born_on, joined, category)
    for key in range(1, 221):
        loaned = day(rng, "2022-12-01", "2024-05-31")
        kept = maybe(rng, 0.1, rng.randint(2, 40))
        fine = None if kept is None else round(max(0, kept - 21) * 0.25, 2)
        back = None if kept is None else later(loaned, kept)
        who = rng.randint(1, 70), rng.randint(1, 56)
        yield "loans", (key, *who, loaned, later(loaned, 21), back, fine)
