"""ToolBench's functions with recorded answers."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from environments import Action, DataError, ToolEnv, make
from environments.api.finish import finish
from environments.api.toolbench import folder_name, function_name, standard
from tests.support.parts import DATA, needs_data

API = {
    "name": "Search (q=:query)",
    "description": "Search for shows",
    "required_parameters": [{"name": "id", "type": "NUMBER", "description": "", "default": 5}],
    "optional_parameters": [{"name": "Lang", "type": "STRING", "description": "l", "default": ""}],
}
USED = {"category_name": "Video, Images", "tool_name": "TV Maze", "api_name": API["name"]}
QUERY = {"query": "What is on?", "query_id": 7, "api_list": [USED]}
TYPES = {"integer": "NUMBER", "string": "STRING", "boolean": "BOOLEAN"}
NAME = "search_q_query_for_tv_maze"


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "toolenv/tools/Video_Images/tv_maze.json", {"api_list": [API]})
    write(tmp_path / "instruction/G1_query.json", [QUERY, {"query": "no functions"}])
    cache = tmp_path / "tool_response_cache/Video_Images/tv_maze_for_Video_Images"
    known = {"{'is_id': 5}": {"error": "", "response": "News"}, "nonsense": {"response": "?"}}
    write(cache / "search_q_query.json", known)
    return tmp_path


def played(env: ToolEnv, *actions: Action) -> Any:
    env.reset(options={"task": env.tasks[0]})
    return [env.step(action) for action in actions][-1]


@pytest.mark.parametrize(
    ("name", "written"),
    [("id", "is_id"), ("2Letters--Code", "get_2letters_code"), ("Get /a/{b}", "get_a_b")],
)
def test_names_are_toolbenchs(name: str, written: str) -> None:
    assert function_name(name) == written
    assert standard("Search Shows ") == "search_shows"
    assert folder_name("News, Media") == "News_Media"


def test_a_request_becomes_a_task_with_its_functions(folder: Path) -> None:
    env = make("api", data=str(folder))
    (task,) = env.tasks
    assert (task.id, task.prompt, task.split) == ("G1_query-7", "What is on?", "G1_query")
    assert task.group == "Video_Images/tv_maze" and env.instant and not env.graded
    tool = env.tools_of(task)[0]
    assert tool.name == NAME and '"Search for shows"' in tool.description
    assert tool.parameters["required"] == ["is_id"]
    assert tool.parameters["properties"]["is_id"]["example_value"] == 5
    assert env.solution(task) is None


def test_recorded_answers_are_found_and_others_told(folder: Path) -> None:
    env = make("api", data=str(folder))
    seen = played(env, Action(NAME, {"is_id": 5}))
    assert json.loads(seen[0]) == {"error": "", "response": "News"} and not seen[4]
    seen = played(env, Action(NAME, {"is_id": 6}))
    assert "no answer is recorded" in seen[0] and seen[4] == {"error": "not_recorded"}
    seen = played(env, finish("News"))
    assert seen[1:] == (0.0, True, False, {"ungraded": True})


def test_what_is_missing_or_wrong_is_said_in_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the splits there: G1_query"):
        _ = make("api", data=str(folder), split="G9").tasks
    with pytest.raises(DataError, match="no such folder"):
        _ = make("api", data=str(folder / "nowhere")).tasks
    strict = make("api", data=str(folder))
    strict.strict = True
    with pytest.raises(DataError, match="api_list"):
        _ = strict.tasks


@needs_data
def test_real_calls_of_toolbench_get_the_answers_that_they_got(tmp_path: Path) -> None:
    """Its trees hold function names, arguments and observations; they become a cache."""
    file = DATA / "toolbench/G3_answer/15_ChatGPT_DFS_woFilter_w2.json"
    answer = json.loads(file.read_text(encoding="utf-8"))
    functions = [
        each for each in answer["answer_generation"]["function"] if "_for_" in each["name"]
    ]
    names = {each["name"] for each in functions}
    calls = [each for each in calls_of(answer["tree"]["tree"], "") if each[0] in names]
    known: dict[str, dict[str, Any]] = {}
    for name, given, observation in calls:
        known.setdefault(name, {}).setdefault(str(given), observation)
    for name, answers in known.items():
        api, _, tool = name.partition("_for_")
        write(tmp_path / f"tool_response_cache/News/{tool}/{api}.json", answers)
    apis = [api_of(each) for each in functions]
    query = {"query": answer["answer_generation"]["query"], "query_id": 69, "api_list": apis}
    write(tmp_path / "instruction/G1_query.json", [query])
    env = make("api", data=str(tmp_path))
    env.observation_chars = 100_000
    for name, given, _ in calls:
        assert json.loads(played(env, Action(name, given))[0]) == known[name][str(given)]
    assert len(calls) >= 30 and len(known) >= 4


def calls_of(node: dict[str, Any], name: str) -> Iterator[tuple[str, Any, Any]]:
    if node["node_type"] == "Action":
        name = node["description"]
    elif node["node_type"] == "Action Input" and node.get("observation") and name != "Finish":
        with suppress(ValueError):  # cut off, or written wrong
            yield name, json.loads(node["description"]), json.loads(node["observation"])
    for child in node["children"]:
        yield from calls_of(child, name)


def api_of(function: dict[str, Any]) -> dict[str, Any]:
    api, _, tool = function["name"].partition("_for_")
    needed = function["parameters"]["required"]
    described = [
        {"name": name, "type": TYPES[schema["type"]], "description": "", "default": ""}
        for name, schema in function["parameters"]["properties"].items()
    ]
    return {
        "category_name": "News",
        "tool_name": tool,
        "api_name": api,
        "required_parameters": [each for each in described if each["name"] in needed],
        "optional_parameters": [each for each in described if each["name"] not in needed],
    }
