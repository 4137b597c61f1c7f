"""Data in a CSV file: what stalls of a market sold."""

import csv
from collections import defaultdict

from tools.bundled.python.topic import Topic

SALES = """\
day,stall,product,kilos,price_per_kilo
Mon,Olga,apples,12.5,2.40
Mon,Olga,pears,8.0,3.10
Mon,Ben,potatoes,30.0,1.20
Mon,Ben,carrots,14.5,1.80
Tue,Olga,apples,9.0,2.50
Tue,Mira,cherries,6.5,7.90
Tue,Ben,potatoes,26.0,1.10
Wed,Mira,cherries,11.0,7.40
Wed,Olga,pears,5.5,3.00
Wed,Ben,carrots,,1.80
Thu,Mira,plums,15.0,3.60
Thu,Olga,apples,17.5,2.30
Thu,Ben,potatoes,41.0,1.00
Fri,Mira,cherries,4.0,8.20
Fri,Ben,onions,22.0,1.50
"""
TOPIC = Topic("market", "train", {"sales.csv": SALES})


@TOPIC.value
def kilos_of_potatoes() -> float:
    """How many kilos of potatoes were sold in all, according to sales.csv?"""
    with open("sales.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return sum(float(row["kilos"]) for row in rows if row["product"] == "potatoes")


@TOPIC.value
def best_stall() -> str:
    """Which stall took in the most money according to sales.csv? Rows without kilos count for
    nothing."""
    income: dict[str, float] = defaultdict(float)
    with open("sales.csv", newline="") as file:
        for row in csv.DictReader(file):
            income[row["stall"]] += float(row["kilos"] or 0) * float(row["price_per_kilo"])
    return max(income, key=lambda stall: income[stall])


@TOPIC.value
def busiest_day() -> str:
    """On which day of sales.csv were the most kilos sold, all stalls together? Rows without kilos
    count for nothing."""
    kilos: dict[str, float] = defaultdict(float)
    with open("sales.csv", newline="") as file:
        for row in csv.DictReader(file):
            kilos[row["day"]] += float(row["kilos"] or 0)
    return max(kilos, key=lambda day: kilos[day])


@TOPIC.value
def mean_cherry_price() -> float:
    """What was paid for a kilo of cherries on average, weighted by the kilos sold (sales.csv)?
    Round to two decimals."""
    kilos = money = 0.0
    with open("sales.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["product"] == "cherries":
                kilos += float(row["kilos"])
                money += float(row["kilos"]) * float(row["price_per_kilo"])
    return round(money / kilos, 2)


@TOPIC.value
def different_products() -> int:
    """How many different products occur in sales.csv?"""
    with open("sales.csv", newline="") as file:
        return len({row["product"] for row in csv.DictReader(file)})


@TOPIC.function(
    ["'sales.csv', 'Mira'"], ["'sales.csv', 'Ben'", "'sales.csv', 'Olga'", "'sales.csv', 'Zoe'"]
)
def products_of(path: str, stall: str) -> list[str]:
    """Read a file like sales.csv and list the different products of one stall in alphabetical
    order."""
    with open(path, newline="") as file:
        return sorted({row["product"] for row in csv.DictReader(file) if row["stall"] == stall})


@TOPIC.function(
    ["'sales.csv', 'Mon'"], ["'sales.csv', 'Wed'", "'sales.csv', 'Thu'", "'sales.csv', 'Sun'"]
)
def takings(path: str, day: str) -> float:
    """Read a file like sales.csv and compute what all stalls took in on a day, rounded to two
    decimals; 0 for a day without sales. A row without kilos counts for nothing."""
    total = 0.0
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            if row["day"] == day and row["kilos"]:
                total += float(row["kilos"]) * float(row["price_per_kilo"])
    return round(total, 2)


@TOPIC.function(["'sales.csv', 3.5"], ["'sales.csv', 2", "'sales.csv', 100", "'sales.csv', 1.5"])
def dear_products(path: str, least: float) -> dict[str, float]:
    """Read a file like sales.csv and return the highest price per kilo of each product that ever
    cost at least so much."""
    highest: dict[str, float] = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            price = float(row["price_per_kilo"])
            highest[row["product"]] = max(price, highest.get(row["product"], 0.0))
    return {product: price for product, price in highest.items() if price >= least}
