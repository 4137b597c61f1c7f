"""Servers in a sandbox: they live on between requests, reach nothing, and end with the engine."""

import json
import socket
from pathlib import Path

import pytest

from sandbox.backends import BACKENDS, CONFINING
from sandbox.errors import SandboxError
from sandbox.residents import Residents
from tests.support import faults
from tests.support.faults import SMALL, gone, wait_for
from tests.support.sandboxes import require

SERVER = """
import json, os, socket, sys
seen = 0
for line in sys.stdin:
    seen += 1
    said = {"seen": seen, "folder": os.getcwd(), "canary": os.environ.get("CANARY")}
    try:
        open(SECRET).read()
        said["file"] = "open"
    except OSError:
        said["file"] = "closed"
    try:
        socket.create_connection(("127.0.0.1", PORT), 2).close()
        said["network"] = "open"
    except OSError:
        said["network"] = "closed"
    with open("note", "a") as note:
        note.write(line)
    print(json.dumps(said), flush=True)
"""


@pytest.mark.parametrize(
    ("name", "network"),
    [*((name, False) for name in CONFINING), ("bubblewrap", True), ("landlock", True)],
)
def test_a_server_lives_on_and_reaches_nothing(
    name: str, network: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(name)
    monkeypatch.setenv("CANARY", "secret")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        code = SERVER.replace("PORT", str(listener.getsockname()[1]))
        residents = Residents(BACKENDS[name](), quota=SMALL, network=network)
        residents.start()
        try:
            script = code.replace("SECRET", repr(str(secret)))
            residents.start_program("server", ["python", "-c", script], {})
            replies = [_ask(residents, "one"), _ask(residents, "two")]
            kept = residents.save()
            replies.append(_ask(residents, "three"))
            residents.show(kept)
            assert residents.read(1 << 20) == {"note": b"one\ntwo\n"}
        finally:
            residents.close()
    reached = "open" if network else "closed"
    for number, reply in enumerate(replies, 1):
        assert reply == {
            "seen": number,
            "folder": residents.work,
            "canary": None,
            "file": "closed",
            "network": reached,
        }


def _ask(residents: Residents, line: str) -> dict[str, object]:
    residents.send("server", line)
    answer = residents.receive("server", 20.0, 1 << 20)
    assert not answer.why, answer
    reply: dict[str, object] = json.loads(answer.line)
    return reply


ENGINE = """
import sys, time
from sandbox.backends import BACKENDS
from sandbox.residents import Residents
from tests.support.faults import HOSTILE, SMALL
residents = Residents(BACKENDS[sys.argv[1]](), quota=SMALL)
residents.start()
mark = sys.stdin.readline().strip()
code = HOSTILE.format(mark=mark) + "print('ready', flush=True)\\nwhile True: time.sleep(1)"
residents.start_program("server", ["python", "-c", code], {})
assert residents.receive("server", 20.0, 1000).line == "ready"
print("started", flush=True)
time.sleep(120)
"""


@pytest.mark.parametrize("name", CONFINING)
def test_no_server_outlives_a_killed_engine(name: str, temp: Path) -> None:
    require(name)
    mark = faults.new_mark()
    with faults.python(ENGINE, name, TMPDIR=str(temp)) as engine:
        assert engine.stdin is not None
        print(mark, file=engine.stdin, flush=True)
        assert faults.said(engine) == "started"
        wait_for(lambda: len(faults.sessions(mark)) >= 2, 20)
        known = faults.descendants(engine.pid)
        engine.kill()
        assert gone(lambda: faults.marked(mark) or faults.living(known)) < 2.0


def test_trouble_of_a_program_is_told() -> None:
    residents = Residents(BACKENDS["process"](), quota=SMALL)
    with pytest.raises(SandboxError, match="not open"):
        residents.save()
    residents.start()
    try:
        residents.start_program("server", ["sh", "-c", "echo no disk >&2; exit 4"], {})
        told = residents.receive("server", 10.0, 100)
        assert (told.why, told.status, told.complaint) == ("ended", 4, "no disk")
        residents.start_program("server", ["python", "-c", "x = 'x' * 10**6; print(x)"], {})
        assert residents.receive("server", 10.0, 100).why == "flood"
        memory = "x = bytearray(10**9)\nwhile True: pass"
        residents.start_program("server", ["python", "-c", memory], {})
        assert residents.receive("server", 20.0, 100).why == "memory"
        done = residents.run(["sh", "-c", "echo hello; sleep 60"], {}, 0.3)
        assert (done.why, done.output) == ("timeout", "hello\n")
        with pytest.raises(SandboxError, match="not a path below the work folder"):
            residents.put({"../note": b""})
        with pytest.raises(SandboxError, match="refused"):
            residents.show(99)
    finally:
        residents.close()
