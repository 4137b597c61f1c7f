"""Nous Research's function-calling format (Hermes 2 Pro and later), also used by Qwen 2.5 and 3.

I should look at the tables.
<tool_call>
{"name": "describe_table", "arguments": {"table": "loans"}}
</tool_call>
"""

from engine.templates.delimited_json import DelimitedJson
from engine.templates.dialects import openai
from engine.templates.parts import Parts, words
from engine.templates.text import Text

_TOOLS = """\
You may call one function at a time to get on with the task. The functions are within \
<tools></tools> XML tags:
<tools>
$tools
</tools>"""

_FORMAT = """\
Answer with a JSON object of the function's name and arguments within <tool_call></tool_call> \
XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>"""

CALLS = DelimitedJson("<tool_call>", "<tool_call>\n", "\n</tool_call>", "name", "arguments")


TEMPLATE = Text(
    "hermes",
    Parts(tools=words(_TOOLS), format=words(_FORMAT)),
    openai,
    CALLS.write,
    CALLS.read,
    "<tool_response>\n{}\n</tool_response>".format,
)
