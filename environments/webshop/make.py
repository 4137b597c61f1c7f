"""Makes shopping instructions from the catalogue; see `environments.task_making`."""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from environments.task_making import (
    AMBIGUOUS,
    Doubt,
    NotATask,
    Scene,
    TaskMaker,
    text_field,
    text_list,
)
from environments.types import Task
from environments.webshop.demonstration.gold_actions import nearest_options
from environments.webshop.env import WebShopEnv
from environments.webshop.goals import Goal, goal_text
from environments.webshop.shop.prices import NO_CAP, cap_text, draw_cap
from environments.webshop.shop.products import NO_ATTRIBUTES, Product
from environments.webshop.tasks import BY_PRODUCT, split_of

WORDINGS = (
    "i am looking for {what} known for this: {attributes}{options}",
    "find me {what} with these properties: {attributes}{options}",
    "i need {what}, and this matters: {attributes}{options}",
    "please buy {what}; what matters to me is this: {attributes}{options}",
)
ROUNDS = 50
"""Goals of each product at most."""


class ShopMaker(TaskMaker):
    """Goals for the products of the split: some of their attributes, options and a price cap."""

    env: WebShopEnv
    form = (
        '{"instruction": what a shopper asks for, in their own words, without the product\'s '
        'title or id, "attributes": those of the product\'s attributes that it asks for, '
        '"options": those values of its options that it asks for, "price": the most that it may '
        "cost in dollars, a number that the instruction names, or null}"
    )

    def __init__(self, env: WebShopEnv) -> None:
        super().__init__(env)
        self._split = env.tasks[0].split
        if self._split in BY_PRODUCT:
            self._asins = [asin for asin in env.shop.products if split_of(asin) == self._split]
        else:
            self._asins = list(dict.fromkeys(task.group for task in env.tasks))

    def by_rules(self, seed: int) -> Iterator[Task]:
        """See `TaskMaker.by_rules`: the products take turns, in an order of their own."""
        order = list(self._asins)
        Random(f"{seed}|order").shuffle(order)
        for number in range(ROUNDS * len(order)):
            asin = order[number % len(order)]
            random = Random(f"{seed}|{asin}|{number}")
            if (task := self._drawn(self.env.shop.products[asin], random)) is not None:
                yield task

    def _drawn(self, product: Product, random: Random) -> Task | None:
        if product.attributes == NO_ATTRIBUTES or not product.attributes:
            return None
        most = min(3, len(product.attributes))
        attributes = random.sample(product.attributes, random.randint(1, most))
        named = [name for name, values in product.options.items() if len(values) > 1]
        chosen = random.sample(named, random.randint(0, min(2, len(named))))
        options = {name: random.choice(product.options[name]) for name in chosen}
        cap = draw_cap(self.env.shop.prices[product.asin], random)
        listed = ", ".join(f"{name} {value}" for name, value in options.items())
        text = random.choice(WORDINGS).format(
            what=_a(product.query),
            attributes=" and ".join(attributes),
            options=f", in {listed}" if listed else "",
        )
        return self._task(product, text + cap_text(cap), attributes, list(options.values()), cap)

    def _task(
        self,
        product: Product,
        instruction: str,
        attributes: Sequence[str],
        options: Sequence[str],
        cap: float,
    ) -> Task:
        return Task(
            "",
            self.env.prompt(instruction),
            {"goal": goal_text(product.asin, attributes, options, cap)},
            {"instruction": instruction},
            {"category": product.category, "kind": "made"},
            product.asin,
            self._split,
        )

    def scene(self, random: Random) -> Scene:
        """See `TaskMaker.scene`: a product."""
        product = self.env.shop.products[random.choice(self._asins)]
        options = [f"{name}: {', '.join(values)}" for name, values in product.options.items()]
        lines = [
            f"title: {product.title}",
            f"kind: {product.query}",
            f"description: {product.description[:500]}",
            f"attributes: {', '.join(product.attributes)}",
            f"options: {'; '.join(options) or 'none'}",
            f"price: {self.env.shop.prices[product.asin]:.2f} dollars",
        ]
        return Scene("\n".join(lines), product.asin, self._split)

    def written(self, scene: Scene, fields: Mapping[str, Any]) -> Task:
        """See `TaskMaker.written`."""
        product = self.env.shop.products[scene.group]
        attributes = text_list(fields, "attributes", needed=True)
        options = text_list(fields, "options")
        offered = {value for values in product.options.values() for value in values}
        for name, given, known in (
            ("attributes", attributes, set(product.attributes)),
            ("options", options, offered),
        ):
            if others := [each for each in given if each not in known]:
                raise NotATask(f"field {name!r}: the product has no {others[0]!r:.80}")
        price = fields.get("price")
        if price is not None and not (type(price) in (int, float) and price > 0):
            raise NotATask(f"field 'price' must be a number or null, not {price!r:.80}")
        instruction = text_field(fields, "instruction")
        return self._task(product, instruction, attributes, options, price or NO_CAP)

    def example(self, task: Task) -> Mapping[str, Any]:
        """See `TaskMaker.example`."""
        goal = self.env.goal(task)
        options = goal.options if isinstance(goal.options, tuple) else goal.options.values()
        return {
            "instruction": goal.instruction,
            "attributes": goal.attributes,
            "options": list(options),
            "price": None if goal.price_upper == NO_CAP else goal.price_upper,
        }

    def question(self, task: Task) -> str:
        """See `TaskMaker.question`: the instruction."""
        instruction: str = task.details["instruction"]
        return instruction

    def answers(self, task: Task) -> list[str]:
        """See `TaskMaker.answers`."""
        return [self.env.goal(task).title]

    def doubt(self, task: Task) -> Doubt | None:
        """See `TaskMaker.doubt`: another product that the same searches find earns as much."""
        goal, shop = self.env.goal(task), self.env.shop
        queries = (goal.query, " ".join((*goal.attributes, goal.query)), goal.instruction)
        found = dict.fromkeys(asin for query in queries for asin in shop.search(query))
        for asin in found:
            if asin != goal.asin and self._earned(asin, goal) >= 1:
                why = f"another product earns as much: {shop.products[asin].title}"
                return Doubt(AMBIGUOUS, why)
        return None

    def _earned(self, asin: str, goal: Goal) -> float:
        product = self.env.shop.products[asin]
        wanted = goal.options if isinstance(goal.options, tuple) else tuple(goal.options.values())
        return self.env.shop.grade(asin, goal, nearest_options(product, wanted)).value


def _a(noun: str) -> str:
    if noun.endswith("s") and not noun.endswith("ss"):
        return noun
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"
