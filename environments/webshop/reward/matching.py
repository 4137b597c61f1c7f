"""Whether two short texts mean the same, as the original judges by thefuzz's token_set_ratio.

The original pins thefuzz 0.19 without the optional Levenshtein, so that it scores by difflib;
RapidFuzz, on which thefuzz stands since 0.20, counts the longest common subsequence, which may be a
little longer. On all 1,500 golden purchases, and on 134,000 pairs of attributes and of options of
the published products, the two say the same.
"""

import re

from rapidfuzz.fuzz import token_set_ratio

_OVER = 85
_UPPER_LATIN = dict.fromkeys(range(128, 256))
_NAMES = """
alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze brown
burgundy camel camo caramel champagne charcoal cheetah chestnut chocolate christmas coffee
cognac copper coral cranberry cream crystal dark denim eggplant elephant espresso fuchsia gold
granite grape graphite grass gray green grey heather indigo ivory ivy khaki lavender lemon
leopard light lilac lime magenta maroon mauve merlot midnight mint mocha multicolor mushroom
mustard natural navy nude olive orange peach pewter pink plum purple rainbow red rose royal
rust sand sapphire seashell silver skull slate steel stone stonewash sunflower tan taupe teal
tiger turquoise violet walnut wheat white wine yellow
"""
COLOURS = tuple(_NAMES.split())
"""The colours that WebShop knows (`normalize.py` of princeton-nlp/WebShop, MIT), in its order."""


def alike(first: str, second: str) -> bool:
    """Return whether the words of the two overlap enough: a rounded token_set_ratio over 85.

    If all words of one are among those of the other, they are alike.
    """
    words, others = _words(first), _words(second)
    return bool(words and others) and round(token_set_ratio(words, others)) > _OVER


def _words(text: str) -> str:
    """In lower case; the letters of Latin-1 over ASCII are dropped, any other mark is a space."""
    return re.sub(r"\W", " ", text.translate(_UPPER_LATIN)).lower().strip()


def colour_in(text: str) -> str:
    """Return the first colour of the list that `text` contains, or `text`.

    "anywhere" as in the original: "charcoal" in "heather charcoal", but "red" in "layered" too.
    """
    return next((colour for colour in COLOURS if colour in text), text)


def colour_of_pair(name: str, value: str) -> str:
    """For an option by name: the first colour that is the whole value (or name), else both.

    "Both" is what Python prints of the pair, which the original compares as text.
    """
    pair = (name, value)
    return next((colour for colour in COLOURS if colour in pair), str(pair))
