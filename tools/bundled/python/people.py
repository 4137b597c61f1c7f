"""Functions over records: lists of dictionaries, and relations."""

from collections import defaultdict
from typing import Any

from tools.bundled.python.topic import Topic

TOPIC = Topic("people", "test")


@TOPIC.function(
    ["[{'name': 'Ann', 'town': 'Rye'}, {'name': 'Bo', 'town': 'Ely'}], 'town'"],
    [
        "[], 'town'",
        "[{'a': 1, 'b': 2}, {'a': 1, 'b': 3}, {'a': 2, 'b': 4}], 'a'",
        "[{'a': 1}, {'b': 1}], 'a'",
    ],
)
def grouped(records: list[dict[str, Any]], key: str) -> dict[Any, int]:
    """Count the records by the value that they have under a key; those without the key are left
    out."""
    counts: dict[Any, int] = defaultdict(int)
    for record in records:
        if key in record:
            counts[record[key]] += 1
    return dict(counts)


@TOPIC.function(
    ["{'ann': 'bo', 'bo': 'cy'}, 'ann'"],
    ["{}, 'ann'", "{'a': 'b', 'b': 'c', 'c': 'd'}, 'a'", "{'a': 'b', 'x': 'y'}, 'x'"],
)
def chain_of_command(boss_of: dict[str, str], name: str) -> list[str]:
    """From a dictionary that gives everybody's boss, list all who are above a person, the nearest
    first. Nobody is above somebody who has no boss, and there are no circles."""
    above = []
    while name in boss_of:
        name = boss_of[name]
        above.append(name)
    return above


@TOPIC.function(
    ["[('a', 'b'), ('b', 'c'), ('d', 'e')], 'a'"],
    ["[], 'z'", "[('a', 'b')], 'b'", "[('a', 'b'), ('c', 'd'), ('b', 'd'), ('e', 'f')], 'c'"],
)
def circle_of(friendships: list[tuple[str, str]], name: str) -> set[str]:
    """Friendship goes both ways. Return the set of all whom a person knows directly or through
    others, with the person."""
    circle = {name}
    grown = True
    while grown:
        grown = False
        for one, other in friendships:
            if (one in circle) != (other in circle):
                circle |= {one, other}
                grown = True
    return circle


@TOPIC.function(
    ["[('Ann', 30), ('Bo', 25)]"], ["[]", "[('C', 5), ('A', 5), ('B', 7)]", "[('x', 1)]"]
)
def ranking(scores: list[tuple[str, int]]) -> list[str]:
    """List the names by score, the highest first; those with equal scores in alphabetical order."""
    return [name for name, score in sorted(scores, key=lambda pair: (-pair[1], pair[0]))]


@TOPIC.function(
    ["{'Ann': 10, 'Bo': 20}"],
    ["{}", "{'a': 9, 'b': 0, 'c': 0}", "{'a': 5, 'b': 5}", "{'x': 30, 'y': 60, 'z': 15}"],
)
def settled(paid: dict[str, int]) -> dict[str, float]:
    """Friends paid different amounts on a trip and want to have paid equal shares. Return by name
    what each still has to pay, negative for those who get something back."""
    if not paid:
        return {}
    share = sum(paid.values()) / len(paid)
    return {name: share - amount for name, amount in paid.items()}


@TOPIC.function(["['Ann', 'Bo', 'Ann']"], ["[]", "['x', 'x', 'x']", "['b', 'a', 'b', 'a', 'c']"])
def numbered(names: list[str]) -> list[str]:
    """Make names unique: the second occurrence of a name gets ' 2' after it, the third ' 3', and
    so on."""
    seen: dict[str, int] = defaultdict(int)
    result = []
    for name in names:
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return result


@TOPIC.function(
    ["[1, 2, 3, 4, 5], 2"], ["[7], 3", "[1, 2, 3], 1", "list(range(1, 8)), 3", "[4, 9], 2"]
)
def last_standing(players: list[int], step: int) -> int:
    """Players stand in a circle. Counting begins with the first, and every step-th leaves; counting
    goes on with the next one. Who remains?"""
    circle = list(players)
    place = 0
    while len(circle) > 1:
        place = (place + step - 1) % len(circle)
        circle.pop(place)
    return circle[0]


@TOPIC.function(
    ["{'shop': ['bread'], 'bread': ['flour'], 'flour': []}"],
    ["{}", "{'a': []}", "{'b': ['a'], 'c': ['a'], 'a': []}", "{'a': ['b'], 'b': ['a']}"],
)
def order_of_jobs(needs: dict[str, list[str]]) -> list[str] | None:
    """Each job names the jobs that have to be done before it. Return an order in which all can be
    done: at each point the alphabetically first job that is possible. None if there is none."""
    order: list[str] = []
    while len(order) < len(needs):
        ready = [j for j in needs if j not in order and all(n in order for n in needs[j])]
        if not ready:
            return None
        order.append(min(ready))
    return order
