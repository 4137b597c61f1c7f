"""The knowledge graph: calls, questions, files of the user's, and the demonstration."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from engine.policies.demonstration import DemonstrationPolicy
from environments import Action, DataError, Step, Task, make
from environments.kg.data_files import BUNDLED, read_graph
from environments.kg.env import KgEnv
from environments.kg.generate import PER_PATH, path_of, topics
from environments.kg.graph import Graph
from environments.kg.tasks import program_of
from environments.records import Faults
from search import Dfsdt
from tests.support.searching import play
from tools.bundled.kg.__main__ import questions

FILMS = (
    ("Alien", "director", "Ridley Scott"),
    ("Gladiator", "director", "Ridley Scott"),
    ("Heat", "director", "Michael Mann"),
    ("Alien", "year", "1979"),
    ("Gladiator", "year", "2000"),
    ("Heat", "year", "1995"),
    ("Ridley Scott", "friend", "Michael Mann"),
    ("Michael Mann", "friend", "Ridley Scott"),
    ("Alien", "genre", "Horror"),
    ("Heat", "genre", "Crime"),
)
ASKED = {
    "question": "Which films of Ridley Scott's are there?",
    "entities": ["Ridley Scott"],
    "answers": ["Alien", "Gladiator"],
}


def films(folder: Path, *asked: Mapping[str, object]) -> str:
    """A folder of the user's, with questions."""
    (folder / "triples.tsv").write_text("\n".join(map("\t".join, FILMS)))
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, asked)))
    return str(folder)


def step(env: KgEnv, tool: str, *names: str) -> tuple[str, str]:
    """What is seen, and the kind of error."""
    arguments = {"get_neighbors": ("variable", "relation"), "intersection": ("variable", "other")}
    keys = arguments.get(tool, ("variable", "attribute")[: len(names)])
    observation, *_, info = env.step(Action(tool, dict(zip(keys, names, strict=True))))
    return observation, info.get("error", "")


def test_calls_over_a_graph(tmp_path: Path) -> None:
    env = KgEnv(data=films(tmp_path, ASKED))
    assert env.reset(options={"task": env.tasks[0]})[0].endswith("Entities: Ridley Scott")
    table = (
        (("get_relations", "Ridley Scott"), "relations of Ridley Scott: director of, friend", ""),
        (("get_neighbors", "Ridley Scott", "director of"), "#0 = Alien, Gladiator", ""),
        (("get_attributes", "#0"), "attributes of #0: year", ""),
        (("argmin", "#0", "year"), "#1 = Alien (year: 1979)", ""),
        (("count", "#0"), "#2 = the number 2", ""),
        (("get_neighbors", "Crime", "genre of"), "#3 = Heat", ""),
        (("intersection", "#0", "#1"), "#4 = Alien", ""),
        (("intersection", "#0", "#3"), "no entity is in both #0 and #3; no variable was made", ""),
        (
            ("count", "#9"),
            "error: no variable '#9'; the variables: #0, #1, #2, #3, #4",
            "bad_variable",
        ),
        (("count", "#2"), "error: #2 is a number, not a set of entities", "bad_variable"),
        (("count", "Aliem"), "error: no entity 'Aliem' in the graph; nearly: Alien", "bad_entity"),
        (
            ("get_neighbors", "#1", "actor"),
            "error: #1 has no relation 'actor'; its relations: director, genre",
            "bad_relation",
        ),
        (
            ("argmax", "#0", "price"),
            "error: #0 has no attribute 'price'; its attributes: year",
            "bad_attribute",
        ),
    )
    for (tool, *names), observation, error in table:
        assert step(env, tool, *names) == (observation, error)


@pytest.mark.parametrize(
    ("calls", "reward", "f1"),
    [
        ([("get_neighbors", "Ridley Scott", "director of")], 1.0, 1.0),
        ([("get_neighbors", "Horror", "genre of")], 0.0, 2 / 3),
        ([("count", "Horror")], 0.0, 0.0),
    ],
)
def test_answers_are_graded_as_sets(
    tmp_path: Path, calls: list[tuple[str, ...]], reward: float, f1: float
) -> None:
    env = KgEnv(data=films(tmp_path, ASKED))
    env.reset(options={"task": env.tasks[0]})
    for call in calls:
        step(env, *call)
    assert step(env, "answer", "#1") == (
        "error: no variable '#1'; the variables: #0",
        "bad_variable",
    )
    _, earned, terminated, _, info = env.step(Action("answer", {"variable": "#0"}))
    assert (earned, terminated, info["f1"]) == (reward, True, pytest.approx(f1))


def test_a_variable_shows_ten_entities() -> None:
    env = KgEnv()
    env.reset(options={"task": env.tasks[0]})
    assert step(env, "get_neighbors", "Africa", "continent of")[0].endswith("more)")
    assert step(env, "count", "#0")[0] == "#1 = the number 58"


def test_the_bundled_files_are_what_their_sources_make() -> None:
    assert (BUNDLED / "questions.jsonl").read_text("utf-8") == questions()


def test_no_path_and_no_entity_is_in_both_splits() -> None:
    splits = [make("kg", split=split).tasks for split in ("train", "test")]
    assert len(splits[0]) >= 120 and len(splits[1]) >= 40
    programs = [list(map(program_of, tasks)) for tasks in splits]
    for part in (path_of, topics):
        train, test = ({each for p in split for each in _flat(part(p))} for split in programs)
        assert train and test and not train & test
    for tasks in splits:
        assert {task.tags["kind"] for task in tasks} == {"chain", "intersection", "count", "argmax"}
        assert {task.tags["hops"] for task in tasks} == {"1", "2", "3"}
        groups = [task.group for task in tasks]
        assert max(map(groups.count, groups)) <= PER_PATH


def _flat(found: str | Sequence[str]) -> Sequence[str]:
    return [found] if isinstance(found, str) else found


def test_no_prompt_tells_an_answer() -> None:
    for split in ("train", "test"):
        for task in make("kg", split=split).tasks:
            entities = task.prompt.partition("\nEntities: ")[2]
            assert not set(task.secret["answers"]) & {entities}


async def test_the_teacher_goes_on_after_a_mistake() -> None:
    """Mistakes make variables, too; the steps after them must name the right ones."""
    env = KgEnv()
    for task in env.tasks[:12]:
        tree = await play(Dfsdt, env, task, DemonstrationPolicy(env, mistake_rate=1.0))
        assert tree.solved, task.id


def test_a_path_full_of_mistakes_is_recovered_from() -> None:
    """Every step that can go wrong does; the next names the variables that there are then."""
    env = KgEnv()
    wrong_steps = []
    for task in env.tasks[:40]:
        path: list[Step] = []
        wrongs = 0
        env.reset(options={"task": task})
        while not path or not path[-1].ended:
            right = env.recover(task, path)
            assert right is not None
            wrong = env.mistakes(task, right) if right.tool != "answer" else []
            made = {step.action.key for step in path}
            fresh = [action for action in wrong if action.key not in made][:1]
            for action in (*fresh, right):
                observation, reward, terminated, truncated, info = env.step(action)
                assert not info.get("error"), (task.id, action)
                path.append(Step(action, observation, reward, terminated, truncated, info))
            wrongs += len(fresh)
        assert path[-1].reward == 1.0, task.id
        wrong_steps.append(wrongs)
    assert max(wrong_steps) >= 3


TROUBLES = [
    ({"question": "Who?"}, "no field 'answers'"),
    ({"question": "Who?", "answers": ["Heat"]}, "no field 'entities'"),
    ({**ASKED, "entities": ["Nobody"]}, "no entity 'Nobody' in the graph"),
    ({**ASKED, "program": [["count"]]}, "must be calls"),
    ({**ASKED, "program": [["count", "Nobody"]]}, "its program fails: no entity"),
    ({**ASKED, "program": [["count", "Alien"]]}, "other answers"),
]


@pytest.mark.parametrize(("record", "why"), TROUBLES)
def test_bad_questions_are_told(tmp_path: Path, record: Mapping[str, object], why: str) -> None:
    with pytest.raises(DataError, match=why):
        KgEnv(data=films(tmp_path, record)).load_tasks()
    env = KgEnv(data=films(tmp_path, record, ASKED))
    assert [task.id for task in env.load_tasks()] == ["1"]


def test_questions_with_and_without_a_program(tmp_path: Path) -> None:
    program = [["get_neighbors", "Ridley Scott", "director of"], ["count", "#0"]]
    counted = {"question": "How many?", "program": program, "id": "n", "split": "test"}
    env = KgEnv(data=films(tmp_path, ASKED, counted))
    plain, with_program = env.tasks
    assert env.solution(plain) is None and env.mistakes(plain, Action("count", {})) == []
    assert with_program.secret["answers"] == ["2"]
    assert with_program.group == "director of > count"
    with pytest.raises(DataError, match="no task of split 'dev'; the splits"):
        KgEnv(data=str(tmp_path), split="dev").load_tasks()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("films.csv", 'Subject,Relation,Object\n"Alien",director,"Scott, Ridley"\n'),
        ("films.tsv", "Alien\tdirector\tScott, Ridley\r\n\nAlien\tdirector\n"),
        (
            "films.jsonl",
            '{"subject": "Alien", "relation": "director", "object": "Scott, Ridley"}\n',
        ),
    ],
)
def test_files_of_triples(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    graph = read_graph(tmp_path / name, Faults())
    assert graph.neighbors(("Alien",), "director") == ("Scott, Ridley",)
    assert list(graph) == ["Alien", "Scott, Ridley"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no triple"),
        ("Alien\tdirector", "line 1: must be subject, relation and object, not 2 fields"),
        ("#Alien\tdirector\tScott", "line 1: a name begins with '#'"),
        ("Alien\tdirector\t", "line 1: a field is empty"),
        ("Alien\tyear\t1979", "holds numbers only"),
        ("Alien\tdirector\tScott", "too small a graph"),
    ],
)
def test_files_without_a_graph(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "films.tsv"
    file.write_text(text)
    with pytest.raises(DataError, match=why):
        KgEnv(data=str(file)).load_tasks()


def test_questions_are_made_for_a_graph_without_any(tmp_path: Path) -> None:
    """Of another graph, without words for its relations."""
    (tmp_path / "triples.tsv").write_text(
        "\n".join(
            f"town{n}\tlies_in\tland{n % 7}\ntown{n}\tpeople\t{n * 17 % 101}\n"
            f"town{n}\ttwin town\ttown{(n * 5 + 1) % 60}"
            for n in range(60)
        )
    )
    env = KgEnv(data=str(tmp_path))
    assert len(env.tasks) >= 40
    texts = [task.prompt.partition("\n")[0] for task in env.tasks]
    assert any("entities whose lies in is land" in text for text in texts)
    for task in env.tasks:
        env.reset(options={"task": task})
        for action in env.solution(task) or ():
            reward = env.step(action)[1]
        assert reward == 1.0


def test_the_names_of_other_directions() -> None:
    graph = Graph(
        [("a", "part", "b"), ("b", "part of", "a"), ("a", "next", "b"), ("b", "next", "a")]
    )
    assert graph.inverses["part"] == "inverse of part" and graph.inverses["next"] == "next"
    assert graph.relations_of(("a",)) == ["next", "part", "part of of"]
    assert make("kg").tasks and isinstance(make("kg").tasks[0], Task)
