"""Functions over texts."""

import re

from tools.bundled.python.topic import Topic

TOPIC = Topic("wording", "train")


@TOPIC.function(["'grace brewster hopper'"], ["''", "'Ada'", "'  jean   luc picard '"])
def initials(name: str) -> str:
    """Make the initials of a name: the first letter of each word as a capital with a full stop
    after it, without blanks between."""
    return "".join(word[0].upper() + "." for word in name.split())


@TOPIC.function(["'the cat saw the dog'"], ["''", "'one One ONE two'", "'a b c'", "'b b a a'"])
def favourite_word(text: str) -> str:
    """Find the word that occurs most often, whatever its case; return it in lower case. Of several
    take the one that comes first in the text; of a text without words the empty string."""
    words = text.lower().split()
    best = ""
    for word in words:
        if not best or words.count(word) > words.count(best):
            best = word
    return best


@TOPIC.function(["'hello', 3"], ["'ok', 5", "'', 2", "'exactly', 7", "'lighthouse', 4"])
def shortened(text: str, width: int) -> str:
    """Cut a text that is longer than the width: keep one character less than the width and put an
    asterisk after them. A text that fits stays as it is."""
    if len(text) <= width:
        return text
    return text[: width - 1] + "*"


@TOPIC.function(["'aaabcc'"], ["''", "'x'", "'zzzzzzzzzzzz'", "'abba'"])
def squeezed(text: str) -> str:
    """Write each stretch of equal characters as the character and, if it is longer than one, the
    length of the stretch."""
    result = ""
    for match in re.finditer(r"(.)\1*", text):
        length = len(match[0])
        result += match[1] + (str(length) if length > 1 else "")
    return result


@TOPIC.function(["'Step on no pets'"], ["''", "'No lemon, no melon!'", "'almost'", "'12 21'"])
def reads_back(text: str) -> bool:
    """Tell whether a text reads the same backwards, when only letters and digits count and case
    does not."""
    kept = [c for c in text.lower() if c.isalnum()]
    return kept == kept[::-1]


@TOPIC.function(["'maxSpeedLimit'"], ["'speed'", "''", "'aB'", "'readAllLinesNow'"])
def with_underscores(name: str) -> str:
    """Rewrite a camelCase name in lower case with an underscore before each letter that was a
    capital."""
    return re.sub(r"([A-Z])", r"_\1", name).lower()


@TOPIC.function(["'b2a10'"], ["''", "'no digits'", "'7'", "'3 apples, 12 pears, 0 figs'"])
def sum_of_numbers(text: str) -> int:
    """Add up all whole numbers that stand in a text; neighbouring digits are one number."""
    return sum(int(digits) for digits in re.findall(r"\d+", text))


@TOPIC.function(["'red;green;;blue'"], ["''", "';;'", "' tea ; coffee '", "'one'"])
def fields(line: str) -> list[str]:
    """Split a line at its semicolons, take the blanks off both ends of each part, and leave out
    the parts that are empty then."""
    parts = [part.strip() for part in line.split(";")]
    return [part for part in parts if part]


@TOPIC.function(["'pepper'"], ["''", "'abc'", "'aab'", "'Noon'"])
def first_single(word: str) -> str:
    """Find the first character that occurs only once in a word; the empty string if there is none.
    Capitals and small letters are different."""
    for character in word:
        if word.count(character) == 1:
            return character
    return ""
