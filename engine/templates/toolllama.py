"""ToolLLaMA's prompt (Qin et al. 2023, arXiv:2307.16789; ToolBench, Apache-2.0).

The calls are ReAct's. `Finish` stands for the world's own answer tool, and for `give_up`, if the
world has exactly one answer tool that takes a text. ToolBench's own rows use the role "function"
for observations. Chat templates and servers do not support it, so only
`engine export --format toolbench` writes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.templates import answers, react
from engine.templates.dialects import toolbench
from engine.templates.parts import Parts, Values, words
from engine.templates.reading.arguments import only_argument
from engine.templates.reading.reader import RESTART
from engine.templates.text import Text
from environments.tools import GIVE_UP, Tool
from environments.types import Action

FINISH, GIVE_ANSWER, FINAL = "Finish", "give_answer", "final_answer"

_PROFILE = """\
You are AutoGPT, you can use many tools(functions) to do the following task.
First I will give you the task description, and your task start."""

_FORM = """\
At each step, you need to give your thought to analyze the status now and what to do next, with a \
function call to actually excute your step. Your output should follow this format:
Thought:
Action
Action Input:

After the call, you will get the call result, and you are now in a new state.
Then you will analyze your status now, then decide what to do next...
After many (Thought-call) pairs, you finally perform the task, then you can give your finial answer.
Remember: 
1.the state change is irreversible, you can't go back to one of the former state, if you want to \
restart the task, say "I give up and restart".
2.All the thought is short, at most in 5 sentence.
3.You can do more then one trys, so if your plan is to continusly try some conditions, you can do \
one of the conditions per try.
Let's Begin!"""

_REMINDERS = """\
Remember:
1.ALWAYS call "Finish" function at the end of the task: you should only output a final answer with \
Action: Finish, and it should hold all that the user needs. If you can't handle the task, or the \
function calls always fail, use function Finish->give_up_and_restart.
2.Use only the names of the functions that are listed."""


def offered(tools: Sequence[Tool]) -> Sequence[Tool]:
    """Return the tools with `Finish` in place of the answer tool and of `give_up`."""
    answer = _replaced(tools)
    if answer is None:
        return tools
    others = [tool for tool in tools if tool is not answer and tool.name != GIVE_UP.name]
    return (*others, _finish(tools, answer))


def write(action: Action, tools: Sequence[Tool] = ()) -> str:
    """Return a ReAct call, with a line for the thought even if it is empty."""
    given = _given(action, tools)
    if given is not None and _action(given, tools, action.thought) == action:
        action = Action(FINISH, given, action.thought)
    return f"Thought: {react.written_thought(action.thought)}\n{react.call(action)}"


def read(reply: str, tools: Sequence[Tool] = ()) -> Action:
    """Return the action in a reply, or a malformed action."""
    plain = react.READER(reply)
    if plain.tool == FINISH and not plain.reply:
        found = _action(plain.arguments, tools, plain.thought)
        if found and write(found, tools) == reply:
            return found
    return react.READER(reply, tools)


def _replaced(tools: Sequence[Tool]) -> Tool | None:
    """Return the answer tool that `Finish` stands for; None if the world has a `Finish`, too."""
    answer = answers.answering(tools)
    return None if answer is None or any(tool.name == FINISH for tool in tools) else answer


def _finish(tools: Sequence[Tool], answer: Tool) -> Tool:
    gives_up = any(tool.name == GIVE_UP.name for tool in tools)
    returns = [GIVE_ANSWER, RESTART] if gives_up else [GIVE_ANSWER]
    about = f'The final answer; give it if "return_type"=="{GIVE_ANSWER}". '
    properties = {
        "return_type": {"type": "string", "enum": returns},
        FINAL: {"type": "string", "description": about + answers.described(tools)},
    }
    return Tool(
        FINISH,
        "If you have a result that can answer the task, call this function to give the final "
        "answer. If you cannot go on in the current state, call it to restart. ALWAYS call it at "
        "the end of your attempt: only the final answer is shown to the user.",
        {"type": "object", "properties": properties, "required": ["return_type"]},
    )


def _given(action: Action, tools: Sequence[Tool]) -> dict[str, Any] | None:
    """Return the arguments of the `Finish` that stands for `action`; None if none does."""
    answer = _replaced(tools)
    if answer is None:
        return None
    if action.tool == GIVE_UP.name:
        return None if action.arguments else {"return_type": RESTART}
    if action.tool != answer.name or len(action.arguments) > 1:
        return None
    texts = list(action.arguments.values())
    return {"return_type": GIVE_ANSWER, **dict(zip([FINAL], texts, strict=False))}


def _action(given: Mapping[str, Any], tools: Sequence[Tool], thought: str) -> Action | None:
    """Return the call of the world's own tool that a `Finish` stands for."""
    answer = _replaced(tools)
    if answer is None:
        return None
    if dict(given) == {"return_type": RESTART} and any(t.name == GIVE_UP.name for t in tools):
        return Action(GIVE_UP.name, {}, thought)
    if given.get("return_type") != GIVE_ANSWER or not given.keys() <= {"return_type", FINAL}:
        return None
    if FINAL not in given:
        return Action(answer.name, {}, thought)
    if name := only_argument(answer):
        return Action(answer.name, {name: given[FINAL]}, thought)
    found = answers.read_answer(str(given[FINAL]), tools)
    return found and replace(found, thought=thought)


def _instruction(values: Values) -> str:
    described = f"Task description: {values['instructions']}"
    return f"{described}\n{_REMINDERS}" if values["answer"] else described


TEMPLATE = Text(
    "toolllama",
    Parts(
        profile=words(_PROFILE),
        instruction=_instruction,
        tools=words("Specifically, you have access to the following APIs: $tools"),
        goal=words("\n$prompt\nBegin!\n"),
        format=words(_FORM),
        order=("profile", "format", "instruction", "tools", "goal", "memory"),
        between="\n",
    ),
    toolbench,
    write,
    read,
    str,
    offered,
)
