"""ToolLLaMA's prompt (Qin et al. 2023, arXiv:2307.16789; ToolBench, Apache-2.0).

The calls are ReAct's. ToolBench's own rows use the role "function" for observations. Chat templates
and servers do not support it, so only `engine export --format toolbench` writes it.
"""

from engine.templates import react
from engine.templates.dialects import toolbench
from engine.templates.text import Text
from environments.types import Action

SYSTEM = """\
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
Task description: {instructions}
Specifically, you have access to the following APIs: {tools}"""


def write(action: Action) -> str:
    """Return a ReAct call, with a line for the thought even if it is empty."""
    return react.write(action) if action.thought else f"Thought: \n{react.write(action)}"


TEMPLATE = Text(
    "toolllama",
    lambda instructions, tools: SYSTEM.format(instructions=instructions, tools=tools),
    toolbench,
    write,
    react.read,
    str,
    "\n{}\nBegin!\n".format,
)
