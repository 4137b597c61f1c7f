"""The demonstration teacher's slips in the shop: each tells, and none leads to a dead end."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from environments.types import Action, Step, Task
from environments.webshop.demonstration.gold_actions import purchase
from environments.webshop.demonstration.mistakes import mistakes
from environments.webshop.demonstration.recovery import next_step
from environments.webshop.env import WebShopEnv
from environments.webshop.goals import Goal
from environments.webshop.shop.catalogue import Catalogue, load

EVERY = 9
"""Of the bundled tasks, one in so many is tried."""
LONGEST = 12
"""Steps of a path that a search allows by default."""


@pytest.fixture(scope="module")
def shop() -> Catalogue:
    return load()


class Shopper:
    """Knows the goal of one task, and plays in an environment of its own."""

    def __init__(self, env: WebShopEnv, shop: Catalogue, task: Task) -> None:
        self.env, self.shop, self.task = env, shop, task
        self.goal: Goal = shop.goals("human")[int(task.secret["goal"].removeprefix("human-"))]
        self.script = purchase(shop.products[self.goal.asin], self.goal, shop.search)

    def mistakes(self, action: Action) -> list[Action]:
        return mistakes(self.shop, self.goal, self.script, action)

    def play(self, actions: Sequence[Action]) -> list[Step]:
        self.env.reset(options={"task": self.task})
        return [self.step(action) for action in actions]

    def step(self, action: Action) -> Step:
        seen, reward, terminated, truncated, info = self.env.step(action)
        return Step(action, seen, reward, terminated, truncated, info)

    def go_on(self, path: list[Step]) -> list[Step]:
        """`path`, and what the teacher does after it until it is over."""
        while not path[-1].ended and len(path) <= LONGEST:
            path.append(self.step(next_step(self.shop, self.goal.asin, self.script, path)))
        return path


@pytest.fixture(scope="module")
def shoppers(shop: Catalogue) -> list[Shopper]:
    env = WebShopEnv(goals="human")
    return [Shopper(env, shop, task) for task in env.tasks[::EVERY]]


def kind_of(shopper: Shopper, action: Action, wrong: Action) -> str:
    """The name of a slip, by what it is instead of."""
    if action.tool == "search":
        return "vague search"
    wanted, bought = action.arguments["element"], wrong.arguments["element"]
    if bought == "buy now":
        return "bought too early"
    if wanted != shopper.goal.asin.lower():
        return "wrong option" if wanted != "buy now" else "changed option"
    price = shopper.shop.prices[bought.upper()]
    return "too dear" if price > shopper.goal.price_upper else "wrong product"


def every_slip(shoppers: Sequence[Shopper]) -> Iterator[tuple[Shopper, int, Action, str]]:
    for shopper in shoppers:
        for place, action in enumerate(shopper.script):
            for wrong in shopper.mistakes(action):
                yield shopper, place, wrong, kind_of(shopper, action, wrong)


def test_all_kinds_of_slips_are_made(shoppers: list[Shopper]) -> None:
    kinds = Counter(kind for *_, kind in every_slip(shoppers))
    assert kinds.keys() == {
        "vague search", "wrong product", "too dear", "bought too early", "wrong option",
        "changed option",
    }  # fmt: skip
    assert min(kinds.values()) >= len(shoppers) / 2
    tasks_with = {kind: set[str]() for kind in kinds}
    for shopper, _, _, kind in every_slip(shoppers):
        tasks_with[kind].add(shopper.task.id)
    assert all(len(found) > 0.5 * len(shoppers) for found in tasks_with.values())


def test_slips_are_different_and_the_same_again(shoppers: list[Shopper]) -> None:
    for shopper in shoppers[::4]:
        for action in shopper.script:
            found = shopper.mistakes(action)
            keys = [wrong.key for wrong in (action, *found)]
            assert len(set(keys)) == len(keys)
            assert shopper.mistakes(action) == found


def test_a_vague_search_shows_another_page(shoppers: list[Shopper]) -> None:
    for shopper, place, wrong, kind in every_slip(shoppers):
        if kind == "vague search":
            seen, right = shopper.play([wrong]), shopper.play(shopper.script[: place + 1])
            assert seen[-1].observation != right[-1].observation


def test_wrong_purchases_earn_less_than_1(shoppers: list[Shopper]) -> None:
    """Whatever is bought in haste, with what of the options the page offers."""
    for shopper, place, wrong, kind in every_slip(shoppers[::2]):
        if kind == "vague search":
            continue
        rest = shopper.script[place:] if kind == "changed option" else shopper.script[place + 1 :]
        path = shopper.play([*shopper.script[:place], wrong])
        assert "error" not in path[-1].info, "it is offered"
        while not path[-1].ended:
            path.append(shopper.step(rest.pop(0)))
        assert path[-1].reward < 1, (kind, wrong)


def test_teacher_goes_on_sensibly_after_a_slip(shoppers: list[Shopper]) -> None:
    """It clicks only what is offered, ends, and wins or loses as the kind of the slip says."""
    outcomes: dict[str, Counter[bool]] = {}
    for shopper, place, wrong, kind in every_slip(shoppers[::4]):
        path = shopper.go_on(shopper.play([*shopper.script[:place], wrong]))
        assert path[-1].terminated
        assert not [step for step in path if "error" in step.info]
        outcomes.setdefault(kind, Counter())[path[-1].solved] += 1
    for noticed in ("vague search", "wrong option"):
        assert set(outcomes[noticed]) == {True}, noticed
    for unnoticed in ("bought too early", "changed option"):
        assert set(outcomes[unnoticed]) == {False}, unnoticed
    for either in ("wrong product", "too dear"):
        assert set(outcomes[either]) == {True, False}, either


def test_what_makes_no_difference_is_no_slip(shop: Catalogue, shoppers: list[Shopper]) -> None:
    """Where no option is asked for, no value is wrong, nor is it too early to buy."""
    for shopper in shoppers[::4]:
        goal = replace(shopper.goal, options=())
        for action in shopper.script[2:]:
            assert mistakes(shop, goal, shopper.script, action) == []


def test_options_are_chosen_again_after_leaving_the_product(shoppers: list[Shopper]) -> None:
    back = Action("click", {"element": "< prev"})
    for shopper in shoppers[::4]:
        path = shopper.go_on(shopper.play([*shopper.script[:-1], back]))
        assert [step.action for step in path[len(shopper.script) :]] == shopper.script[1:]
        assert path[-1].solved


def test_without_a_slip_the_solution_is_played(shoppers: list[Shopper]) -> None:
    for shopper in shoppers:
        path = shopper.play(shopper.script[:1])
        assert [step.action for step in shopper.go_on(path)] == shopper.script
        assert path[-1].solved


def test_teacher_who_found_nothing_gives_up(shop: Catalogue, shoppers: list[Shopper]) -> None:
    goal, search = shoppers[0].goal, shoppers[0].script[0]
    script = purchase(shop.products[goal.asin], goal, lambda query: ())
    assert [action.tool for action in script] == ["search", "give_up"]
    assert next_step(shop, goal.asin, script, []) == script[0]
    assert next_step(shop, goal.asin, script, [Step(search, "")]) == script[1]
    assert mistakes(shop, goal, script, script[1]) == []


def test_the_way_back_has_a_slip_of_its_own(shoppers: list[Shopper]) -> None:
    back = Action("click", {"element": "< prev"})
    assert shoppers[0].mistakes(back) == [shoppers[0].script[-1]]


def paged(shopper: Shopper, pages: int) -> list[Action] | None:
    """A script that pages on so often, if a poor query puts the product there."""
    for query in ("black", "blue", "small", "red", "green", "oz", "inch", "ft", "box", "hand"):
        found = shopper.shop.search(query)
        if shopper.goal.asin in found and found.index(shopper.goal.asin) // 10 == pages:
            search = Action("search", {"query": query})
            return [search, *[Action("click", {"element": "next >"})] * pages, *shopper.script[1:]]
    return None


def test_instead_of_paging_on_a_product_of_the_first_page_is_taken(
    shop: Catalogue, shoppers: list[Shopper]
) -> None:
    tried = 0
    for shopper in shoppers:
        if script := paged(shopper, 1):
            shopper.script, kept = script, shopper.script
            first_page = {asin.lower() for asin in shop.search(script[0].arguments["query"])[:10]}
            found = {wrong.arguments["element"] for wrong in shopper.mistakes(script[1])}
            assert found == first_page
            path = shopper.go_on(shopper.play(script[:1]))
            assert [step.action for step in path] == script and path[-1].solved
            shopper.script, tried = kept, tried + 1
        if script := paged(shopper, 2):
            assert mistakes(shop, shopper.goal, script, script[1]) == []
    assert tried >= 3
