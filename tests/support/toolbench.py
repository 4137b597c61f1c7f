"""A folder of requests as ToolBench has them, and models that answer and judge them."""

import json
from collections import Counter
from pathlib import Path

from tests.support.chat_server import Json

API = {
    "name": "Search",
    "description": "Search for shows",
    "required_parameters": [{"name": "day", "type": "NUMBER", "description": "", "default": 5}],
}
USED = {"category_name": "Video", "tool_name": "TV Maze", "api_name": "Search"}
SEARCH = "search_for_tv_maze"


def requests_folder(folder: Path, queries: list[str]) -> Path:
    """Write requests, one for each text; the function answers for day 5."""
    asked = [
        {"query": query, "query_id": number, "api_list": [{**USED, **API}]}
        for number, query in enumerate(queries)
    ]
    known = {"{'day': 5}": {"error": "", "response": "News"}}
    cache = "tool_response_cache/Video/tv_maze_for_Video/search.json"
    for name, content in (("instruction/G1_query.json", asked), (cache, known)):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def react(tool: str, **arguments: object) -> str:
    return f"Thought: go on\nAction: {tool}\nAction Input: {json.dumps(arguments)}"


def finish(answer: str) -> str:
    return react("Finish", return_type="give_answer", final_answer=answer)


class Judge:
    """Judges by words in what it sees; counts the questions by kind.

    News in the answer is solved; "maybe" is unsure by itself, and solved where a call found News;
    a request with "impossible" cannot be solved.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def __call__(self, request: Json) -> str:
        system, user = (str(message["content"]) for message in request["messages"])
        if "functions that an agent has" in system:
            self.asked["task"] += 1
            return f"Verdict: {'unsolvable' if 'impossible' in user else 'solvable'}"
        shown, _, answer = user.partition("Final answer:")
        if "calls with their replies" in system:
            self.asked["calls"] += 1
            return f"**Verdict**: {'Solved' if 'News' in shown else 'unsolved'}"
        self.asked["answer"] += 1
        if "maybe" in answer:
            return "hm"
        return f"Verdict: {'solved' if 'News' in answer else 'unsolved'}"
