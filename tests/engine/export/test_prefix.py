"""Requests of a tree begin with the bytes of those before them, so that prefix caches hit."""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.chat.endpoint import Endpoint
from engine.policies.teacher import Teacher, ask_differently
from engine.runs.stats import prefix_tokens
from engine.templates import NAMES, get
from engine.templates.base import World
from environments import GIVE_UP, Action, Step, Task, Tool, make
from environments.registry import ENTRY_POINTS, find_class
from search.policy import Child, Request
from search.tree import ROOT, Call, Tree
from search.usage import Usage
from tests.support.chat_server import ChatServer

ROOT_FOLDER = Path(__file__).parents[3]
BUNDLED = ROOT_FOLDER / "environments" / "sql" / "data"
SAMPLING = {"temperature": 1.0, "max_tokens": 64, "seed": 0}


@dataclass(frozen=True)
class Walked:
    """tasks: two.   path: what the solution of the first one met."""

    world: World
    tasks: Sequence[Task]
    path: Sequence[Step]


@pytest.fixture(scope="module")
def spider_data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two of the bundled tasks in Spider's layout."""
    folder = tmp_path_factory.mktemp("spider")
    records = json.loads((BUNDLED / "train.json").read_text())[:2]
    file = Path(records[0]["db_id"], f"{records[0]['db_id']}.sqlite")
    (folder / "database" / file.parent).mkdir(parents=True)
    shutil.copy(BUNDLED / "train_databases" / file, folder / "database" / file)
    spider = [{"db_id": r["db_id"], "question": r["question"], "query": r["SQL"]} for r in records]
    (folder / "train_spider.json").write_text(json.dumps(spider))
    return str(folder)


WORLDS = [name for name in ENTRY_POINTS if not find_class(name).extra]


@pytest.fixture(scope="module", params=[*WORLDS, "examples.keypad:KeypadEnv"])
def walked(request: pytest.FixtureRequest, spider_data: str) -> Iterator[Walked]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT_FOLDER)
        env = make(request.param, data=spider_data if request.param == "spider" else None)
    try:
        tasks, path = env.tasks[:2], []
        env.reset(options={"task": tasks[0]})
        for action in env.solution(tasks[0]):
            observation, reward, terminated, truncated, info = env.step(action)
            path.append(Step(action, observation, reward, terminated, truncated, info))
        yield Walked(World(env.instructions, env.tools), tasks, path)
    finally:
        env.close()


def split(body: bytes) -> tuple[str, str, str]:
    """What stands before the list of messages, the list without its end, and the rest."""
    text = body.decode()
    start = text.index('"messages":') + len('"messages":')
    _, end = json.JSONDecoder().raw_decode(text, start)
    return text[:start], text[start : end - 1], text[end - 1 :]


CHATS = [name if name != "kwai" else "kwai:chat" for name in NAMES]
"""Templates whose requests grow; one prompt per call holds what was done in its midst."""


@pytest.mark.parametrize("template", CHATS)
async def test_a_request_begins_with_the_bytes_of_its_parents(
    walked: Walked, template: str
) -> None:
    path = walked.path
    with ChatServer(lambda _: "x") as server:
        endpoint = Endpoint(server.base_url)
        teacher = Teacher(endpoint, get(template), walked.world, "m", SAMPLING)
        for depth in range(len(path)):
            for tried in (0, 1, 2):
                children = [Child(path[depth])] * tried
                task, so_far = walked.tasks[0], path[:depth]
                request = Request(task, so_far, children, differ=True, attempt=tried)
                await teacher.propose(request)
        await teacher.propose(Request(walked.tasks[1]))
        await endpoint.aclose()
    heads, texts, tails = zip(*map(split, server.bodies), strict=True)
    assert len(set(heads)) == 1  # model
    # Sampling and tools. The seed is no part of the prompt; each attempt has its own.
    assert len({re.sub(r'"seed":[0-9]+', "", tail) for tail in tails}) == 1
    *states, _ = texts[::3]
    for parent, child in zip(states, states[1:], strict=False):
        assert child.startswith(parent + ",") and len(child) > len(parent)
    for at, state in enumerate(states):
        for sibling in texts[3 * at + 1 : 3 * at + 3]:
            # A note goes into a user's message, where that is the last, since roles must alternate.
            assert sibling.startswith(state.removesuffix('"}')) and len(sibling) > len(state)
    mine, other = (json.loads(text + "]")[0] for text in (texts[0], texts[-1]))
    assert mine["role"] == "system" and mine == other


TEXT = st.text(max_size=20)
STEPS = st.lists(
    st.builds(
        Step,
        st.builds(Action, st.just("look") | TEXT, st.dictionaries(TEXT, TEXT, max_size=2), TEXT)
        | st.builds(Action.malformed, TEXT, TEXT),
        TEXT,
    ),
    max_size=4,
)
LOOK = Tool("look", "Look.", {"type": "object", "properties": {"at": {"type": "string"}}})


@pytest.mark.parametrize("name", NAMES)
@given(path=STEPS, cut=st.integers(0, 4), tried=STEPS)
def test_a_conversation_only_grows_at_its_end(
    name: str, path: list[Step], cut: int, tried: list[Step]
) -> None:
    template, world, task = get(name), World("Be brief.", (LOOK, GIVE_UP)), Task("t", "What?")
    whole, early = (template.render(world, task, part) for part in (path, path[:cut]))
    assert json.dumps(whole[: len(early)]) == json.dumps(early)
    asked = ask_differently(early, tried)
    assert json.dumps(asked).startswith(json.dumps(early).removesuffix('"}]'))


def tree_of(*calls: tuple[int, int]) -> Tree:
    """Calls as (state, prompt tokens), in the tree 0 - (1 - (2 - 4), 3)."""
    tree = Tree(Task("t", "?"))
    for parent in (ROOT, 1, ROOT, 2):
        tree.add(parent, Step(Action("go", {}), "seen"))
    tree.calls = [Call(state, "", Usage(1, tokens, 1)) for state, tokens in calls]
    return tree


@pytest.mark.parametrize(
    ("calls", "repeated"),
    [
        ([], 0),
        ([(0, 100)], 0),  # what comes first in a tree was never sent
        ([(0, 100), (0, 130), (0, 160)], 200),  # siblings: the state's own conversation
        ([(0, 100), (1, 150), (2, 210)], 250),  # a child: its parent's
        ([(0, 100), (4, 300)], 100),  # nobody was asked in between
        ([(0, 100), (1, 150), (3, 140), (1, 170)], 350),  # not that of a sibling's child
        ([(0, 100), (1, 60)], 60),  # never more than there is
        ([(1, 150), (0, 100)], 0),
    ],
)
def test_repeated_prefix_tokens(calls: list[tuple[int, int]], repeated: int) -> None:
    assert prefix_tokens(tree_of(*calls)) == repeated
