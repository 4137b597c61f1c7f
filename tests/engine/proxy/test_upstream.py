"""An upstream that fails, and clients that hang up: what is told, and what is kept."""

import http.client
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.proxy.app import Proxy
from engine.proxy.settings import ProxySettings
from tests.engine.proxy.test_proxy import a_key, client, proxied
from tests.engine.proxy.test_requests import changed, places
from tests.support.chat_faults import EMPTY_CHOICES, HALF, NOT_JSON, RESET, Fault, hang, text
from tests.support.chat_server import ChatServer, Json

__all__ = ["a_key"]  # every test here has it
CUT = 'data: {"choices": [{"index": 0, "delta": {"content": "he"}}]}\n\n'


class Upstream:
    """An upstream that fails as told, behind a proxy that asks once."""

    def __init__(self, folder: Path) -> None:
        self.faults: list[Fault] = []
        self.server = ChatServer(lambda request: "hello", faults=self._next)
        self.folder = folder

    def _next(self, request: Json) -> Fault | None:
        return self.faults.pop() if self.faults else None


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Upstream, TestClient]]:
    upstream = Upstream(tmp_path_factory.mktemp("proxy"))
    with upstream.server as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "none")
        url, journal = server.base_url, upstream.folder / "j.db"
        settings = ProxySettings(journal=journal, base_url=url, attempts=1, timeout=0.2)
        with TestClient(Proxy(settings), "http://localhost") as client:
            yield upstream, client


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (hang(), "no answer from http://127.0.0.1"),
        (HALF, "closed"),
        (RESET, "reset"),
        (NOT_JSON, "web page"),
        (EMPTY_CHOICES, "no choices"),
        (text(""), "not JSON"),
        (text("null"), "not a JSON object"),
        (text({"choices": [1]}), "without a message"),
        (text({"choices": [{"message": {"tool_calls": ["go"]}}]}), "malformed tool_calls"),
        (text(CUT), "ends early"),
        (text(CUT[:30]), "not JSON"),
    ],
)
def test_a_failure_is_told_in_one_line_and_not_kept(
    fault: Fault, words: str, failing: tuple[Upstream, TestClient]
) -> None:
    upstream, client = failing
    asked = {"model": "m", "messages": [{"role": "user", "content": repr(fault)}]}
    upstream.faults.append(fault)
    answer = client.post("/v1/chat/completions", json=asked)
    told = answer.json()["error"]
    assert (answer.status_code, told["code"]) == (502, "upstream_failed"), answer.text
    assert words in told["message"] and "\n" not in told["message"]
    again = client.post("/v1/chat/completions", json=asked).json()
    assert again["choices"][0]["message"]["content"] == "hello"


@pytest.mark.parametrize("taken", [0, 1000])
def test_a_reply_is_kept_although_its_client_hung_up(taken: int, tmp_path: Path) -> None:
    asked = json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": bool(taken)}
    )
    with ChatServer(lambda _: "x" * 5_000_000, latency=0.1) as upstream:
        with proxied(tmp_path, upstream) as url:
            place = url.removeprefix("http://").removesuffix("/v1")
            gone = http.client.HTTPConnection(place)
            gone.request("POST", "/v1/chat/completions", asked)
            while not upstream.requests:
                time.sleep(0.005)
            if taken:
                assert len(gone.getresponse().read(taken)) == taken
            gone.close()
        with proxied(tmp_path, upstream) as url:
            message: Any = {"role": "user", "content": "hi"}
            again = client(url).chat.completions.create(model="m", messages=[message])
        assert len(upstream.requests) == 1
    assert len(again.choices[0].message.content) == 5_000_000


TOKENS = {"content": [{"token": "hi", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}
ANSWER: Json = {
    "model": "m-1",
    "system_fingerprint": "fp",
    "choices": [
        {
            "message": {"content": "hi", "reasoning_content": "Hm.", "annotations": []},
            "logprobs": TOKENS,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 3,
        "completion_tokens": 5,
        "total_tokens": 8,
        "completion_tokens_details": {"reasoning_tokens": 4},
    },
}


def test_a_malformed_reply_is_passed_on_or_told(failing: tuple[Upstream, TestClient]) -> None:
    """Every field of a reply with every wrong type, asked by both APIs."""
    upstream, client = failing
    told: Counter[int] = Counter()
    for number, place in enumerate(places(ANSWER)):
        for value in (5, [1]):
            said = f"{number} {value}"
            message = {"role": "user", "content": said}
            asked: dict[str, Json] = {
                "chat/completions": {"model": "m", "messages": [message], "stream": True},
                "responses": {"model": "m", "input": f"Respond: {said}"},
            }
            for path, body in asked.items():
                upstream.faults = [text(changed(ANSWER, place, value))]
                answer = client.post(f"/v1/{path}", json=body)
                told[answer.status_code] += 1
                assert answer.status_code in (200, 502), (place, value, answer.text)
    assert told[200] > told[502] > 10


def test_other_fields_of_a_reply_are_kept_and_passed_on(tmp_path: Path) -> None:
    message: Any = {"role": "user", "content": "hi"}
    with ChatServer(lambda _: ANSWER) as upstream, proxied(tmp_path, upstream) as url:
        chat = client(url).chat.completions
        asked = {"model": "m", "messages": [message], "logprobs": True}
        whole = [chat.create(**asked), chat.create(**asked)]
        with chat.stream(**asked) as stream:
            whole.append(stream.get_final_completion())
        with client(url).responses.stream(model="m", input="hi") as events:
            response: Any = events.get_final_response()
        assert len(upstream.requests) == 2  # responses ask without log-probabilities
    for reply in whole:
        assert reply.choices[0].logprobs.content[0].logprob == -0.5
        assert reply.choices[0].message.reasoning_content == "Hm."
        assert reply.system_fingerprint == "fp"
    assert whole[0].choices[0].message.annotations == []
    assert whole[1].usage.completion_tokens_details.reasoning_tokens == 4
    assert response.output[0].summary[0].text == "Hm." and response.output_text == "hi"
    assert response.usage.output_tokens_details.reasoning_tokens == 4
