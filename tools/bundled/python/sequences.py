"""Functions over lists."""

from tools.bundled.python.topic import Topic

TOPIC = Topic("sequences", "train")


@TOPIC.function(["[4, 4, 4, 2, 2]", "[]"], ["[1]", "[1, 2, 2, 3, 3, 3, 3]", "[5, 5, 1, 5]"])
def longest_run(numbers: list[int]) -> int:
    """Find the length of the longest stretch of equal neighbours in a list; 0 for an empty list."""
    best = current = 0
    for place, number in enumerate(numbers):
        current = current + 1 if place and numbers[place - 1] == number else 1
        best = max(best, current)
    return best


@TOPIC.function(["[3, 8, 2]", "[5]"], ["[]", "[10, 7, 7, 1, 12]", "[-4, -9, 0]"])
def steps_between(numbers: list[int]) -> list[int]:
    """From a list of readings make the list of the differences, each reading minus the one before
    it."""
    return [numbers[i] - numbers[i - 1] for i in range(1, len(numbers))]


@TOPIC.function(["[1, 2, 3, 4, 5], 2"], ["[], 3", "[1, 2, 3], 5", "list(range(9)), 3", "[7, 8], 1"])
def rounds(items: list[int], size: int) -> list[list[int]]:
    """Deal a list into groups of the given size, in order; the last group may be smaller."""
    return [items[start : start + size] for start in range(0, len(items), size)]


@TOPIC.function(["[2, 9, 4, 7]"], ["[1, 2, 3]", "[3, 2, 1]", "[]", "[5, 5, 6, 1]", "[8]"])
def peaks(heights: list[int]) -> list[int]:
    """List the positions (from 0) of all heights that are greater than each neighbour that they
    have. The first and the last height have one neighbour; a height alone in its list is a peak."""
    found = []
    for i, height in enumerate(heights):
        left = i == 0 or heights[i - 1] < height
        right = i == len(heights) - 1 or heights[i + 1] < height
        if left and right:
            found.append(i)
    return found


@TOPIC.function(["[1, 2, 3, 4], 1"], ["[], 4", "[1, 2, 3], 0", "[1, 2, 3], 7", "[1, 2, 3, 4], -1"])
def turned(items: list[int], places: int) -> list[int]:
    """Turn a list to the right: with 1 place the last item comes first. Negative numbers turn to
    the left, and more places than there are items go round again."""
    if not items:
        return []
    cut = -places % len(items)
    return items[cut:] + items[:cut]


@TOPIC.function(["[5, 1, 9, 3], 2"], ["[4, 4, 2], 2", "[1], 3", "[], 1", "[-1, -5, 0], 1"])
def podium(scores: list[int], places: int) -> list[int]:
    """List the highest different scores, best first, at most as many as there are places."""
    return sorted(set(scores), reverse=True)[:places]


@TOPIC.function(["[1, 5, 9], [2, 5, 10]"], ["[], [3]", "[1, 1], [1]", "[2, 4], []", "[7], [1, 8]"])
def merged(first: list[int], second: list[int]) -> list[int]:
    """Two lists are each in ascending order. Merge them into one ascending list that keeps every
    item of both."""
    result = []
    i = j = 0
    while i < len(first) and j < len(second):
        if first[i] <= second[j]:
            result.append(first[i])
            i += 1
        else:
            result.append(second[j])
            j += 1
    return result + first[i:] + second[j:]


@TOPIC.function(["[3, -1, 4]"], ["[]", "[-5, 5, 5]", "[-2, -3]", "[10, -20, 30, -5]"])
def lowest_balance(movements: list[int]) -> int:
    """An account starts at 0 and the movements are booked one after the other. Find the lowest
    balance that it ever has, the start included."""
    balance = lowest = 0
    for movement in movements:
        balance += movement
        lowest = min(lowest, balance)
    return lowest


@TOPIC.function(["[2, 7, 5], 9"], ["[4, 4], 8", "[1, 2], 10", "[], 0", "[0, -3, 5, 3], 0"])
def pair_for(prices: list[int], total: int) -> tuple[int, int] | None:
    """Find two different positions i < j whose prices add up to the total. Return the pair with the
    smallest j, and of those the smallest i; None if there is no such pair."""
    for j in range(len(prices)):
        for i in range(j):
            if prices[i] + prices[j] == total:
                return i, j
    return None
