"""A person's annotations (marks): stored safely, and respected by an export."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import pytest

from engine.errors import UsageError
from engine.export.export import ExportSettings, export
from engine.export.filters import Filters
from engine.runs.annotations import (
    FILE,
    Annotation,
    append_annotations,
    current_annotations,
    path_signatures,
    read_annotations,
)
from engine.runs.store import Store
from environments import Step
from search import ROOT, Tree
from tests.engine.export.test_rows import rows_of
from tests.support import commands
from tests.support.viewed import GOLD, answer, grow, look, run_of, searched

ROOT_FOLDER = Path(__file__).parents[3]


def mark(node: int = 6, tree: Tree | None = None, **more: object) -> Annotation:
    tree = tree or searched()
    about = {"scope": "trajectory", **more}
    return Annotation(tree.task.id, node, path_signatures(tree)[node], **about)  # type: ignore[arg-type]


def test_marks_are_read_as_written_and_the_last_counts(tmp_path):
    file = tmp_path / FILE
    assert read_annotations(file) == []
    marks = [
        mark(verdict="bad", why="wrong ü\u2028\n", at="2026-01-01T00:00:00Z"),
        mark(verdict="good", score=5),
        mark(node=1, scope="node", verdict="bad"),
    ]
    append_annotations(file, marks[:1])
    append_annotations(file, marks[1:])
    assert read_annotations(file) == marks and current_annotations(marks) == {"t1": marks[1:]}


def test_an_empty_mark_retracts_the_earlier():
    assert current_annotations([mark(verdict="bad"), mark()]) == {}
    assert current_annotations([mark(), mark(verdict="bad")]) == {"t1": [mark(verdict="bad")]}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "{}",
        "nonsense",
        json.dumps(mark().to_dict() | {"score": 6}),
        json.dumps(mark().to_dict() | {"score": True}),
        json.dumps(mark().to_dict() | {"scope": "tree"}),
        json.dumps(mark().to_dict() | {"verdict": "fine"}),
        json.dumps(mark().to_dict() | {"why": "x" * 2001}),
        json.dumps(mark().to_dict() | {"task": 1}),
        json.dumps(mark().to_dict() | {"more": 1}),
    ],
)
def test_invalid_marks_are_refused(line):
    with pytest.raises(UsageError, match="not a mark"):
        Annotation.from_json(line)


def test_a_torn_line_is_skipped_and_does_not_damage_the_next(tmp_path):
    file = tmp_path / FILE
    append_annotations(file, [mark(score=1)])
    with file.open("a") as torn:
        torn.write('{"task": "t1", "no')
    assert read_annotations(file) == [mark(score=1)]
    append_annotations(file, [mark(score=2)])
    assert read_annotations(file) == [mark(score=1), mark(score=2)]


def test_a_broken_line_in_the_middle_is_an_error(tmp_path):
    (tmp_path / FILE).write_text("broken\n")
    with pytest.raises(UsageError, match="not a mark: 'broken'"):
        read_annotations(tmp_path / FILE)


def test_two_writers_do_not_mix_their_lines(tmp_path):
    file = tmp_path / FILE
    lists = [[mark(score=score, why="x" * 500)] * 20 for score in (1, 2, 3)]
    threads = [
        Thread(target=lambda marks=marks: [append_annotations(file, [mark]) for mark in marks])
        for marks in lists
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(m.score or 0 for m in read_annotations(file)) == [1] * 20 + [2] * 20 + [3] * 20


def test_an_acknowledged_mark_survives_kill_9(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from engine.runs.annotations import Annotation, append_annotations\n"
        "for n in range(10**6):\n"
        "    append_annotations(Path(sys.argv[1]), [Annotation('t1', n, '', 'node', 'bad')])\n"
        "    print(n, flush=True)\n"
    )
    file = tmp_path / FILE
    with subprocess.Popen(
        [sys.executable, "-c", code, str(file)], cwd=ROOT_FOLDER, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        process.kill()
        acknowledged = 20 + len(process.stdout.readlines())
    kept = [m.node for m in read_annotations(file)]
    assert kept == list(range(len(kept))) and len(kept) >= acknowledged


def test_a_signature_depends_on_the_task_and_the_actions_that_lead_to_a_node():
    one, other = searched(), searched()
    grow(other, ROOT, look("c"))
    assert (
        path_signatures(other)[:7] == path_signatures(one) and len(set(path_signatures(other))) == 8
    )
    assert path_signatures(searched(prompt="Another?"))[6] != path_signatures(one)[6]


def rows(
    tmp_path: Path,
    marks: Sequence[Annotation],
    tree: Tree | None = None,
    kind: str = "sft",
    **wanted: object,
) -> tuple[list[dict], dict[str, int], int]:
    """Rows, paths left out, stale marks of an export of `tree` with these marks."""
    run = run_of(tmp_path / "run", tree or searched())
    append_annotations(run / FILE, marks)
    how = ExportSettings(kind, Filters(**wanted))  # type: ignore[arg-type]
    counts = export([run], tmp_path / "rows.jsonl", how)
    return rows_of(tmp_path / "rows.jsonl"), dict(counts.dropped), counts.stale_annotations


@pytest.mark.parametrize("kind", ["sft", "dpo"])
@pytest.mark.parametrize(
    "bad",
    [
        mark(6, verdict="bad"),
        mark(6, scope="node", verdict="bad"),
        mark(4, scope="node", verdict="bad"),
        mark(ROOT, scope="node", verdict="bad"),
    ],
    ids=["trajectory", "leaf", "inner node", "task"],
)
def test_paths_marked_bad_are_left_out(tmp_path, bad, kind):
    found, dropped, _ = rows(tmp_path, [bad], kind=kind, exclude_marked=True)
    assert found == [] and dropped["marked bad"] == 1


def test_marks_matter_only_with_their_flags(tmp_path):
    assert len(rows(tmp_path, [mark(6, verdict="bad")])[0]) == 1


def test_other_paths_stay(tmp_path):
    tree = searched()
    grow(tree, ROOT, answer("SELECT all", 1.0))
    marks = [mark(4, tree, scope="node", verdict="bad"), mark(7, tree, verdict="good", score=1)]
    found, _, _ = rows(tmp_path, marks, tree, exclude_marked=True)
    assert [row["id"] for row in found] == ["run/t1/7"]


@pytest.mark.parametrize(
    ("bad", "left"),
    [
        (mark(5, verdict="bad"), [0]),  # the rejected half itself
        (mark(1, scope="node", verdict="bad"), [1]),
        (mark(3, verdict="bad"), [1]),  # below the rejected half
    ],
)
@pytest.mark.parametrize("pairs", ["step", "trajectory"])
def test_a_bad_mark_on_the_rejected_side_drops_the_pair(tmp_path, bad, left, pairs):
    run = run_of(tmp_path / "run", searched())
    append_annotations(run / FILE, [bad])
    for templates in (("native",), ("react", "hermes")):
        how = ExportSettings("dpo", Filters(exclude_marked=True), templates=templates, pairs=pairs)
        counts = export([run], tmp_path / "rows.jsonl", how)
        assert [row["depth"] for row in rows_of(tmp_path / "rows.jsonl")] == left
        assert counts.dropped["marked bad"] == 1


def test_min_mark_counts_scores_of_trajectories_only(tmp_path):
    marks = [mark(6, score=3), mark(6, scope="node", score=5)]
    assert rows(tmp_path, marks, min_mark=4)[:2] == ([], {"reward": 3, "mark": 1})
    assert len(rows(tmp_path, [], min_mark=3)[0]) == 1
    assert rows(tmp_path, [mark(6)], min_mark=1)[0] == []  # empty


def test_a_mark_on_a_node_that_is_gone_is_skipped_and_counted(tmp_path):
    other = searched()
    other.nodes[5] = other.nodes[5].__class__(6, 4, Step(look("z").action, "rows"))
    marks = [mark(6, other, scope="node", verdict="bad"), mark(6, verdict="good")]
    found, _, stale = rows(tmp_path, marks, exclude_marked=True)
    assert len(found) == 1 and stale == 1


def test_the_command_counts_what_marks_left_out(tmp_path, capsys):
    run = run_of(tmp_path / "run", searched(), searched("t2", "Who is under 30?"))
    append_annotations(
        run / FILE, [mark(6, verdict="bad"), mark(6, searched("gone"), verdict="bad")]
    )
    export_all = ["engine export", run, "--output", tmp_path / "o.jsonl"]
    assert commands.run(*export_all, "--exclude-marked") == 0
    told = capsys.readouterr().err
    assert "1 rows in" in told and "marked bad 1" in told and "1 marks skipped" in told
    commands.run(*export_all, "--min-mark", 5)
    assert "mark 2" in capsys.readouterr().err


def test_downloaded_marks_are_added_once_and_those_of_another_run_refused(tmp_path, capsys):
    run = run_of(tmp_path / "run", searched())
    append_annotations(
        tmp_path / "mine.jsonl", [mark(verdict="bad"), mark(1, scope="node", score=2)]
    )
    for added in (2, 0):
        mine = ["--import-marks", tmp_path / "mine.jsonl"]
        assert commands.run("engine view", run, *mine, "--json") == 0
        assert json.loads(capsys.readouterr().out) == {"marks": added}
    assert len(read_annotations(run / FILE)) == 2
    append_annotations(tmp_path / "other.jsonl", [mark(verdict="bad"), mark(6, searched("t9"))])
    assert commands.run("engine view", run, "--import-marks", tmp_path / "other.jsonl") == 2
    assert (
        "made on another run" in capsys.readouterr().err and len(read_annotations(run / FILE)) == 2
    )


def test_marks_are_never_written_into_the_run(tmp_path):
    run = run_of(tmp_path / "run", searched())
    before = (run / "run.db").read_bytes()
    append_annotations(run / FILE, [mark(verdict="bad")])
    export([run], tmp_path / "o.jsonl", ExportSettings("sft", Filters(exclude_marked=True)))
    assert commands.run("engine view", run) == 0 and (run / "run.db").read_bytes() == before
    with Store.open(run) as store:
        assert store.tree("t1").solved and GOLD in str(store.tree("t1").nodes[5])
