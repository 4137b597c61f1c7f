"""What a prompt shows before a path: examples, failed attempts, reflections."""

import pytest

from engine.policies.judge import SEARCH_TEXTS
from engine.templates import NAMES, get
from engine.templates.base import World
from engine.templates.context import (
    AGAIN,
    ATTEMPT_CHARS,
    OBSERVATION_CHARS,
    REFLECTIONS,
    Context,
    as_text,
    shortened,
)
from engine.templates.model_calls import actions_in
from environments import GIVE_UP, Action, Step, Task, Tool
from environments.tools import text_arguments
from environments.types import Trajectory

LOOK = Tool("look", "Look at it.", text_arguments(at="what"))
ANSWER = Tool("answer", "Answer.", text_arguments(text="it"))
WORLD = World("Be brief.", (LOOK, ANSWER, GIVE_UP))
TASK, OTHER = Task("t", "Where is the key?"), Task("o", "Where is the cup?")
SEEN = Step(Action("look", {"at": "sink"}, "I look."), "a cup")
SAID = Step(Action("answer", {"text": "sink"}, "So it is."), "right", 1.0, True)
LEFT = Step(Action(GIVE_UP.name, {}, "I start anew."), "gave up", terminated=True)
PATH = (Step(Action("look", {"at": "hook"}, "Now here."), "a key"),)
WHOLE = Context((Trajectory(OTHER, (SEEN, SAID)),), ((SEEN, LEFT),), ("Look higher.",))


@pytest.mark.parametrize("name", NAMES)
def test_a_context_is_turns_of_the_templates_own_form_before_the_path(name):
    template = get(name)
    plain, shown = template.render(WORLD, TASK, PATH), template.render(WORLD, TASK, PATH, WHOLE)
    start = len(template.render(WORLD, TASK, (), WHOLE))
    assert shown[0] == plain[0] and shown[start:] == plain[2:]
    assert template.render(WORLD, TASK, PATH, Context()) == plain

    acted = actions_in(template, WORLD, [m for m in shown if m["role"] == "assistant"])
    assert acted == [each.action for each in (SEEN, SAID, SEEN, LEFT, *PATH)]
    before = shown[start - 1]
    assert before["role"] == "user" and AGAIN in before["content"]
    assert before["content"].endswith(f"{REFLECTIONS}\n- Look higher.")
    roles = [message["role"] for message in shown]
    assert ("user", "user") not in zip(roles, roles[1:], strict=False)
    ids = [call["id"] for m in shown for call in m.get("tool_calls", ())]
    answered = [m["tool_call_id"] for m in shown if m["role"] == "tool"]
    assert ids == answered and len(set(ids)) == len(ids)

    told = as_text(shown[1:start]) if name != "native" else OTHER.prompt + TASK.prompt
    assert told.index(OTHER.prompt) < told.index(TASK.prompt)
    assert name == "native" or "right" not in told  # what follows an answer is no part of it
    assert not any(text in as_text(shown) for text in SEARCH_TEXTS)


def test_an_attempt_is_bounded():
    long = Step(Action("look", {"at": "y"}, "z" * 900), "x" * 9000)
    kept = shortened([long] * 20 + [LEFT])
    assert kept[-1] == LEFT and 2 < len(kept) < 6
    assert all(len(step.observation) < OBSERVATION_CHARS + 40 for step in kept)
    assert "8500 characters left out" in kept[0].observation
    huge = Step(Action("look", {"at": "y" * 2 * ATTEMPT_CHARS}), "")
    assert shortened([SEEN, huge]) == (huge,)
