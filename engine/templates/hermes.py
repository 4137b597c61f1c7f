"""Nous Research's function-calling format (Hermes 2 Pro and later), also used by Qwen 2.5 and 3.

I should look at the tables.
<tool_call>
{"name": "describe_table", "arguments": {"table": "loans"}}
</tool_call>
"""

from engine.templates.delimited_json import DelimitedJson
from engine.templates.dialects import openai
from engine.templates.text import Text

FORMAT = """\
You may call one function at a time to get on with the task. The functions are within \
<tools></tools> XML tags:
<tools>
{tools}
</tools>

Answer with a JSON object of the function's name and arguments within <tool_call></tool_call> \
XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""

CALLS = DelimitedJson("<tool_call>", "<tool_call>\n", "\n</tool_call>", "name", "arguments")


def system(instructions: str, tools: str) -> str:
    """Return the system message."""
    return f"{instructions}\n\n{FORMAT.format(tools=tools)}"


def observed(observation: str) -> str:
    """Return an observation as the user's message."""
    return f"<tool_response>\n{observation}\n</tool_response>"


TEMPLATE = Text("hermes", system, openai, CALLS.write, CALLS.read, observed)
