"""The public Python API, as scripts and notebooks use it."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

import treegraft as tg
from examples.keypad import KeypadEnv
from tools.notebook import notebook

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "examples" / "quickstart.py"


def test_every_public_name_exists() -> None:
    for name in tg.__all__:
        assert getattr(tg, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        tg.nonsense  # noqa: B018


def test_import_loads_no_heavy_package() -> None:
    program = (
        "import sys, treegraft\n"
        "heavy = {'torch', 'transformers', 'gymnasium', 'numpy', 'openai', 'networkx'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "treegraft.explore\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.filterwarnings("ignore::FutureWarning:transformers")
def test_the_quickstart_runs(temp: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Explore, export, train and evaluate as the file says, with fewer rows, steps and tokens."""
    program = QUICKSTART.read_text("utf-8")
    shorter = {"limit=4": "limit=1", "max_steps=2": "max_steps=1", "tokens=48": "tokens=6"}
    for long, short in shorter.items():
        assert program.count(long) == 1
        program = program.replace(long, short)
    exec(compile(program, QUICKSTART, "exec"), {})
    said = capsys.readouterr().out
    assert "solved: 1" in said and "Dataset" in said
    assert "(0/2; " in said or "(1/2; " in said or "(2/2; " in said


def test_the_notebook_is_the_quickstart() -> None:
    written = QUICKSTART.with_suffix(".ipynb").read_text("utf-8")
    assert written == notebook(QUICKSTART.read_text("utf-8"))
    assert json.loads(written)["nbformat"] == 4


def test_a_class_of_ones_own_is_explored(tmp_path: Path) -> None:
    run = tg.explore(
        KeypadEnv, search=tg.Dfsdt(width=3), limit=2, sandbox="process", out=tmp_path / "r"
    )
    assert run.summary.complete and len(run) == 2 and run.failures == {}
    task, tree = next(iter(run.items()))
    assert str(tree).count("\n") == len(tree.nodes) and tree.task.id == task
    assert tree.to_networkx().number_of_nodes() == len(tree.nodes) + 1
    assert tree._repr_html_().count("<details") >= 1
    assert "solved" in repr(run) and "<table>" in run._repr_html_()
    with pytest.raises(KeyError):
        run["no such task"]


def test_exploring_works_inside_a_running_event_loop(tmp_path: Path) -> None:
    """As in a notebook, whose cells run on a loop."""

    async def cell() -> tuple[tg.Run, tg.Run]:
        given = {"limit": 1, "sandbox": "process"}
        inside = tg.explore(KeypadEnv, out=tmp_path / "a", **given)
        return inside, await tg.aexplore(KeypadEnv, out=tmp_path / "b", **given)

    inside, awaited = asyncio.run(cell())
    assert inside.stats == awaited.stats and inside.stats["trees"] == 1


def test_a_second_call_resumes_and_another_is_refused(tmp_path: Path) -> None:
    given = {"sandbox": "process", "out": tmp_path / "r"}
    tg.explore(KeypadEnv, limit=1, **given)
    assert tg.explore(KeypadEnv, limit=2, **given).summary.skipped == 1
    with pytest.raises(tg.TreegraftError, match="--seed was 0 and is 1"):
        tg.explore(KeypadEnv, limit=2, seed=1, **given)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"widht": 3}, "unknown option widht"),
        ({"search": "react", "siblings": "sample"}, "takes no --siblings"),
        ({"search": "astar"}, "dfsdt, react"),
        ({"search": tg.React(), "width": 3}, "width is an option of the search: React"),
        ({"env_args": {"x": 1}}, "x"),
    ],
)
def test_bad_options_are_one_line(tmp_path: Path, options: dict, words: str) -> None:
    with pytest.raises(tg.TreegraftError, match=words) as caught:
        tg.explore(KeypadEnv, out=tmp_path / "r", sandbox="process", **options)
    assert "\n" not in str(caught.value)


def test_rows_take_the_exports_options(tmp_path: Path) -> None:
    run = tg.explore(KeypadEnv, out=tmp_path / "r", sandbox="process", mistake_rate=1.0)
    rows = run.rows("sft", template=("native", "react"), per_task=1)
    assert 0 < len(rows) <= len(run)
    pairs = run.rows("dpo", pairs="trajectory")
    assert set(pairs["pair_kind"]) == {"trajectory"}
    with pytest.raises(TypeError, match="nonsense"):
        run.rows("sft", nonsense=1)
