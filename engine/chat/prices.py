"""Token prices.

They change and differ by tier: `prices.json` holds its date, and a user's file of the same form
overrides it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

from search.usage import Usage
from treegraft.errors import TreegraftError
from treegraft.file_errors import FileError
from treegraft.text_files import read_text

_BUILT_IN = Path(__file__).with_name("prices.json")


class PriceError(TreegraftError):
    """A price file cannot be read, or a model has no price although dollars are bounded."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens.

    Attributes:
        cached_input: for prompt tokens that the endpoint had in its prefix cache.
    """

    input: float
    output: float
    cached_input: float


Prices = Mapping[str, Price]


def read_prices(path: Path | None = None) -> Prices:
    """Return the built-in prices, overridden by those in the user's file `path`.

    The file holds {"my-model": {"input": 0.5, "cached_input": 0.1, "output": 2.0}, ...}, possibly
    under a key "models". `cached_input` defaults to `input`.

    Raises:
        PriceError: the file is not valid; names the file and the model.
    """
    built_in = _read(_BUILT_IN)
    return built_in if path is None else {**built_in, **_read(path)}


def price_of(model: str, prices: Prices) -> Price | None:
    """Return the price of `model`, by its name or the longest prefix that ends before a "-"."""
    while model:
        if model in prices:
            return prices[model]
        model = model.rpartition("-")[0]
    return None


def needed_price(model: str, prices: Prices) -> Price:
    """Return the price of `model`, without which dollars cannot be bounded.

    Raises:
        PriceError: no price is known.
    """
    price = price_of(model, prices)
    if price is None:
        raise PriceError(
            f"no price is known for {model!r}, so dollars cannot be bounded: pass "
            '--prices FILE with {"' + model + '": {"input": ..., "output": ...}} '
            "(dollars per million tokens)"
        )
    return price


def known_usd(usage: Usage, unpriced: bool) -> float | None:
    """Return the dollars that `usage` cost; None if that is unknown.

    unpriced: whether the price of some model asked was not known.
    """
    return None if unpriced and usage.tokens and not usage.usd else usage.usd


def usd_text(usage: Usage, unpriced: bool) -> str:
    """Return the dollars that `usage` cost, for people: "$0.12", or that the price is unknown."""
    usd = known_usd(usage, unpriced)
    if usd is None:
        return "price unknown"
    return f"at least ${usd:.2f}" if unpriced and usage.tokens else f"${usd:.2f}"


def cost(price: Price, usage: Usage) -> float:
    """Return the cost of `usage` in US dollars."""
    fresh = usage.prompt_tokens - usage.cached_tokens
    spent = fresh * price.input + usage.cached_tokens * price.cached_input
    return (spent + usage.completion_tokens * price.output) / 1e6


@cache
def _read(path: Path) -> dict[str, Price]:
    try:
        raw = json.loads(read_text(path))
    except FileError as error:
        raise PriceError(f"--prices: {error}") from error
    except (ValueError, RecursionError) as error:
        raise PriceError(f"{path}: not JSON ({error})") from error
    models = raw.get("models", raw) if isinstance(raw, dict) else None
    if not isinstance(models, dict):
        raise PriceError(f"{path}: not a JSON object from models to prices")
    return {model: _price(path, model, entry) for model, entry in models.items()}


def _price(path: Path, model: str, entry: Any) -> Price:
    if not isinstance(entry, dict):
        raise PriceError(f"{path}: {model}: not an object with input and output")
    prices = {"cached_input": entry.get("input"), **entry}
    unknown = prices.keys() - {"input", "cached_input", "output"}
    if unknown:
        raise PriceError(f"{path}: {model}: unknown keys: {', '.join(sorted(unknown))}")
    for name in ("input", "cached_input", "output"):
        value: Any = prices.get(name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value < inf:
            raise PriceError(f"{path}: {model}: {name} must be dollars per million tokens")
    return Price(**{name: float(value) for name, value in prices.items()})
