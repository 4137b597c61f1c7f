"""Calls of the browser's tools, as the tasks' solutions have them."""

from typing import Any

Call = dict[str, Any]


def call(tool: str, thought: str, *mistakes: Call, **arguments: Any) -> Call:
    """Return a call with a thought, and wrong versions of it."""
    made: Call = {"tool": tool, "arguments": arguments, "thought": thought}
    return made | ({"mistakes": list(mistakes)} if mistakes else {})


def click(name: str, role: str = "link", *mistakes: Call) -> Call:
    """Return a click."""
    return call("click", f"I click {name}.", *mistakes, role=role, name=name)


def type_(name: str, text: str, *mistakes: Call, **more: Any) -> Call:
    """Return the filling of a field."""
    return call("type", f"I fill in {name}.", *mistakes, name=name, text=text, **more)


def select(name: str, option: str, *others: str) -> Call:
    """Return the choice of an option; each of `others` is a mistake."""
    wrong = [call("select", f"I choose {other}.", name=name, option=other) for other in others]
    return call("select", f"I choose {option}.", *wrong, name=name, option=option)


def finish(answer: str = "", *wrong: str) -> Call:
    """Return the end, with an answer if there is one."""
    if not answer:
        return call("finish", "The form has been sent.")
    mistakes = [call("finish", "The page says it.", answer=other) for other in wrong]
    return call("finish", "The page says it.", *mistakes, answer=answer)
