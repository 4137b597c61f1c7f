"""Make a world and chat lines of ToolBench's answer files, to branch their paths.

    python examples/toolbench_answers.py ANSWERS/G1_answer/*.json --output toolbench
    engine import chat toolbench/paths.jsonl --output runs/toolbench
    engine branch runs/toolbench --env api --data toolbench --policy MODEL --grader MODEL

An answer file (`10_ChatGPT_DFS_woFilter_w2.json`) holds the tree of one request. Each path to a
leaf becomes a line of `paths.jsonl`; a path that gave up or was cut off has reward 0, and an answer
has none, because nobody knows. What the functions answered becomes `tool_response_cache`, as the
world `api` reads it: of a call that was answered in several ways, the first answer is kept. An
answer that ToolBench cut is no JSON; its text is kept as the response.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]
TYPES = {"integer": "NUMBER", "number": "NUMBER", "boolean": "BOOLEAN"}
CATEGORY, SPLIT = "Recorded", "answers"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--output", required=True, type=Path)
    given = parser.parse_args()
    paths = convert(given.files, given.output)
    print(f"{paths} paths of {len(given.files)} requests in {given.output}")


def convert(files: Sequence[Path], output: Path) -> int:
    """Write world and chat lines into the folder `output`; return the number of paths."""
    requests, rows = [], []
    replies: dict[tuple[str, str], dict[str, Json]] = defaultdict(dict)
    for number, file in enumerate(files):
        found = json.loads(file.read_text("utf-8"))
        about = found["answer_generation"]
        functions = [each for each in about["function"] if each["name"] != "Finish"]
        asked = {"query": about["query"], "query_id": number}
        requests.append(asked | {"api_list": [_api(each) for each in functions]})
        for path in _paths(found["tree"]["tree"], []):
            rows.append(_row(path, about["query"], f"{file.parent.name}/{file.stem}"))
            for name, arguments, reply in _answered(path):
                replies[_parts(name)].setdefault(arguments, reply)
    _write(output / "instruction" / f"{SPLIT}.json", json.dumps(requests))
    for (api, tool), known in replies.items():
        _write(output / f"tool_response_cache/{CATEGORY}/{tool}/{api}.json", json.dumps(known))
    _write(output / "paths.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return len(rows)


def _paths(node: Json, before: list[Json]) -> Iterator[list[Json]]:
    """Yield the nodes of each path to a leaf."""
    path = [*before, node]
    if not node["children"]:
        yield path
    for child in node["children"]:
        yield from _paths(child, path)


def _row(path: list[Json], query: str, place: str) -> Json:
    messages: list[Json] = [{"role": "user", "content": query.strip()}]
    thought, name = "", ""
    for node in path[1:]:
        if node["node_type"] == "Thought":
            thought = node["description"]
        elif node["node_type"] == "Action":
            name = node["description"]
        else:
            call = {"name": name, "arguments": node["description"]}
            calls = [{"id": f"call_{len(messages)}", "type": "function", "function": call}]
            messages.append({"role": "assistant", "content": thought, "tool_calls": calls})
            thought = ""
            if name != "Finish":  # what it answers is ToolBench's own word
                answer = {"role": "tool", "tool_call_id": calls[0]["id"]}
                reply = json.dumps(_reply(node), ensure_ascii=False)  # as the world writes it
                messages.append(answer | {"content": reply})
    answered = name == "Finish" and "give_answer" in path[-1]["description"]
    return {"id": place, "messages": messages, **({} if answered else {"reward": 0})}


def _answered(path: list[Json]) -> Iterator[tuple[str, str, Json]]:
    """Yield name, arguments and reply of each call that a function answered."""
    name = ""
    for node in path[1:]:
        if node["node_type"] == "Action":
            name = node["description"]
        elif node["node_type"] == "Action Input" and name != "Finish":
            try:
                arguments = json.loads(node["description"])
            except ValueError:
                continue
            if isinstance(arguments, dict):
                yield name, str(arguments), _reply(node)


def _reply(node: Json) -> Json:
    """Return what a function answered; a long answer was cut, so that it is no JSON any more."""
    try:
        reply = json.loads(node["observation"])
    except ValueError:
        reply = None
    whole = isinstance(reply, dict) and "response" in reply
    return reply if whole else {"error": "", "response": node["observation"]}


def _parts(name: str) -> tuple[str, str]:
    api, _, tool = name.rpartition("_for_")
    return api, tool


def _api(function: Json) -> Json:
    api, tool = _parts(function["name"])
    schema = function["parameters"]
    listed = [
        {
            "name": name,
            "type": TYPES.get(each.get("type"), "STRING"),
            "description": each.get("description", ""),
        }
        for name, each in schema["properties"].items()
    ]
    needed = set(schema["required"])
    return {
        **{"category_name": CATEGORY, "tool_name": tool, "api_name": api},
        "description": function["description"],
        "required_parameters": [each for each in listed if each["name"] in needed],
        "optional_parameters": [each for each in listed if each["name"] not in needed],
    }


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
