"""The simulated services, and the grading of their tasks."""

from collections import Counter
from typing import Any

import pytest

from environments import Action, Task, ToolEnv, make
from environments.api.answers import same_answer
from environments.api.finish import finish
from environments.api.services import BUNDLED, bundled
from tools.bundled.api.__main__ import texts

FLIGHT = {"number": "KV302", "passenger": "Nora Lindqvist", "count": 2}
CARD = {"member": "L1204", "pin": "7731"}


def call(name: str, given: dict[str, Any], **quotas: int) -> tuple[int, Any]:
    reply, _ = bundled().call(bundled().start, name, given, quotas)
    return reply.status, reply.body


@pytest.mark.parametrize(
    ("name", "given", "status", "said"),
    [
        ("get_forecast_for_sky_report", {"city": "oslo", "date": "2026-05-04"}, 200, "high"),
        ("get_forecast_for_sky_report", {"city": "Rome", "date": "2026-05-04"}, 404, "Rome"),
        ("list_forecasts_for_sky_report", {"city": "Oslo", "page": 4}, 400, "the last is 3"),
        ("list_loans_for_town_library", {"token": "t-1"}, 401, "sign in"),
        ("sign_in_for_town_library", CARD, 200, "token"),
        ("sign_in_for_town_library", {**CARD, "pin": "0000"}, 404, "pin"),
        ("book_flight_for_wing_fares", {**FLIGHT, "count": 50}, 409, "left, not 50"),
        ("book_flight_for_wing_fares", {**FLIGHT, "number": "KV1"}, 404, "KV1"),
        ("add_to_playlist_for_tune_box", {"playlist": "road", "track": "TR1"}, 404, "TR1"),
        ("delete_event_for_day_planner", {"id": "EV999"}, 404, "EV999"),
    ],
)
def test_endpoints_answer_or_say_what_is_wrong(
    name: str, given: dict[str, Any], status: int, said: str
) -> None:
    found, body = call(name, given)
    assert (found, said in str(body)) == (status, True), body


def test_filters_bounds_and_pages_of_a_list() -> None:
    city = {"city": "Oslo"}
    _, all_of = call("search_hotels_for_room_finder", city)
    assert (all_of["total"], all_of["pages"], len(all_of["hotels"])) == (5, 2, 3)
    _, cheap = call("search_hotels_for_room_finder", {**city, "max_price_eur": 100})
    assert cheap["total"] < 5 and all(row["price_eur"] <= 100 for row in cheap["hotels"])
    _, part = call("search_people_for_people_book", {"name_contains": "paul"})
    assert [row["name"] for row in part["people"]] == ["Paul Okafor", "Pauline Moreau"]


def test_a_change_is_refused_where_the_row_does_not_allow_it() -> None:
    rows = bundled().start.tables["shop_orders/orders"]
    sent = next(row["order"] for row in rows if row["status"] == "shipped")
    status, body = call("cancel_order_for_shop_orders", {"order": sent})
    assert status == 409 and "'shipped'" in body


def test_quotas_count_calls_and_are_part_of_the_state() -> None:
    services, state = bundled(), bundled().start
    name, given = "get_rate_for_money_desk", {"base": "EUR", "quote": "USD"}
    for _ in range(3):
        reply, state = services.call(state, name, given, {})
        assert reply.status == 200
    assert services.call(state, name, given, {})[0].status == 429
    assert services.call(services.start, name, given, {})[0].status == 200
    assert call(name, given, **{name: 0})[0] == 429


def test_a_booking_takes_seats_and_has_a_number_of_its_own() -> None:
    services, state = bundled(), bundled().start
    numbers = []
    flights = state.tables["wing_fares/flights"]
    given = {**FLIGHT, "number": next(row["number"] for row in flights if row["seats"] == 5)}
    for _ in range(2):
        reply, state = services.call(state, "book_flight_for_wing_fares", given, {})
        numbers.append(reply.body["id"])
    assert numbers == ["B801", "B802"]
    reply, _ = services.call(state, "get_flight_for_wing_fares", {"number": given["number"]}, {})
    assert reply.body["seats"] == 1


@pytest.mark.parametrize(
    ("given", "gold", "same"),
    [
        (" 18 ", "18", True),
        ("18 °C", "18", True),
        ("€1,250.50", "1250.5", True),
        ("521", "521.00", True),
        ("-2", "2", False),
        ("SK-22 and SK-19.", "SK-19, SK-22", True),
        ("SK-19", "SK-19, SK-22", False),
        ('"Field notes"', "Field Notes", True),
        ("the answer is 18", "18", False),
        ("2026-05-06", "2026-05-07", False),
        ("18, 19", "18", False),
    ],
)
def test_answers_are_compared_by_what_they_say(given: str, gold: str, same: bool) -> None:
    assert same_answer(given, gold) is same


@pytest.fixture(scope="module")
def env() -> ToolEnv:
    return make("api", split="test")


def task_of(env: ToolEnv, id: str) -> Task:
    return next(task for task in env.tasks if task.id == id)


@pytest.mark.parametrize(
    ("extra", "reward", "state"),
    [
        ((), 1.0, True),
        ((Action("get_item_for_stock_room", {"sku": "SK-11"}),), 1.0, True),
        ((Action("hold_stock_for_stock_room", {"sku": "SK-28", "quantity": 1}),), 0.0, False),
    ],
)
def test_the_final_state_counts(
    env: ToolEnv, extra: tuple[Action, ...], reward: float, state: bool
) -> None:
    """Looking around is free, another change is not, and no change is none."""
    task = task_of(env, "api-test-inventory-hold-1")
    *calls, last = env.solution(task) or []
    env.reset(options={"task": task})
    for action in (*calls, *extra):
        env.step(action)
    _, earned, over, _, info = env.step(last)
    assert (earned, over, info) == (reward, True, {"answer": True, "state": state})
    env.reset(options={"task": task})
    assert env.step(last)[4] == {"answer": True, "state": False}


def test_finish_gives_up_or_needs_an_answer(env: ToolEnv) -> None:
    env.reset(options={"task": env.tasks[0]})
    seen = env.step(Action("Finish", {"return_type": "give_answer"}))
    assert seen[4] == {"error": "bad_arguments"} and not seen[2]
    seen = env.step(Action("Finish", {"return_type": "give_up_and_restart"}))
    assert seen[1:] == (0.0, True, False, {"gave_up": True})


def test_tools_are_those_of_the_services_and_some_others(env: ToolEnv) -> None:
    for task in env.tasks:
        names = [tool.name for tool in env.tools_of(task)]
        assert len(names) == len(set(names)) and names[-2:] == ["Finish", "give_up"]
        used = {action.tool for action in env.solution(task) or []}
        assert used < set(names) and len(set(names) - used) >= 5


def test_splits_share_no_group_and_every_kind_is_in_both() -> None:
    train, test = (make("api", split=split).tasks for split in ("train", "test"))
    assert len(train) + len(test) >= 60
    assert not {task.group for task in train} & {task.group for task in test}
    for tag in ("kind", "changes"):
        assert {t.tags[tag] for t in train} == {t.tags[tag] for t in test}, tag
    services = Counter(name.partition("/")[0] for name in bundled().start.tables)
    assert len(services) == 12
    shown = {service for task in (*train, *test) for service in task.group.split(":")[0].split("+")}
    assert shown == set(services)


def test_generator_gives_the_committed_files() -> None:
    made = texts()
    assert made == {name: (BUNDLED / name).read_text(encoding="utf-8") for name in made}


def test_wrong_answers_are_wrong(env: ToolEnv) -> None:
    for task in env.tasks:
        last = (env.solution(task) or [])[-1]
        for wrong in env.mistakes(task, last):
            assert not same_answer(wrong.arguments["final_answer"], last.arguments["final_answer"])
            assert wrong == finish(wrong.arguments["final_answer"], last.thought)
