"""The file of a proof: its hashes, its signature, and the command that writes and verifies it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from engine import validate
from engine.proof.document import Opened, differences, document, intact, read, write
from engine.proof.identity import public_options
from engine.proof.prove import Check
from tests.support import unsound_graders as graders
from tests.support.commands import engine

WORLD = f"{graders.__name__}:LeavesAFile"


def proof_of(file: Path, key_env: str = "") -> dict[str, Any]:
    env = graders.Quiz()
    proof = document(env, Opened("quiz", {"n": 1}), env.tasks, {"gold": Check("earns", 3)})
    write(file, proof, key_env)
    return read(file)


def pems() -> tuple[str, str]:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def test_a_file_is_signed_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private, public = pems()
    keys = {"ED": private, "PUB": public, "OTHER": pems()[1], "MAC": "k" * 20, "MAC2": "j" * 20}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    plain, by_key, by_mac = (proof_of(tmp_path / f"{key}.json", key) for key in ("", "ED", "MAC"))
    assert intact(plain, "") == (True, "no signature")
    assert not intact(plain, "PUB")[0]
    assert [intact(by_key, name)[0] for name in ("", "PUB", "ED", "OTHER")] == [True] * 3 + [False]
    assert [intact(by_mac, name)[0] for name in ("MAC", "MAC2")] == [True, False]
    for proof in (plain, by_key, by_mac):
        assert intact({**proof, "proven": False}, "MAC") == (
            False,
            "the file was changed: its digest is another",
        )
    forged = by_key["signature"] | {"value": "00" * 64}
    assert intact({**by_key, "signature": forged}, "") == (False, "the signature is wrong")


CHANGED: list[tuple[str, Callable[[graders.Quiz], object], str]] = [
    ("options", lambda env: Opened("quiz", {"n": 2}), "options"),
    ("split", lambda env: Opened("quiz", {"n": 1}, split="test"), "split"),
    ("gone", lambda env: env.__dict__.update(tasks=env.tasks[:1]), "2 tasks are gone"),
    ("prompt", lambda env: env.__dict__.update(instructions="", tools=()), "3 tasks are others"),
]


@pytest.mark.parametrize(("name", "change", "words"), CHANGED)
def test_what_differs_here_is_named(
    name: str, change: Callable[[graders.Quiz], object], words: str, tmp_path: Path
) -> None:
    proof, env = proof_of(tmp_path / "p.json"), graders.Quiz()
    assert env.tasks and differences(proof, env, Opened("quiz", {"n": 1})) == []
    opened = change(env)
    opened = opened if isinstance(opened, Opened) else Opened("quiz", {"n": 1})
    assert differences(proof, env, opened) == [words]
    assert "class" in differences(proof, graders.AlwaysTheSame(), Opened("quiz", {"n": 1}))


def test_options_are_shown_without_secrets_and_places() -> None:
    given = {"db": "postgres://me:pass@h/d", "api_key": "k", "data": "/home/me/d", "n": (1, 2)}
    shown = public_options(given)
    assert shown == {"api_key": "[hidden]", "data": "d", "db": "postgres://me@h/d", "n": [1, 2]}


def test_the_command_writes_and_verifies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", pems()[0])
    monkeypatch.setattr(validate, "PAUSE", 0.0)
    made = engine("validate", "--env", WORLD, "--proof", "p.json", "--key-env", "KEY", cwd=tmp_path)
    assert made.returncode == 1, made.stderr
    assert "cheater read: a: earns 1 by answer, and doing nothing 0" in made.stderr
    assert "not proven: oracle, cheater read; in p.json" in made.stderr
    text = (tmp_path / "p.json").read_text()
    assert not any(fruit in text for fruit in graders.FRUITS.values())
    assert str(tmp_path) not in text and str(Path.cwd()) not in text
    checked = engine("validate", "--verify", "p.json", cwd=tmp_path)
    assert checked.returncode == 1  # it is not proven
    assert "not proven; signature by " in checked.stderr
    assert checked.stderr.endswith("; the world here is the one that was tried\n")
    changed = json.loads(text) | {"proven": True}
    (tmp_path / "p.json").write_text(json.dumps(changed))
    told = engine("validate", "--verify", "p.json", cwd=tmp_path)
    assert (told.returncode, told.stderr) == (
        1,
        "p.json: the file was changed: its digest is another\n",
    )


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--verify", "none.json"), "none.json"),
        (("--verify", "bad.json"), "bad.json is not a proof"),
        (("--env", WORLD, "--proof", "p.json", "--key-env", "NO_SUCH"), "is empty or not set"),
        (("--env", WORLD, "--proof", "p.json", "--key-env", "SHORT"), "16 characters or more"),
        (("--env", WORLD, "--proof", "p.json", "--floor", "common"), "write NAME=X"),
        (("--env", WORLD, "--floor", "common=0.5"), "are for --proof FILE"),
        (("--proof", "p.json"), "name the world: --env NAME"),
    ],
)
def test_bad_input_is_one_line(
    flags: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHORT", "abc")
    (tmp_path / "bad.json").write_text('{"format": "other"}')
    found = engine("validate", *flags, cwd=tmp_path)
    assert found.returncode == 2, found
    assert words in found.stderr and found.stderr.count("\n") == 1
