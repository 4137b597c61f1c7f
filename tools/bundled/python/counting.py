"""Functions over whole numbers."""

import math

from tools.bundled.python.topic import Topic

TOPIC = Topic("counting", "train")


@TOPIC.function(["40, 15"], ["12, 12", "7, 3", "100, 75", "1, 9"])
def square_tiles(length: int, width: int) -> int:
    """A floor of whole decimetres is to be covered with square tiles, all of one size and as large
    as possible, none of them cut. How many tiles does it take?"""
    side = math.gcd(length, width)
    return (length // side) * (width // side)


@TOPIC.function(["68"], ["1", "99", "100", "8"])
def coins(cents: int) -> int:
    """Pay an amount with as few coins as possible; there are coins of 50, 20, 10, 5, 2 and 1
    cents. Return the number of coins."""
    count = 0
    for coin in (50, 20, 10, 5, 2, 1):
        count += cents // coin
        cents %= coin
    return count


@TOPIC.function(["1994"], ["4", "9", "40", "2026", "3888"])
def roman(number: int) -> str:
    """Write a number from 1 to 3999 as a Roman numeral."""
    signs = [
        (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"),
        (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
    ]  # fmt: skip
    text = ""
    for value, sign in signs:
        text += sign * (number // value)
        number %= value
    return text


@TOPIC.function(["987"], ["0", "9", "1000", "99999"])
def digital_steps(number: int) -> int:
    """Replace a number by the sum of its digits until it has one digit. How many times was it
    replaced?"""
    steps = 0
    while number > 9:
        number = sum(int(digit) for digit in str(number))
        steps += 1
    return steps


@TOPIC.function(["60"], ["1", "2", "97", "64", "360"])
def prime_parts(number: int) -> list[int]:
    """List the prime factors of a positive number in ascending order, each as often as it
    divides the number."""
    parts = []
    factor = 2
    while factor * factor <= number:
        while number % factor == 0:
            parts.append(factor)
            number //= factor
        factor += 1
    if number > 1:
        parts.append(number)
    return parts


@TOPIC.function(["3"], ["1", "0", "5", "10"])
def ways_up(stairs: int) -> int:
    """You climb a flight of stairs by one or two at a time. In how many different ways can it be
    done? There is one way to climb no stairs."""
    ways, following = 1, 1
    for _ in range(stairs):
        ways, following = following, ways + following
    return ways


@TOPIC.function(["10, 2"], ["0, 2", "255, 16", "7, 7", "35, 36"])
def in_base(number: int, base: int) -> str:
    """Write a number that is not negative in a base from 2 to 36; digits above 9 are small
    letters."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = digits[number % base]
    while number >= base:
        number //= base
        text = digits[number % base] + text
    return text


@TOPIC.function(["20"], ["1", "3", "4", "100", "99"])
def last_locker(count: int) -> int:
    """Lockers 1 to count are closed. Person k turns every k-th locker round, from closed to open or
    back, for k from 1 to count. What is the highest number of a locker that is open in the end?"""
    return math.isqrt(count) ** 2


@TOPIC.function(["'4539 1488 0343 6467'"], ["'0'", "'18'", "'79927398713'", "'79927398710'"])
def checks_out(number: str) -> bool:
    """Check a card number, in which blanks do not count: from the right, every second digit is
    doubled, less 9 if that is more than 9; the sum of all has to be divisible by 10."""
    digits = [int(c) for c in reversed(number) if c != " "]
    total = 0
    for place, digit in enumerate(digits):
        if place % 2 == 1:
            digit *= 2
            if digit > 9:
                digit -= 9
        total += digit
    return total % 10 == 0
