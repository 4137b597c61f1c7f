"""Calculations of a kitchen."""

import math

from tools.bundled.python.topic import Topic

TOPIC = Topic("kitchen", "train")


@TOPIC.value
def flour_for_loaves() -> int:
    """A recipe for 3 loaves takes 1350 grams of flour. A baker makes 14 loaves and spills 120 grams
    on the way. How many grams of flour did she use up?"""
    per_loaf = 1350 / 3
    return int(per_loaf * 14 + 120)


@TOPIC.value
def trays_of_rolls() -> int:
    """A tray holds 4 rows of 6 rolls. How many trays are needed for 500 rolls?"""
    on_a_tray = 4 * 6
    return math.ceil(500 / on_a_tray)


@TOPIC.value
def price_of_a_jar() -> float:
    """5 kilos of plums cost 3.60 a kilo, 2 kilos of sugar 1.15 a kilo, and 16 empty jars 0.45 each.
    All is made into 16 jars of jam. What does a jar cost? Round to two decimals."""
    total = 5 * 3.60 + 2 * 1.15 + 16 * 0.45
    return round(total / 16, 2)


@TOPIC.value
def minutes_until_dinner() -> int:
    """Chopping takes 25 minutes. The sauce then cooks for 50 minutes, and the rice, which takes 18
    minutes, is put on so that both are done together. After that the table is laid in 7 minutes.
    How many minutes after the start of chopping can dinner begin?"""
    chopping, sauce, table = 25, 50, 7
    return chopping + sauce + table


@TOPIC.value
def weaker_vinegar() -> float:
    """Half a litre of vinegar of 10 percent is mixed with 750 millilitres of water. How many
    percent has the mixture?"""
    acid = 500 * 10 / 100
    return 100 * acid / (500 + 750)


@TOPIC.value
def eggs_left() -> int:
    """A kitchen has 7 boxes of 10 eggs, and 3 of the eggs are broken. 9 cakes are baked with 4 eggs
    each, and a quarter of the eggs that are left then is boiled, as many whole eggs as fit into
    that quarter. How many eggs remain?"""
    eggs = 7 * 10 - 3
    eggs -= 9 * 4
    return eggs - eggs // 4


@TOPIC.value
def smaller_cake() -> int:
    """A round cake of 28 cm diameter takes 686 grams of dough. How many grams does one of the same
    height with 20 cm diameter take?"""
    return round(686 * (20 / 28) ** 2)


@TOPIC.value
def yeast_after_hours() -> int:
    """A starter of 40 grams grows by half every hour. After how many full hours does it weigh more
    than 300 grams for the first time?"""
    grams, hours = 40.0, 0
    while grams <= 300:
        grams *= 1.5
        hours += 1
    return hours


@TOPIC.value
def menus() -> int:
    """A menu is one of 5 starters, one of 7 main courses and one of 4 desserts, but 2 of the
    desserts are not served after any of 3 certain main courses. How many menus are there?"""
    return 5 * (7 * 4 - 3 * 2)
