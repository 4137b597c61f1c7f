"""What tokens cost. Prices change and differ by tier: `prices.json` says of when it is, and a file
of the user's own, of the same form, goes before it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

from search.usage import Usage
from treegraft.errors import TreegraftError

_BUILT_IN = Path(__file__).with_name("prices.json")


class PriceError(TreegraftError):
    """A price file that cannot be read, or a model without a price where one is needed."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens.

    cached_input: for prompt tokens that the endpoint had in its prefix cache.
    """

    input: float
    output: float
    cached_input: float


Prices = Mapping[str, Price]


def read_prices(path: Path | None = None) -> Prices:
    """The built-in prices, those of the user's file `path` merged over them.

    The file: {"my-model": {"input": 0.5, "cached_input": 0.1, "output": 2.0}, ...}, or the same
    under a key "models". `cached_input` is `input` where it is not given.

    Raises:
        PriceError: naming the file and the model.
    """
    built_in = _read(_BUILT_IN)
    return built_in if path is None else {**built_in, **_read(path)}


def price_of(model: str, prices: Prices) -> Price | None:
    """The price of `model`, by its name or its longest beginning that ends at a "-"."""
    while model:
        if model in prices:
            return prices[model]
        model = model.rpartition("-")[0]
    return None


def needed_price(model: str, prices: Prices) -> Price:
    """The price of `model`, for a bound in dollars, which means nothing without it.

    Raises:
        PriceError
    """
    price = price_of(model, prices)
    if price is None:
        raise PriceError(
            f"no price is known for {model!r}, so dollars cannot be bounded: give it by "
            '--prices FILE with {"' + model + '": {"input": ..., "output": ...}} '
            "(dollars per million tokens)"
        )
    return price


def cost(price: Price, usage: Usage) -> float:
    """US dollars."""
    fresh = usage.prompt_tokens - usage.cached_tokens
    spent = fresh * price.input + usage.cached_tokens * price.cached_input
    return (spent + usage.completion_tokens * price.output) / 1e6


def estimate(price: Price | None, tasks: int, calls_per_task: float, per_call: Usage) -> Usage:
    """What a run would use; `usd` is 0 where the price is unknown.

    calls_per_task, per_call: means, of an earlier run or a guess; `per_call.calls` is not read.
    """
    calls = round(tasks * calls_per_task)
    usage = Usage(
        calls,
        per_call.prompt_tokens * calls,
        per_call.completion_tokens * calls,
        per_call.cached_tokens * calls,
    )
    return replace(usage, usd=cost(price, usage)) if price else usage


@cache
def _read(path: Path) -> dict[str, Price]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PriceError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise PriceError(f"{path}: not JSON ({error})") from error
    models = raw.get("models", raw) if isinstance(raw, dict) else None
    if not isinstance(models, dict):
        raise PriceError(f"{path}: not a JSON object from models to prices")
    return {model: _price(path, model, given) for model, given in models.items()}


def _price(path: Path, model: str, given: Any) -> Price:
    if not isinstance(given, dict):
        raise PriceError(f"{path}: {model}: not an object with input and output")
    named = {"cached_input": given.get("input"), **given}
    unknown = named.keys() - {"input", "cached_input", "output"}
    if unknown:
        raise PriceError(f"{path}: {model}: unknown {', '.join(sorted(unknown))}")
    for name in ("input", "cached_input", "output"):
        value: Any = named.get(name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value < inf:
            raise PriceError(f"{path}: {model}: {name} must be dollars per million tokens")
    return Price(**{name: float(value) for name, value in named.items()})
