"""The prompts of version 0.1, for runs that were explored with them.

Version 0.2 renders four templates as their projects publish them. A run keeps the texts that it was
explored with: it is exported and resumed in those of its day. They are `react-0.1` and so on, and
can be chosen by these names, too. Replies are read as in today's templates.
"""

import json
from collections.abc import Sequence

from engine.templates import autogpt, dialects, modelscope, react
from engine.templates.delimited_json import DelimitedJson
from engine.templates.parts import Parts, words
from engine.templates.text import Text
from environments.tools import Tool
from environments.types import Action

FIRST = "0.1"
"""The version whose runs note no edition."""

_REACT = """\
Answer with one call at a time, in exactly this form:
Thought: why you make the call
Action: the name of a tool
Action Input: its arguments as one line of JSON

Tools:
$tools"""

_TOOLLLAMA = """\
You are AutoGPT, you can use many tools(functions) to do the following task.
First I will give you the task description, and your task start.
At each step, you need to give your thought to analyze the status now and what to do next, with a \
function call to actually excute your step. Your output should follow this format:
Thought:
Action
Action Input:

After the call, you will get the call result, and you are now in a new state.
Then you will analyze your status now, then decide what to do next...
After many (Thought-call) pairs, you finally perform the task, then you can give your finial answer.
Let's Begin!
Task description: $instructions
Specifically, you have access to the following APIs: $tools"""

_AUTOGPT = """\
Commands:
$tools

Answer with one command at a time, and with nothing but JSON in this form:
{
    "thoughts": {
        "text": "thought"
    },
    "command": {
        "name": "command name",
        "args": {
            "arg name": "value"
        }
    }
}"""

_MODELSCOPE = """\
The plug-ins that you can use are:
$tools

To call one, write its api_name and its parameters as JSON, between <|startofthink|> and \
<|endofthink|>:
<|startofthink|>```JSON
{"api_name": <name>, "parameters": {<name>: <value>}}
```<|endofthink|>
Make one call at a time; its result follows between <|startofexec|> and <|endofexec|>."""

_CALLS = DelimitedJson(
    "<|startofthink|>",
    "<|startofthink|>```JSON\n",
    "\n```<|endofthink|>",
    "api_name",
    "parameters",
)


def _react(action: Action, tools: Sequence[Tool] = ()) -> str:
    return react.write(action)


def _toolllama(action: Action, tools: Sequence[Tool] = ()) -> str:
    return react.write(action) if action.thought else f"Thought: \n{react.write(action)}"


def _autogpt(action: Action, tools: Sequence[Tool] = ()) -> str:
    command = {"name": action.tool, "args": dict(action.arguments)}
    return json.dumps(
        {"thoughts": {"text": action.thought}, "command": command}, ensure_ascii=False, indent=4
    )


TEMPLATES = {
    template.name: template
    for template in (
        Text(
            f"react-{FIRST}",
            Parts(tools=words(_REACT)),
            dialects.lines,
            _react,
            react.READER,
            "Observation: {}".format,
            stop=("\nObservation:",),
        ),
        Text(
            f"toolllama-{FIRST}",
            Parts(
                instruction=words(_TOOLLLAMA), tools=words(""), goal=words("\n$prompt\nBegin!\n")
            ),
            dialects.toolbench,
            _toolllama,
            react.READER,
            str,
        ),
        Text(
            f"autogpt-{FIRST}",
            Parts(tools=words(_AUTOGPT)),
            dialects.autogpt,
            _autogpt,
            autogpt.read,
            "Command returned: {}".format,
        ),
        Text(
            f"modelscope-{FIRST}",
            Parts(tools=words(_MODELSCOPE)),
            dialects.openai,
            _CALLS.write,
            _CALLS.read,
            modelscope.observed,
        ),
    )
}
