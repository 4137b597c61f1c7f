"""Tool noise: what the agent sees changes, what the tree keeps does not."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from random import Random

import pytest

import environments
from engine.templates import TemplateError, get
from engine.templates.base import World
from engine.templates.tool_noise import ToolNoise, seen_step, under_noise
from engine.templates.tool_noise.mentions import Mentions
from engine.templates.tool_noise.noisy import Noisy
from engine.templates.tool_noise.observations import restyled
from environments import GIVE_UP, SAY, Action, Step, Task, Tool
from environments.registry import find_class
from environments.spaces import ToolCall
from environments.tools import Violation, is_say, text_arguments, violation

WORLDS = ("bird", "browser", "database", "kg", "mcp", "os", "python", "search-qa", "webshop")
KINDS = ("rename", "shuffle", "reword", "drop", "observe", "distract:4", "all")

SEARCH = Tool(
    "search",
    "Search for pages.",
    {
        "type": "object",
        "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}},
        "required": ["query"],
        "additionalProperties": False,
    },
)
RUN_SQL = Tool("run_sql", "Run a query; see search.", text_arguments(sql="one SELECT"))
WORLD = World("First `search`, then run_sql. Search well. Call search once.", (SEARCH, RUN_SQL))
TASK = Task("t", "Which search is it?")
ERROR = {"error": "unknown_tool"}


@cache
def tool_sets() -> dict[str, tuple[Tool, ...]]:
    """The tools of every world, and those of tasks that bring their own."""
    found = {name: find_class(name).tools for name in WORLDS}
    for name in ("api", "bfcl"):
        with_tools = environments.make(name, split="test")
        for task in with_tools.tasks[:1]:
            found[f"{name} {task.id}"] = with_tools.tools_of(task)
        with_tools.close()
    return found


def changed(kinds: str, world: World = WORLD) -> World:
    return replace(world, noise=ToolNoise.parse(kinds))


def actions(tools: tuple[Tool, ...], rng: Random) -> list[Action]:
    """Calls of every tool, right and wrong, with thoughts that name tools."""
    space, names = ToolCall(tools), [tool.name for tool in tools]
    space.seed(rng.randrange(1000))
    thoughts = [
        "",
        "Call {0} with `{1}`.",
        "{0}({1}) or {0} {1} tool {1}",
        '{{"name": "{0}"}} {0}s',
    ]
    found = [space.sample() for _ in range(6)]
    found += [Action(name, {"text": name, "no_such": [name]}) for name in names[:3]]
    thought = rng.choice(thoughts).format(*rng.choices([*names, "answer", "findText"], k=2))
    return [Action(each.tool, each.arguments, thought) for each in found]


@pytest.mark.parametrize("kind", ["rename", "drop", "observe", "all"])
def test_every_call_is_read_back_as_it_was_made(kind: str) -> None:
    for name, tools in tool_sets().items():
        for seed in range(2):
            rng = Random(f"{name}|{seed}")
            world = changed(f"{kind},seed:{seed}")
            for template in map(get, ("native", "hermes")):
                task = Task(f"{name}-{seed}", "Do it.", tools=tools)
                noisy = under_noise(template, world, task)
                path = [Step(action, "seen") for action in actions(tools, rng)]
                messages = noisy.render(WORLD, task, path)
                replies = [m for m in messages if m["role"] == "assistant"]
                read = [noisy.parse(json.loads(json.dumps(one)), tools) for one in replies]
                assert read == [step.action for step in path]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_shown_is_as_good_as_what_is_true(kind: str) -> None:
    """A call is right in the shown tools if and only if it is right in the true ones."""
    for name, tools in tool_sets().items():
        task = Task(name, "Do it.", tools=tools)
        made = actions(tools, Random(name))
        template = under_noise(get("react"), changed(kind), task, made)
        assert isinstance(template, Noisy)
        shown = template.view.tools
        assert len({tool.name for tool in shown}) == len(shown) >= len(tools)
        for action in made:
            seen = seen_step(template, Step(action, "x")).action
            assert (violation(action, tools) is None) == (violation(seen, shown) is None)
        assert sum(map(is_say, shown)) == sum(map(is_say, tools))


def noisy(
    kinds: str, task: Task = TASK, world: World = WORLD, used: Sequence[Action] = ()
) -> Noisy:
    template = under_noise(get("hermes"), changed(kinds, world), task, used)
    assert isinstance(template, Noisy)
    return template


def wrong(action: Action) -> Violation:
    found = violation(action, WORLD.tools)
    assert found is not None
    return found


def test_who_remembers_a_name_calls_an_unknown_tool() -> None:
    template = noisy("rename")
    shown = {tool.name for tool in template.view.tools}
    assert not shown & {"search", "run_sql"}
    action = template.parse(call("run_sql", sql="SELECT 1"), WORLD.tools)
    assert wrong(action).kind == "unknown_tool"
    seen = seen_step(template, Step(action, f"error: {wrong(action).message}", info=ERROR))
    assert seen.action.tool == "run_sql"
    assert seen.observation.startswith("error: no tool named 'run_sql'; the tools are: ")
    assert all(name in seen.observation for name in shown)


def test_a_distractor_says_that_it_is_of_no_use_here() -> None:
    template = noisy("distract:2")
    extra = sorted(template.view.distractors)
    assert len(extra) == 2 and [t.name for t in template.view.tools if t.name not in extra] == [
        "search",
        "run_sql",
    ]
    action = template.parse(call(extra[0], a=1), WORLD.tools)
    assert action == Action(extra[0], {"a": 1})
    step = Step(action, f"error: {wrong(action).message}", info=ERROR)
    assert "not available for this task" in seen_step(template, step).observation


def test_errors_name_what_the_agent_sees() -> None:
    template = noisy("rename")
    names, arguments = template.view.mentions.tools, template.view.arguments["run_sql"]
    empty = Action("run_sql", {})
    step = Step(empty, f"error: {wrong(empty).message}", info={"error": "bad_arguments"})
    told = seen_step(template, step).observation
    assert names["run_sql"] in told and arguments["sql"] in told and "run_sql" not in told
    own = Step(Action("run_sql", {"sql": "x"}), "no page; call search", info={"error": "no_page"})
    assert seen_step(template, own).observation == f"no page; call {names['search']}"
    data = Step(own.action, "run_sql is data here")
    assert seen_step(template, data).observation == data.observation


def test_a_dropped_argument_is_unknown_and_one_in_use_is_kept() -> None:
    seeds = [f"drop,seed:{seed}" for seed in range(8)]
    dropped = [each for each in map(noisy, seeds) if "limit" in each.view.arguments["search"]]
    assert 0 < len(dropped) < 8
    action = dropped[0].parse(call("search", query="x", limit=2), WORLD.tools)
    assert wrong(action).kind == "bad_arguments"
    used = [Action("search", {"query": "x", "limit": 2})]
    for seed in seeds:
        assert "limit" in str(noisy(seed, used=used).view.tools)


def test_instructions_name_the_shown_tools_and_prompts_stay() -> None:
    template = noisy("rename")
    name, sql = template.view.mentions.tools["search"], template.view.mentions.tools["run_sql"]
    system, user = template.render(WORLD, TASK, [])
    assert f"First `{name}`, then {sql}. Search well. Call {name} once." in system["content"]
    assert user["content"] == TASK.prompt


def test_give_up_and_say_keep_their_names() -> None:
    world = World("", (SEARCH, SAY, GIVE_UP))
    shown = noisy("all", world=world).view.tools
    assert any(map(is_say, shown)) and "give_up" in {tool.name for tool in shown}
    reply = Step(Action("say", {"text": "Which?"}), "The red one.")
    assert noisy("all", world=world).render(world, TASK, [reply])[-1]["content"] == "The red one."


def test_the_noise_of_a_task_depends_on_its_id_and_the_seed_only() -> None:
    def shown(kinds: str, task: str) -> list[str]:
        return [tool.name for tool in noisy(kinds, Task(task, "?")).view.tools]

    assert shown("rename", "a") == shown("rename", "a") == shown("rename,observe", "a")
    assert len({tuple(shown("rename", str(task))) for task in range(20)}) > 5
    assert len({tuple(shown(f"rename,seed:{seed}", "a")) for seed in range(20)}) > 5


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("a | b\n1 | x\n2 | \n(2 rows)", False),
        ('{"error": "", "response": [1, 2.5, "é"]}', False),
        ('{"a":1}', False),
        ("1 | 2", False),
        ("", False),
        ("error: no such table: x | y", True),
    ],
)
def test_an_observation_in_another_format_holds_the_same(text: str, failed: bool) -> None:
    plain = text.removeprefix("error: ")
    shown = json.loads(restyled("json", text, failed))
    table = [shown.get("columns"), *shown.get("rows", [])]
    whole = "\n".join(
        [*(" | ".join(row) for row in table if row), *([shown["note"]] if "note" in shown else [])]
    )
    value = json.dumps(shown["result"], ensure_ascii=False) if "result" in shown else whole
    assert plain == shown.get("text", shown.get("reason", value))
    assert restyled("tags", text, failed).split("\n", 1)[1].rsplit("\n", 1)[0] == plain
    lines = restyled("lines", text, failed).split("\n")[1:]
    assert "\n".join(line.removeprefix("> ") for line in lines) == plain


def test_names_are_told_from_words() -> None:
    mentions = Mentions(
        {"answer": "submit", "run_sql": "select_rows"}, {"max_rows": "rowLimit", "sql": "text"}
    )
    text = "The answer: run_sql, then call answer. `sql` is sql; max_rows=3; answer(1); `answer`"
    shown = (
        "The answer: select_rows, then call submit. `text` is sql; rowLimit=3; submit(1); `submit`"
    )
    assert mentions.shown(text) == shown and mentions.shown(shown) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [("names", "unknown tool noise 'names'"), ("distract:x", "whole number"), ("seed", "seed:N")],
)
def test_a_wrong_text_is_told(text: str, says: str) -> None:
    with pytest.raises(TemplateError, match=says):
        ToolNoise.parse(text)


def test_no_noise_is_the_template_itself() -> None:
    assert ToolNoise.parse("none,seed:3") == ToolNoise(seed=3) and not ToolNoise.parse("none")
    assert under_noise(get("react"), changed("none"), TASK) is get("react")


def call(tool: str, **arguments: object) -> dict[str, str]:
    content = json.dumps({"name": tool, "arguments": arguments})
    return {"role": "assistant", "content": f"<tool_call>\n{content}\n</tool_call>"}
