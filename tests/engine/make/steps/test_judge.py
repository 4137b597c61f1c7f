"""`engine judge`: what a path does not need is proven by playing it, and rows and pairs use it."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.export.export import ExportSettings, export_rows
from engine.export.filters import Counts, Filters
from engine.export.pairs import find_pairs
from engine.make.asker import AskerSettings
from engine.make.steps.judge import judge_run
from engine.make.steps.replay import not_needed
from engine.make.steps.rules import doubtful, failed_beside
from engine.runs.annotations import TreeAnnotations
from engine.runs.build_executor import RunBudget
from engine.runs.judgements import Judgement, read_judgements, write_judgements
from environments import Action, Task, make
from environments.demonstrable import Demonstrable
from environments.plays import play
from search.tree import ROOT, Tree
from tests.engine.telemetry.test_spans import by_operation, kept
from tests.support import commands
from tests.support.chat_server import ChatServer, Json
from tests.support.stored import answer, chain, look

RULES = AskerSettings()


def explored(tmp_path: Path, *flags: str) -> Path:
    run = tmp_path / "run"
    done = commands.engine("explore", *flags, "--output", run)
    assert done.returncode == 0, done.stderr
    return run


async def test_detours_are_proven_and_pruned_rows_still_succeed(tmp_path: Path) -> None:
    flags = "--env bird --split train --tasks bird-train-0,bird-train-1 --mistake-rate 0.6"
    run = explored(tmp_path, *flags.split())
    judged = await judge_run(run, RULES, RunBudget())
    write_judgements(run, judged.found)
    assert judged.pruned and judged.labels["detour"] and judged.labels["right"]
    rows = {row["id"]: row for row in export_rows([run], ExportSettings(prune_detours=True))}
    whole = {row["id"]: row for row in export_rows([run], ExportSettings())}
    shorter = [id for id in rows if len(rows[id]["messages"]) < len(whole[id]["messages"])]
    assert len(shorter) == judged.pruned
    env = make("bird", split="train")
    try:
        tasks = {task.id: task for task in env.tasks}
        for id in shorter:
            calls = [
                m["tool_calls"][0]["function"] for m in rows[id]["messages"] if "tool_calls" in m
            ]
            actions = [Action(call["name"], json.loads(call["arguments"])) for call in calls]
            steps = play(env, tasks[id.split("/")[1]], actions)
            seen = [m["content"] for m in rows[id]["messages"] if m["role"] == "tool"]
            assert steps[-1].solved and [step.observation for step in steps[:-1]] == seen
    finally:
        env.close()


async def test_a_note_whose_words_no_call_repeats_is_no_detour(tmp_path: Path) -> None:
    run = explored(tmp_path, "--env", "examples/keypad.py:KeypadEnv", "--mistake-rate", "0")
    judged = await judge_run(run, RULES, RunBudget())
    assert set(judged.labels) == {"right"} and not judged.pruned


class Doubting(Demonstrable):
    """Doubts every step."""

    def may_be_detour(self, task: Task, path: Any, place: int) -> bool:
        return True


async def test_a_step_that_others_build_on_stays_however_doubtful() -> None:
    env = make("examples/keypad.py:KeypadEnv")
    task = env.tasks[0]
    tree = Tree(task, "hand")
    end = chain(tree, *play(env, task, env.solution(task) or []))
    path = tree.lineage(end)
    assert len(doubtful(Doubting(), task, path)) == len(path) - 1
    # Without a press the door stays shut; the note alone could be left out.
    assert not_needed(env, task, path, [node.id for node in path]) == (1,)


def test_rules_by_hand() -> None:
    """By default a step that shows nothing new is doubtful; one that failed is not."""
    made = Tree(Task("t", "How many rows of books?"), "hand")
    end = chain(made, look("books"), look("members"), look("members", error="bad"), answer("x7"))
    path = made.lineage(end)
    assert doubtful(Demonstrable(), made.task, path) == []
    again = Tree(Task("t", "How many?"), "hand")
    end = chain(again, look("books"), look("books"), answer("x7"))
    assert doubtful(Demonstrable(), again.task, again.lineage(end)) == [2]
    wrong = chain(made, look("far"), answer("no", 0.0), at=1)
    chain(made, look("open"), at=1)
    assert [node.id for node in failed_beside(made, path)] == [wrong - 1]


def graded() -> Tree:
    """Start: three answers, worth 0.9, 0.5 and 0.3; and one below a look, worth 0.2."""
    tree = Tree(Task("t", "?"), "hand")
    for text, reward in (("a", 0.9), ("b", 0.5), ("c", 0.3)):
        tree.add(ROOT, answer(text, reward))
    chain(tree, look("d"), answer("e", 0.2))
    return tree


@pytest.mark.parametrize(
    ("margin", "least", "wanted"),
    [
        (None, 0.9, {(1, 2), (1, 3), (1, 4)}),
        (0.3, 0.9, {(1, 2), (1, 3), (1, 4)}),
        (0.5, 0.9, {(1, 3), (1, 4)}),
        (0.3, 0.5, {(1, 2), (1, 3), (1, 4), (2, 4)}),
        (0.2, 0.3, {(1, 2), (1, 3), (1, 4), (2, 3), (2, 4)}),
        (1.0, 0.3, set()),
    ],
)
def test_a_margin_of_rewards(margin: float | None, least: float, wanted: set[Any]) -> None:
    filters = Filters(min_reward=least, margin=margin)
    pairs = find_pairs(graded(), filters, Counts())
    assert {(pair.chosen.id, pair.rejected.id) for pair in pairs} == wanted


def test_a_judge_compares_actions_that_all_succeeded() -> None:
    tree = Tree(Task("t", "?"), "hand")
    for text in "abc":
        tree.add(ROOT, answer(text, 1.0))
    said, counts = TreeAnnotations(step_scores={1: 0.9, 2: 0.6}), Counts()
    found = find_pairs(tree, Filters(margin=0.3), counts, "step", said, "judge")
    assert [(pair.chosen.id, pair.rejected.id) for pair in found] == [(1, 2)]
    assert counts.beside == {"not judged": 4, "near": 1}


def server_reply(body: Json) -> str:
    asked = body["messages"][0]["content"].rpartition("The step:")[2]
    if "list_tables" in asked:
        return "No idea."
    return "Fine.\nLabel: detour\nScore: 4" if "describe_table" in asked else "Label: right"


async def test_a_model_judges_each_step_once(tmp_path: Path) -> None:
    flags = "--env bird --split train --tasks bird-train-0 --mistake-rate 0"
    run = explored(tmp_path, *flags.split())
    with ChatServer(server_reply) as server:
        asking = AskerSettings(model="m", base_url=server.base_url)
        with kept() as exporter:
            first = await judge_run(run, asking, RunBudget())
        paid = len(server.requests)
        again = await judge_run(run, asking, RunBudget())
        assert len(server.requests) == paid
        cut = await judge_run(run, AskerSettings(model="n", base_url=server.base_url),
                              RunBudget(calls=1))  # fmt: skip
    assert first.found == again.found and first.unread == 1
    spans = by_operation(exporter.get_finished_spans())
    assert len(spans["chat"]) == paid and spans["execute_tool"], "requests, and the replay"
    asked, replayed = (getattr(span.context, "span_id", 0) for span in spans["invoke_agent"])
    assert {getattr(span.parent, "span_id", 0) for span in spans["chat"]} == {asked}
    assert {getattr(span.parent, "span_id", 0) for span in spans["execute_tool"]} == {replayed}
    labels = {one.label: one for one in first.found if isinstance(one, Judgement)}
    assert labels["detour"].score == 0.4 and labels["right"].score == 1.0
    assert all(one.by == "m" and one.reply for one in labels.values())
    assert "calls are spent" in cut.stopped and len(cut.labels) <= 1


async def test_scores_of_another_tree_do_not_count(tmp_path: Path) -> None:
    run = explored(tmp_path, *["--env", "bird", "--split", "train", "--tasks", "bird-train-0"])
    with pytest.raises(UsageError, match="has not been judged: run engine judge"):
        list(export_rows([run], ExportSettings(prune_detours=True)))
    found = (await judge_run(run, RULES, RunBudget())).found
    filtered = ExportSettings(filters=Filters(min_step_score=0.1))
    write_judgements(run, found)
    assert len(list(export_rows([run], filtered))) == 1
    write_judgements(run, [Judgement("bird-train-0", 1, "0" * 12, "right", 1.0, "rules")])
    assert not list(export_rows([run], filtered))
    (run / "judgements.jsonl").write_text('{"task": "t", "node": 1}\n')
    with pytest.raises(UsageError, match="line 1: no judgement"):
        read_judgements(run)
    (run / "judgements.jsonl").write_text(json.dumps(
        {"task": "t", "leaf": 1, "signature": "s", "without": ["x"]}
    ))  # fmt: skip
    with pytest.raises(UsageError, match="'x' is no node"):
        read_judgements(run)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--to dpo --prune-detours", "--prune-detours is for --to sft"),
        ("--margin 0.3", "--by and --margin are for --to dpo"),
        ("--to dpo --by people", "--by is 'people'"),
    ],
)
def test_wrong_flags_are_one_line(tmp_path: Path, flags: str, words: str) -> None:
    done = commands.engine("export", tmp_path, "--output", tmp_path / "x.jsonl", *flags.split())
    assert done.returncode == 2 and words in done.stderr
