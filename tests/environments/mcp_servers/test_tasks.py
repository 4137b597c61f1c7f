"""The bundled tasks, each with its real server; and faults of task files."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from environments import Action, DataError, make
from environments.mcp_servers.env import McpEnv
from environments.mcp_servers.grading import right_files, same_answer
from environments.mcp_servers.inside.paths import hidden, shown
from sandbox.residents import installed
from tests.support.parts import missing
from tools.bundled.mcp.__main__ import FILES, TARGET, lines

NPM = Path(__file__).parents[3] / ".venv" / "npm"
PROGRAMS = os.environ.get("TREEGRAFT_MCP_SERVERS", str(NPM) if NPM.is_dir() else "")
FOLDERS = [Path(folder) for folder in PROGRAMS.split(",") if folder]


@pytest.fixture(scope="module", params=FILES)
def env(request: pytest.FixtureRequest) -> Iterator[McpEnv]:
    name = request.param
    pytest.importorskip("mcp") if "CI" not in os.environ else None
    if installed(FILES[name].SERVER["command"], FOLDERS) is None:
        missing("mcp" if name == "git" else "mcp servers")
    made = make("mcp", data=str(TARGET / f"{name}.jsonl"), split="test", programs=PROGRAMS)
    assert isinstance(made, McpEnv)
    yield made
    made.close()


def play(env: McpEnv, actions: list[Action]) -> list[tuple[object, ...]]:
    return [env.step(action) for action in actions]


def test_each_server_plays_its_tasks_and_branches_keep_apart(env: McpEnv) -> None:
    """Every branch point of every task: the right end after a wrong one, from the same state."""
    assert len(env.tasks) == 4
    for task in env.tasks:
        steps = env.solution(task)
        assert steps and any(env.mistakes(task, step) for step in steps)
        env.reset(options={"task": task})
        states = [env.snapshot()]
        seen = []
        for step in steps:
            assert "error" not in (last := env.step(step))[4], last
            seen.append(last)
            states.append(env.snapshot())
        assert seen[-1][1:3] == (1.0, True), task.id
        for at, step in enumerate(steps):
            for wrong in env.mistakes(task, step):
                env.restore(states[at])
                env.step(wrong)
            env.restore(states[at])
            assert play(env, steps[at:]) == seen[at:], (task.id, at)
        for state in states:
            env.release(state)
        env.reset(options={"task": task})
        assert env.step(*env.noop(task))[1] == 0.0


def test_nothing_names_the_machine(env: McpEnv) -> None:
    names = {tool.name for task in env.tasks for tool in env.tools_of(task)}
    assert "give_up" in names and "finish" in names
    assert not names & {"get_file_info", "list_directory_with_sizes", "append_insight"}
    texts = [tool.description for tool in env.tools_of(env.tasks[0])]
    assert not any("/node" in text or "treegraft" in text for text in texts)


def test_the_bundled_files_are_what_the_generator_writes() -> None:
    for name in FILES:
        assert (TARGET / f"{name}.jsonl").read_text("utf-8") == lines(name)


def records() -> list[dict[str, object]]:
    all_lines = [line for name in FILES for line in lines(name).splitlines()]
    return [record for record in map(json.loads, all_lines) if "id" in record]


def test_groups_are_never_shared_between_splits() -> None:
    by_split: dict[object, set[object]] = {}
    for record in records():
        by_split.setdefault(record["split"], set()).add(record["group"])
    assert {split: len(groups) for split, groups in by_split.items()} == {"train": 12, "test": 4}
    assert not by_split["train"] & by_split["test"]
    assert len(records()) == 64


def write(folder: Path, *records: object) -> str:
    path = folder / "tasks.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


SOUND = {"id": "sound", "prompt": "Do it.", "answer": 3, "server": "s"}
SERVERS = {"mcpServers": {"s": {"command": "s"}}}


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (SOUND | {"server": "t"}, "no server 't'; known: s"),
        (SOUND | {"server": ""}, "give --env-arg server="),
        ({"prompt": "Do it.", "server": "s"}, "no grader: give one of files, absent"),
        (SOUND | {"files_before": {"/etc/passwd": ""}}, "not a path below the folder"),
        (SOUND | {"files": {"../a": ""}}, "not a path below the folder"),
        (SOUND | {"solution": [{"tool": "t"}]}, "a list of calls (tool, arguments)"),
        (SOUND | {"mistakes": [{"tool": "t", "arguments": {}}]}, "(tool, arguments, at)"),
        (SOUND | {"others": "some"}, "'same' or 'any'"),
        ({"mcpServers": {"t": {"url": "http://x", "command": "y"}}}, "either 'command' or 'url'"),
        ({"mcpServers": {"t": {"command": "y", "state": "heap"}}}, "one of replay, folder, fork"),
        ({"mcpServers": []}, "an object that names servers"),
    ],
)
def test_a_bad_record_is_told_with_its_line(
    tmp_path: Path, record: dict[str, object], told: str
) -> None:
    env = make("mcp", data=write(tmp_path, SERVERS, SOUND, record))
    env.strict = True
    with pytest.raises(DataError) as failed:
        env.tasks  # noqa: B018
    assert told in str(failed.value) and "line 3" in str(failed.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"server": "https://example.org/mcp"}, "allow_network=true gives it"),
        ({"server": "'s"}, "not a command line"),
        ({"server": "nowhere.json"}, "nowhere.json"),
        ({"programs": "/nowhere"}, "no such folder"),
        ({"split": "dev"}, "no task of split 'dev'"),
    ],
)
def test_a_bad_option_is_told(tmp_path: Path, options: dict[str, str], told: str) -> None:
    with pytest.raises(DataError, match=told):
        make("mcp", data=write(tmp_path, SERVERS, SOUND), **options).tasks  # noqa: B018


@pytest.mark.parametrize(
    ("agent", "server"),
    [
        ("/work", "/n/w"),
        ("/work/a.txt", "/n/w/a.txt"),
        ("see '/work/a', /work.", "see '/n/w/a', /work."),
        ("/workshop /home/work /work-1", "/workshop /home/work /work-1"),
    ],
)
def test_paths_are_translated(agent: str, server: str) -> None:
    assert shown({"x": [agent, 1]}, "/n/w") == {"x": [server, 1]}
    assert hidden(server, "/n/w") == agent


@pytest.mark.parametrize(
    ("grader", "found", "right"),
    [
        ({"files": {"b": "1"}, "absent": ["a"]}, {"b": "1\n", "c": "3"}, True),
        ({"files": {"b": "1"}, "absent": ["a"]}, {"a": "1", "b": "1", "c": "3"}, False),
        ({"files": {"b": "1"}, "absent": ["a"]}, {"b": "2", "c": "3"}, False),
        ({"files": {"b": "1"}, "absent": ["a"]}, {"b": "1", "c": "4"}, False),
        ({"files": {"b": "1"}, "absent": ["a"], "others": "any"}, {"b": "1", "d": "4"}, True),
        ({"absent": ["d"]}, {"a": "1", "c": "3", "d/e": "1"}, False),
        ({"files": {"e": ""}}, {"a": "1", "c": "3"}, False),
        ({"files": {"a": "1"}}, {"a": "1", "c": None}, False),
    ],
)
def test_final_files_are_compared(
    grader: dict[str, object], found: dict[str, str | None], right: bool
) -> None:
    assert right_files(grader, {"a": "1", "c": "3"}, found) is right


@pytest.mark.parametrize(
    ("given", "wanted", "same"),
    [("3", "3", True), ("3.0", "3", True), ("1,200", "1200", True), ("Ann ", "ann", True)]
    + [("Ann.", "Ann", True), ("Anne", "Ann", False), ("", "3", False), ("4", "3", False)],
)
def test_answers_are_compared(given: str, wanted: str, same: bool) -> None:
    assert same_answer(given, wanted) is same
