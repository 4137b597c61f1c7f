"""A recipe site: cooks, their recipes, the ingredients and the reviews."""

import random
from collections.abc import Iterator

from tools.bundled.sql.words import FIRST, Row, amount, day, links, maybe, words

SCHEMA = """
CREATE TABLE cooks (
    cook_id INTEGER PRIMARY KEY,
    username TEXT NOT NULL,
    country TEXT NOT NULL,
    joined_on TEXT NOT NULL,
    website TEXT
);
CREATE TABLE recipes (
    recipe_id INTEGER PRIMARY KEY,
    cook_id INTEGER NOT NULL REFERENCES cooks (cook_id),
    title TEXT NOT NULL,
    cuisine TEXT NOT NULL,
    course TEXT NOT NULL,
    prep_minutes INTEGER NOT NULL,
    cook_minutes INTEGER,
    servings INTEGER NOT NULL,
    calories REAL,
    published_on TEXT NOT NULL
);
CREATE TABLE ingredients (
    ingredient_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    category TEXT NOT NULL,
    price_per_kg REAL NOT NULL,
    is_vegan INTEGER NOT NULL
);
CREATE TABLE recipe_ingredients (
    recipe_id INTEGER NOT NULL REFERENCES recipes (recipe_id),
    ingredient_id INTEGER NOT NULL REFERENCES ingredients (ingredient_id),
    grams REAL NOT NULL,
    is_optional INTEGER NOT NULL,
    PRIMARY KEY (recipe_id, ingredient_id)
);
CREATE TABLE reviews (
    review_id INTEGER PRIMARY KEY,
    recipe_id INTEGER NOT NULL REFERENCES recipes (recipe_id),
    cook_id INTEGER NOT NULL REFERENCES cooks (cook_id),
    stars INTEGER NOT NULL,
    posted_on TEXT NOT NULL,
    comment TEXT
);
"""

DESCRIPTIONS = {
    "cooks": """\
cook_id,cook id,identifies the cook,integer,
username,username,the name shown on the site,text,
country,country,where the cook lives,text,
joined_on,joined on,day of joining the site,date,YYYY-MM-DD
website,website,the cook's own site,text,empty: none
""",
    "recipes": """\
recipe_id,recipe id,identifies the recipe,integer,
cook_id,cook id,who wrote the recipe,integer,
title,title,the name of the dish,text,
cuisine,cuisine,the kitchen it comes from,text,
course,course,place in the meal,text,"dessert, main, salad, snack or soup"
prep_minutes,preparation minutes,time to prepare,integer,in minutes
cook_minutes,cooking minutes,time on the heat,integer,in minutes; empty: needs no cooking
servings,servings,how many people it feeds,integer,
calories,calories,energy of one serving,real,in kcal; empty: not computed
published_on,published on,day it appeared on the site,date,YYYY-MM-DD
""",
    "ingredients": """\
ingredient_id,ingredient id,identifies the ingredient,integer,
name,name,what it is called,text,
category,category,kind of food,text,"dairy, fruit, grain, meat, spice or vegetable"
price_per_kg,price per kilogram,usual price,real,in euros a kilogram
is_vegan,is vegan,whether vegans eat it,integer,"1: yes, 0: no"
""",
    "recipe_ingredients": """\
recipe_id,recipe id,the recipe,integer,
ingredient_id,ingredient id,an ingredient of it,integer,
grams,grams,amount for all servings,real,in grams
is_optional,is optional,whether it can be left out,integer,"1: yes, 0: no"
""",
    "reviews": """\
review_id,review id,identifies the review,integer,
recipe_id,recipe id,the recipe reviewed,integer,
cook_id,cook id,who wrote the review,integer,
stars,stars,the rating,integer,from 1 (bad) to 5 (excellent)
posted_on,posted on,day of the review,date,YYYY-MM-DD
comment,comment,what the reviewer wrote,text,empty: stars only
""",
}

COUNTRIES = words("Canada Italy Mexico Morocco Thailand")
CUISINES = words("Italian Mexican Moroccan Thai French Indian")
STYLES = words("Grandma's Quick Spicy Smoky Golden Rustic Creamy Crunchy Summer Lemon")
DISHES = {
    "soup": "Lentil Soup,Tomato Soup,Corn Chowder,Noodle Broth",
    "main": "Chicken Stew,Vegetable Curry,Lamb Tagine,Rice Bowl,Bean Tacos,Baked Pasta",
    "salad": "Cucumber Salad,Beet Salad,Orange Salad",
    "dessert": "Rice Pudding,Apple Tart,Honey Cake",
    "snack": "Cheese Bites,Roasted Chickpeas,Stuffed Dates",
}
FOODS = """dairy:butter 9.8,cream 6.4,milk 1.3,parmesan 22.5,yogurt 3.9
fruit:apple 2.7,lemon 3.4,mango 5.2,orange 2.9,dates 11.6
grain:flour 1.1,pasta 2.3,rice 2.6,oats 1.9,couscous 3.6
meat:beef 17.9,chicken 9.2,lamb 21.4,bacon 12.7
spice:cumin 31.5,cinnamon 38.2,turmeric 27.4,paprika 24.6,black pepper 42.8
vegetable:tomato 3.1,onion 1.4,carrot 1.2,garlic 7.3,potato 0.9,spinach 6.1,chickpeas 2.8,beet 2"""
COMMENTS = ("Lovely!", "Too salty.", "My kids loved it.", "Will make it again.", "More spice!")


def food() -> Iterator[Row]:
    """Ingredients, in the order of the list above."""
    key = 0
    for line in FOODS.splitlines():
        category, _, items = line.partition(":")
        for item in items.split(","):
            name, _, price = item.rpartition(" ")
            key += 1
            vegan = int(category not in ("dairy", "meat"))
            yield "ingredients", (key, name, category, float(price), vegan)


def rows() -> Iterator[Row]:
    """All rows, parents before children."""
    rng = random.Random(404)
    for key, name in enumerate(rng.sample(FIRST, 30), 1):
        user = f"{rng.choice(('chef', 'tasty', 'home', 'spoon'))}_{name.lower()}"
        site = maybe(rng, 0.6, f"https://{user}.example")
        joined = day(rng, "2017-01-01", "2021-12-31")
        yield "cooks", (key, user, rng.choice(COUNTRIES), joined, site)
    titles: set[str] = set()
    while len(titles) < 64:
        course = rng.choice(list(DISHES))
        title = f"{rng.choice(STYLES)} {rng.choice(DISHES[course].split(','))}"
        if title in titles:
            continue
        titles.add(title)
        heat = None if course == "salad" else maybe(rng, 0.05, rng.randint(6, 150))
        minutes = rng.randint(5, 60), heat, rng.choice((2, 4, 4, 6, 8))
        energy = maybe(rng, 0.15, amount(rng, 120, 890, 1))
        head = len(titles), rng.randint(1, 26), title, rng.choice(CUISINES), course
        yield "recipes", (*head, *minutes, energy, day(rng, "2022-01-01", "2024-09-30"))
    yield from food()
    for recipe, ingredient in links(rng, 64, 32, 2, 5):
        grams = amount(rng, 3, 900, 1)
        yield "recipe_ingredients", (recipe, ingredient, grams, int(rng.random() < 0.2))
    for key in range(1, 201):
        pair = rng.randint(1, 60), rng.randint(1, 30)
        stars = rng.choice((1, 2, 3, 3, 4, 4, 4, 5, 5))
        posted = day(rng, "2024-10-01", "2025-06-30")
        yield "reviews", (key, *pair, stars, posted, maybe(rng, 0.4, rng.choice(COMMENTS)))
