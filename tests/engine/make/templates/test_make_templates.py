"""Made templates: malformed and blind ones are dropped, better ones kept, nothing is paid twice."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.make.asker import AskerSettings
from engine.make.templates.candidate import Candidate, flaw, read_parts, to_toml
from engine.make.templates.grammar import by_rules
from engine.make.templates.make import TemplateMaking, make_templates, read_queries
from engine.make.templates.writer import similar
from engine.runs.build_executor import RunBudget
from engine.templates.base import World
from environments import GIVE_UP, Tool
from environments.types import Action, Task
from tests.support import commands
from tests.support.chat_server import ChatServer, Json

LOOK = Tool("look", "Look at it.", {"type": "object", "properties": {"at": {"type": "string"}}})
WORLD = World("Be brief, and never guess.", (LOOK, GIVE_UP))
TASKS = [
    Task(str(n), f"{'Where is' if n % 2 else 'How many are'} box {n}?", split="train")
    for n in range(6)
]
PARTS = {
    "profile": "You are a clerk.",
    "instruction": "{{ instructions }}",
    "tools": "{{ tools }}",
    "goal": "{{ prompt }}",
    "memory": "{{ history }}",
    "format": "Answer with one call.",
}
BLIND = PARTS | {"tools": "Some tools."}
BROKEN = PARTS | {"goal": "{{ prompt"}


def test_rules_make_valid_and_different_templates() -> None:
    made = [one for one, _ in zip(by_rules(0), range(60), strict=False)]
    assert [flaw(one, WORLD, TASKS[0]) for one in made] == [""] * 60
    assert len({one.source.partition("\n")[2] for one in made}) == 60
    assert made[0].source == next(by_rules(0)).source != next(by_rules(1)).source
    assert {one.template.memory for one in made} == {"chat", "prompt"}
    action = Action("look", {"at": 'a "b"\n{c}'}, "I look.")
    for one in made:
        written = one.template.write(action, WORLD.tools)
        assert one.template.read(written, WORLD.tools) == action


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (json.dumps(PARTS), ""),
        (f"Here it is:\n```json\n{json.dumps(PARTS)}\n```", ""),
        (json.dumps(BROKEN), "malformed: t.toml: unexpected end of template"),
        (json.dumps(BLIND), "incomplete: it does not show the tool look"),
        (json.dumps(PARTS | {"goal": "Do it."}), "incomplete: it does not show the task"),
        (json.dumps(PARTS | {"instruction": "Go."}), "incomplete: it does not show the instr"),
        (json.dumps(PARTS | {"goal": "{{ prompt }}{{ secret }}"}), "malformed: t.toml: 'secret'"),
        (json.dumps({"profile": "only"}), "malformed: the reply holds no JSON object"),
        ("none", "malformed: the reply holds no JSON object"),
    ],
)
def test_a_candidate_that_cannot_be_used_says_why(text: str, why: str) -> None:
    parts = read_parts(text)
    source = to_toml("t", {"base": "react"}, parts) if parts else ""
    found = flaw(Candidate("t", source, {}), WORLD, TASKS[0])
    assert found.startswith(why) and bool(found) == bool(why)


def test_similar_queries_are_drawn_together() -> None:
    from random import Random

    drawn = similar([task.prompt for task in TASKS], 3, Random(0))
    assert len({query.split(" box")[0] for query in drawn}) == 1


def server_reply(body: Json) -> str:
    """Write templates, one of them bad; reply better under a good one; judge by a mark."""
    asked = str(body["messages"][-1]["content"])
    whole = "\n".join(str(message["content"]) for message in body["messages"])
    if "Write a new prompt template" in asked:
        number = body["seed"] % 3
        better = PARTS | {"profile": "You are a clerk, VERY GOOD."}
        return ["no JSON", json.dumps(better), json.dumps(PARTS)][number]
    if "Score its first reply" in asked:
        return "Score: 9" if "GOOD" in asked else "Score: 4"
    mark = "GOOD" if "VERY GOOD" in whole else "plain"
    forms = {
        "Action:": f'Thought: {mark}\nAction: look\nAction Input: {{"at": "x"}}',
    }
    call = json.dumps({"name": "look", "arguments": {"at": "x"}})
    react = "Action Input" in whole
    return forms["Action:"] if react else f"{mark}\n<tool_call>\n{call}\n</tool_call>"


async def made(tmp_path: Path, server: ChatServer, **settings: Any) -> Any:
    making = TemplateMaking(n=6, per_template=2, threshold=0.2, **settings)
    asking = AskerSettings(model="m", base_url=server.base_url)
    return await make_templates(
        WORLD, TASKS, making, asking, RunBudget(), tmp_path / "out" / "templates"
    )


async def test_templates_are_kept_by_their_gain_over_the_benchmark(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with ChatServer(server_reply) as server:
        found = await made(tmp_path, server)
        paid = len(server.requests)
        again = await made(tmp_path, server)
        assert len(server.requests) == paid, "what was paid for is not asked again"
    assert [one.line() for one in again.decisions] == [one.line() for one in found.decisions]
    assert found.counts == {"malformed": 2, "low score": 2} and len(found.kept) == 2
    for decision in found.decisions:
        gains = [score["candidate"] - score["benchmark"] for score in decision.scores]
        if not decision.why:
            assert gains == pytest.approx([0.5, 0.5]) and decision.mean == pytest.approx(0.5)
            assert all(score["kept"] and len(score["replies"]) == 2 for score in decision.scores)
        elif decision.why.startswith("low"):
            assert gains == [0, 0] and not any(score["kept"] for score in decision.scores)
        assert decision.candidate.made["by"] == "m" and decision.candidate.made["replies"]


def test_queries_come_from_files_and_never_from_a_test_split(tmp_path: Path) -> None:
    file = tmp_path / "queries"
    file.write_text('Where?\n\n{"question": "Who?", "id": 3}\n"quoted"\n')
    making = TemplateMaking(queries=file)
    assert [task.prompt for task in read_queries(making, [])] == ["Where?", "Who?", '"quoted"']
    held_out = [Task("a", "Which?", split="test")]
    with pytest.raises(UsageError, match="all of them are of a test split"):
        read_queries(TemplateMaking(), held_out)
    assert read_queries(TemplateMaking(), [*held_out, *TASKS]) == TASKS


def test_the_command_writes_files_that_explore_takes(tmp_path: Path) -> None:
    out = tmp_path / "templates"
    done = commands.engine(
        "make", "templates", "--env", "webshop", "--split", "train", "--n", "3", "--output", out,
        "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kept"] == 3
    files = sorted(out.glob("*.toml"))
    lines = (out / "templates.jsonl").read_text().splitlines()
    assert len(files) == len(lines) == 3 and json.loads(lines[0])["file"] == files[0].read_text()
    run = tmp_path / "run"
    explored = commands.engine(
        "explore", "--env", "webshop", "--limit", "1", "--template", files[0], "--output", run
    )
    assert explored.returncode == 0, explored.stderr
    wrong = commands.engine(
        "make", "templates", "--env", "webshop", "--model", "m", "--benchmark", "native",
        "--base-url", "http://127.0.0.1:9/v1", "--output", out,
    )  # fmt: skip
    assert wrong.returncode == 2 and re.search(
        "--benchmark native: .* not in its text", wrong.stderr
    )
