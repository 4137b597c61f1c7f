"""A student over several worlds: the command, the table, and the means."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.chat_server import ChatServer
from trainer.errors import TrainerError
from trainer.evaluation.measures.statistics import Estimate, Rate
from trainer.evaluation.overall import Overall, means, weighed_means
from trainer.evaluation.report import Report
from trainer.evaluation.reporting.comparison import WorldsComparison
from treegraft.commands import trainer_app
from treegraft.errors import TreegraftError

KEYPAD, COUNTER = "examples.keypad:KeypadEnv", "tests.support.counter_world:CounterEnv"


def evaluate(*flags: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(trainer_app(), ["eval", "--unsafe", *flags])
    if isinstance(done.exception, TreegraftError):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def greeter(body: dict) -> str:
    """Greets every user, and plays no other world."""
    turns = sum(message["role"] == "assistant" for message in body["messages"])
    return 'Thought: hi\nAction: say\nAction Input: {"text": "Good morning, it is 3"}' * (turns < 9)


def test_a_student_is_measured_in_several_worlds_and_compared(tmp_path: Path) -> None:
    both, runs = f"{KEYPAD},{COUNTER}", {}
    for name, depth in (("long", "4"), ("short", "1")):
        with ChatServer(greeter) as server:
            asked = ["--env", both, "--model", "m", "--base-url", server.base_url]
            out = tmp_path / name
            code, found, _ = evaluate(*asked, "--depth", depth, "--output", str(out), "--json")
        assert code == 0
        (runs[name],) = json.loads(found)
        assert [each["solved"]["total"] for each in runs[name]["worlds"].values()] == [4, 3]
    assert runs["long"]["worlds"][COUNTER]["solved"]["hits"] == 2
    table = tmp_path / "table.md"
    shown = ["--compare", str(tmp_path / "short"), "--compare", str(tmp_path / "long")]
    code, text, _ = evaluate(*shown, "--report", str(table))
    assert code == 0 and "33.3 %" in text
    assert "| overall | 0.00 | 2.00 | +2.00 |" in table.read_text()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--data", "x"], "--data is for one world"),
        (["--env-arg", "goals=all", "--model", "m", "--output", "no/such"], "no option"),
        (["--tasks", "1"], "--tasks is for one world"),
        ([], "--env needs --model and --output"),
    ],
)
def test_what_only_one_world_takes_is_refused(flags: list[str], words: str) -> None:
    with pytest.raises(TreegraftError, match=words):
        evaluate("--env", f"{KEYPAD},webshop", *flags)


def test_a_world_twice_is_refused() -> None:
    with pytest.raises(TrainerError, match="names a world twice"):
        evaluate("--env", "bird,bird", "--model", "m")


def student(name: str, **scores: float) -> Overall:
    made = {world: Report(world, reward=Estimate(s, 0.0, 1.0)) for world, s in scores.items()}
    return Overall(name, made)


def test_the_mean_is_weighed_as_in_agentbench() -> None:
    # By hand: the means are 0.3 and 0.6; 0.2/0.3 and 0.8/0.6; 0.4/0.3 and 0.4/0.6.
    students = [student("a", x=0.2, y=0.8, z=0.0), student("b", x=0.4, y=0.4, z=0.0)]
    assert weighed_means(students) == pytest.approx([1.0, 1.0])
    assert means(students) == pytest.approx([1 / 3, 0.8 / 3])
    better = [student("a", x=0.1, y=0.5), student("b", x=0.3, y=0.5)]
    assert weighed_means(better) == pytest.approx([0.75, 1.25])
    assert weighed_means([student("a", x=0.0)]) == [0.0]


def test_only_common_worlds_are_in_the_means() -> None:
    students = [student("a", x=0.2, y=0.8), student("b", x=0.4)]
    assert means(students) == pytest.approx([0.2, 0.4])
    assert "Not in the means" in repr(WorldsComparison(students))
    with pytest.raises(TrainerError, match="no world in common"):
        means([student("a", x=0.2), student("b", y=0.2)])


def test_a_score_without_partial_rewards_is_the_solve_rate() -> None:
    one = Overall("a", {"x": Report("x", solved=Rate(1, 4))})
    assert means([one]) == [0.25]
