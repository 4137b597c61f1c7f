"""`engine audit`: each kind of finding has a row that it must catch, and one that it must not."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.export.export import ExportSettings
from tests.support import commands
from tests.support.exploring import engine
from treegraft.audit.audit import Audit, audit
from treegraft.audit.balance import balanced
from treegraft.audit.conflicts import find_conflicts
from treegraft.audit.label_sheet import read_sheet, write_sheet
from treegraft.audit.names import name_in
from treegraft.audit.private_texts import (
    Anonymiser,
    Found,
    by_patterns,
    secret_rules,
    secrets_in,
)
from treegraft.audit.rows import AuditRow
from treegraft.audit.settings import AuditSettings

Json = dict[str, Any]

LONG = " ".join(f"word{number}" for number in range(60))


def row(asked: str, *replies: str, **columns: Any) -> Json:
    """A row of a conversation; each reply but the last is answered by "ok"."""
    messages: list[Json] = [
        {"role": "system", "content": "Act."},
        {"role": "user", "content": asked},
    ]
    for reply in replies:
        messages += [{"role": "assistant", "content": reply}, {"role": "user", "content": "ok"}]
    return {"id": asked, "messages": messages[:-1], "tools": [], **columns}


def pair(asked: str, chosen: str, rejected: str) -> Json:
    halves = {"chosen": chosen, "rejected": rejected}
    return {
        "id": f"{asked}/{chosen}",
        "prompt": [{"role": "user", "content": asked}],
        **{name: [{"role": "assistant", "content": text}] for name, text in halves.items()},
    }


def found(tmp_path: Path, rows: list[Json], **settings: Any) -> Audit:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return audit([file], AuditSettings(**settings), ExportSettings())


def ids(found: Audit, kind: str) -> list[str]:
    return [found.rows[place].id for place in found.found.get(kind, {})]


def test_repeats_are_found_and_one_of_each_is_kept(tmp_path: Path) -> None:
    rows = [
        row("Who?", f"{LONG}.", reward=0.5, id="low"),
        row("Who?", f"{LONG.upper()}.", reward=1.0, id="high"),
        row("Who?", f"{LONG}, where it sleeps", reward=0.1, id="near"),
        row("Who?", "Somebody else, of whom nothing has been said in any other row", id="own"),
    ]
    settings = AuditSettings(drop=("duplicate", "near-duplicate"))
    result = found(tmp_path, rows)
    assert len(ids(result, "duplicate")) == 2
    assert len(ids(result, "near duplicate")) == 1
    assert [kept["id"] for kept in result.kept(settings)] == ["high", "own"]


def test_conflicting_answers_and_reversed_pairs(tmp_path: Path) -> None:
    rows = [row("2+2?", "4"), row("2+2?", "4"), row("2+2?", "5"), row("3+3?", "6")]
    result = found(tmp_path, rows)
    assert (result.conflicts.contexts, result.conflicts.repeated) == (2, 1)
    assert result.conflicts.disagreeing == [[0, 1, 2]]
    assert result.to_drop["conflict"] == {2}
    pairs = [pair("q", "a", "b"), pair("q", "b", "a"), pair("other", "b", "a")]
    assert ids(found(tmp_path, pairs), "reversed pair") == ["q/a", "q/b"]


def test_a_thought_is_no_other_answer() -> None:
    def called(thought: str) -> AuditRow:
        call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        messages = [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": thought, "tool_calls": [call]},
        ]
        return AuditRow("f", "1", {"messages": messages}, 1)

    assert find_conflicts([called("Hm."), called("Ah.")]).disagreeing == []


PERSONAL = {
    "email": ("Write to ann.lee@corp.io now", "Write to ann@example.com or a@b"),
    "phone": ("Call +44 20 7946 0958 or (202) 555-1234", "2024-01-02 to 12.345678, no 123456789"),
    "card": ("Pay with 4111 1111 1111 1111", "Order 4111 1111 1111 1112 of 1234567890123456"),
    "iban": ("To DE89 3704 0044 0532 0130 00", "To DE88 3704 0044 0532 0130 00"),
    "us_social_security": ("It is 123-45-6789", "It is 000-45-6789 or 123-45-67890"),
    "ip_address": ("From 8.8.8.8.", "From 10.0.0.1, version 1.2.3, 8.8.8.8.8"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PERSONAL)
def test_personal_data(kind: str) -> None:
    there, absent = PERSONAL[kind]
    assert {one.kind for one in by_patterns(there)} == {kind}
    assert kind not in {one.kind for one in by_patterns(absent)}
    clean = Anonymiser().text(there)
    assert clean != there and not list(by_patterns(clean)), "a stand-in is no finding"


def test_anonymised_rows_keep_their_sense() -> None:
    mail = "ann.lee@corp.io"
    arguments = json.dumps({"to": mail})
    call = {"id": "1", "type": "function", "function": {"name": "send", "arguments": arguments}}
    messages = [
        {"role": "user", "content": f"Write to {mail.upper()} and bob@corp.io"},
        {"role": "assistant", "content": f"I ask {mail}. now", "thought_span": [0, 22]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]
    changed = Anonymiser().row({"messages": messages})["messages"]
    assert changed[0]["content"] == "Write to person1@example.com and person2@example.com"
    start, end = changed[1]["thought_span"]
    assert changed[1]["content"][start:end] == "I ask person1@example.com."
    sent = json.loads(changed[2]["tool_calls"][0]["function"]["arguments"])
    assert sent == {"to": "person1@example.com"}
    assert messages[0]["content"].startswith("Write to ANN"), "the row given is unchanged"


def test_what_is_found_in_one_message_is_replaced_in_the_whole_row() -> None:
    def only_in_prose(text: str) -> list[Found]:
        at = -1 if "SELECT" in text else text.find("Ann Lee")
        return [Found("person", at, at + 7)] if at >= 0 else []

    messages = [
        {"role": "system", "content": "You help Ann Lee."},
        {"role": "user", "content": "What has Ann Lee bought?"},
        {"role": "assistant", "content": "SELECT * FROM sales WHERE who = 'Ann Lee'"},
        {"role": "user", "content": "Ann Leeds: 3"},
    ]
    changed = Anonymiser(only_in_prose).row({"messages": messages})["messages"]
    assert [message["content"] for message in changed] == [
        "You help [person 1].",
        "What has [person 1] bought?",
        "SELECT * FROM sales WHERE who = '[person 1]'",
        "Ann Leeds: 3",
    ]


@pytest.mark.parametrize(
    ("text", "hit", "name"),
    [
        ("Ask Ann Lee.", "Ann Lee", "Ann Lee"),
        ("who = 'Ann O'Neill'", "Ann O'Neill'", "Ann O'Neill"),
        ('{"name": "Ann Lee"}', '"Ann Lee"}', "Ann Lee"),
        ('Thought: go\nAction Input: {"a": 1}', "Action Input", None),
        ('{"Ann Lee": 3}', "Ann Lee", None),
        ("Action: describe_table", "describe_table", None),
        ("Ann Lee\nAction: look", "Ann Lee\nAction", None),
        ("SELECT Name FROM t", "SELECT Name", None),
        ("Due 2020-01-01'", "2020-01-01'", None),
    ],
)
def test_only_what_can_be_a_name_is_one(text: str, hit: str, name: str | None) -> None:
    start = text.index(hit)
    found = name_in(text, start, start + len(hit))
    assert (found and text[slice(*found)]) == name


def test_secrets() -> None:
    secret = "ghp_" + "0123456789abcdef0123456789abcdef0123"
    with secret_rules():
        assert list(secrets_in(f"token {secret}")) == ["GitHub Token"]
        assert list(secrets_in("-----BEGIN RSA PRIVATE KEY-----")) == ["Private Key"]
        assert not list(secrets_in('{"id": "9f86d081884c7d659a2feaa0c55ad015", "key": "title"}'))


def test_held_out_tasks_and_test_splits(tmp_path: Path) -> None:
    from environments import make

    env = make("bird", split="test")
    asked = env.tasks[0].prompt
    env.close()
    rows = [row(asked, "SELECT 1"), row("Count the ducks in the pond", "2", split="test")]
    result = found(tmp_path, rows)
    assert ids(result, "held-out task") == [asked]
    assert ids(result, "test split") == ["Count the ducks in the pond"]
    clean = result.kept(AuditSettings(drop=("held-out-task", "test-split")))
    assert clean == []


def test_a_users_own_check(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "def tone(row):\n    return 'rude' if 'damn' in str(row) else ''\n"
        "def broken(row):\n    return 1 / 0\ndef wrong(row):\n    return 5\n"
    )
    spec = str(tmp_path / "own.py")
    rows = [row("a", "damn"), row("b", "fine")]
    result = found(tmp_path, rows, check=(f"{spec}:tone",))
    assert result.found["check"] == {0: "rude"}
    for name, words in {
        "broken": "a: ZeroDivisionError",
        "wrong": "a: returned 5, not text",
        "none": "has no 'none'",
    }.items():
        with pytest.raises(UsageError, match=words):
            found(tmp_path, rows, check=(f"{spec}:{name}",))


def test_balance_keeps_at_most_the_median_of_each_value() -> None:
    rows = [
        AuditRow("f", f"{group}{n}", row("q", "a", group=group), n)
        for group, number in {"big": 50, "middle": 5, "small": 2}.items()
        for n in range(number)
    ]
    kept = balanced(rows, "group", None, 0)
    groups = [rows[place].value["group"] for place in kept]
    assert [groups.count(name) for name in ("big", "middle", "small")] == [5, 5, 2]
    assert balanced(rows, "group", None, 0) == kept != balanced(rows, "group", None, 1)
    assert len(balanced(rows, "group", 1, 0)) == 3


def test_a_sheet_of_people_gives_an_interval(tmp_path: Path) -> None:
    rows = [AuditRow("f", str(n), row(f"=q{n}", "a"), n) for n in range(30)]
    file = tmp_path / "sheet.csv"
    assert write_sheet(rows, file, 10, 0) == 10
    lines = list(csv.reader(file.read_text().splitlines(keepends=True)))
    assert all(line[2].startswith("'=") for line in lines[1:]), "no cell is a formula"
    with pytest.raises(UsageError, match='"right" is empty'):
        read_sheet(file)
    for number, line in enumerate(lines[1:]):
        line[4] = "" if number == 9 else "no" if number == 0 else "Yes"
    with file.open("w") as stream:
        csv.writer(stream).writerows(lines)
    judged = read_sheet(file)
    assert (judged.right, judged.judged, judged.open) == (8, 9, 1)
    assert judged.interval[0] == pytest.approx(0.565, abs=0.001)  # Wilson, by hand
    file.write_text(file.read_text().replace("Yes", "perhaps"))
    with pytest.raises(UsageError, match='row 2: "perhaps" is neither yes nor no'):
        read_sheet(file)


def test_the_command_audits_runs_and_foreign_files(tmp_path: Path) -> None:
    run, foreign = tmp_path / "run", tmp_path / "foreign.json"
    engine("explore", "--env", "webshop", "--split", "train", "--limit", "3", "--output", run)
    said = {"from": "gpt", "value": "Your card 4111 1111 1111 1111 is fine"}
    foreign.write_text(json.dumps([{"conversations": [{"from": "human", "value": "Hi"}, said]}]))
    out, card = tmp_path / "clean.jsonl", tmp_path / "README.md"
    done = commands.engine(
        "audit", run, foreign, "--output", out, "--card", card, "--json", "--fail",
        "--drop", "personal-data", "--licence", "mit",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert (counts["rows"], counts["kept"], counts["findings"]["personal data"]) == (4, 3, 1)
    assert len(out.read_text().splitlines()) == 3
    text = card.read_text()
    assert text.startswith("---\nlicense: mit\n") and "| webshop | demonstration | 3 of 3 |" in text
    assert commands.engine("audit", foreign, "--fail").returncode == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--drop", "sekret"), "--drop is 'sekret'; use one of"),
        (("--balance", "mood", "--output", "x.jsonl"), "--balance is 'mood'"),
        (("--drop", "secret"), "need --output"),
        (("--anonymise", "--personal", "none"), "--anonymise needs"),
        (("--personal", "presidio:"), "a model as presidio:MODEL"),
        (("--balance-to", "3"), "--balance-to is for --balance"),
        (("--check", "nothing"), "name a function"),
    ],
)
def test_wrong_flags_are_one_line(tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(row("a", "b")))
    done = commands.engine("audit", tmp_path / "rows.jsonl", *flags)
    assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") <= 2
