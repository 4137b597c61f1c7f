"""ModelScope-Agent's format (Li et al. 2023, arXiv:2309.00986): JSON between delimiters.

I should look at the tables.
<|startofthink|>```JSON
{"api_name": "describe_table", "parameters": {"table": "loans"}}
```<|endofthink|>
"""

import json

from engine.templates.delimited_json import DelimitedJson
from engine.templates.dialects import openai
from engine.templates.text import Text, system_with

FORMAT = """\
The plug-ins that you can use are:
{tools}

To call one, write its api_name and its parameters as JSON, between <|startofthink|> and \
<|endofthink|>:
<|startofthink|>```JSON
{{"api_name": <name>, "parameters": {{<name>: <value>}}}}
```<|endofthink|>
Make one call at a time; its result follows between <|startofexec|> and <|endofexec|>."""

CALLS = DelimitedJson(
    "<|startofthink|>",
    "<|startofthink|>```JSON\n",
    "\n```<|endofthink|>",
    "api_name",
    "parameters",
)


def observed(observation: str) -> str:
    """Return an observation as the user's message."""
    result = json.dumps({"result": observation}, ensure_ascii=False)
    return f"<|startofexec|>```JSON\n{result}\n```<|endofexec|>"


TEMPLATE = Text("modelscope", system_with(FORMAT), openai, CALLS.write, CALLS.read, observed)
