"""`engine push`, against a server that speaks the hub's upload API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from datasets import load_dataset  # type: ignore[import-untyped]
from huggingface_hub import constants

import treegraft as tg
from engine.export.export import ExportSettings, export_rows
from tests.support import commands
from tests.support.hub_server import TOKEN, HubServer
from tests.support.stored import answer, chain, look, store, tree
from trainer.runtime.hub import HubError

REPO = "datasets/me/rows"
TO_ME = ("--repo-id", "me/rows")
KINDS = [("jsonl", "lfs"), ("parquet", "lfs"), ("jsonl", "regular")]

# How huggingface_hub calls its HTTP client.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture(autouse=True)
def own_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No login of the machine's user; the legacy storage, since Xet's is not in the server."""
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with a solved path, and a pair: `look a` solved the second task, `look b` did not."""
    both = tree("b", look("a", "I look."), answer("x"), prompt="How few?")
    chain(both, look("b"), answer("y", 0.0))
    return store(tmp_path / "run", [tree("a", answer("x", thought="I know.")), both])


def row(asked: str, reply: str = "Yes.", **columns: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": reply}]
    return {"id": asked, "messages": messages, **columns}


def written(file: Path, *rows: dict[str, Any]) -> Path:
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return file


def loaded(folder: Path, config: str, cache: Path) -> list[dict[str, Any]]:
    """The rows of a config, as `datasets` reads a repository's files."""
    return list(load_dataset(str(folder), config, split="train", cache_dir=str(cache)))


@pytest.mark.parametrize(
    ("format", "mode"), [("jsonl", "lfs"), ("parquet", "lfs"), ("jsonl", "regular")]
)
def test_a_run_becomes_sft_rows_and_pairs(
    format: str, mode: str, run: Path, hub: HubServer, tmp_path: Path
) -> None:
    hub.upload_mode = mode
    done = commands.engine(
        "push", run, *TO_ME, "--format", format, "--private", "--licence", "mit"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert hub.private == {REPO} and "commit/1111" in done.stderr
    copy = tmp_path / "copy"
    hub.write(REPO, copy)
    for kind in ("sft", "dpo"):
        made = list(export_rows([run], ExportSettings(kind)))
        assert made and loaded(copy, kind, tmp_path / "cache") == made
    assert not any(TOKEN.encode() in each for each in hub.files[REPO, "main"].values())


def test_the_card_says_where_rows_are_from(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = commands.engine("push", run, *TO_ME, "--dry-run", "--output", out)
    assert done.returncode == 0 and "would push to me/rows: README.md, sft/" in done.stderr
    text = (out / "README.md").read_text()
    head = yaml.safe_load(text.split("---")[1])
    assert [one["config_name"] for one in head["configs"]] == ["sft", "dpo"]
    assert head["size_categories"] == ["n<1K"] and head["license"] == "unknown"
    for words in ("| 2 of 2 | 100% |", "Licences of the worlds", "list price", "min reward 1.0"):
        assert words in text
    assert str(tmp_path) not in text
    again = commands.engine("push", run, *TO_ME, "--dry-run", "--output", out)
    assert again.returncode == 0
    (out / "README.md").write_text("mine")
    other = commands.engine("push", run, *TO_ME, "--dry-run", "--output", out)
    assert other.returncode == 2 and "is not empty" in other.stderr


def test_rows_in_memory_and_of_every_kind_go_to_a_branch(hub: HubServer, tmp_path: Path) -> None:
    asked = [{"role": "user", "content": "Q"}]
    pair = {"prompt": asked, "chosen": [{"role": "assistant", "content": "Y"}],
            "rejected": [{"role": "assistant", "content": "N"}]}  # fmt: skip
    case = {"prompt": asked, "completion": [{"role": "assistant", "content": "Z"}], "label": True}
    done = tg.push_to_hub([row("Hi"), pair, case], "me/rows", revision="v1")
    assert done.rows == {"sft": 1, "dpo": 1, "kto": 1} and done.url.startswith(hub.url)
    assert set(hub.files[REPO, "v1"]) == set(done.files) and not hub.files[REPO, "main"]
    hub.write(REPO, tmp_path / "copy", "v1")
    assert (
        loaded(tmp_path / "copy", "sft", tmp_path / "cache")[0]["messages"] == row("Hi")["messages"]
    )


def test_secrets_and_test_splits_are_not_pushed(hub: HubServer, tmp_path: Path) -> None:
    key = "AKIA" + "IOSFODNN7" + "ABCDEFG"
    rows = [row("Hi"), row("key", f"It is {key}."), row("T", split="test"), row("U", split="test")]
    file = written(tmp_path / "rows.jsonl", *rows)
    done = commands.engine("push", file, *TO_ME)
    assert done.returncode == 2 and not hub.asked and key not in done.stderr
    assert (
        "1 rows with finding 'secret' (key); 2 rows with finding 'test split' (T, U)" in done.stderr
    )
    clean = tmp_path / "clean.jsonl"
    dropped = "secret,held-out-task,test-split"
    assert commands.engine("audit", file, "--drop", dropped, "--output", clean).returncode == 0
    assert commands.engine("push", clean, *TO_ME).returncode == 0


@pytest.mark.parametrize(
    ("refuse", "words"),
    [
        ({"repos/create": 401}, "does not accept the token"),
        ({"repos/create": 403}, "may not write there"),
        ({"repos/create": 503}, "the hub has a fault (status 503"),
        ({"preupload": 403}, "may not write there"),
        ({"objects/batch": 401}, "does not accept the token"),
        ({"/lfs/": 403}, "may not write there"),
        ({"commit": 409}, "something else changes the repository"),
    ],
)
def test_a_refusal_is_one_line_and_the_same_command_goes_on(
    refuse: dict[str, int], words: str, hub: HubServer, tmp_path: Path
) -> None:
    file = written(tmp_path / "rows.jsonl", row("Hi"))
    hub.refuse = refuse
    done = commands.engine("push", file, *TO_ME)
    assert done.returncode == 2 and words in done.stderr, done.stderr
    assert done.stderr.count("error: ") == 1 and "Traceback" not in done.stderr
    assert TOKEN not in done.stderr
    hub.refuse = {}
    assert commands.engine("push", file, *TO_ME).returncode == 0
    assert "README.md" in hub.files[REPO, "main"]


def test_without_a_token_or_a_network(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "rows.jsonl", row("Hi"))
    with pytest.raises(HubError, match="cannot push to a/b/c: Repo id must"):
        tg.push_to_hub(file, "a/b/c")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE is set: unset it; run the same command"):
        tg.push_to_hub(file, "me/rows")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match="the hub cannot be reached"):
        tg.push_to_hub(file, "me/rows")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="no token: set HF_TOKEN"):
        tg.push_to_hub(file, "me/rows")
    assert not hub.asked
