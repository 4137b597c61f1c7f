"""What the TOML file may hold, and which mistakes are refused before anything is done."""

import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from engine.errors import UsageError
from sandbox.errors import SandboxError
from treegraft.rounds.settings import Settings, Table, parse, read
from treegraft.rounds.step import BUILDERS
from treegraft.rounds.step_options import Kind, StepOptions, check_settings

ROOT = Path(__file__).parents[2]

SMALL = """
[tasks]
env = "bird"
[student]
model = "smollm2"
"""


def settings(more: str = "") -> Settings:
    return parse(tomllib.loads(SMALL + more))


def test_a_small_file_is_enough() -> None:
    found = settings()
    assert (found.tasks.train, found.tasks.held_out) == ("train", "test")
    assert (found.teacher.model, found.rounds.number) == ("demonstration", 3)
    check_settings(found)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("[trian]\n", "the file has no key 'trian'; did you mean 'train'?"),
        ("modle = 'x'\n", "[student] has no key 'modle'; did you mean 'model'?"),
        ("threshold = 'low'\n", "[student] threshold is 'low'; it must be a valid number"),
        ("[rounds]\nnumber = 2.5\n", "[rounds] number is 2.5; it must be a valid integer"),
        ("[rounds]\nnumber = 0\n", "[rounds] number is 0; it must be greater than or equal to 1"),
        ("[rounds]\nfailures = 2\n", "[rounds] failures is 2; it must be less than or equal to 1"),
        ("[train]\nstart = 'first'\n", "[train] start is 'first'; it must be 'base' or 'last'"),
        ("[sft]\nseed = [1]\n", "[sft] seed is [1]; it must be a valid integer"),
        ("[sft]\nsave_strategy = 'never'\n", "[sft] save_strategy is 'never'; it must be 'no'"),
        ("[train]\nsft = 3\n", "[sft] must be a table"),
        ("[train.sft]\nseed = 1\n[sft]\nseed = 2\n", "[train.sft] is the old name of [sft]"),
        ("[explore]\nwidth = []\n", "[explore] width is []; it must be a valid integer"),
        ("[explore]\nsampling = '{'\n", "[explore] sampling: it: not valid JSON"),
        ("[explore]\nwidht = 3\n", "[explore] has no key 'widht', nor has `engine explore`; did"),
        ("[explore.student]\nout = 'x'\n", "[explore.student] out: rounds set this option"),
        ("[dpo]\nbetta = 0.2\n", "[dpo] has no key 'betta', nor has `trainer dpo`; did you mean"),
        ("[sft]\nthought-wait = 1\n", "did you mean 'thought_weight'?"),
        ("[sft]\nmodel_name_or_path = 'x'\n", "[sft] model_name_or_path: rounds set this option"),
        ("[eval]\nmodel = 'x'\n", "[eval] model: rounds set this option"),
        ("[serve]\nport = 1\n", "[serve] port: rounds set this option"),
        ("[export.dpo]\nto = 'sft'\n", "[export.dpo] to: rounds set this option"),
        ("[rounds]\nmethod = 'sft'\n", "[rounds] method is 'sft'; it must be 'teacher', 'rft' or"),
        ("[eval.untrained]\nmodel = 'x'\n", "[eval.untrained] model: rounds set this option"),
    ],
)
def test_a_mistake_is_one_line_with_table_and_key(more: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        settings(more)
    assert message in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("[sft]\nearly_stopping_patience = 1\n", "[sft] --early-stopping-patience needs"),
        ("[explore]\nsearch = 'react'\nbacktrack = 2\n", "[explore] --search react takes no"),
        ("[export.dpo]\nmask_errors = true\n", "[export.dpo] --mask-errors is for"),
        ("[export.dpo]\nnat = true\n", "[export.dpo] --nat: for --to sft"),
        ("[eval]\nsamples = 2\n", "[eval] --samples needs a --temperature"),
        ("threshold = 0\n[explore.student]\nwidth = 1\n", "[explore.student] is for a"),
        ("threshold = 0\n[rounds]\nmethod = 'rft'\n", "the method rft has none: leave it out"),
        ("[train]\ntokens = 9\n[dpo]\ntrained_tokens = 9\n", "[dpo] trained_tokens: train.tokens"),
        ("[train]\ntokens = 9\n[sft]\nmax_steps = 9\n", "[sft] --trained-tokens and --max-steps"),
        (
            "[explore.untrained]\nshots = 2\n[rounds]\nmethod = 'rft'\n",
            "[explore.untrained] --shots needs --shots-from",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused(more: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        check_settings(settings(more))
    assert message in str(raised.value)


def test_a_sandbox_that_confines_nothing_needs_the_files_permission() -> None:
    small = SMALL.replace('"bird"', '"bird"\nsandbox = "process"')
    with pytest.raises(SandboxError):
        check_settings(parse(tomllib.loads(small)))
    check_settings(parse(tomllib.loads(small.replace('"process"', '"process"\nunsafe = true'))))


def test_missing_tables_and_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the table \[tasks\] is missing"):
        parse({})
    with pytest.raises(UsageError, match=r"\[tasks\] needs env"):
        parse({"tasks": {}})
    with pytest.raises(UsageError, match=r"\[tasks\] must be a table"):
        parse({"tasks": 3})
    file = tmp_path / "rounds.toml"
    with pytest.raises(UsageError, match=r"rounds\.toml"):
        read(file)
    file.write_text("[tasks\n")
    with pytest.raises(UsageError, match=r"cannot read .*rounds\.toml"):
        read(file)


def test_files_of_version_0_1_mean_the_same() -> None:
    old = """
        swift_threshold = -0.5
        [student.serve]
        backend = "own"
        [tasks.options]
        schema = "prompt"
        [explore]
        solved = 4
        reply-tokens = 128
        max_usd = 1
        sampling = '{"top_p": 0.9}'
        [export.sft]
        template = "react,native"
        [train.sft]
        learning-rate = 5e-4
        [train.dpo]
        beta = 0.2
        [evaluate]
        base = false
        max_tokens = 9
    """
    new = """
        threshold = -0.5
        [serve]
        backend = "builtin"
        [tasks.env_args]
        schema = "prompt"
        [explore]
        max_solutions = 4
        max_reply_tokens = 128
        budget_usd = 1.0
        sampling = { top_p = 0.9 }
        [export.sft]
        templates = ["react", "native"]
        [sft]
        learning_rate = 0.0005
        [dpo]
        beta = 0.2
        [eval]
        base = false
        max_reply_tokens = 9
    """
    assert settings(old) == settings(new)
    check_settings(settings(new))
    flat = SMALL.replace('"bird"', '"bird"\nschema = "prompt"')
    assert parse(tomllib.loads(flat)).tasks.env_args == {"schema": "prompt"}


def test_each_round_draws_anew_and_a_searchers_own_table_wins(tmp_path: Path) -> None:
    more = "[explore]\nseed = 5\nmax-calls = 9\n[explore.teacher]\nmax_calls = 7\n"
    options = StepOptions(settings(more), tmp_path)
    teacher = options.search(3, "teacher", tmp_path / "ids")
    assert (teacher["seed"], teacher["budget_calls"]) == (7, 7)
    student = options.search(3, "student", tmp_path / "ids", "http://127.0.0.1:1/v1")
    assert (student["budget_calls"], student["teacher"]) == (9, "student-2")


def test_without_a_teacher_the_student_searches_untrained_in_its_own_way(tmp_path: Path) -> None:
    more = """
        [explore.student]
        width = 3
        [explore.untrained]
        shots = 2
        shots_from = "none.jsonl"
        [eval.untrained]
        shots = 2
        shots_from = "none.jsonl"
        [rounds]
        method = "rft"
    """
    options = StepOptions(settings(more), tmp_path)
    first, later = (options.search(n, "student", tmp_path / "ids", "http://x") for n in (1, 2))
    assert (first["teacher"], first["width"], first["shots"]) == ("student-0", 3, 2)
    assert (later["teacher"], later["width"], "shots" in later) == ("student-1", 3, False)
    assert [options.evaluate(n, "m").get("shots") for n in (0, 1)] == [2, None]
    assert options.export(1, "sft", [])["per_task"] == 10
    assert "per_task" not in StepOptions(settings(), tmp_path).export(1, "sft", [])


@pytest.mark.parametrize(
    ("both", "expected"), [(False, {"sft": 1000}), (True, {"sft": 700, "dpo": 300})]
)
def test_each_method_trains_on_as_many_tokens(
    tmp_path: Path, both: bool, expected: dict[str, int]
) -> None:
    more = "[train]\ntokens = 1000\ndpo_share = 0.3\n[sft]\nnum_train_epochs = 2\n"
    options = StepOptions(settings(more), tmp_path)
    kinds: tuple[Kind, ...] = ("sft", "dpo") if both else ("sft",)
    found = {kind: options.train(1, kind, "m", both=both)["trained_tokens"] for kind in kinds}
    assert found == expected


def test_options_reach_what_a_step_calls(tmp_path: Path) -> None:
    """Under the names of the file, with the types of the Python API."""
    more = """
        threshold = -0.5
        [explore]
        width = 3
        task_budget_calls = 4
        budget_usd = 2
        concurrency = 5
        [export.sft]
        min_reward = 0.5
        pivots = "0.3,0.7"
        [export.dpo]
        pairs = "value"
        min_continuations = 3
        margin = 0.2
        [eval]
        samples = 2
        temperature = 0.5
        judge = "a,b"
        [serve]
        slots = 6
    """
    options = StepOptions(settings(more), tmp_path)
    url = "http://127.0.0.1:1/v1"
    config, parts = BUILDERS["both"](options.search(2, "both", tmp_path / "ids", url))
    assert (config.search.width, config.budget.calls, config.student_threshold) == (3, 4, -0.5)
    assert (parts["budget"].usd, parts["resources"].concurrency) == (2, 5)
    _, output, export = BUILDERS["pairs"](options.export(1, "dpo", []))
    assert (output, export.kind) == (tmp_path / "round-1-dpo.jsonl", "dpo")
    assert (export.pairs, export.filters.margin) == ("value", 0.2)
    assert export.values.min_continuations == 3
    export = BUILDERS["rows"](options.export(1, "sft", []))[2]
    assert (export.filters.min_reward, export.templates) == (0.5, ("react",))
    assert export.values.pivot_range == (0.3, 0.7)
    evaluation, judgements, _ = BUILDERS["evaluate"](options.evaluate(1, "smollm2"))
    assert (evaluation.samples, judgements.judges) == (2, ("a", "b"))
    assert BUILDERS["serve"](options.serve(1, "smollm2", 7)).slots == 6
    with pytest.raises(UsageError, match="unknown option no_such"):
        BUILDERS["sft"](options.train(1, "sft", "smollm2") | {"no_such": 1})


def test_the_examples_are_sound() -> None:
    for name in ("rounds.toml", "rft.toml"):
        check_settings(read(ROOT / "examples" / name))


def test_every_key_is_documented() -> None:
    text = (ROOT / "docs" / "rounds.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        _, heading, rest = text.partition(f"\n### `[{name}]`\n")
        assert heading, name
        section = rest.partition("\n### ")[0]
        for key in _keys(field.annotation):
            assert f"`{key}`" in section or f"`[{name}.{key}]`" in section, f"{name}.{key}"


def _keys(annotation: Any) -> set[str]:
    if get_args(annotation) or not issubclass(annotation, Table):
        return set()
    return set(annotation.model_fields) - {"options"}
