"""Calculations of journeys."""

import math

from tools.bundled.python.topic import Topic

TOPIC = Topic("journeys", "test")


@TOPIC.value
def cost_of_fuel() -> float:
    """A car uses 6.4 litres on 100 km, and a litre costs 1.75. What does the fuel for a journey of
    385 km cost? Round to two decimals."""
    litres = 385 * 6.4 / 100
    return round(litres * 1.75, 2)


@TOPIC.value
def mean_speed() -> int:
    """A cyclist rides 30 km to a lake at 15 km/h and the same way back at 10 km/h. What is the mean
    speed of the whole ride in km/h?"""
    hours = 30 / 15 + 30 / 10
    return round(60 / hours)


@TOPIC.value
def buses_needed() -> int:
    """A school of 412 children and 23 teachers hires buses of 52 seats. How many seats stay empty
    if as few buses as possible are hired?"""
    people = 412 + 23
    buses = math.ceil(people / 52)
    return buses * 52 - people


@TOPIC.value
def when_they_meet() -> int:
    """Two hikers start at the same time from huts 21 km apart and walk towards each other, one at 4
    km/h and the other at 3 km/h. After how many minutes do they meet?"""
    return 21 * 60 // (4 + 3)


@TOPIC.value
def ticket_saving() -> float:
    """A single ticket costs 2.90 and a book of ten 24.50. Somebody takes the tram twice a day on 23
    days and buys books and, for what is left over, single tickets. How much cheaper is that than
    single tickets only?"""
    rides = 2 * 23
    with_books = rides // 10 * 24.50 + rides % 10 * 2.90
    return round(rides * 2.90 - with_books, 2)


@TOPIC.value
def both_ferries() -> int:
    """Two ferries leave together at 6:00. One leaves again every 24 minutes, the other every 36
    minutes. How many times do they leave together from 6:00 until 18:00, both times included?"""
    together = math.lcm(24, 36)
    return 12 * 60 // together + 1


@TOPIC.value
def straight_home() -> int:
    """A ship sails 9 km east, 20 km north and 12 km east again. How many km is it away from where
    it started, in a straight line?"""
    return round(math.hypot(9 + 12, 20))


@TOPIC.value
def battery_stops() -> int:
    """An electric van with a full battery goes 240 km. At every stop it charges up to 80 percent of
    that. How many stops does it need at least for 1000 km?"""
    stops, reach = 0, 240.0
    while reach < 1000:
        reach += 0.8 * 240
        stops += 1
    return stops
