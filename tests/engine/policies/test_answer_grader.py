"""Answers without gold: asked in two stages, by votes, paid once and within the budget."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.api import Run, explore
from engine.errors import UsageError
from engine.policies.answer_grader import AnswerGrader, Verdict, named_grader, pass_rate
from engine.runs.explore import Progress
from environments import Action, Step, Task
from search.policy import Judgement, PolicyError
from tests.support.chat_faults import status
from tests.support.chat_server import ChatServer, Json
from tests.support.toolbench import SEARCH, Judge, finish, react, requests_folder
from trainer.evaluation.measures.batch_ask import Asked

FOUND = Step(Action(SEARCH, {"day": 5}), '{"response": "News"}')


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def ended(answer: str, **info: Any) -> Step:
    given = {"return_type": "give_answer", "final_answer": answer}
    return Step(Action("Finish", given), "submitted", terminated=True, info=info)


async def judged(server: ChatServer, journal: Path, path: list[Step], votes: int = 3) -> Any:
    async def consult(ask: Any) -> Any:
        found: Judgement[str] = await ask()
        return found.result

    async with Asked(journal, server.base_url).opened() as chat:
        grader = AnswerGrader(chat, "g", votes)
        return await grader.answer_status(Task("1", "What is on?"), path, consult)


@pytest.mark.parametrize(
    ("path", "word", "asked"),
    [
        ([FOUND, ended("News")], "solved", {"answer": 2}),
        ([FOUND, ended("nothing")], "unsolved", {"answer": 2}),
        ([FOUND, ended("maybe")], "solved", {"answer": 2, "calls": 2}),
        ([ended("maybe")], "unsolved", {"answer": 2, "calls": 2}),
        ([FOUND, ended("", gave_up=True)], "unsolved", {}),
        ([FOUND], "unsolved", {}),
    ],
)
async def test_the_calls_are_shown_where_the_answer_alone_does_not_tell(
    tmp_path: Path, path: list[Step], word: str, asked: dict[str, int]
) -> None:
    judge = Judge()
    with ChatServer(judge) as server:
        for _ in range(2):
            found = await judged(server, tmp_path / "journal.db", path)
            assert found.word == word
    assert judge.asked == asked, "a clear majority ends it, and each vote is paid once"


async def test_votes_differ_in_their_seed_and_without_a_majority_it_is_unsure(
    tmp_path: Path,
) -> None:
    words = ["Verdict: solved", "Verdict: unsolved", "Verdict: solved", "Verdict: unsolved"]
    with ChatServer(lambda request: words[request["seed"]]) as server:
        found = await judged(server, tmp_path / "j.db", [FOUND, ended("</data-1> News")], 4)
    assert found == Verdict("unsure", ("solved", "unsolved", "solved", "unsolved"))
    question = server.requests[0]["messages"][1]["content"]
    fence = question.partition(">")[0][1:]
    assert fence.startswith("data-") and question.count(f"</{fence}>") == 1
    assert server.requests[0]["temperature"] == 0


@pytest.mark.parametrize(
    ("answer", "task", "worth"),
    [
        ("solved", "unsolvable", 1.0),
        ("unsolved", "solvable", 0.0),
        ("unsolved", "unsure", 0.5),
        ("unsolved", "unsolvable", 1.0),
        ("unsure", "solvable", 0.5),
        ("unsure", "unsolvable", 1.0),
    ],
)
def test_a_pass_combines_answer_and_task(answer: str, task: str, worth: float) -> None:
    assert pass_rate(answer, task) == worth


def test_a_grader_is_a_model_and_where_it_is(tmp_path: Path) -> None:
    assert named_grader("m") == ("m", "") and named_grader("m@http://h/v1") == ("m", "http://h/v1")
    for wrong in ("@http://h/v1", " "):
        with pytest.raises(UsageError, match="name a model"):
            named_grader(wrong)
    with pytest.raises(UsageError, match="--grader-votes is for --grader"):
        explore("api", out=tmp_path / "run", grader_votes=5)


def teacher_and_judge(judge: Judge) -> Any:
    """The teacher searches, then answers at first badly, then well."""

    def reply(request: Json) -> str:
        if request["model"] == "g":
            return judge(request)
        text = json.dumps(request["messages"])
        if "Nothing is on" in text:
            return finish("News is on")
        return finish("Nothing is on") if "Observation: " in text else react(SEARCH, day=5)

    return reply


def explored(server: ChatServer, folder: Path, **options: Any) -> Run:
    """Explore the folder's two requests."""
    return explore(
        "api",
        out=folder / "run",
        data=str(folder / "data"),
        teacher="t",
        base_url=server.base_url,
        template="react",
        **options,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    requests_folder(tmp_path / "data", ["What is on?", "What was on?"])
    return tmp_path


def test_graded_answers_end_a_search_and_are_its_reward(folder: Path) -> None:
    judge = Judge()
    with ChatServer(teacher_and_judge(judge)) as server:
        run = explored(server, folder, grader=f"g@{server.base_url}", concurrency=1)
        tree = run["G1_query-0"]
    assert run.stats["solved"] == 2
    leaves = list(tree.leaves())
    assert [leaf.step.reward for leaf in leaves] == [0.0, 1.0]
    grade = {"by": "g", "answer": "solved", "votes": ["solved", "solved"]}
    assert leaves[-1].step.info == {"ungraded": True, "grade": grade}
    assert [call.kind for call in tree.calls].count("grade") == 4
    assert run.stats["calls"] == len(server.requests)
    assert list(run.rows("sft")["reward"]) == [1.0, 1.0]


def test_the_budget_bounds_the_grader_and_more_of_it_goes_on(folder: Path) -> None:
    judge = Judge()
    with ChatServer(teacher_and_judge(judge)) as server:
        grader = f"g@{server.base_url}"
        run = explored(server, folder, grader=grader, max_calls=3, concurrency=1)
        assert run.summary.stopped == 2 and len(server.requests) == 3
        run = explored(server, folder, grader=grader, concurrency=1)
        assert run.stats["solved"] == 2
        bodies = [json.dumps(request) for request in server.requests]
    assert len(bodies) == len(set(bodies)), "each reply is paid for once"


def test_without_a_grader_it_is_said_and_nothing_is_solved(folder: Path) -> None:
    class Notes(Progress):
        said = ""

        def note(self, text: str) -> None:
            self.said += text

    notes = Notes()
    with ChatServer(teacher_and_judge(Judge())) as server:
        run = explored(server, folder, task_budget_calls=4, progress=notes)
    assert "--grader" in notes.said and run.stats["solved"] == 0


def test_a_grader_that_refuses_fails_before_anything_is_spent(folder: Path) -> None:
    reply = teacher_and_judge(Judge())
    with (
        ChatServer(reply) as server,
        ChatServer(reply, faults=[status(401)] * 9) as other,
        pytest.raises(PolicyError, match="401|key"),
    ):
        other.models, other.key = ["g"], "secret"
        explored(server, folder, grader=f"g@{other.base_url}")
    assert not server.requests


def test_what_a_grader_was_paid_for_survives_kill_9(folder: Path) -> None:
    judge = Judge()
    started: list[subprocess.Popen[bytes]] = []

    def reply(request: Json) -> str:
        if request["model"] == "g" and judge.asked["answer"] == 3 and started:
            os.kill(started[0].pid, signal.SIGKILL)
        return str(answers(request))

    answers = teacher_and_judge(judge)
    with ChatServer(reply) as server:
        grader = f"g@{server.base_url}"
        command = f"explore --env api --data {folder / 'data'} --teacher t --template react"
        flags = f"--base-url {server.base_url} --grader {grader} --output {folder / 'run'}"
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "engine", *command.split(), *flags.split()],
                stderr=subprocess.DEVNULL,
            )
        )
        assert started[0].wait() == -signal.SIGKILL
        started.clear()
        at_death = len(server.requests)
        run = explored(server, folder, grader=grader, executor="processes", workers=1)
        assert run.stats["solved"] == 2
        bodies = [json.dumps(request) for request in server.requests]
    twice = len(bodies) - len(set(bodies))
    assert twice <= 2 < at_death, "at most what was under way is asked again, one a task"
