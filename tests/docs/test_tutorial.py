"""Every block of docs/tutorial.md runs, in its order, and so does README's world."""

import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from environments import Action, make
from tests.support.chat_server import ChatServer, Json

README = Path(__file__).parents[2] / "README.md"
TUTORIAL = README.parent / "docs" / "tutorial.md"
BLOCK = re.compile(r'^```(bash|python title="(\S+)")\n(.*?)^```$', re.DOTALL | re.MULTILINE)


def teacher(request: Json) -> Json:
    """Search, reserve, pay; in half of the tasks it reserves a wrong train before the right one."""
    texts = [str(message["content"]) for message in request["messages"]]
    asked = re.search(r"from (\w+) to (\w+) that arrives by (\d+):00", texts[1])
    assert asked
    start, end, latest = asked.groups()
    if any("is held" in text for text in texts):
        return call("pay", {})
    found = re.findall(r"(R\d+): arrives (\d+):00, (\d+) euros", "\n".join(texts))
    if not found:
        return call("search", {"start": start, "end": end})
    in_time = sorted(
        (int(euros), number) for number, hour, euros in found if int(hour) <= int(latest)
    )
    order = in_time[::-1] if zlib.crc32(asked[0].encode()) % 2 else in_time
    fresh = [number for _, number in order if number not in texts[-1]]  # it lists what was tried
    return call("reserve", {"train": (fresh or [order[0][1]])[0]})


def call(tool: str, arguments: Json) -> Json:
    function = {"name": tool, "arguments": json.dumps(arguments)}
    calls = [{"id": "call-1", "type": "function", "function": function}]
    return {"role": "assistant", "content": "I go on.", "tool_calls": calls}


def test_every_block_runs(tmp_path: Path, tiny: Path) -> None:
    """The endpoint is on loopback, and the student is a tiny one; all else is as it is written."""
    student = tmp_path / "tiny"
    shutil.copytree(tiny, student)
    config = json.loads((student / "config.json").read_text())
    config["max_position_embeddings"] = 2048
    (student / "config.json").write_text(json.dumps(config))
    blocks = BLOCK.findall(TUTORIAL.read_text("utf-8"))
    with ChatServer(teacher) as server:
        for _, file, text in blocks:
            if file:
                (tmp_path / file).write_text(text)
        script = "set -x\n" + "\n".join(text for _, file, text in blocks if not file)
        for said, meant in (
            ("https://api.openai.com/v1", server.base_url),
            ("--model smollm2", f"--model {student}"),
        ):
            assert said in script
            script = script.replace(said, meant)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    for name, least in (("free.jsonl", 9), ("rows.jsonl", 5), ("pairs.jsonl", 2)):
        assert len((tmp_path / name).read_text().splitlines()) >= least, name
    assert (tmp_path / "taught.html").exists() and (tmp_path / "report.html").exists()


def test_the_readmes_world_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [(_, file, text)] = [each for each in BLOCK.findall(README.read_text("utf-8")) if each[1]]
    (tmp_path / file).write_text(text)
    monkeypatch.chdir(tmp_path)
    world = make("keypad.py:KeypadEnv")
    for digit in (7, 3):
        world.reset(options={"task": world.tasks[0]})
        _, reward, terminated, _, _ = world.step(Action("press", {"digit": digit}))
        assert terminated and reward == (digit == 7)
