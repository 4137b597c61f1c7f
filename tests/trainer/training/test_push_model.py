"""`trainer ... --push-to-hub`, against a server that speaks the hub's upload API."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.support import commands
from tests.support.hub_server import TOKEN, HubServer
from tests.support.rows import AGENT, PAIRS, write

REPO = "models/me/student"
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning:transformers"),
    # How huggingface_hub calls its HTTP client.
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as server:
        # HF_ENDPOINT is read when huggingface_hub is imported; transformers keeps a client.
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr("transformers.utils.hub._hf_api", None)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


def train(kind: str, tiny: Path, folder: Path, *more: str) -> Any:
    rows = PAIRS if kind == "dpo" else [{"messages": one} for one in AGENT]
    file = write(folder / "rows.jsonl", rows)
    return commands.trainer(
        kind, "--model", tiny, "--dataset", file, "--output", folder / "out", "--max-steps", 1,
        "--max-length", 512, "--no-bf16", "--push-to-hub", "--hub-model-id", "me/student", *more,
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "more"), [("sft", ("--use-peft",)), ("dpo", ())])
def test_the_finished_model_is_pushed_with_a_card(
    kind: str, more: tuple[str, ...], tiny: Path, hub: HubServer, tmp_path: Path
) -> None:
    done = train(kind, tiny, tmp_path, "--hub-private-repo", "--save-strategy", "epoch", *more)
    assert done.returncode == 0, done.stderr
    assert hub.private == {REPO} and "model pushed to me/student" in done.stderr
    copy = tmp_path / "copy"
    hub.write(REPO, copy)
    assert "trl" in (copy / "README.md").read_text()
    assert not any(str(tmp_path).encode() in each for each in hub.files[REPO, "main"].values())
    assert not any(TOKEN.encode() in each for each in hub.files[REPO, "main"].values())
    assert not list(copy.glob("checkpoint-*"))
    AutoTokenizer.from_pretrained(copy)
    pushed, kept = (
        AutoModelForCausalLM.from_pretrained(place).state_dict()
        for place in (copy, tmp_path / "out")
    )
    assert all(pushed[name].equal(weights) for name, weights in kept.items())


@pytest.mark.parametrize(
    ("refuse", "words"),
    [
        ({"repos/create": 401}, "does not accept the token"),
        ({"commit": 403}, "the model is in {out}: push it with `hf upload me/student {out}`"),
    ],
)
def test_a_refusal_loses_nothing(
    refuse: dict[str, int], words: str, tiny: Path, hub: HubServer, tmp_path: Path
) -> None:
    hub.refuse = refuse
    done = train("sft", tiny, tmp_path)
    out = tmp_path / "out"
    assert done.returncode == 2 and words.format(out=out) in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and TOKEN not in done.stderr
    assert out.joinpath("config.json").exists() == ("commit" in refuse)


def test_a_name_without_a_push_is_refused(tiny: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", [{"messages": one} for one in AGENT])
    done = commands.trainer(
        "sft", "--model", tiny, "--dataset", file, "--output", tmp_path / "out",
        "--hub-model-id", "me/student",
    )  # fmt: skip
    assert done.returncode == 2 and "need --push-to-hub" in done.stderr
