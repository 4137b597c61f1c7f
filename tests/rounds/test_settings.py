"""What a file of rounds may say, and what of it is refused before anything is done."""

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest

from engine.errors import UsageError
from treegraft.rounds import flags
from treegraft.rounds.commands import Commands
from treegraft.rounds.run import checked
from treegraft.rounds.settings import Settings
from treegraft.rounds.state import difference
from treegraft.rounds.toml import flag_tables, parse, read

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


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("[trian]\n", "no table [trian]; did you mean 'train'?"),
        ("modle = 'x'\n", "[student] has no key 'modle'; did you mean 'model'?"),
        ("swift_threshold = 'low'\n", "student.swift_threshold is 'low'; it must be float"),
        ("[rounds]\nnumber = 2.5\n", "rounds.number is 2.5; it must be int"),
        ("[rounds]\nnumber = 0\n", "rounds.number is 0; it must be at least 1"),
        ("[rounds]\nfailures = 2\n", "rounds.failures is 2.0"),
        ("[train]\nstart = 'first'\n", "train.start is 'first'; use one of base, last"),
        ("[train]\nsft = 3\n", "[train.sft] must be a table"),
        ("[train.sft]\nseed = [1]\n", "[train.sft] seed: a flag's value"),
        ("[explore]\nwidth = []\n", "[explore] width: a flag's value"),
    ],
)
def test_what_is_wrong_is_named(more: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        settings(more)
    assert says in str(raised.value)


def test_a_table_that_is_needed_and_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\[tasks\] needs env"):
        parse({})
    with pytest.raises(UsageError, match="tasks must be a table"):
        parse({"tasks": 3})
    file = tmp_path / "rounds.toml"
    with pytest.raises(UsageError, match=r"rounds\.toml"):
        read(file)
    file.write_text("[tasks\n")
    with pytest.raises(UsageError, match=r"cannot read .*rounds\.toml"):
        read(file)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("[explore]\nwidht = 3\n", "[explore] has no key 'widht', nor has `engine explore`; did"),
        ("[explore.student]\nout = 'x'\n", "[explore.student] out: rounds set this flag"),
        ("[train.dpo]\nbetta = 0.2\n", "did you mean 'beta'?"),
        ("[train.sft]\nthought-wait = 1\n", "did you mean 'thought_weight'?"),
        ("[evaluate]\nmodel = 'x'\n", "[evaluate] model: rounds set this flag"),
        ("[student.serve]\nport = 1\n", "[student.serve] port: rounds set this flag"),
        ("[tasks.options]\nwidth = 3\n", "[tasks.options] width: `trainer eval` takes no such"),
        ("swift_threshold = 0\n[explore.student]\nwidth = 1\n", "[explore.student] is for a"),
    ],
)
def test_flags_are_those_of_the_commands(more: str, says: str, known: flags.Known) -> None:
    with pytest.raises(UsageError) as raised:
        checked(settings(more), known)
    assert says in str(raised.value)


@pytest.fixture(scope="module")
def known() -> flags.Known:
    return flags.ask(dict.fromkeys(of for of, _, _ in flag_tables(settings())))


def test_what_rounds_set_is_what_the_commands_take(known: flags.Known) -> None:
    """A flag that was renamed must be renamed here as well."""
    for of, names in flags.SET_HERE.items():
        assert names <= known[of].keys(), of


def test_flags_become_words_of_a_command(known: flags.Known) -> None:
    given = {"max-usd": 1.5, "rank": True, "unsafe": False}
    assert flags.line(known["engine explore"], given) == ["--max-usd", "1.5", "--rank"] + [
        "--no-unsafe"
    ]
    assert flags.line(known["trainer sft"], {"packing": False, "bf16": False}) == ["--no-bf16"]


def test_each_round_draws_anew_and_tables_go_before_each_other(
    known: flags.Known, tmp_path: Path
) -> None:
    more = "[explore]\nseed = 5\nmax-calls = 9\n[explore.teacher]\nmax_calls = 7\n"
    commands = Commands(settings(more), tmp_path, known)
    teach = commands.teach(3, tmp_path / "ids")
    assert teach[teach.index("--seed") + 1] == "7"
    assert teach[teach.index("--max-calls") + 1] == "7"
    attempt = commands.attempt(3, tmp_path / "ids", "http://127.0.0.1:1/v1")
    assert attempt[attempt.index("--max-calls") + 1] == "9"
    assert attempt[attempt.index("--teacher") + 1] == "student-2"


def test_the_example_is_sound(known: flags.Known) -> None:
    checked(read(ROOT / "examples" / "rounds.toml"), known)


def test_every_key_is_documented() -> None:
    text = (ROOT / "docs" / "rounds.md").read_text("utf-8")
    for section, kind in get_type_hints(Settings).items():
        _, heading, rest = text.partition(f"\n### `[{section}]`\n")
        assert heading, section
        told = rest.partition("\n### ")[0]
        for key in fields(kind):
            if key.name != "flags":
                assert f"`{key.name}`" in told or f"`[{section}.{key.name}]`" in told, key.name


def test_how_two_commands_differ() -> None:
    before = ["trainer", "sft", "--lr", "1", "--packing", "--json"]
    assert difference(before, list(before)) == ""
    now = ["trainer", "sft", "--lr", "2", "--json"]
    assert difference(before, now) == "--lr was 1 and is 2, --packing was given and is not given"
    assert "the command was trainer sft" in difference(before, ["trainer", "dpo", *before[2:]])
