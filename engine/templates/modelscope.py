"""ModelScope-Agent's format (Li et al. 2023, arXiv:2309.00986): JSON between delimiters.

I should look at the tables.
<|startofthink|>```JSON
{"command_name": "describe_table", "args": {"table": "loans"}}
```<|endofthink|>

ModelScope-Agent calls the keys `api_name` and `parameters`; KwaiAgents' prompts in its form call
them `command_name` and `args`, as here. Both are read.
"""

import json

from engine.templates.delimited_json import DelimitedJson
from engine.templates.dialects import openai
from engine.templates.parts import Parts, words
from engine.templates.text import Text

_INSTRUCTION = """\
$instructions

The plug-ins that this conversation can use are listed below. Decide yourself whether one must be \
called to solve the user's task."""

_FORMAT = """\
To call a plug-in, write the call as JSON, which must hold the fields command_name and args, with \
<|startofthink|> before it and <|endofthink|> behind it:
<|startofthink|>```JSON
{"command_name": <name>, "args": {<name>: <value>}}
```<|endofthink|>
Make one call at a time; its result follows between <|startofexec|> and <|endofexec|>. Then go on \
from the result."""

CALLS = DelimitedJson(
    "<|startofthink|>",
    "<|startofthink|>```JSON\n",
    "\n```<|endofthink|>",
    "command_name",
    "args",
)


def observed(observation: str) -> str:
    """Return an observation as the user's message."""
    result = json.dumps({"result": observation}, ensure_ascii=False)
    return f"<|startofexec|>```JSON\n{result}\n```<|endofexec|>"


TEMPLATE = Text(
    "modelscope",
    Parts(
        profile=words(
            "You are ModelScopeGPT, a large language model that can call the APIs of models and "
            "tools through plug-ins to answer the user."
        ),
        instruction=words(_INSTRUCTION),
        tools=words("<tool_list>\n$tools\n</tool_list>"),
        format=words(_FORMAT),
    ),
    openai,
    CALLS.write,
    CALLS.read,
    observed,
)
