"""Thoughts for runs: what is checked, what is written, and what stays empty."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import environments
from engine.errors import UsageError
from engine.export.export import ExportSettings, export_rows
from engine.make.asker import AskerSettings
from engine.make.thoughts.questions import WRITE, call_in, call_text, same_call, thought_in
from engine.make.thoughts.runs import ThoughtCounts, ThoughtSettings, write_thoughts
from engine.make.thoughts.shown import Shown, unseen
from engine.make.thoughts.write import Moment, fault
from engine.runs.annotations import path_signatures
from engine.runs.build_executor import RunBudget
from engine.runs.fingerprints import fingerprints
from engine.runs.store import Store
from engine.templates.base import World, world_of
from environments import Action, Step, Task
from environments.demonstrable import gold_actions
from environments.plays import take
from tests.support.chat_server import ChatServer, Json
from tests.support.stored import answer, chain, look, store, tree

SEEN = Shown.of(
    [
        "How many books by Ada Mill cost more than 1,200 in Paris?",
        "table books: book_id, price_eur\n3 rows",
        "SELECT COUNT(*) FROM books WHERE price_eur > 1200",
    ]
)


@pytest.mark.parametrize(
    ("thought", "missing"),
    [
        ("I count the books by Ada Mill; price_eur is in books.", []),
        ("The table has 3 rows, so I ask for more than 1200.", []),
        ("The answer will be 7.", ["7"]),
        ("It costs more than 1201.", ["1201"]),
        ("I look for Bob Crane.", ["Bob", "Crane"]),
        ("Bob Crane wrote it.", ["Bob", "Crane"]),
        ("Next I use the column author_id.", ["author_id"]),
        ("The town is 'Rome'.", ["Rome"]),
        ("The plan: set x to ''; then 'Paris'.", []),
        ("I write SQL and read JSON.", []),
    ],
)
def test_what_a_thought_mentions_has_been_seen(thought: str, missing: list[str]) -> None:
    assert unseen(thought, SEEN) == missing


WORLD = World("Answer.", ())
GOLD = "the cat sat on the mat"


@pytest.mark.parametrize(
    ("thought", "action", "why"),
    [
        ("I look.", Action("look", {}), ""),
        ("", Action("look", {}), "empty"),
        ("so " * 400, Action("look", {}), "too long"),
        (f"I know that {GOLD}.", Action("look", {}), "leaks"),
        (f"I say that {GOLD}.", Action("answer", {"text": GOLD}), ""),
        ("I ask Bob.", Action("look", {}), "not shown"),
    ],
)
def test_what_is_wrong_with_a_thought(thought: str, action: Action, why: str) -> None:
    moment = Moment(WORLD, Task("t", "Where?"), (), action, fingerprints({"gold": GOLD}))
    assert fault(thought, moment)[0] == why


@pytest.mark.parametrize(
    ("reply", "same"),
    [
        ('{"tool": "run", "arguments": {"sql": "SELECT a FROM t WHERE b = 1 ORDER BY c"}}', True),
        (
            '```json\n{"tool": "run", "arguments": {"sql": "select a from t where b = 1"}}\n```',
            True,
        ),
        ('{"tool": "run", "arguments": {"sql": "DROP TABLE u"}}', False),
        ('{"tool": "try", "arguments": {"sql": "SELECT a FROM t WHERE b = 1 ORDER BY c"}}', False),
        ('{"tool": "run", "arguments": {}}', False),
        ("I do not know.", False),
    ],
)
def test_the_call_that_follows_is_compared(reply: str, same: bool) -> None:
    made = Action("run", {"sql": "SELECT a FROM t WHERE b = 1 ORDER BY c, d"})
    assert same_call(made, call_in(reply)) == same


def test_short_arguments_must_be_equal() -> None:
    assert not same_call(Action("answer", {"value": "1204"}), Action("answer", {"value": "1205"}))
    assert thought_in('**Thought:** "I look."') == thought_in("I  look.") == "I look."


@pytest.mark.parametrize("name", ["api", "kg", "search-qa", "webshop"])
def test_rules_mention_only_what_was_seen_and_know_no_secret(name: str) -> None:
    """On solutions and on mistakes; without secret and details, the thoughts are the same."""
    env, said = environments.make(name), set[str]()
    for task in list(env.tasks)[:: max(1, len(env.tasks) // 4)]:
        public, path = replace(env.with_tools(task), secret={}, details={}), list[Step]()
        env.reset(options={"task": task})
        for right in gold_actions(env, task):
            for action in (right, *env.mistakes(task, right)[:3]):
                text = env.thought(public, path, action)
                moment = Moment(
                    world_of(env), public, tuple(path), action, fingerprints(task.secret)
                )
                assert text and fault(text, moment) == ("", ""), (task.id, action, text)
                said.add(text)
            path.append(take(env, right))
    env.close()
    assert len(said) > 15


def silent(folder: Path) -> Path:
    """A run of two paths without thoughts, one of which solved its task."""
    made = tree("a", look("books"), answer("3"), prompt="How many books?")
    chain(made, look("books"), answer("4", 0.0))
    made.task = replace(made.task, secret={"gold": GOLD})
    return store(folder, [made])


Brain = Callable[[Json], Json]


def model(*thoughts: str, follows: str = "") -> Brain:
    """Write the thoughts one after another; `follows` is the call, or else the right one."""
    left: list[str] = list(thoughts)

    def brain(body: Json) -> Json:
        system, asked = (message["content"] for message in body["messages"])
        if system == WRITE:
            text = left.pop(0) if len(left) > 1 else left[0]
        else:
            tool, given = ("answer", {"text": "3"}) if "Call 1" in asked else ("look", {})
            right = {"tool": tool, "arguments": given or {"table": "books"}}
            text = follows or json.dumps(right)
        return {"role": "assistant", "content": text}

    return brain


async def written(
    run: Path, out: Path, server: ChatServer, paths: str = "solved", calls: int | None = None
) -> ThoughtCounts:
    asking = AskerSettings(model="m", base_url=server.base_url, concurrency=1)
    settings = ThoughtSettings(paths=paths)  # type: ignore[arg-type]
    return await write_thoughts(run, out, asking, settings, RunBudget(calls=calls))


@pytest.mark.parametrize(
    ("brain", "count", "empty"),
    [
        (model("I look at the books."), 2, {}),
        (model("Bob knows, I ask Bob.", "I look at the books."), 2, {}),  # asked once more
        (model("I ask Bob."), 0, {"not shown": 2}),
        (model(f"I know that {GOLD}."), 0, {"leaks": 2}),
        (model("I look.", follows='{"tool": "look", "arguments": {"table": "films"}}'), 0,
         {"another call": 2}),
    ],
)  # fmt: skip
async def test_a_model_writes_thoughts_that_pass(
    brain: Brain, count: int, empty: dict[str, int], tmp_path: Path
) -> None:
    run = silent(tmp_path / "run")
    with ChatServer(brain) as server:
        counts = await written(run, tmp_path / "out", server)
    assert (counts.written, dict(counts.empty)) == (count, empty)
    with Store.open(tmp_path / "out") as store_:
        nodes = store_.tree("a").nodes
    assert [bool(node.step.action.thought) for node in nodes] == [
        count > 0,
        count > 0,
        False,
        False,
    ]
    assert ("thought_by" in nodes[0].step.info) == (count > 0)


async def test_a_stopped_command_goes_on_and_pays_once(tmp_path: Path) -> None:
    run = silent(tmp_path / "run")
    with ChatServer(model("I look at the books.")) as server:
        first = await written(run, tmp_path / "out", server, calls=3)
        assert (first.written, dict(first.empty)) == (1, {"budget": 1})
        second = await written(run, tmp_path / "out", server)
        third = await written(run, tmp_path / "out", server)
        asked = [body for body in server.requests if "messages" in body]
        assert (second.written, third.written, len(asked)) == (2, 2, 4)
        with pytest.raises(UsageError, match="holds another run"):
            await written(run, tmp_path / "out", server, paths="all")
        with pytest.raises(UsageError, match="holds another run"):
            await written(tmp_path / "out", run, server)


async def test_rules_replace_thoughts_and_nothing_else(tmp_path: Path) -> None:
    from engine.api import aexplore

    run = await aexplore("kg", out=tmp_path / "run", limit=2, split="train")
    how = AskerSettings(), ThoughtSettings(replace=True), RunBudget()
    counts = await write_thoughts(run.path, tmp_path / "out", *how)
    assert counts.written > 8 and not counts.empty
    with Store.open(run.path) as before, Store.open(tmp_path / "out") as after:
        for old, new in zip(before.trees(), after.trees(), strict=True):
            assert path_signatures(old) == path_signatures(new)
            assert before.fingerprints(old.task.id) == after.fingerprints(old.task.id)
            # The demonstration teacher's thoughts come from the same rules.
            assert [n.step.action.thought for n in old.nodes] == [
                n.step.action.thought for n in new.nodes
            ]
            assert [n.step.observation for n in old.nodes] == [
                n.step.observation for n in new.nodes
            ]
    made = {row["made"] for row in export_rows([tmp_path / "out"], ExportSettings())}
    assert made == {'{"thoughts":{"by":"rules"}}'}


def test_a_call_as_text_is_read_back() -> None:
    action = Action("run", {"sql": "SELECT 'a'"})
    assert call_in(f"Sure: {call_text(action)}") == action
