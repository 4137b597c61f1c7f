"""A product of the shop, made from a record of WebShop's files.

The shapes follow the original (`load_products` of princeton-nlp/WebShop), with its quirks:

- A product without a price costs $100; one with a range keeps both ends, and its price is drawn
  (`prices`).
- Option names and values are in lower case; values are stripped, and "/" becomes " | ".
- An option name with null in the data is not an option. Two names that differ only in case are one
  option, with the values of the later.
- A product that is not in the attribute file has the one attribute "DUMMY_ATTR".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT_PRICE = 100.0
NO_ATTRIBUTES = ("DUMMY_ATTR",)
UNRATED = "N.A."
FIELDS = (
    "asin",
    "name",
    "full_description",
    "small_description",
    "category",
    "query",
    "product_category",
    "customization_options",
    "images",
    "pricing",
)
"""The fields of a record that a product needs."""
_LONGEST_ASIN = 10


@dataclass(frozen=True, slots=True)
class Review:
    """A customer's review; `score` is the stars as the data writes them ("4", "5.0")."""

    title: str
    score: str
    text: str


@dataclass(frozen=True, slots=True)
class Product:
    """A product, as pages show it and as the reward reads it.

    `rating` is "N.A." and `reviews` is empty in every shop, since the original reads neither.

    Attributes:
        asin: its id, upper case, at most 10 characters.
        bullets: the "features" page; the search index holds only the first.
        category: one of the five departments ("fashion", ...).
        query: the search that found it when the data was made; lower case, stripped.
        attributes: mined short properties ("machine washable"); not shown by default.
        options: values by option name, in the order of the file; a name may have no values.
        option_images: addresses by option value, where the data has them.
        prices: in dollars; one, or the two ends of a range.
        price_text: "$12.0", or "$12.0 to $15.0".
    """

    asin: str
    title: str
    description: str
    bullets: tuple[str, ...]
    category: str
    query: str
    product_category: str
    attributes: tuple[str, ...] = NO_ATTRIBUTES
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    option_images: Mapping[str, str] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    prices: tuple[float, ...] = (DEFAULT_PRICE,)
    price_text: str = "$100.0"
    rating: str = UNRATED
    reviews: tuple[Review, ...] = ()


def is_sold(asin: str) -> bool:
    """Return whether the original keeps a record of this id."""
    return asin != "nan" and len(asin) <= _LONGEST_ASIN


def make_product(record: Mapping[str, Any], attributes: tuple[str, ...] = NO_ATTRIBUTES) -> Product:
    """Return the product of one record of `items_shuffle_*.json`.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: the record has another form.
    """
    prices = read_prices(record.get("pricing"))
    return Product(
        asin=text(record, "asin"),
        title=text(record, "name"),
        description=text(record, "full_description"),
        bullets=texts(record, "small_description"),
        category=text(record, "category"),
        query=text(record, "query").lower().strip(),
        product_category=text(record, "product_category"),
        attributes=attributes,
        options=_options(record["customization_options"]),
        option_images=_option_images(record["customization_options"]),
        images=tuple(image for image in record["images"] if isinstance(image, str)),
        prices=prices,
        price_text=" to ".join(f"${price}" for price in prices),
    )


def read_prices(pricing: str | None) -> tuple[float, ...]:
    """Return the dollars of "$19.99 - $1,027.5", at most two; raise `ValueError` if none."""
    if not pricing:
        return (DEFAULT_PRICE,)
    found = tuple(float(re.sub(r"[^\d.]", "", part)) for part in pricing.split("$")[1:])
    if not found:
        raise ValueError(f"no price in {pricing!r:.80}")
    return found[:2]


def texts(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return one text or several as a tuple; raise `KeyError` or `TypeError` for other fields."""
    value = record[name]
    values = tuple(value) if isinstance(value, list) else (value,)
    if not all(isinstance(item, str) for item in values):
        raise TypeError(f"field {name!r} must be text or a list of texts, not {value!r:.80}")
    return values


def text(record: Mapping[str, Any], name: str) -> str:
    """Return a field that holds text; raise KeyError or TypeError, as `texts` does."""
    value = record[name]
    if not isinstance(value, str):
        raise TypeError(f"field {name!r} must be text, not {value!r:.80}")
    return value


def _choices(options: Any) -> dict[str, list[Mapping[str, Any]]]:
    """Return the options; the data writes "" for none."""
    return {name.lower(): values for name, values in (options or {}).items() if values is not None}


def _value(choice: Mapping[str, Any]) -> str:
    return str(choice["value"].strip().replace("/", " | ").lower())


def _options(options: Any) -> dict[str, tuple[str, ...]]:
    return {name: tuple(map(_value, choices)) for name, choices in _choices(options).items()}


def _option_images(options: Any) -> dict[str, str]:
    """Return images by value; a value of two options has the later's image."""
    every = (choice for choices in _choices(options).values() for choice in choices)
    images = {_value(choice): choice.get("image") for choice in every}
    return {value: image for value, image in images.items() if image}


def indexed_text(product: Product) -> str:
    """Return the searchable text of a product, as the original writes it into its index.

    `convert_product_file_format.py` of princeton-nlp/WebShop: title, description, the first bullet
    only, and the options, in lower case.
    """
    options = ", and ".join(
        f"{name}: {', '.join(values)}" for name, values in product.options.items()
    )
    bullet = product.bullets[0] if product.bullets else ""
    return " ".join((product.title, product.description, bullet, options)).lower()
