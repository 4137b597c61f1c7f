"""The asker: paid once, within the budget, and never half a reply without saying so."""

from pathlib import Path

import pytest

from engine.make.asker import AskerSettings, open_asker
from engine.runs.build_executor import RunBudget
from search.policy import BudgetSpent, PolicyError
from tests.support.chat_server import ChatServer, Json

QUESTION = [{"role": "user", "content": "Say a number."}]


def numbered(body: Json) -> Json:
    """Answer with the request's seed, which tells attempts apart."""
    return {"role": "assistant", "content": str(body["seed"])}


def settings(server: ChatServer) -> AskerSettings:
    return AskerSettings(model="m", base_url=server.base_url)


async def test_a_reply_is_paid_for_once(tmp_path: Path) -> None:
    with ChatServer(numbered) as server:
        for _ in range(2):
            async with open_asker(settings(server), RunBudget(), tmp_path / "out.jsonl") as asker:
                answers = [await asker.ask(QUESTION, attempt=number) for number in range(3)]
        asked = len([body for body in server.requests if "seed" in body])
    assert [answer.text for answer in answers] == ["0", "1", "2"]
    assert len({answer.key for answer in answers}) == 3
    assert asked == 3


async def test_the_budget_ends_it_and_what_was_paid_is_kept(tmp_path: Path) -> None:
    with ChatServer(numbered) as server:
        async with open_asker(
            settings(server), RunBudget(calls=1), tmp_path / "out.jsonl"
        ) as asker:
            await asker.ask(QUESTION)
            with pytest.raises(BudgetSpent, match="calls are spent"):
                await asker.ask(QUESTION, attempt=1)
            assert (await asker.ask(QUESTION)).text == "0"


async def test_a_reply_that_was_cut_off_says_so(tmp_path: Path) -> None:
    cut = {"message": {"role": "assistant", "content": "half"}, "finish_reason": "length"}
    with ChatServer(lambda body: {"choices": [{"index": 0, **cut}]}) as server:
        async with open_asker(settings(server), RunBudget(), tmp_path / "out.jsonl") as asker:
            answer = await asker.ask(QUESTION)
    assert answer.incomplete == "length"
    assert answer.usage.calls == 3


async def test_an_address_where_nobody_listens_is_told_at_once(tmp_path: Path) -> None:
    nobody = AskerSettings(model="m", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(PolicyError, match="127.0.0.1:9"):
        async with open_asker(nobody, RunBudget(), tmp_path / "out.jsonl"):
            pass
