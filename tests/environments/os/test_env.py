"""The world "os": a shell that branches, on more than one sandbox; its checks, and its tasks."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from environments import Action, Task, ToolEnv
from environments.forked import LIMITS
from environments.os.answers import same_answer
from environments.os.env import OsEnv
from environments.os.tasks import BUNDLED
from tests.support.sandboxes import require
from tools.bundled.os.__main__ import texts

FILES = {"a.txt": "one\ntwo\n", "d/b.txt": "x\n", "d/c.txt": "y\n"}
CHECKS = [{"check": "text", "path": "out", "is_": "two"}]
TASK = Task("t", "?", {"checks": CHECKS}, {"files": FILES})
FORGED = replace(
    TASK,
    id="forged",
    secret={"checks": [{"check": "runs", "command": ["bash", "s.sh"], "prints": "gold-5917"}]},
)


ROOT_TASK = replace(
    TASK,
    id="root",
    secret={
        "checks": [{"check": "scripts", "chain": [["bash", "grep 1 /etc/x && tool a /new/z"]]}]
    },
    details={"root": True},
)


class Impatient(OsEnv):
    limits = replace(LIMITS, seconds=1.0)


@pytest.fixture(scope="module", params=["docker", "landlock", "bubblewrap"])
def env(request: pytest.FixtureRequest) -> Iterator[ToolEnv]:
    require(request.param)
    made = Impatient(sandbox=request.param)
    yield made
    made.close()


def start(env: ToolEnv, task: Task = TASK) -> None:
    env.reset(options={"task": task})


def sh(env: ToolEnv, command: str) -> str:
    return env.step(Action("bash", {"command": command}))[0]


def test_the_shell_keeps_its_state_and_it_branches(env: ToolEnv) -> None:
    start(env)
    first = "x=1; list=(a 'b c'); f() { echo f$x; }; alias hi='echo hello'; export Y='p q'; set -u"
    assert sh(env, f"{first}; umask 077; cd d; pwd") == "/work/d"
    here = env.snapshot()
    seen = "f; hi; bash -c 'echo $Y'; umask; pwd; ls; echo ${list[1]}; cat /work/a.txt | wc -l"
    shown = "f1\nhello\np q\n0077\n/work/d\nb.txt\nc.txt\nb c\n2"
    assert sh(env, seen) == shown
    assert sh(env, "x=2; unset -f f; rm b.txt; cd ..; echo $unset").endswith("[exit status 127]")
    assert sh(env, "echo $x; pwd") == "2\n/work"
    env.restore(here)
    assert sh(env, seen) == shown
    env.release(here)


def test_what_a_command_says_and_how_it_ends(env: ToolEnv) -> None:
    start(env)
    assert sh(env, "true") == "(no output)"
    assert sh(env, "echo a\nnosuch") == (
        "a\nbash: line 2: nosuch: command not found\n[exit status 127]"
    )
    assert "syntax error" in sh(env, "if") and sh(env, "exit 3") == "[exit status 3]"
    assert sh(env, "```bash\necho fenced\n```") == "fenced"
    assert sh(env, "y=5; (sleep 30 &); sleep 30 & echo on") == "on"
    assert sh(env, "cat; read z; echo $y") == "5"
    shown = sh(env, "seq 100000")
    assert shown.startswith("1\n2\n") and len(shown) <= env.observation_chars
    observation, _, _, _, info = env.step(Action("bash", {"command": "echo q > q; sleep 9"}))
    assert "stopped after 1 s" in observation and info == {"error": "stopped"}
    assert sh(env, "ls; echo $y") == "a.txt\nd\n5"


def test_observations_do_not_depend_on_the_way_or_the_machine(env: ToolEnv) -> None:
    look = "find . | sort; find /work -newermt '2024-01-01 08:00:01'; echo $RANDOM"
    look += "; stat -c '%y %n' new; env | sort; ls -d ~ /tmp; dirname $(mktemp -u)"
    start(env)
    sh(env, "echo > new; ln -s new link")
    here = env.snapshot()
    once = sh(env, look)
    sh(env, "touch d/z d/y; rm a.txt")
    env.restore(here)
    assert sh(env, look) == once and "2024-01-01 08:01:00" in once
    assert "HOSTNAME=sandbox" in once and "HOME=/work" in once and "treegraft" not in once
    assert once.endswith("/tmp\n/work\n/tmp")
    env.release(here)


def test_a_root_file_system_that_branches(env: ToolEnv) -> None:
    start(env, ROOT_TASK)
    before = env.snapshot()
    tool = "printf '#!/bin/sh\\necho $1; cat $2\\n' > /usr/local/bin/tool"
    sh(env, f"echo 1 > /etc/x; echo y > /opt/y; d=/new; mkdir -p $d/sub; echo z > /new/z; {tool}")
    sh(env, "chmod +x /usr/local/bin/tool")
    after = env.snapshot()
    look = (
        "ls -d /etc/x /opt/y /new /var/log /etc/passwd; which tool; tool b /new/z; cd /new/sub; pwd"
    )
    seen = "/etc/passwd\n/etc/x\n/new\n/opt/y\n/var/log\n/usr/local/bin/tool\nb\nz\n/new/sub"
    assert sh(env, look) == seen
    env.restore(before)
    assert sh(env, "ls /etc/x /opt/y /new /usr/local/bin/tool 2>&1 | grep -c 'No such'") == "4"
    paths = "etc/ld.so.preload opt/python/x usr/bin/x usr/lib/x zz"
    refused = sh(env, f"for f in {paths}; do echo > $(echo /)$f; done")
    assert refused.count("bash: line") == 5 and not Path("/etc/ld.so.preload").exists()
    env.restore(after)
    assert env.step(Action("finish", {}))[1:3] == (1.0, True)
    env.release(before)
    env.release(after)


def test_an_operation_is_checked_after_the_end(env: ToolEnv) -> None:
    for command, reward in (("tail -n 1 a.txt > out", 1.0), ("cp a.txt out", 0.0), ("true", 0.0)):
        start(env)
        sh(env, command)
        assert env.step(Action("finish", {}))[:3] == ("finished", reward, True)


def test_a_program_of_the_agents_cannot_read_what_its_output_is_compared_with(
    env: ToolEnv,
) -> None:
    start(env, FORGED)
    spy = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ /proc/[0-9]*/fd/* 2>/dev/null"
    spy += " | tr '\\0' '\\n' | grep -ao 'gold-[0-9]*' | head -n 1"
    sh(env, f"cat > s.sh <<'END'\n{spy}\nEND\nln -s s.sh bash; export PATH=.:$PATH")
    assert env.step(Action("finish", {}))[1] == 0.0
    start(env, FORGED)
    sh(env, "echo 'echo gold-5917' > s.sh")
    assert env.step(Action("finish", {}))[1] == 1.0


@pytest.mark.parametrize(
    ("given", "right", "same"),
    [
        ("7", "7", True),
        ("7.0", "7", True),
        ("1,024", "1024", True),
        (" `a.txt` ", "a.txt", True),
        ("five, three", "five three", True),
        ("three five", "five three", False),
        ("The answer is 7", "7", False),
        ("", "7", False),
        ("A.txt", "a.txt", False),
    ],
)
def test_answers(given: str, right: str, same: bool) -> None:
    assert same_answer(given, [right]) == same


def test_the_bundled_tasks_are_what_the_generator_writes() -> None:
    written = texts()
    groups = {}
    for split, text in written.items():
        assert (BUNDLED / f"{split}.jsonl").read_text("utf-8") == text
        groups[split] = {json.loads(line)["group"] for line in text.splitlines()}
    assert not groups["train"] & groups["test"]
    assert sum(map(len, map(str.splitlines, written.values()))) >= 60
