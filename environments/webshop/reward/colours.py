"""The colours that WebShop knows (`normalize.py` of princeton-nlp/WebShop, MIT), in its order."""

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
