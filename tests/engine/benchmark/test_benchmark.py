"""What people reviewed, frozen as references, and read again to measure a student."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.benchmark.freeze import freeze
from engine.errors import LeakError, UsageError
from engine.play.correction import SOURCE
from engine.runs.annotations import Annotation, append_annotations, path_signatures
from engine.runs.fingerprints import fingerprints
from engine.runs.store import Store
from environments.tools import text_arguments
from search.tree import Tree
from tests.support.chat_server import ChatServer
from tests.support.stored import answer, chain, look, store, tree
from trainer.evaluation.measures.references import reference_turns
from trainer.evaluation.measures.teacher_forcing import compare
from trainer.evaluation.metrics import read_report
from treegraft.commands import engine_app, trainer_app


def mark(made: Tree, node: int, scope: str = "trajectory", **said: Any) -> Annotation:
    given = said or {"verdict": "good"}
    return Annotation(made.task.id, node, path_signatures(made)[node], scope, **given)  # type: ignore[arg-type]


def two_ways() -> Tree:
    """Nodes 1 to 4: a mistake, a repeat, then an answer; 5, 6: another way; 7: a wrong answer."""
    made = tree("1", look("loans", "Loans?", error="sql"), look("books", "B."), look("books"))
    chain(made, answer("3"), at=3)
    chain(made, look("all", "All."), answer("3"), at=1)
    chain(made, answer("9", reward=0.0), at=1)
    return made


def frozen(tmp_path: Path, made: Tree, *marks: Annotation, **more: Any) -> list[dict[str, Any]]:
    run = store(tmp_path / "run", [made])
    append_annotations(run / "marks.jsonl", marks)
    freeze([run], tmp_path / "frozen.jsonl", **more)
    return [json.loads(line) for line in (tmp_path / "frozen.jsonl").read_text().splitlines()]


def tables(lines: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    return [[one["arguments"] for one in line["reference"]["accepted"]] for line in lines]


def test_the_steps_of_good_trajectories_are_references_and_mistakes_are_not(tmp_path: Path) -> None:
    made = two_ways()
    lines = frozen(tmp_path, made, mark(made, 4), mark(made, 6, score=4), by="Ann")
    assert [line["id"] for line in lines] == ["run/1/2#1", "run/1/4#1", "run/1/6#1"]
    assert tables(lines) == [
        [{"table": "books"}, {"table": "all"}],
        [{"text": "3"}],
        [{"text": "3"}],
    ]
    kept = [line["reference"] for line in lines]
    assert [one["after_mistake"] for one in kept] == [True, True, False]
    assert [one["last"] for one in kept] == [False, True, True]
    assert [one["reviewed"]["how"] for one in kept] == ["marked good", "marked good", "scored 4"]
    assert {one["reviewed"]["by"] for one in kept} == {"Ann"}
    assert {line["split"] for line in lines} == {"test"}
    assert lines[0]["messages"][-2]["content"] == "Observation: rows of loans"


@pytest.mark.parametrize(
    "said",
    [
        [],
        [("trajectory", {"score": 3})],
        [("trajectory", {"score": 5, "verdict": "bad"})],
        [("trajectory", {"verdict": "good"}), ("node", {"verdict": "bad"})],
    ],
)
def test_what_nobody_calls_good_is_not_reviewed(tmp_path: Path, said: list[Any]) -> None:
    made = two_ways()
    marks = [mark(made, 6, scope, **given) for scope, given in said]
    with pytest.raises(UsageError, match="nothing was reviewed"):
        frozen(tmp_path, made, *marks)


def test_a_step_that_is_marked_good_is_a_reference_by_itself(tmp_path: Path) -> None:
    made = two_ways()
    lines = frozen(tmp_path, made, mark(made, 2, "node"), mark(made, 7, "node", verdict="bad"))
    assert tables(lines) == [[{"table": "books"}]]


def test_corrected_paths_that_solved_their_task_are_accepted_beside_the_runs(
    tmp_path: Path,
) -> None:
    made = two_ways()
    fixed = tree("1", look("loans", "Loans?", error="sql"), look("authors"), answer("3"))
    chain(fixed, look("nothing"), answer("9", reward=0.0))
    fixed.source = SOURCE
    store(tmp_path / "run-corrected", [fixed])
    lines = frozen(tmp_path, made, mark(made, 6))
    assert tables(lines)[0] == [{"table": "all"}, {"table": "authors"}]
    assert "nothing" not in str(lines)


def test_a_secret_that_the_agent_was_shown_is_told(tmp_path: Path) -> None:
    made = tree("1", look("the hidden gold answer"), answer("3"), prompt="the hidden gold answer?")
    run = store(tmp_path / "run", [])
    with Store.create(run) as kept:
        kept.add_tree(made, fingerprints({"gold": "the hidden gold answer"}))
    append_annotations(run / "marks.jsonl", [mark(made, 2)])
    with pytest.raises(LeakError):
        freeze([run], tmp_path / "frozen.jsonl")


def change(lines: list[str]) -> list[str]:
    return [lines[0].replace('"books"', '"members"'), *lines[1:]]


@pytest.mark.parametrize("spoil", [change, lambda lines: lines[1:], lambda lines: lines[::-1]])
def test_a_changed_benchmark_is_noticed(tmp_path: Path, spoil: Any) -> None:
    made = two_ways()
    frozen(tmp_path, made, mark(made, 4))
    file = tmp_path / "frozen.jsonl"
    file.write_text("\n".join(spoil(file.read_text().splitlines())) + "\n")
    with pytest.raises(UsageError, match="was changed since it was frozen"):
        reference_turns(file, "react")


def test_a_benchmark_is_not_replaced_by_another(tmp_path: Path) -> None:
    made = two_ways()
    frozen(tmp_path, made, mark(made, 4))
    freeze([tmp_path / "run"], tmp_path / "frozen.jsonl")  # the same is no other
    append_annotations(tmp_path / "run" / "marks.jsonl", [mark(made, 6)])
    with pytest.raises(UsageError, match="give a new name"):
        freeze([tmp_path / "run"], tmp_path / "frozen.jsonl")


@pytest.mark.parametrize("template", ["react", "native", "hermes", "kwai"])
def test_a_benchmark_brings_the_turns_of_its_run(tmp_path: Path, template: str) -> None:
    made = tree("1", look("loans", "Loans?"), answer("3"))
    frozen(tmp_path, made, mark(made, 2), template=template)
    ours = reference_turns(tmp_path / "frozen.jsonl", "react")
    theirs = reference_turns(tmp_path / "run", template)
    for one, other in zip(ours, theirs, strict=True):
        assert (one.messages, one.tools, one.accepted) == (
            other.messages,
            other.tools,
            other.accepted,
        )
        assert (one.last, one.after_mistake, one.before) == (
            other.last,
            other.after_mistake,
            other.before,
        )


CAPTAIN = """
base = "react"

[parts]
profile = "You are Captain Nemo."

[conclude]
goal = "$prompt"
format = "Now say it."
"""


def test_words_in_a_character_are_compared_as_words(tmp_path: Path) -> None:
    made = tree("1", look("sea", "Look."), answer("aye aye"))
    run, file = store(tmp_path / "run", [made]), tmp_path / "react.toml"
    file.write_text(CAPTAIN)
    with Store.create(run) as kept:
        tools = [
            ["look", "Look.", text_arguments(table="")],
            ["answer", "", text_arguments(text="")],
        ]
        kept.set_meta(kept.meta() | {"world": {"instructions": "", "tools": tools}})
    append_annotations(run / "marks.jsonl", [mark(made, 2)])
    freeze([run], tmp_path / "frozen.jsonl", template=str(file))
    file.unlink()
    look_, complete, words = reference_turns(tmp_path / "frozen.jsonl", "react")
    assert [one.tool for one in complete.accepted] == ["task_complete"]
    assert words.messages[-1]["content"].endswith("Now say it.")
    said = compare([look_, complete, words], [*look_.accepted, *complete.accepted,
                   words.read({"content": "aye no"})])  # fmt: skip
    assert said.conclusion == said.profile and said.profile is not None
    assert (said.profile.value, said.left_out) == (0.5, ["reflection"])


def test_a_student_is_measured_without_the_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    made = two_ways()
    file, out = tmp_path / "frozen.jsonl", tmp_path / "student"
    frozen(tmp_path, made, mark(made, 4))
    call = 'Thought: B.\nAction: look\nAction Input: {"table": "books"}'
    flags = ["eval", "--reference", str(file), "--model", "student", "--output", str(out), "--json"]
    with ChatServer(lambda _: call) as server:
        done = CliRunner().invoke(trainer_app(), [*flags, "--base-url", server.base_url])
        asked = len(server.requests)
    assert (done.exit_code, asked) == (0, 2), done.output
    forced = json.loads(done.stdout)[0]["forced"]
    assert [forced[name]["value"] for name in ("tool", "reflection")] == [0.5, 0.5]
    assert read_report(out).forced is not None, "it can be compared later"
    shown = CliRunner().invoke(trainer_app(), ["eval", "--compare", str(out)])
    assert "BLEU" in shown.stdout and "solved" not in shown.stdout


def test_the_command_says_what_it_froze(tmp_path: Path) -> None:
    made = two_ways()
    stale = Annotation("1", 6, "0" * 12, "trajectory", "good")
    run = store(tmp_path / "run", [made])
    append_annotations(run / "marks.jsonl", [stale, mark(made, 4)])
    flags = ["benchmark", str(run), "--output", str(tmp_path / "b.jsonl"), "--json"]
    done = CliRunner().invoke(engine_app(), flags)
    found = json.loads(done.stdout)
    assert (found["turns"], found["tasks"], found["stale"]) == (2, 1, 1)
    assert found["reviewed"] == {"marked good": 2}
