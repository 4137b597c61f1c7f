"""What a purchase earns, as WebShop computes it (Yao et al. 2022, arXiv:2207.01206, section 3).

    r = r_type * (attributes hit + options hit + price ok) / (attributes + options + 1)

Every part equals the original's (`get_reward` of princeton-nlp/WebShop), with its quirks:

- A goal's attribute is hit if one of the product's attributes is alike (`matching`), or if it
  appears, letter for letter, in the title, the joined bullets or the description.
- An option is hit by any chosen value, whatever the option's name: "small" of one option hits
  "small" of another. A value that contains a colour is first replaced by that colour (`colours`).
- A synthetic goal's option is compared as what Python prints of its name and value, in which a
  colour is found only if it is the whole value. So even the exact purchase may miss: the choice
  "rectangular" becomes "tan", and is compared with ('item shape', 'rectangular'). This affects 458
  of the 6,910 goals of the published 1,000 products, whose best score is below 1.
- The type is compared even for the product that the goal was made from: a title without a noun has
  a title score of 0.2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from environments.webshop.goals import Goal
from environments.webshop.reward.matching import alike, colour_in, colour_of_pair
from environments.webshop.reward.title_nouns import Nouns
from environments.webshop.shop.products import Product

_NO_NOUNS = 0.2


@dataclass(frozen=True, slots=True)
class Kinship:
    """How near the bought product is to the wanted one.

    Attributes:
        query_match: whether the same search found both when the data was made.
        category_match: whether two parts of their category paths agree.
        title_score: the share of the wanted title's nouns that the bought one has, in [0, 1].
    """

    query_match: bool
    category_match: bool
    title_score: float

    @property
    def r_type(self) -> float:
        """The factor on the reward: 1, 0.5, 0.1 or 0."""
        if self.title_score == 0:
            return 0.0
        if self.title_score < 0.1:
            return 0.1
        same = self.query_match or self.category_match or self.title_score > 0.2
        return 1.0 if same else 0.5


@dataclass(frozen=True, slots=True)
class Reward:
    """What a purchase earns.

    Attributes:
        kinship: how the product's kind agrees with the one that is asked for.
        attributes: number of the requested attributes that the product has.
        options: number of the requested options that were chosen.
        price_ok: whether the price is under the cap.
    """

    kinship: Kinship
    attributes: int
    options: int
    price_ok: bool
    goal: Goal

    @property
    def _asked(self) -> int:
        return len(self.goal.attributes) + len(self.goal.options) + 1

    @property
    def value(self) -> float:
        """The reward, in [0, 1]."""
        hits = self.attributes + self.options + self.price_ok
        return hits / self._asked * self.kinship.r_type

    @property
    def parts(self) -> dict[str, float | bool]:
        """The parts under the original's names; shares hit (r_) and weights (w_) in [0, 1].

        "r_option" and "w_option" are missing if the goal asks for no option.
        """
        wanted, options = len(self.goal.attributes), len(self.goal.options)
        parts: dict[str, float | bool] = {
            "r_type": self.kinship.r_type,
            "r_att": self.attributes / wanted,
            "w_att": wanted / self._asked,
            "query_match": self.kinship.query_match,
            "category_match": self.kinship.category_match,
            "title_score": self.kinship.title_score,
        }
        if options:
            parts |= {"r_option": self.options / options, "w_option": options / self._asked}
        return parts | {"r_price": self.price_ok, "w_price": 1 / self._asked}


def grade(
    product: Product, goal: Goal, price: float, options: Mapping[str, str], nouns: Nouns
) -> Reward:
    """Return the reward of buying `product` with `options` (values by name) for `goal`.

    Args:
        price: the product's price in dollars (`Catalogue.prices`).
    """
    return Reward(
        kinship=kinship(product, goal, nouns),
        attributes=sum(_has(product, attribute) for attribute in goal.attributes),
        options=_options_hit(tuple(options.values()), goal.options),
        price_ok=price <= goal.price_upper,
        goal=goal,
    )


def kinship(product: Product, goal: Goal, nouns: Nouns) -> Kinship:
    """Compare the queries, the category paths (two parts agree, anywhere), and the titles."""
    return Kinship(
        query_match=product.query == goal.query,
        category_match=len(_path(product.product_category) & _path(goal.product_category)) >= 2,
        title_score=_title_score(nouns(product.title), nouns(goal.title)),
    )


def _title_score(bought: Sequence[str], wanted: Sequence[str]) -> float:
    """Return the share of hits; a noun that the wanted title repeats is one hit of several."""
    return len(set(bought) & set(wanted)) / len(wanted) if wanted else _NO_NOUNS


def _path(category: str) -> set[str]:
    return {part.strip() for part in category.split("›")}


def _has(product: Product, attribute: str) -> bool:
    texts = (product.title, " ".join(product.bullets), product.description)
    return any(alike(own, attribute) for own in product.attributes) or any(
        attribute in text.lower() for text in texts
    )


def _options_hit(chosen: Sequence[str], wanted: Mapping[str, str] | tuple[str, ...]) -> int:
    if isinstance(wanted, tuple):
        sought = [colour_in(value) for value in wanted]
    else:
        sought = [colour_of_pair(name, value) for name, value in wanted.items()]
    values = [colour_in(value) for value in chosen]
    return sum(any(alike(value, each) for value in values) for each in sought)
