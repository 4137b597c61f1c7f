"""Two phases, as KwaiAgents has them (Pan et al. 2023, arXiv:2312.04889): plan, then conclude.

The plan prompt chooses the next tool call, or `task_complete`. Then the conclude prompt asks for
the answer in words, which becomes the argument of the world's own answer tool. A world without one
such tool has one phase. An answer that cannot be written as a plain text so that it is read back
is written as a plain call.
"""

from collections.abc import Sequence

from engine.templates import answers
from engine.templates.reading import reasoning
from engine.templates.reading.json_text import replace_surrogates
from environments.tools import NO_ARGUMENTS, Tool
from environments.types import Action

TASK_COMPLETE = Tool(
    "task_complete",
    "Say that the task is complete and needs no further command. The answer is asked for next.",
    NO_ARGUMENTS,
)


def offered(tools: Sequence[Tool]) -> Sequence[Tool]:
    """Return the tools of the plan prompt: `task_complete` stands for the answer tool."""
    answer = answers.answering(tools)
    if answer is None:
        return tools
    return (*(tool for tool in tools if tool is not answer), TASK_COMPLETE)


def completes(action: Action, tools: Sequence[Tool]) -> bool:
    """Return whether `action` says that the task is complete, so that words must follow."""
    return action.tool == TASK_COMPLETE.name and answers.answering(tools) is not None


def completed(action: Action) -> Action:
    """Return the call of `task_complete` in place of an answer, with its thought."""
    return Action(TASK_COMPLETE.name, {}, action.thought)


def written(action: Action, tools: Sequence[Tool]) -> str:
    """Return an answer as the reply to the conclude prompt; "" if it needs a plain call."""
    text = answers.written_words(action, tools)
    return text if words_of(text) == text else ""


def words_of(content: str) -> str:
    """Return a reply in words, without the model's reasoning."""
    text = replace_surrogates(content).replace("\r\n", "\n")
    return reasoning.part(text).rest.strip()
