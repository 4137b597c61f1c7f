"""A student that acts first and its teacher, each a real chat server: who is asked, and when."""

import socket
from math import inf
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from tests.support.chat_faults import Fault, status
from tests.support.chat_server import ChatServer, Json
from tests.support.student_first import Pair, acted, calls, depth, is_probe, pair, says


def test_a_student_that_is_sure_and_right_is_never_corrected(tmp_path: Path) -> None:
    with pair(tmp_path, lambda _: calls(1)) as both:
        assert both.explore().solved == 1
        assert acted(both.tree) == ["student"] * 3 and both.tree.source == "t+s"
        assert not both.teacher.requests
        assert {call.kind for call in both.tree.calls} == {"student"}
        found = both.stats["student_first"]
    assert (found["teacher_calls"], found["student_calls"], found["teacher_calls_saved"]) == (
        (0, 3, 3)
    )
    assert (found["solve_rate_alone"], found["solve_rate_corrected"]) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ((calls(0), [-0.5001]), "unsure"),
        ((calls(1), [-0.5]), "student"),
        ((calls(1), [0.0, -0.75, -0.75]), "student"),
        ((calls(0), [0.0, -1.0, -1.0]), "unsure"),
        ((calls(0), [0.0, None]), "unsure"),
        ((calls(0), []), "unsure"),
        ((calls(0), None), "unsure"),
        ("I wonder.", "malformed"),
        ('Action: fly\nAction Input: {"arm": 1}', "malformed"),
    ],
)
def test_the_teacher_acts_where_the_student_is_in_doubt(
    tmp_path: Path, reply: Any, why: str
) -> None:
    with pair(tmp_path, lambda r: reply if depth(r) == 1 else calls(1)) as both:
        both.explore()
        assert acted(both.tree) == ["student", why, "student"] and both.tree.solved
        assert [depth(request) for request in both.asked] == [0, 1, 2]
        assert [depth(request) for request in both.teacher.requests] == [1] * (why != "student")
        kinds = [(call.state, call.kind) for call in both.tree.calls]
        assert ((1, "propose") in kinds) == (why != "student")
        assert both.stats["calls"] == 3 + len(both.teacher.requests)
        assert both.stats["student_first"]["solve_rate_corrected"] == float(why != "student")
        assert both.stats["student_first"].get(why, 1) == 1


@pytest.mark.parametrize("siblings", ["diverse", "sample"])
def test_where_the_student_failed_the_teacher_is_asked_and_not_the_student(
    tmp_path: Path, siblings: str
) -> None:
    with pair(tmp_path, lambda _: calls(0)) as both:
        both.explore(siblings=siblings)
        tree = both.tree
    assert tree.solved and len(tree.nodes) == 14
    for state in [0, *(node.id for node in tree.nodes if not node.step.ended)]:
        first, second = tree.children(state)
        assert (first.actor, first.why, second.actor, second.why) == ("student", "", "", "failed")
    assert len(both.asked) == len(both.teacher.requests) == 7


def test_where_the_student_won_it_goes_on(tmp_path: Path) -> None:
    with pair(tmp_path, lambda _: calls(1), lambda _: calls(0)) as both:
        both.explore(max_solutions=2, task_budget_calls=5)
        assert acted(both.tree) == ["student"] * 3 + ["repeat"]


def test_what_was_tried_is_no_proposal(tmp_path: Path) -> None:
    how = {"search": "beam", "teacher": "demonstration", "mistake_rate": 0.0}
    with pair(tmp_path, lambda _: calls(0)) as both:
        both.explore(**how)
        assert acted(both.tree)[:2] == ["student", "repeat"]
        assert not both.teacher.requests  # the demonstration teacher asks nobody
        assert both.stats["student_first"]["teacher_calls"] == 0


def test_a_chain_after_one_that_failed_is_begun_by_the_teacher(tmp_path: Path) -> None:
    with pair(tmp_path, lambda r: calls(depth(r) % 2)) as both:
        both.explore(search="react", width=2)
        assert acted(both.tree) == ["student"] * 3 + ["failed", "student", "student"]


def test_the_student_sees_its_own_template_and_the_teacher_judges(tmp_path: Path) -> None:
    def teacher(request: Json) -> str:
        return "Score: 9" if "judge" in str(request["messages"][-1]["content"]) else calls(1)

    with pair(tmp_path, lambda r: calls(1), teacher) as both:
        both.explore(search="mcts", student_template="toolllama", reflections=1)
        systems = {request["messages"][0]["content"] for request in both.asked}
    assert all("AutoGPT" in text for text in systems)
    judged = [request for request in both.teacher.requests if "judge" in str(request["messages"])]
    assert judged and len(judged) < len(both.tree.calls)


def test_a_student_that_dies_does_not_fail_the_task(tmp_path: Path, capfd: Any) -> None:
    def dies(request: Json) -> Fault | None:
        return status(500) if depth(request) else None

    with pair(tmp_path, lambda _: calls(1), faults=dies) as both:
        assert both.explore().solved == 1
        assert acted(both.tree) == ["student", "unreachable", "unreachable"]
        # Tried a few times, and then left alone for a while.
        assert [depth(request) for request in both.asked] == [0, 1, 1, 1]
        assert both.stats["student_first"]["unreachable"] == 2
    said = capfd.readouterr().err
    assert said.count("the student cannot be reached") == 1 and "fault 500" in said


def test_a_refused_request_says_nothing_of_the_next(tmp_path: Path, capfd: Any) -> None:
    def refused(request: Json) -> Fault | None:
        known = is_probe(request) or depth(request) == 2
        return None if known else status(400, code="context_length_exceeded")

    with pair(tmp_path, lambda _: calls(1), faults=refused) as both:
        both.explore()
        assert acted(both.tree) == ["unreachable", "unreachable", "student"]
    assert capfd.readouterr().err.count("the student cannot be reached") == 1


@pytest.mark.parametrize(
    ("faults", "reply", "words"),
    [
        ([status(401)], calls(1), "HTTP 401: fault 401"),
        ([status(404)], calls(1), "HTTP 404: fault 404"),
        ([], None, "--student-threshold=-inf"),
    ],
)
def test_a_student_that_will_not_do_stops_the_run_at_its_start(
    tmp_path: Path, faults: list[Fault], reply: str | None, words: str
) -> None:
    def mute(request: Json) -> Json:
        return {"choices": [{"message": {"role": "assistant", "content": "Hi."}}]}

    answers = mute if reply is None else says(lambda _: reply)
    with ChatServer(answers, faults=faults) as student, ChatServer(says(lambda _: "")) as teacher:
        both = Pair(student, teacher, tmp_path)
        with pytest.raises(UsageError) as error:
            both.explore()
        assert not teacher.requests and len(student.requests) == 1
        assert not (tmp_path / "run").exists(), "the folder is for the command put right"
    assert words in str(error.value) and f"s@{student.base_url}" in str(error.value)


def test_a_student_that_is_not_there_stops_the_run_at_its_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with ChatServer(says(lambda _: calls(1))) as teacher:
        both = Pair(teacher, teacher, tmp_path)
        with pytest.raises(UsageError, match="--student s@.*connection refused"):
            both.explore(student=f"s@http://127.0.0.1:{port}/v1")
        assert not teacher.requests


def test_without_log_probabilities_a_call_that_can_be_read_can_be_trusted(tmp_path: Path) -> None:
    with pair(tmp_path, lambda _: (calls(1), None)) as both:
        both.explore(student_threshold=-inf)
        assert acted(both.tree) == ["student"] * 3
        assert not any("logprobs" in request for request in both.student.requests)
        number = len(both.student.requests)
        assert both.explore(student_threshold=-inf).skipped == 1
        assert len(both.student.requests) == number, "nothing is left to ask it"


def test_each_server_is_sent_its_own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-teacher")
    monkeypatch.setenv("STUDENT_API_KEY", "sk-student")
    with pair(tmp_path, lambda _: "Hm.") as both:
        both.explore()
    for server, key in ((both.student, "sk-student"), (both.teacher, "sk-teacher")):
        assert {headers["authorization"] for headers in server.headers} == {f"Bearer {key}"}
