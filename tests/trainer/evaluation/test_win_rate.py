"""The win rate: both orders must agree, equal paths tie without a request."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.chat_faults import status
from tests.support.chat_server import ChatServer
from tests.support.stored import answer, store, tree
from trainer.errors import TrainerError
from trainer.evaluation.measures.batch_ask import Asked
from trainer.evaluation.measures.win_rate import WinRate, pairs, win_rate


def judge(request: dict[str, Any]) -> str:
    """Prefer the better answer; of two bad ones, always the first."""
    first, _, second = request["messages"][-1]["content"].partition("</A-")
    if "good" in second:
        return "Better: B"
    return "A is fine.\n**Better:** A" if "good" in first or "bad" in second else "hm"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    ours = {"1": "good", "2": "bad", "3": "same", "4": "bad 1", "5": "alone"}
    theirs = {"1": "bad", "2": "good", "3": "same", "4": "bad 2"}
    made = [
        store(tmp_path / name, [tree(id, answer(text)) for id, text in answers.items()])
        for name, answers in (("ours", ours), ("theirs", theirs))
    ]
    return made[0], made[1]


def test_a_side_wins_if_it_does_in_both_orders(runs: tuple[Path, Path], tmp_path: Path) -> None:
    with ChatServer(judge) as server:
        asked = Asked(tmp_path / "journal.db", server.base_url)
        found = win_rate("m", asked, pairs(*runs))
        assert found == WinRate(wins=1, losses=1, ties=2) and found.rate == 0.5
        assert win_rate("m", asked, pairs(*reversed(runs))) == found
        assert len(server.requests) == 6, "two of each pair that differs, and each paid once"


def test_a_refused_request_is_told(runs: tuple[Path, Path], tmp_path: Path) -> None:
    refusing = ChatServer(judge, faults=[status(401)] * 9)
    with refusing as server, pytest.raises(TrainerError, match="--judge m"):
        win_rate("m", Asked(tmp_path / "journal.db", server.base_url), pairs(*runs))
