"""Data in AgentBench's format: what can be played is, what cannot is told."""

import json
from pathlib import Path

import pytest

from environments import DataError
from environments.os.env import OsEnv
from tests.support.sandboxes import require

COUNT = {
    "description": "How many files are in /root/box?",
    "create": {"init": {"code": "mkdir /root/box; touch /root/box/{a,b,c}"}},
    "evaluation": {
        "check": [None, {"language": "python", "file": "check/integer-match.py"}],
        "example": {"code": "ls /root/box | wc -l"},
    },
}
MAKE = {
    "description": "Make the file out in your home folder; it should hold the word yes.",
    "create": {"init": [{"file": "init/start.sh"}]},
    "evaluation": {"check": '[ "$(cat ~/out)" = yes ]', "example": "echo yes > ~/out"},
}
MATCH = {"description": "What is 2 + 2?", "evaluation": {"match": "4"}}
REFUSED = {
    "a program beside the agent": MATCH | {"start": "sleep 60 &"},
    "rights of root": COUNT | {"create": {"init": "useradd ann"}},
    "the system's own files": COUNT | {"create": {"init": "touch /usr/lib/x"}},
    "a script in 'c++'": COUNT | {"create": {"init": {"language": "c++", "code": "int x;"}}},
    "cannot read": COUNT | {"create": {"init": {"file": "init/none.sh"}}},
    "needs an example": {"description": "?", "evaluation": {"check": [None]}},
    "matches no plain text": {"description": "?", "evaluation": {"match": {"regex": "."}}},
}
MATCHES = "from sys import argv\nexit(int(argv[1]) != int(argv[2]))\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, text in (("check/integer-match.py", MATCHES), ("init/start.sh", "touch /root/seen")):
        file = tmp_path / "scripts" / "1" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    file = tmp_path / "data" / "1" / "some.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps([COUNT, MAKE, MATCH, *REFUSED.values()]))
    return file


def test_records_are_read_and_what_cannot_be_played_is_told(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    env = OsEnv(data=str(data))
    assert [task.id for task in env.tasks] == [f"agentbench-1-some-{n:03d}" for n in range(3)]
    assert all(why in caplog.text for why in REFUSED)
    assert env.tasks[2].secret["answer"] == ["4"]
    data.write_text(json.dumps(MATCH, indent=1))
    assert len(OsEnv(data=str(data)).tasks) == 1
    data.write_text(json.dumps([REFUSED["rights of root"]]))
    with pytest.raises(DataError, match="useradd"):
        _ = OsEnv(data=str(data)).tasks


@pytest.mark.parametrize("sandbox", ["docker", "landlock"])
def test_the_examples_solve_and_nothing_does_not(data: Path, sandbox: str) -> None:
    require(sandbox)
    env = OsEnv(data=str(data), sandbox=sandbox)
    try:
        for task in env.tasks:
            for actions, reward in ((env.solution(task), 1.0), (env.noop(task), 0.0)):
                assert actions is not None
                env.reset(options={"task": task})
                assert [env.step(action) for action in actions][-1][1] == reward, task.id
    finally:
        env.close()
