"""What a shopper is asked to buy: WebShop's goals, synthetic and human, in its own order.

As in the original (`get_goals` and `SimServer` of princeton-nlp/WebShop), quirks kept:

- A synthetic instruction makes a goal for every combination of its product's option values, so the
  goals are very skewed: of 6,910 of the 1,000 products that are published, one product has 558.
- All goals of one synthetic instruction share one price cap.
- The caps are drawn after all prices, from the same random state, by product; human goals draw
  from the state as the prices left it, in place of synthetic ones, not after them.
- Whatever the seed of that state, the goals are then shuffled with seed 233.

A shop of a million products has several million goals, so goals are made on demand: only a number
per goal and a few per instruction are kept in memory.
"""

import json
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import overload

from environments.webshop.shop.listings import Instruction
from environments.webshop.shop.prices import cap_text, draw_cap
from environments.webshop.shop.products import Product
from environments.webshop.shop.store import Store

_SHUFFLE_SEED = 233


@dataclass(frozen=True, slots=True)
class Goal:
    """One instruction, and what the reward compares a purchase with.

    `title`, `query`, `product_category` and `category` are the product's.

    Attributes:
        options: in a synthetic goal, values by option name; in a human one, only values. The
            original matches the two differently (`reward`), so the difference is kept.
        price_upper: the price cap in dollars; 1,000,000 if the instruction names no price.
        weight: how often the original draws it: the mean of 1 / (goals that ask for the attribute)
            over its attributes, or 1 for a human goal.
    """

    asin: str
    instruction: str
    attributes: tuple[str, ...]
    options: Mapping[str, str] | tuple[str, ...]
    price_upper: float
    title: str
    query: str
    product_category: str
    category: str
    weight: float = 1.0
    human: bool = False


class Goals(Sequence[Goal]):
    """All goals of a kind, shuffled. Indexing makes a new object each time.

    Args:
        human: whether to use the instructions written by people, not the synthetic ones.
        prices: prices of the products, by position.
    """

    def __init__(self, store: Store, human: bool, prices: Sequence[float], random: Random) -> None:
        self._store, self._human = store, human
        self._instructions, self._starts, self._caps = array("I"), array("I"), array("d")
        self._asked: Counter[str] = Counter()
        total = 0
        for identifier, position, instruction in store.instructions(human):
            self._instructions.append(identifier)
            self._starts.append(total)
            self._caps.append(draw_cap(prices[position], random))
            total += instruction.goals
            for attribute in instruction.attributes:
                self._asked[attribute] += instruction.goals
        self._order = array("I", range(total))
        Random(_SHUFFLE_SEED).shuffle(self._order)

    def __len__(self) -> int:
        return len(self._order)

    def numbers(self, of_product: Callable[[str], bool]) -> Sequence[int]:
        """Return the numbers of the goals whose product's asin `of_product` accepts, ascending.

        It is asked once for each instruction, not for each goal, and no goal is made.
        """
        ends = (*self._starts[1:], len(self._order))
        kept = bytearray(len(self._order))
        for start, end, asin in zip(
            self._starts, ends, self._store.instructed(self._human), strict=True
        ):
            if of_product(asin):
                kept[start:end] = b"\1" * (end - start)
        return array("I", (index for index, number in enumerate(self._order) if kept[number]))

    @overload
    def __getitem__(self, index: int) -> Goal: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Goal]: ...
    def __getitem__(self, index: int | slice) -> Goal | Sequence[Goal]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        number = self._order[index]
        row = bisect_right(self._starts, number) - 1
        _, position, instruction = self._store.instruction(self._instructions[row])
        product, cap = self._store.product(position), self._caps[row]
        if instruction.human:
            return _goal(product, instruction, instruction.options, cap)
        options = combination(product.options, number - self._starts[row])
        goal = _goal(product, instruction, options, cap)
        return replace(goal, weight=self._weight(instruction))

    def _weight(self, instruction: Instruction) -> float:
        attributes = instruction.attributes
        return sum(1.0 / self._asked[attribute] for attribute in attributes) / len(attributes)


def combination(options: Mapping[str, Sequence[str]], number: int) -> dict[str, str]:
    """Return one combination of values by name; in alphabetical order the last changes fastest."""
    chosen = {}
    for name in sorted(options, reverse=True):
        number, place = divmod(number, len(options[name]))
        chosen[name] = options[name][place]
    return dict(reversed(chosen.items()))


def _goal(
    product: Product,
    instruction: Instruction,
    options: Mapping[str, str] | tuple[str, ...],
    cap: float,
) -> Goal:
    return Goal(
        asin=product.asin,
        instruction=_wording(instruction.text, options) + cap_text(cap),
        attributes=instruction.attributes,
        options=options,
        price_upper=cap,
        title=product.title,
        query=product.query,
        product_category=product.product_category,
        category=product.category,
        human=instruction.human,
    )


def _wording(text: str, options: Mapping[str, str] | tuple[str, ...]) -> str:
    """Add options to a synthetic instruction; a human one has them, and loses its full stop."""
    if isinstance(options, tuple):
        return text.strip(".")
    wanted = ", and ".join(f"{name}: {value}" for name, value in options.items())
    return f"{text} with {wanted}" if wanted else text


def goal_text(
    asin: str, attributes: Sequence[str], options: Sequence[str], price_upper: float
) -> str:
    """Return a goal that is not one of the shop's files, as a task's secret holds it."""
    goal = {"asin": asin, "attributes": list(attributes), "options": list(options)}
    return json.dumps({**goal, "price_upper": price_upper})


def made_goal(text: str, instruction: str, products: Mapping[str, Product]) -> Goal:
    """Return the goal that `goal_text` wrote; it is graded as those written by people are."""
    found = json.loads(text)
    product = products[found["asin"]]
    return Goal(
        asin=product.asin,
        instruction=instruction,
        attributes=tuple(found["attributes"]),
        options=tuple(found["options"]),
        price_upper=found["price_upper"],
        title=product.title,
        query=product.query,
        product_category=product.product_category,
        category=product.category,
        human=True,
    )
