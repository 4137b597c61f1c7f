"""The SQL environments with the schema in the prompt (`--schema prompt`)."""

from collections.abc import Iterator
from os.path import commonprefix

import pytest

from environments import Action, DataError, ToolEnv, UnknownEnvironment, make


@pytest.fixture(scope="module")
def env() -> Iterator[ToolEnv]:
    made = make("bird", split="test", schema="prompt")
    yield made
    made.close()


def test_a_prompt_is_the_schema_and_then_the_question(env: ToolEnv) -> None:
    plain = make("bird", split="test")
    for shown, task in zip(env.tasks, plain.tasks, strict=True):
        schema, _, question = shown.prompt.rpartition(f"\n\n{task.prompt}")
        assert not question
        assert schema.count("\n") == 5 and task.secret["sql"] not in shown.prompt
        assert (shown.id, shown.group, shown.secret) == (task.id, task.group, task.secret)


def test_prompts_of_a_database_begin_alike(env: ToolEnv) -> None:
    for group in {task.group for task in env.tasks}:
        prompts = [task.prompt for task in env.tasks if task.group == group]
        schema = prompts[0].partition("\n\n")[0]
        assert commonprefix(prompts).startswith(f"{schema}\n\n")


def test_columns_stand_with_types_keys_and_what_their_values_mean(env: ToolEnv) -> None:
    lines = env.tasks[0].prompt.splitlines()
    tours = next(line for line in lines if line.startswith("tours("))
    assert tours == (
        "tours(tour_id integer primary key, exhibition_id -> exhibitions.exhibition_id, "
        "guide_id -> guides.guide_id, held_on text [YYYY-MM-DD], visitors integer, "
        "rating real [from 1 to 5; empty: not rated])"
    )


def test_the_solution_answers_at_once(env: ToolEnv) -> None:
    for task in env.tasks[::10]:
        env.reset(options={"task": task})
        (answer,) = env.solution(task)
        _, reward, terminated, _, _ = env.step(answer)
        assert (reward, terminated) == (1.0, True)


def test_mistakes_are_wrong_answers(env: ToolEnv) -> None:
    task = env.tasks[3]
    wrong = env.mistakes(task, env.solution(task)[0])
    assert wrong
    for action in wrong:
        env.reset(options={"task": task})
        _, reward, terminated, _, _ = env.step(action)
        assert (reward, terminated) == (0.0, True)


def test_there_is_nothing_to_look_at(env: ToolEnv) -> None:
    env.reset(options={"task": env.tasks[0]})
    observation, _, terminated, _, info = env.step(Action("list_tables", {}))
    assert info == {"error": "unknown_tool"} and not terminated
    assert "answer, run_sql, give_up" in observation and "list_tables" not in env.instructions


def test_other_values_and_other_environments_are_refused() -> None:
    with pytest.raises(DataError, match="no schema .all.; use one of tools, prompt"):
        make("bird", schema="all")
    with pytest.raises(UnknownEnvironment, match="python has no option .schema."):
        make("python", schema="prompt")
