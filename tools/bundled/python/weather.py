"""Data in a JSON file: a week of readings of several weather stations."""

import json
from typing import Any

from tools.bundled.python.topic import Topic

READINGS = {
    "unit": "celsius",
    "stations": [
        {"name": "Harbour", "height": 4, "days": [11.2, 12.0, 9.8, 10.4, None, 13.1, 12.6]},
        {"name": "Mill Hill", "height": 212, "days": [8.1, 8.9, 6.0, 7.2, 7.7, 9.4, 9.9]},
        {"name": "Old Pass", "height": 1340, "days": [0.4, -1.2, -3.8, -2.5, -0.9, 1.7, 2.2]},
        {"name": "Airfield", "height": 57, "days": [10.6, 11.1, None, 9.5, 10.0, None, 12.3]},
        {"name": "Forest", "height": 388, "days": [6.6, 7.3, 5.1, 4.8, 6.2, 8.0, 8.4]},
    ],
}
TOPIC = Topic("weather", "train", {"stations.json": json.dumps(READINGS, indent=1)})


@TOPIC.value
def coldest_station() -> str:
    """Which station of stations.json has the lowest single reading?"""
    with open("stations.json") as file:
        stations = json.load(file)["stations"]
    lowest = min(stations, key=lambda s: min(t for t in s["days"] if t is not None))
    name: str = lowest["name"]
    return name


@TOPIC.value
def missing_readings() -> int:
    """How many readings are missing (null) in stations.json, all stations together?"""
    with open("stations.json") as file:
        stations = json.load(file)["stations"]
    return sum(reading is None for station in stations for reading in station["days"])


@TOPIC.value
def mean_at_the_harbour() -> float:
    """What is the mean of the readings of the station Harbour in stations.json, missing ones left
    out? Round to two decimals."""
    with open("stations.json") as file:
        stations = json.load(file)["stations"]
    harbour = next(station for station in stations if station["name"] == "Harbour")
    readings: list[float] = [reading for reading in harbour["days"] if reading is not None]
    return round(sum(readings) / len(readings), 2)


@TOPIC.value
def frost_days() -> int:
    """On how many days was there frost (a reading below 0) at one station at least, according to
    stations.json?"""
    with open("stations.json") as file:
        stations = json.load(file)["stations"]
    days = zip(*(station["days"] for station in stations), strict=True)
    return sum(any(t is not None and t < 0 for t in day) for day in days)


@TOPIC.value
def height_between() -> int:
    """By how many metres is the highest station of stations.json above the lowest?"""
    with open("stations.json") as file:
        heights = [station["height"] for station in json.load(file)["stations"]]
    return int(max(heights) - min(heights))


@TOPIC.function(
    ["'stations.json', 200"],
    ["'stations.json', 0", "'stations.json', 388", "'stations.json', 2000"],
)
def stations_above(path: str, height: int) -> list[str]:
    """Read a file like stations.json and list the names of the stations that are higher than the
    given height, the highest first."""
    with open(path) as file:
        stations: list[dict[str, Any]] = json.load(file)["stations"]
    stations = [station for station in stations if station["height"] > height]
    stations.sort(key=lambda station: station["height"], reverse=True)
    return [station["name"] for station in stations]


@TOPIC.function(
    ["'stations.json', 0"], ["'stations.json', 2", "'stations.json', 4", "'stations.json', 6"]
)
def warmest_on(path: str, day: int) -> str:
    """Read a file like stations.json and name the station with the highest reading on a day,
    counted from 0; stations without a reading on that day do not count."""
    best, name = float("-inf"), ""
    with open(path) as file:
        for station in json.load(file)["stations"]:
            reading = station["days"][day]
            if reading is not None and reading > best:
                best, name = reading, station["name"]
    return name
