"""How many replies follow the format, without an example: prompts of any kind, any model."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.chat.base import ChatReply
from engine.templates import get
from search.usage import Usage
from tests.support.chat_server import ChatServer
from tests.support.rows import call, write
from trainer.data.prompts import Prompt
from trainer.evaluation.format_only import measure_format
from trainer.evaluation.measures.format_check import COMMON_WORLD, FormatReport, _checked
from trainer.evaluation.options import EvalOptions
from treegraft.commands import trainer_app
from treegraft.errors import TreegraftError

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
PROMPTS = [
    {"id": "a", "question": "Is it wet in Paris?"},
    {"id": "b", "messages": [{"role": "user", "content": "And in Rome?"}], "tools": [TOOL]},
    {
        "id": "c",
        "messages": [
            {"role": "system", "content": "Own rules."},
            {"role": "user", "content": "Go."},
            {"role": "assistant", "content": "Not sent."},
        ],
    },
    {"id": "d", "prompt": "Chat."},
]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def answer(request: dict[str, Any]) -> str:
    return "Just text." if "Chat." in request["messages"][-1]["content"] else call("Hm.", "search")


def options(file: Path, **more: Any) -> EvalOptions:
    return EvalOptions(model="student", format_only=file, **more)


def test_replies_are_counted_by_how_they_follow_the_format(tmp_path: Path) -> None:
    file, out = write(tmp_path / "prompts.jsonl", PROMPTS), tmp_path / "out"
    with ChatServer(answer) as server:
        report = measure_format(options(file, base_url=server.base_url), out)
        again = measure_format(options(file, base_url=server.base_url), out)
        sent = {json.dumps(r["messages"]): r["messages"] for r in server.requests}
    assert len(server.requests) == 4, "the journal answers the second time"
    assert again == report
    assert [reply.verdict for reply in report.replies] == ["exact"] * 3 + ["not read"]
    figures = report.to_dict()
    assert (figures["prompts"], figures["exact"]["hits"], figures["exact"]["total"]) == (4, 3, 4)
    assert figures["exact"]["interval"] == [0.3006, 0.9544]
    assert figures["not_read"]["value"] == 0.25
    assert json.loads((out / "format.json").read_text("utf-8")) == figures
    kept = [json.loads(line) for line in (out / "replies.jsonl").read_text("utf-8").splitlines()]
    assert [one["prompt"] for one in kept] == ["a", "b", "c", "d"]
    systems = [m[0]["content"] for m in sent.values() if len(m) == 2]
    assert len(sent) == len(systems) == 4, "no example and no reply is sent"
    assert sum("- weather:" in one and "- search:" not in one for one in systems) == 1
    assert sum("- search:" in one and "Action Input:" in one for one in systems) == 2
    assert "Own rules." in systems


@pytest.mark.parametrize(
    ("text", "finish", "verdict"),
    [
        (call("Hm."), "stop", "exact"),
        ("Hm.", "stop", "not read"),
        (call("Hm."), "length", "not read"),
        (f"```\n{call('Hm.')}\n```", "stop", "repaired"),
    ],
)
def test_verdicts(text: str, finish: str, verdict: str) -> None:
    prompt = Prompt("a", [{"role": "user", "content": "How many?"}])
    answered = ChatReply(({"role": "assistant", "content": text},), Usage(), finish=(finish,))
    reply = _checked(prompt, COMMON_WORLD, get("react"), answered)
    assert reply.verdict == verdict
    assert ("fence" in reply.why) == (verdict == "repaired")
    assert FormatReport("m", "react", [reply]).rate(verdict).hits == 1


def test_the_command_asks_a_model_in_this_process(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("Why?\nHow many?\n")
    flags = ["eval", "--format-only", str(tmp_path / "prompts.txt"), "--model", str(tiny)]
    done = CliRunner().invoke(trainer_app(), [*flags, "--max-reply-tokens", "4", "--json"])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert (figures["template"], figures["not_read"]["hits"], figures["prompts"]) == ("react", 2, 2)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--format-only", "FILE"], "it needs --model"),
        (["--format-only", "FILE", "--model", "m", "--compare", "x"], "has no runs to judge"),
        (["--format-only", "FILE", "--model", "m", "--reference", "x"], "leave out --reference"),
        (["--format-only", "nowhere", "--model", "m", "--base-url", "http://x"], "no such file"),
    ],
)
def test_what_does_not_go_together(flags: list[str], reason: str, tmp_path: Path) -> None:
    file = write(tmp_path / "prompts.jsonl", PROMPTS)
    done = CliRunner().invoke(
        trainer_app(), ["eval", *(str(file) if f == "FILE" else f for f in flags)]
    )
    assert isinstance(done.exception, TreegraftError)
    assert reason in str(done.exception)
