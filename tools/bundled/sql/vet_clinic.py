"""A veterinary clinic: owners and pets, vets, visits and the treatments given."""

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
    words,
)

SCHEMA = """
CREATE TABLE owners (
    owner_id INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,
    phone TEXT,
    town TEXT NOT NULL,
    registered_on TEXT NOT NULL
);
CREATE TABLE pets (
    pet_id INTEGER PRIMARY KEY,
    owner_id INTEGER NOT NULL REFERENCES owners (owner_id),
    name TEXT NOT NULL,
    species TEXT NOT NULL,
    sex TEXT NOT NULL,
    birth_date TEXT,
    weight_kg REAL NOT NULL
);
CREATE TABLE vets (
    vet_id INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,
    specialty TEXT,
    hired_on TEXT NOT NULL,
    hourly_rate REAL NOT NULL
);
CREATE TABLE visits (
    visit_id INTEGER PRIMARY KEY,
    pet_id INTEGER NOT NULL REFERENCES pets (pet_id),
    vet_id INTEGER NOT NULL REFERENCES vets (vet_id),
    visited_on TEXT NOT NULL,
    reason TEXT NOT NULL,
    fee REAL NOT NULL,
    follow_up_on TEXT
);
CREATE TABLE treatments (
    treatment_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    unit_price REAL NOT NULL,
    needs_prescription INTEGER NOT NULL
);
CREATE TABLE visit_treatments (
    visit_id INTEGER NOT NULL REFERENCES visits (visit_id),
    treatment_id INTEGER NOT NULL REFERENCES treatments (treatment_id),
    quantity INTEGER NOT NULL,
    PRIMARY KEY (visit_id, treatment_id)
);
"""

DESCRIPTIONS = {
    "owners": """\
owner_id,owner id,identifies the owner,integer,
full_name,full name,the owner's name,text,
phone,phone,telephone number,text,empty: none given
town,town,where the owner lives,text,
registered_on,registered on,day of registration at the clinic,date,YYYY-MM-DD
""",
    "pets": """\
pet_id,pet id,identifies the pet,integer,
owner_id,owner id,whose pet it is,integer,
name,name,the pet's name,text,
species,species,kind of animal,text,"cat, dog, parrot, rabbit or tortoise"
sex,sex,sex of the pet,text,"F: female, M: male"
birth_date,birth date,date of birth,date,empty: unknown
weight_kg,weight,weight at the last visit,real,in kilograms
""",
    "vets": """\
vet_id,vet id,identifies the vet,integer,
full_name,full name,the vet's name,text,
specialty,specialty,field the vet is trained in,text,empty: general practice
hired_on,hired on,first day at the clinic,date,YYYY-MM-DD
hourly_rate,hourly rate,pay for an hour,real,in dollars
""",
    "visits": """\
visit_id,visit id,identifies the visit,integer,
pet_id,pet id,the pet seen,integer,
vet_id,vet id,the vet who saw it,integer,
visited_on,visited on,day of the visit,date,YYYY-MM-DD
reason,reason,why the pet came,text,
fee,fee,price of the visit without treatments,real,in dollars
follow_up_on,follow-up on,day of the planned next visit,date,empty: none planned
""",
    "treatments": """\
treatment_id,treatment id,identifies the treatment,integer,
name,name,what the treatment is called,text,
kind,kind,kind of treatment,text,"medicine, procedure, test or vaccine"
unit_price,unit price,price of one unit,real,in dollars
needs_prescription,needs prescription,whether a prescription is needed,integer,"1: yes, 0: no"
""",
    "visit_treatments": """\
visit_id,visit id,the visit,integer,
treatment_id,treatment id,a treatment given at it,integer,
quantity,quantity,how many units were given,integer,
""",
}

TOWNS = words("Elmwood Fairview Harlow Kingsport Oakridge")
SPECIES = {"cat": (2.5, 7), "dog": (4, 48), "rabbit": (1, 4), "parrot": (0.3, 1.2)}
KINDS = words("cat cat cat dog dog dog dog rabbit parrot tortoise")
NAMES = words(
    "Biscuit Luna Max Pepper Coco Simba Daisy Rocky Willow Ziggy Misty Bruno Olive Shadow Hazel "
    "Finn Maple Gizmo Nala Toby Clover Rusty Poppy Felix Ginger Otis Pixie Ranger Smokey Tilly"
)
SPECIALTIES = words("surgery dentistry dermatology cardiology")
REASONS = items("checkup,checkup,vaccination,injury,skin problem,toothache,vomiting,limping")
TREATMENTS = """rabies vaccine,vaccine,28.5,0;distemper vaccine,vaccine,31.25,0
antibiotic tablets,medicine,14.8,1;pain relief drops,medicine,11.6,1;eye ointment,medicine,9.75,1
worming tablet,medicine,6.4,0;flea drops,medicine,12.2,0;ear drops,medicine,10.1,1
insulin,medicine,36.9,1;blood test,test,45,0;urine test,test,24.6,0;x-ray,test,95.5,0
ultrasound,test,120,0;allergy test,test,82.3,0;tooth cleaning,procedure,140.75,0
tooth extraction,procedure,185,0;wound stitching,procedure,110.4,0;bandage change,procedure,18.3,0
microchip,procedure,39.9,0;neutering,procedure,210,0;nail clipping,procedure,15.9,0"""


def clients(rng: random.Random) -> Iterator[Row]:
    """Owners, pets and vets."""
    for key, name in enumerate(people(rng, 45), 1):
        phone = maybe(rng, 0.15, f"555-{rng.randint(1000, 9999)}")
        yield "owners", (key, name, phone, rng.choice(TOWNS), day(rng, "2018-02-01", "2022-12-20"))
    for key in range(1, 79):
        species = rng.choice(KINDS)
        weight = amount(rng, *SPECIES.get(species, (0.8, 6)))
        born = maybe(rng, 0.15, day(rng, "2009-01-01", "2022-09-30"))
        who = rng.randint(1, 41), rng.choice(NAMES)
        yield "pets", (key, *who, species, rng.choice("FM"), born, weight)
    for key, name in enumerate(people(rng, 15), 1):
        hired = day(rng, "2008-03-01", "2021-10-01")
        specialty = maybe(rng, 0.35, rng.choice(SPECIALTIES))
        yield "vets", (key, name, specialty, hired, amount(rng, 32, 78))


def rows() -> Iterator[Row]:
    """All rows, parents before children."""
    rng = random.Random(202)
    yield from clients(rng)
    for key in range(1, 191):
        seen = day(rng, "2023-01-02", "2024-12-20")
        again = maybe(rng, 0.65, later(seen, rng.choice((7, 14, 21, 30))))
        who = rng.randint(1, 74), rng.randint(1, 14)
        reason = rng.choice(REASONS)
        yield "visits", (key, *who, seen, reason, amount(rng, 35, 130), again)
    for key, line in enumerate(TREATMENTS.replace("\n", ";").split(";"), 1):
        name, kind, price, prescription = line.split(",")
        yield "treatments", (key, name, kind, float(price), int(prescription))
    for visit, treatment in links(rng, 190, 20, 0, 2):
        yield "visit_treatments", (visit, treatment, rng.choice((1, 1, 1, 2, 3)))
