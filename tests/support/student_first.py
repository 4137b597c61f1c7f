"""A student's chat server and its teacher's, and runs in which the one acts before the other."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.config import Config
from engine.runs.build_executor import Resources, RunBudget
from engine.runs.explore import Summary
from engine.runs.run import LOCAL, NO_BUDGET
from engine.runs.stats import stats
from engine.runs.store import Store
from search import Tree
from tests.support.chat_faults import Fault
from tests.support.chat_server import ChatServer, Json
from tests.support.configs import make_config, run

ARMS = "tests.support.fakes:ArmsEnv"
"""Three steps of two arms; arm 1, three times, wins."""

Answer = Callable[[Json], "str | tuple[str, Sequence[float | None] | None]"]
"""From a request to an answer: its text, and the log-probabilities of its tokens (None: the server
gives none); without them, a sure answer."""


def calls(arm: int) -> str:
    return f"Action: go\nAction Input: {json.dumps({'arm': arm})}"


def depth(request: Json) -> int:
    """Steps on the path that a request shows."""
    return sum(message["role"] == "assistant" for message in request["messages"])


def is_probe(request: Json) -> bool:
    return request["messages"] == [{"role": "user", "content": "Hello."}]


def says(answer: Answer) -> Callable[[Json], Json]:
    """What a server answers; log-probabilities only where they were asked for."""

    def reply(request: Json) -> Json:
        answered = "Hi." if is_probe(request) else answer(request)
        text, logprobs = (answered, (-0.1,)) if isinstance(answered, str) else answered
        choice: Json = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        if request.get("logprobs") and logprobs is not None:
            tokens = [{"token": "a", "logprob": each} for each in logprobs]
            choice["logprobs"] = {"content": tokens}
        return {"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 2}}

    return reply


@dataclass
class Pair:
    """A student's server and a teacher's, and runs in which the one acts before the other."""

    student: ChatServer
    teacher: ChatServer
    folder: Path

    @property
    def asked(self) -> list[Json]:
        """What the student was asked, but for the probe."""
        return [request for request in self.student.requests if not is_probe(request)]

    def config(self, **changes: Any) -> Config:
        values: dict[str, Any] = {"env": ARMS, "template": "react", "depth": 3, "teacher": "t"}
        values |= {"base_url": self.teacher.base_url, "student": f"s@{self.student.base_url}"}
        if changes.get("student") != "":
            values["student_threshold"] = -0.5
        return make_config(**{**values, **changes})

    def explore(
        self, budget: RunBudget = NO_BUDGET, resources: Resources = LOCAL, **changes: Any
    ) -> Summary:
        return run(self.config(**changes), self.folder / "run", budget=budget, resources=resources)

    @property
    def tree(self) -> Tree:
        with Store.open(self.folder / "run") as store:
            return store.tree("arms")

    @property
    def stats(self) -> Json:
        with Store.open(self.folder / "run") as store:
            return stats(store).to_dict()


@contextmanager
def pair(
    folder: Path,
    student: Answer,
    teacher: Answer = lambda _: calls(1),
    faults: Sequence[Fault] | Callable[[Json], Fault | None] = (),
) -> Iterator[Pair]:
    with ChatServer(says(student), faults=faults) as first, ChatServer(says(teacher)) as second:
        yield Pair(first, second, folder)


def acted(tree: Tree) -> list[str]:
    """Who made each step: "student", or why the teacher did."""
    return [node.actor or node.why for node in tree.nodes]
